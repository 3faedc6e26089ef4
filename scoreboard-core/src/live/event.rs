//! What watchers are told.

use serde::{Deserialize, Serialize};

use crate::board::Season;
use crate::entry::Entry;
use crate::ids::BoardId;
use crate::version::{Epoch, Position, Version};
use crate::view::{EntryChange, View};

/// The whole view at one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The board.
    pub board: BoardId,
    /// The season.
    pub season: Season,
    /// Compared before the version.
    pub epoch: Epoch,
    /// When it is true.
    pub version: Version,
    /// All entries of the season.
    pub total: u64,
    /// The top.
    pub entries: Vec<Entry>,
}

/// What turns the view at one version into that at another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Update {
    /// The board.
    pub board: BoardId,
    /// The season.
    pub season: Season,
    /// Compared before the version.
    pub epoch: Epoch,
    /// The version of the view that this applies to.
    pub from: Version,
    /// The version of the view that it gives.
    pub version: Version,
    /// All entries of the season.
    pub total: u64,
    /// Removals first, then upserts in rank order.
    pub changes: Vec<EntryChange>,
}

/// What a watcher is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum LiveEvent {
    /// Forget what you have: this is the view.
    Snapshot(Snapshot),
    /// Apply this to what you have.
    Update(Update),
}

impl LiveEvent {
    /// The position of the view after it.
    #[must_use]
    pub const fn position(&self) -> Position {
        match self {
            Self::Snapshot(snapshot) => Position { epoch: snapshot.epoch, version: snapshot.version },
            Self::Update(update) => Position { epoch: update.epoch, version: update.version },
        }
    }

    /// This view, for who holds nothing.
    pub(super) fn snapshot(board: &BoardId, view: &View) -> Self {
        Self::Snapshot(Snapshot {
            board: board.clone(),
            season: view.season,
            epoch: view.position.epoch,
            version: view.position.version,
            total: view.total,
            entries: view.entries.clone(),
        })
    }

    /// What turns `held` into `next`; `None` if they have not one season and one epoch in common.
    pub(super) fn update(board: &BoardId, held: &View, next: &View) -> Option<Self> {
        let comparable = held.position.epoch == next.position.epoch && held.season == next.season;
        comparable.then(|| {
            Self::Update(Update {
                board: board.clone(),
                season: next.season,
                epoch: next.position.epoch,
                from: held.position.version,
                version: next.position.version,
                total: next.total,
                changes: held.changes_to(next),
            })
        })
    }
}
