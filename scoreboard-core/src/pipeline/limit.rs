//! Step 1, **limit**: how often a user may hand in updates.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::error::{BackendError, Error, ErrorKind, Result};
use crate::ids::UserId;
use crate::limiter::{Cell, Decision, Usage};
use crate::pipeline::Scoreboard;
use crate::store::Admitted;

const POLICY: &str = "update";

/// A user's update, counted against the quota: what [`submit_admitted`](Scoreboard::submit_admitted) asks for, within half a minute.
#[derive(Debug)]
#[must_use]
pub struct Admission {
    user: UserId,
    usage: Option<Usage>,
    admitted: Option<Admitted>,
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
        let cells = [Cell { policy: POLICY, subject: subject(user, &mut buffer), quota }];
        if let Some(usage) = self.parts.denials.lock().find(&cells, now) {
            return Err(Error::RateLimited(usage));
        }
        match self.parts.limiter.take(&cells, now).await? {
            // The quota is not that of the usage where this node counts by itself, its part.
            Decision::Allowed(usage) => {
                Ok(Admission { user, usage: Some(usage), admitted: Admitted::under(quota, usage.at) })
            }
            Decision::Limited(usage) => Err(Error::RateLimited(usage)),
        }
    }

    /// The store has refused what the limiter had room for: so long after it was admitted there is room on its board.
    ///
    /// Until then this node refuses its user at once, for who has used up the quota on one board has used it up on all: the limiter does not count what
    /// comes in vain, and the store is not asked again for each.
    pub(super) fn over_quota(&self, admission: &Admission, free_in: Duration) -> Error {
        metrics::counter!("scoreboard_ratelimit_store_refusals_total").increment(1);
        let (Some(usage), Some(admitted)) = (admission.usage, admission.admitted) else {
            return BackendError::new(ErrorKind::Refused, "store", "apply").into();
        };
        // The limiter has counted this one all the same, and may have no room by then.
        let limiters = if usage.remaining == 0 { usage.retry_after } else { Duration::ZERO };
        let (quota, retry_after) = (admitted.quota(), free_in.max(limiters));
        // When all is free again the store has not said: no later than a period from now, but for a clock that was set back.
        let reset_after = quota.period.max(retry_after);
        let usage = Usage { quota, remaining: 0, retry_after, reset_after, ..usage };
        let mut buffer = uuid::Uuid::encode_buffer();
        let cells = [Cell { policy: POLICY, subject: subject(admission.user, &mut buffer), quota }];
        self.parts.denials.lock().keep(&cells, usage, self.parts.clock.now());
        Error::RateLimited(usage)
    }
}

fn subject(user: UserId, buffer: &mut [u8]) -> &str {
    user.as_uuid().hyphenated().encode_lower(buffer)
}
