//! The statistical rules, as the settings want them, and who is told of what they find.

use std::sync::Arc;

use scoreboard_core::accounts::{Email, Notifier};
use scoreboard_core::statistical::{
    ActiveHours, IntervalVariation, PointsShift, Rules, SharedDevice, SharedSource, Velocity, WindowVariation,
};
use scoreboard_core::{
    Clock, FraudWatchConfig, IncidentAlerts, IncidentAlertsConfig, IncidentStore, InvalidValue, KindId,
};
use scoreboard_notify::{SmtpMailer, Webhook};

use crate::failure::Result;
use crate::messages::behind_queue;
use crate::settings::{self, Effective};

/// Where what takes no mail is said to be.
const NO_ADDRESS: &str = "incidents@scoreboard.invalid";

impl settings::Fraud {
    /// What is watched for; `None` where all rules are off. The error is the rule that a setting breaks.
    pub(crate) fn watch(&self) -> Result<Option<FraudWatchConfig>, InvalidValue> {
        let kinds = self.steady_kinds.iter().map(|kind| kind.parse());
        let steady_kinds: std::collections::BTreeSet<KindId> = kinds.collect::<Result<_, _>>()?;
        let rules = Rules::none()
            .with(
                IntervalVariation { steady_kinds: steady_kinds.clone(), ..IntervalVariation::default() },
                self.interval_variation,
            )
            .with(WindowVariation { steady_kinds, ..WindowVariation::default() }, self.window_variation)
            .with(Velocity { per_hour: self.actions_per_hour }, self.velocity)
            .with(ActiveHours { hours: self.hours_per_day }, self.active_hours)
            .with(PointsShift::default(), self.points_shift)
            .with(SharedSource { accounts: self.accounts_per_address }, self.shared_source)
            .with(SharedDevice { accounts: self.accounts_per_device }, self.shared_device);
        if rules.is_empty() {
            return Ok(None);
        }
        let mut config = FraudWatchConfig::default();
        config.rules = rules;
        config.carry_out_holds = self.holds == settings::Holds::AtOnce;
        Ok(Some(config))
    }
}

/// The store of incidents, before which stands who tells people of them, where the settings name somebody.
pub(crate) fn told(
    incidents: Arc<dyn IncidentStore>,
    effective: &Effective,
    clock: &Arc<dyn Clock>,
) -> Result<Arc<dyn IncidentStore>> {
    let (alerts, mail) = (&effective.settings.alerts, &effective.settings.mail);
    let mut carriers: Vec<(Arc<dyn Notifier>, Email)> = Vec::new();
    if !alerts.emails.is_empty() {
        let mailer =
            SmtpMailer::new(&mail.smtp_url, &mail.from).map_err(|rule| effective.refuse("mail.smtp_url", rule))?;
        // A queue of its own: whoever waits for a code does not wait behind alerts.
        let mailer = behind_queue(Arc::new(mailer), clock);
        for address in &alerts.emails {
            let address = address.parse().map_err(|rule| effective.refuse("alerts.emails", rule))?;
            carriers.push((mailer.clone(), address));
        }
    }
    if !alerts.webhook_url.is_empty() {
        let webhook = Webhook::new(&alerts.webhook_url, &alerts.secret, clock.clone());
        let webhook = webhook.map_err(|rule| effective.refuse("alerts.webhook_url", rule))?;
        carriers.push((behind_queue(Arc::new(webhook), clock), NO_ADDRESS.parse().expect("an address")));
    }
    if carriers.is_empty() {
        return Ok(incidents);
    }
    let mut config = IncidentAlertsConfig::default();
    config.per_hour = alerts.per_hour;
    config.url = format!("{}api/admin/incidents/", effective.settings.public_url);
    Ok(Arc::new(IncidentAlerts::new(incidents, carriers, clock.clone(), config)))
}
