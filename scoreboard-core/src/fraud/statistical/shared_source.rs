//! More accounts at one address than a household or a school would have.

use serde::{Deserialize, Serialize};

use crate::fraud::statistical::evidence::{Evidence, Measured};
use crate::fraud::statistical::{Rule, Seen};

/// Speaks if more accounts play from one address than are believed of a household, a school or a network behind one address.
///
/// Providers put thousands behind one address, so this is worth a look and no more. The log knows no addresses: the evidence names the
/// accounts that were seen, and cannot be recomputed from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SharedSource {
    /// As many are believed.
    pub accounts: u32,
}

impl Default for SharedSource {
    fn default() -> Self {
        Self { accounts: 40 }
    }
}

impl Rule for SharedSource {
    fn id(&self) -> &'static str {
        "shared_source"
    }

    fn version(&self) -> u32 {
        1
    }

    fn look(&self, seen: Seen<'_>) -> Option<Evidence> {
        let newest = seen.history.newest()?;
        (seen.neighbours.len() > self.accounts as usize).then(|| {
            let value = i64::try_from(seen.neighbours.len()).unwrap_or(i64::MAX);
            let measured = Measured { unit: "accounts", value, threshold: i64::from(self.accounts) };
            Evidence { users: seen.neighbours.to_vec(), ..Evidence::of(self, self, measured, &[], newest, newest) }
        })
    }
}
