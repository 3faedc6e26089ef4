//! Step 1, **limit**: how often a user may hand in updates.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::limiter::{Cell, Decision, Usage};
use crate::pipeline::Scoreboard;
use crate::store::Admitted;

const POLICY: &str = "update";

/// A user's update, counted against the quota: what [`submit_admitted`](Scoreboard::submit_admitted) asks for.
#[derive(Debug)]
#[must_use]
pub struct Admission {
    user: UserId,
    usage: Option<Usage>,
    admitted: Option<Admitted>,
}

/// What the store says of a change that is over its user's quota, for which the limiter had room: it has forgotten some of those before it.
pub(super) fn over_quota(admitted: &Admitted, free_in: Duration) -> Error {
    let quota = admitted.quota();
    let at = admitted.at();
    // When all is free again the store has not said: no later than a period from now.
    let reset_after = quota.period.max(free_in);
    Error::RateLimited(Usage { policy: POLICY, quota, at, remaining: 0, retry_after: free_in, reset_after })
}

impl Admission {
    /// Whose update.
    #[must_use]
    pub const fn user(&self) -> UserId {
        self.user
    }

    /// How much of the quota is used; `None` if there is none.
    #[must_use]
    pub const fn usage(&self) -> Option<&Usage> {
        self.usage.as_ref()
    }

    /// What the store holds the quota by, if it is one that stores hold.
    pub(super) const fn admitted(&self) -> Option<Admitted> {
        self.admitted
    }
}

impl Scoreboard {
    /// Counts an update of this user against the quota, before anything else is looked at.
    ///
    /// For servers that must refuse before they parse; [`submit`](Self::submit) does it by itself.
    ///
    /// # Errors
    ///
    /// [`Error::RateLimited`], or the limiter's own failure.
    ///
    /// # Cancel safety
    ///
    /// The update may be counted though nobody learns of it.
    pub async fn admit(&self, user: UserId) -> Result<Admission> {
        self.admit_at(user, self.parts.clock.now()).await
    }

    async fn admit_at(&self, user: UserId, now: Timestamp) -> Result<Admission> {
        let Some(quota) = self.parts.config.update_quota else {
            return Ok(Admission { user, usage: None, admitted: None });
        };
        let mut buffer = uuid::Uuid::encode_buffer();
        let subject: &str = user.as_uuid().hyphenated().encode_lower(&mut buffer);
        match self.parts.limiter.take(&[Cell { policy: POLICY, subject, quota }], now).await? {
            // The quota is not that of the usage where this node counts by itself, its part.
            Decision::Allowed(usage) => {
                Ok(Admission { user, usage: Some(usage), admitted: Admitted::under(quota, usage.at) })
            }
            Decision::Limited(usage) => Err(Error::RateLimited(usage)),
        }
    }
}
