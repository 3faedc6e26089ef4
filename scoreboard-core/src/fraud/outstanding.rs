//! Actions that were started and neither handed in nor expired, counted per user.

use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;

use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::ids::{ActionId, UserId};

/// An action that is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OutstandingAction {
    /// Which.
    pub id: ActionId,
    /// How long it still counts as under way, if it is not handed in. To the millisecond.
    pub expires_in: Duration,
}

/// What became of an action that was to start.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Started {
    /// It counts as under way.
    Counted,
    /// It does not: as many are under way as may be. These are, and how long each still is; the soonest first.
    Full(Vec<OutstandingAction>),
}

/// Counts the actions that each user has under way.
///
/// An action is under way from its start until it is [finished](Self::finish) or its time is over, whichever comes first. The count is a brake and
/// not the truth: what it has lost lets a user start so many more, and what it keeps too long is over with the action's own time.
#[async_trait]
pub trait OutstandingActions: fmt::Debug + Send + Sync + 'static {
    /// Counts an action as under way, unless `max` of its user's are.
    ///
    /// - Looking and counting are one step: of many at once no more than `max` are counted.
    /// - What is refused is not counted. What is under way already is counted once.
    /// - Whatever was finished by this handle, or a clone of it, before the call has left its place.
    /// - `now` may be ignored by an implementation that has a clock which all nodes share.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Overloaded`, or `OutcomeUnknown` if the action may be counted. A caller then falls back to a count of its own: see
    /// [`FallbackOutstanding`](crate::FallbackOutstanding).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the action is counted or not.
    async fn start(
        &self,
        user: UserId,
        action: OutstandingAction,
        max: NonZeroU32,
        now: Timestamp,
    ) -> Result<Started, BackendError>;

    /// Learns that an action is no longer under way; of one that is not, nothing.
    ///
    /// Waits for nobody: it stands in the path of every update. Where several nodes share a count, the others learn of it a moment later, or, if that
    /// is lost, when the action's time is over.
    fn finish(&self, user: UserId, action: ActionId);
}
