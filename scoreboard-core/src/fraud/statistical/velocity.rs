//! More actions in an hour than a person does.

use serde::{Deserialize, Serialize};

use crate::fraud::statistical::evidence::{Evidence, Measured};
use crate::fraud::statistical::{Rule, Seen};

/// Speaks if a user has done more actions within one hour (UTC) than a person does. The quota of updates bounds minutes; this tells who
/// stays close to it for an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Velocity {
    /// As many are believed.
    pub per_hour: u16,
}

/// Eight a minute for an hour, where the quota allows ten.
impl Default for Velocity {
    fn default() -> Self {
        Self { per_hour: 480 }
    }
}

impl Rule for Velocity {
    fn id(&self) -> &'static str {
        "velocity"
    }

    fn version(&self) -> u32 {
        1
    }

    fn look(&self, seen: Seen<'_>) -> Option<Evidence> {
        let newest = seen.history.newest()?;
        let count = seen.history.hours().next()?;
        (count > self.per_hour).then(|| {
            let measured = Measured { unit: "perHour", value: i64::from(count), threshold: i64::from(self.per_hour) };
            Evidence::since(self, self, measured, &[], seen.history.newest_hour(), newest)
        })
    }
}
