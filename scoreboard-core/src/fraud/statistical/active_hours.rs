//! Hardly an hour of a day without an action.

use serde::{Deserialize, Serialize};

use crate::fraud::statistical::evidence::{Evidence, Measured};
use crate::fraud::statistical::{History, Rule, Seen};

/// Speaks if a user has played in more hours of the last 24 than a person does: people sleep. An account that several share does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ActiveHours {
    /// As many are believed, of 24.
    pub hours: u32,
}

impl Default for ActiveHours {
    fn default() -> Self {
        Self { hours: 18 }
    }
}

impl Rule for ActiveHours {
    fn id(&self) -> &'static str {
        "active_hours"
    }

    fn version(&self) -> u32 {
        1
    }

    fn look(&self, seen: Seen<'_>) -> Option<Evidence> {
        let newest = seen.history.newest()?;
        let active = seen.history.hours().filter(|&count| count > 0).count();
        (active > self.hours as usize).then(|| {
            let actions = seen.history.hours().map(i64::from).sum();
            let inputs = [("ofHours", History::HOURS as i64), ("actions", actions)];
            let value = i64::try_from(active).unwrap_or(i64::MAX);
            let measured = Measured { unit: "hours", value, threshold: i64::from(self.hours) };
            Evidence::since(self, self, measured, &inputs, seen.history.since(), newest)
        })
    }
}
