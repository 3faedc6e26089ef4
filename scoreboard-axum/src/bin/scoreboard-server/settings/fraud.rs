//! What is believed, and who is told of what is not.

use std::num::NonZeroU32;

use scoreboard_core::statistical::{ActiveHours, SharedDevice, SharedSource, Stance, Velocity};
use scoreboard_core::{DeterministicRules, InvalidValue};
use serde::{Deserialize, Serialize};

use super::list::one_or_many;

/// Who holds whom a rule is to hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "String")]
pub(crate) enum Holds {
    /// The rule, at once.
    #[default]
    AtOnce,
    /// People, to whom it is proposed.
    ByPeople,
}

impl TryFrom<String> for Holds {
    type Error = InvalidValue;

    fn try_from(text: String) -> Result<Self, InvalidValue> {
        match text.as_str() {
            "at_once" => Ok(Self::AtOnce),
            "by_people" => Ok(Self::ByPeople),
            _ => Err(InvalidValue::new("holds", "must be `at_once` or `by_people`")),
        }
    }
}

/// What is believed. Each statistical rule is `off`, runs in `shadow` (is counted, and nothing else), `flag`s users, or `hold`s their points
/// until people have decided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Fraud {
    /// How many actions a user may have under way.
    pub(crate) max_outstanding: NonZeroU32,
    /// Whom a rule is to hold: held at once, or proposed to people.
    pub(crate) holds: Holds,
    /// Times between actions that vary less than a person's.
    pub(crate) interval_variation: Stance,
    /// The same within short stretches, whatever the pace of each.
    pub(crate) window_variation: Stance,
    /// Kinds that take as long each time though a person does them, like a lap: the two rules above leave them out.
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) steady_kinds: Vec<String>,
    /// More actions in an hour than a person does.
    pub(crate) velocity: Stance,
    /// As many are believed.
    pub(crate) actions_per_hour: u16,
    /// Actions in more hours of a day than a person is awake.
    pub(crate) active_hours: Stance,
    /// As many are believed.
    pub(crate) hours_per_day: u32,
    /// Results far from all that the user had before.
    pub(crate) points_shift: Stance,
    /// More accounts at one address than a household or a school has.
    pub(crate) shared_source: Stance,
    /// As many are believed.
    pub(crate) accounts_per_address: u32,
    /// More accounts on one device than a family has.
    pub(crate) shared_device: Stance,
    /// As many are believed.
    pub(crate) accounts_per_device: u32,
}

impl Default for Fraud {
    fn default() -> Self {
        Self {
            max_outstanding: NonZeroU32::new(DeterministicRules::DEFAULT_OUTSTANDING).expect("not zero"),
            holds: Holds::default(),
            interval_variation: Stance::Flag,
            window_variation: Stance::Flag,
            steady_kinds: Vec::new(),
            velocity: Stance::Flag,
            actions_per_hour: Velocity::default().per_hour,
            active_hours: Stance::Flag,
            hours_per_day: ActiveHours::default().hours,
            points_shift: Stance::Flag,
            shared_source: Stance::Flag,
            accounts_per_address: SharedSource::default().accounts,
            shared_device: Stance::Flag,
            accounts_per_device: SharedDevice::default().accounts,
        }
    }
}

/// Who is told of incidents.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Alerts {
    /// Addresses that are written to, by the mail server of `mail`.
    #[serde(deserialize_with = "one_or_many")]
    pub(crate) emails: Vec<String>,
    /// Where signed requests are posted; empty for none.
    pub(crate) webhook_url: String,
    /// What they are signed with, 32 bytes or more.
    pub(crate) secret: String,
    /// The most alerts in an hour: what is more is in the list of incidents, and the next alert says how many they are.
    pub(crate) per_hour: usize,
}

impl Default for Alerts {
    fn default() -> Self {
        Self { emails: Vec::new(), webhook_url: String::new(), secret: String::new(), per_hour: 20 }
    }
}
