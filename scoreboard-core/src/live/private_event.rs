//! What concerns one user alone, found by comparing two views of the board around them. Pure.

use serde::Serialize;

use crate::board::{BoardSpec, Season};
use crate::entry::Entry;
use crate::ids::{BoardId, UserId};
use crate::live::part::Part;
use crate::score::Score;
use crate::version::{Epoch, Version};
use crate::view::View;

/// The top into which one comes: so many entries.
pub(super) const TOP: u64 = 10;

/// What one user alone is told of a board.
///
/// As JSON `{"type":"overtaken","board","season","epoch","version","rank","previousRank","by"}`, with `by` a `{"userId","displayName","score"}` or
/// `null`, and `{"type":"enteredTop","board","season","epoch","version","rank","limit"}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "camelCase")]
pub enum PrivateEvent {
    /// Others have passed the user.
    Overtaken(Overtaken),
    /// The user has come into the top 10.
    EnteredTop(EnteredTop),
}

/// Others have passed a user, who has lost nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Overtaken {
    /// The board.
    pub board: BoardId,
    /// The season.
    pub season: Season,
    /// Compared before the version.
    pub epoch: Epoch,
    /// When it is true.
    pub version: Version,
    /// Where the user stands now.
    pub rank: u64,
    /// Where the user stood.
    pub previous_rank: u64,
    /// The nearest of those who have passed; `null` where they are all further away than ten ranks.
    pub by: Option<Passer>,
}

/// Who has passed a user.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Passer {
    /// Who.
    pub user_id: UserId,
    /// The name to show; `null` where no account is known.
    pub display_name: Option<String>,
    /// Their score now.
    pub score: Score,
}

/// A user has come into the top.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct EnteredTop {
    /// The board.
    pub board: BoardId,
    /// The season.
    pub season: Season,
    /// Compared before the version.
    pub epoch: Epoch,
    /// When it is true.
    pub version: Version,
    /// Where the user stands.
    pub rank: u64,
    /// How many entries the top has: 10.
    pub limit: u64,
}

/// What became of the user in the middle of a window between two of its views, of one season in one epoch.
pub(super) struct Between<'a> {
    pub(super) part: &'a Part,
    pub(super) held: &'a View,
    pub(super) next: &'a View,
}

impl Between<'_> {
    fn entries(&self) -> (Option<&Entry>, Option<&Entry>) {
        let find = |view| self.part.user().and_then(|user| View::entry(view, user));
        (find(self.held), find(self.next))
    }

    /// Whether the user stands further down. Whether others have passed is then to be seen.
    pub(super) fn fell(&self) -> bool {
        matches!(self.entries(), (Some(before), Some(now)) if now.rank > before.rank)
    }

    pub(super) fn entered_top(&self) -> Option<PrivateEvent> {
        let (before, now) = self.entries();
        let now = now.filter(|now| now.rank <= TOP && before.is_none_or(|before| before.rank > TOP))?;
        let View { season, position, .. } = *self.next;
        Some(PrivateEvent::EnteredTop(EnteredTop {
            board: self.part.board.clone(),
            season,
            epoch: position.epoch,
            version: position.version,
            rank: now.rank,
            limit: TOP,
        }))
    }

    /// Whether one is named of whom it is certain only if nobody's score has become worse meanwhile: they were not in sight, nor were all who
    /// stood further ahead.
    pub(super) fn names_a_stranger(&self, event: &PrivateEvent) -> bool {
        let PrivateEvent::Overtaken(Overtaken { by: Some(by), .. }) = event else { return false };
        !self.saw_all_ahead() && self.held.entry(by.user_id).is_none()
    }

    fn saw_all_ahead(&self) -> bool {
        self.held.entries.first().is_some_and(|first| first.rank == 1)
    }

    /// `only_improved`: whether no score has become worse meanwhile.
    pub(super) fn overtaken(&self, spec: &BoardSpec, only_improved: bool) -> Option<PrivateEvent> {
        let (before, now) = self.entries();
        let (before, now) = before.zip(now).filter(|(before, now)| now.rank > before.rank)?;
        // Who has lost points, or has come back to a score and so stands behind its equals, fell by their own doing.
        let key = |entry: &Entry| spec.order().score_key(entry.score);
        let stayed = (now.score, now.updated_at) == (before.score, before.updated_at);
        if key(now) >= key(before) && !stayed {
            return None;
        }
        // Who was not in sight came from behind, unless it is possible that they fell from further ahead.
        let strangers_passed = self.saw_all_ahead() || only_improved;
        let passed = |entry: &&Entry| match self.held.entry(entry.user_id) {
            Some(then) => then.rank > before.rank,
            None => strangers_passed,
        };
        let by = self.next.entries.iter().rev().filter(|entry| entry.rank < now.rank).find(passed);
        let View { season, position, .. } = *self.next;
        Some(PrivateEvent::Overtaken(Overtaken {
            board: self.part.board.clone(),
            season,
            epoch: position.epoch,
            version: position.version,
            rank: now.rank,
            previous_rank: before.rank,
            by: by.map(|by| Passer { user_id: by.user_id, display_name: by.display_name.clone(), score: by.score }),
        }))
    }
}

#[cfg(test)]
#[path = "private_event_test.rs"]
mod tests;
