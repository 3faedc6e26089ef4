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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::Timestamp;
    use crate::ids::UserId;
    use crate::score::{MAX_SCORE, Score};

    fn view(version: u64, scores: &[(&str, i64)]) -> View {
        let entry = |(index, &(name, score)): (usize, &(&str, i64))| Entry {
            rank: index as u64 + 1,
            user_id: UserId::for_name("test", name),
            display_name: (name != "nobody").then(|| name.to_owned()),
            score: Score::new(score).expect("in range"),
            updated_at: Timestamp::from_millis(1_700_000_000_123),
        };
        let position = Position { epoch: Epoch::new(2), version: Version::new(version) };
        let entries = scores.iter().enumerate().map(entry).collect();
        View { season: Season::FIRST, position, total: 9, entries }
    }

    #[test]
    fn what_watchers_are_told_is_read_back_as_it_was_sent() {
        let board = BoardId::main();
        let before = view(7, &[("Ada", MAX_SCORE), ("nobody", 3), ("Ben", -MAX_SCORE)]);
        let after = view(8, &[("Ada", MAX_SCORE), ("Cem \"\u{1F600}\"", 5), ("nobody", 3)]);
        let update = LiveEvent::update(&board, &before, &after).expect("one season, one epoch");
        for event in [LiveEvent::snapshot(&board, &before), update] {
            let text = serde_json::to_string(&event).expect("it is encoded");
            assert_eq!(serde_json::from_str::<LiveEvent>(&text).expect("and read"), event);
            // A field that a later server adds is nothing to fail for.
            let more = text.replacen('{', "{\"later\":[1],", 1);
            assert_eq!(serde_json::from_str::<LiveEvent>(&more).expect("and read"), event);
        }
        for bad in [r#"{"type":"update"}"#, r#"{"type":"snapshot","board":"Not A Slug"}"#, r#"{"board":"main"}"#] {
            assert!(serde_json::from_str::<LiveEvent>(bad).is_err(), "{bad}");
        }
    }
}
