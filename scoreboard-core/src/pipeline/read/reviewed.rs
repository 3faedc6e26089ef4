//! What a user did, as those who look into it are shown it.

use std::collections::HashMap;

use serde::Serialize;

use crate::error::{Rejection, Result};
use crate::ids::{BoardId, UserId};
use crate::pipeline::Scoreboard;
use crate::pipeline::read::HistoryEntry;
use crate::store::ScoreStore;
use crate::version::{Epoch, Version};

/// A stretch of what a user did on a board, newest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct ReviewedActions {
    /// The board.
    pub board: BoardId,
    /// Compared before the version.
    pub epoch: Epoch,
    /// When it is true.
    pub version: Version,
    /// Newest first.
    pub actions: Vec<HistoryEntry>,
    /// Older ones have versions below this one; `null` if there are none.
    pub next: Option<Version>,
    /// It goes back to this version; what was before is archived. 0 where it goes back to the beginning.
    pub log_after: Version,
}

impl Scoreboard {
    /// What a user did on a board, newest first: the `limit` newest actions with versions below `before`, or the newest of all. So the stretch
    /// that a finding rests on is found by the [last version of its window](crate::statistical::Window::last).
    ///
    /// Where the store has no decisions of moderators, nothing is void.
    ///
    /// # Errors
    ///
    /// [`Rejection::UnknownBoard`], or a backend's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn reviewed(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<ReviewedActions> {
        // The board is read first: all rows up to its version are then there, and newer ones are left out.
        let found = self.parts.store.board(board).await?.ok_or_else(|| Rejection::UnknownBoard(board.clone()))?;
        let next = found.version.next();
        let before = before.map_or(next, |before| before.min(next));
        let (actions, next) = self.stretch(board, user, before, limit).await?;
        Ok(ReviewedActions {
            board: board.clone(),
            epoch: found.epoch,
            version: found.version,
            actions,
            next,
            log_after: found.log_after,
        })
    }

    /// What these users want to be called; who has no name is left out.
    ///
    /// # Errors
    ///
    /// A backend's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn display_names(&self, users: &[UserId]) -> Result<HashMap<UserId, String>> {
        Ok(if users.is_empty() { HashMap::new() } else { self.names_of(users).await? })
    }
}
