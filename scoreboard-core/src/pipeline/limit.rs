//! Step 1, **limit**: how often a user may hand in updates.

use crate::clock::Timestamp;
use crate::error::{Error, Result};
use crate::ids::UserId;
use crate::limiter::{Cell, Decision, Usage};
use crate::pipeline::Scoreboard;

/// A user's update, counted against the quota: what [`submit_admitted`](Scoreboard::submit_admitted) asks for.
#[derive(Debug)]
#[must_use]
pub struct Admission {
    user: UserId,
    usage: Option<Usage>,
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
            return Ok(Admission { user, usage: None });
        };
        let mut buffer = uuid::Uuid::encode_buffer();
        let subject: &str = user.as_uuid().hyphenated().encode_lower(&mut buffer);
        match self.parts.limiter.take(&[Cell { policy: "update", subject, quota }], now).await? {
            Decision::Allowed(usage) => Ok(Admission { user, usage: Some(usage) }),
            Decision::Limited(usage) => Err(Error::RateLimited(usage)),
        }
    }
}
