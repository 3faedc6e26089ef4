//! More accounts on one device than a family would have.

use serde::{Deserialize, Serialize};

use crate::fraud::statistical::shared_source::crowd;
use crate::fraud::statistical::{Evidence, Rule, Seen};

/// Speaks if more accounts play on one device than are believed of a family that shares a tablet, from however many addresses.
///
/// A client says itself [what its device is called](crate::DeviceId). So this finds who does not lie, is worth a look and no more, and had
/// better never [hold](crate::statistical::Stance::Hold): whoever learns what somebody's device is called can make accounts on it. The log knows no
/// devices: the evidence names the accounts that were seen, and with them it is found again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SharedDevice {
    /// As many are believed.
    pub accounts: u32,
}

impl Default for SharedDevice {
    fn default() -> Self {
        Self { accounts: 6 }
    }
}

impl SharedDevice {
    pub(super) const ID: &str = "shared_device";
}

impl Rule for SharedDevice {
    fn id(&self) -> &'static str {
        Self::ID
    }

    fn version(&self) -> u32 {
        1
    }

    fn look(&self, seen: Seen<'_>) -> Option<Evidence> {
        crowd(self, self, self.accounts, seen, seen.neighbours.on_device())
    }
}
