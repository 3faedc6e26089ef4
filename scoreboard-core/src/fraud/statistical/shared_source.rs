//! More accounts at one address than a household or a school would have.

use serde::{Deserialize, Serialize};

use crate::fraud::statistical::evidence::{Evidence, Measured};
use crate::fraud::statistical::{Rule, Seen};
use crate::ids::UserId;

/// Speaks if more accounts play from one address than are believed of a household, a school or a network behind one address.
///
/// Providers put thousands behind one address, so this is worth a look and no more; and as anybody can make accounts where somebody else
/// plays, it had better never [hold](crate::statistical::Stance::Hold). The log knows no addresses: the evidence names the accounts that were
/// seen, and with them it is found again.
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

impl SharedSource {
    pub(super) const ID: &str = "shared_source";
}

impl Rule for SharedSource {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn version(&self) -> u32 {
        1
    }

    fn look(&self, seen: Seen<'_>) -> Option<Evidence> {
        crowd(self, self, self.accounts, seen, seen.neighbours.at_address())
    }
}

/// What there is to say of more accounts at one source than are believed.
pub(super) fn crowd(
    rule: &dyn Rule,
    parameters: &impl Serialize,
    believed: u32,
    seen: Seen<'_>,
    users: &[UserId],
) -> Option<Evidence> {
    let newest = seen.history.newest()?;
    (users.len() > believed as usize).then(|| {
        let value = i64::try_from(users.len()).unwrap_or(i64::MAX);
        let measured = Measured { unit: "accounts", value, threshold: i64::from(believed) };
        Evidence { users: users.to_vec(), ..Evidence::of(rule, parameters, measured, &[], newest, newest) }
    })
}
