//! What carries messages to users, as the settings name it.

use std::sync::Arc;

use scoreboard_core::Clock;
use scoreboard_core::accounts::{AccountsBuilder, Notifier};
use scoreboard_notify::{Outbox, OutboxConfig, SmtpMailer, Webhook};

use crate::failure::Result;
use crate::settings::Effective;

/// Gives the accounts what the settings name, each behind a queue of its own, so that no request waits for it.
pub(crate) fn carried(
    mut accounts: AccountsBuilder,
    effective: &Effective,
    clock: &Arc<dyn Clock>,
) -> Result<AccountsBuilder> {
    let (mail, sms) = (&effective.settings.mail, &effective.settings.sms);
    if !mail.smtp_url.is_empty() {
        let mailer =
            SmtpMailer::new(&mail.smtp_url, &mail.from).map_err(|rule| effective.refuse("mail.smtp_url", rule))?;
        accounts = accounts.with_mail(behind_queue(Arc::new(mailer), clock));
    }
    if !sms.webhook_url.is_empty() {
        let webhook = Webhook::new(&sms.webhook_url, &sms.secret, clock.clone());
        let webhook = webhook.map_err(|rule| effective.refuse("sms.webhook_url", rule))?;
        accounts = accounts.with_texts(behind_queue(Arc::new(webhook), clock));
    }
    Ok(accounts)
}

/// A queue before what carries messages, which is emptied by a task. By the clock of who writes them: what is of no use any more is not sent.
pub(crate) fn behind_queue(notifier: Arc<dyn Notifier>, clock: &Arc<dyn Clock>) -> Arc<dyn Notifier> {
    let (outbox, work) = Outbox::new(notifier, clock.clone(), OutboxConfig::default());
    tokio::spawn(work.run());
    Arc::new(outbox)
}
