//! What watchers are told.

use serde::{Deserialize, Serialize};

use crate::board::Season;
use crate::entry::Entry;
use crate::ids::{BoardId, UserId};
use crate::live::WindowKind;
use crate::live::part::Part;
use crate::version::{Epoch, Position, Version};
use crate::view::{EntryChange, View};

/// The whole view at one version.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Snapshot {
    /// The board.
    pub board: BoardId,
    /// Which part of it; not on the wire where it is the top.
    #[serde(default, skip_serializing_if = "WindowKind::is_top")]
    pub window: WindowKind,
    /// Around whom; of a window of that kind alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub user_id: Option<UserId>,
    /// The season.
    pub season: Season,
    /// Compared before the version.
    pub epoch: Epoch,
    /// When it is true.
    pub version: Version,
    /// All entries of the season.
    pub total: u64,
    /// `false` in answer to who resumes, and cannot be told what they have missed; absent otherwise.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub recovered: Option<bool>,
    /// All that are in the window, in rank order.
    pub entries: Vec<Entry>,
}

/// What turns the view at one version into that at another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Update {
    /// The board.
    pub board: BoardId,
    /// Which part of it; not on the wire where it is the top.
    #[serde(default, skip_serializing_if = "WindowKind::is_top")]
    pub window: WindowKind,
    /// Around whom; of a window of that kind alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(nullable = false))]
    pub user_id: Option<UserId>,
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
///
/// As JSON: `{"type":"snapshot","board","season","epoch","version","total","entries"}` and
/// `{"type":"update","board","season","epoch","from","version","total","changes"}`. Of a window around a user both bear
/// `"window":"around"` and `"userId"` besides, of a list of users `"window":"users"`, of the top neither. A snapshot that is sent in the place of
/// what was missed bears `"recovered":false`.
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

    /// Which part of its board it is about.
    #[must_use]
    pub const fn window(&self) -> WindowKind {
        match self {
            Self::Snapshot(snapshot) => snapshot.window,
            Self::Update(update) => update.window,
        }
    }

    /// This view, for who holds nothing, or not enough.
    pub(super) fn snapshot(part: &Part, view: &View, recovered: Option<bool>) -> Self {
        Self::Snapshot(Snapshot {
            board: part.board.clone(),
            window: part.window.kind(),
            user_id: part.user(),
            season: view.season,
            epoch: view.position.epoch,
            version: view.position.version,
            total: view.total,
            recovered,
            entries: view.entries.clone(),
        })
    }

    /// What turns `held` into `next`; `None` if they have not one season and one epoch in common.
    pub(super) fn update(part: &Part, held: &View, next: &View) -> Option<Self> {
        held.is_comparable(next).then(|| {
            Self::Update(Update {
                board: part.board.clone(),
                window: part.window.kind(),
                user_id: part.user(),
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
    use crate::live::LiveWindow;
    use crate::score::Score;

    #[test]
    fn a_top_is_told_as_ever_and_other_windows_bear_what_they_are() {
        let user_id = UserId::MIN;
        let (score, updated_at) = (Score::ZERO, Timestamp::from_millis(0));
        let entry = Entry { rank: 1, user_id, display_name: None, score, updated_at };
        let position = Position { epoch: Epoch::new(1), version: Version::new(2) };
        let view = View { season: Season::FIRST, position, total: 1, entries: vec![entry] };
        let part = |window| Part { board: BoardId::main(), window };
        let rest = r#""season":1,"epoch":1,"version":2,"total":1,"entries":[{"rank":1,"userId":"00000000-0000-0000-0000-000000000000","displayName":null,"score":0,"updatedAt":"1970-01-01T00:00:00.000Z"}]}"#;
        let around = r#""window":"around","userId":"00000000-0000-0000-0000-000000000000","#;
        for (window, bears) in [
            (LiveWindow::top(10), ""),
            (LiveWindow::around(user_id, 5), around),
            (LiveWindow::users([user_id]).unwrap(), r#""window":"users","#),
        ] {
            let event = LiveEvent::snapshot(&part(window.clone()), &view, None);
            let expected = format!(r#"{{"type":"snapshot","board":"main",{bears}{rest}"#);
            assert_eq!(serde_json::to_string(&event).unwrap(), expected);
            let event = LiveEvent::update(&part(window), &view, &view).unwrap();
            let expected = format!(
                r#"{{"type":"update","board":"main",{bears}"season":1,"epoch":1,"from":2,"version":2,"total":1,"changes":[]}}"#
            );
            assert_eq!(serde_json::to_string(&event).unwrap(), expected);
        }
        let event = LiveEvent::snapshot(&part(LiveWindow::top(10)), &view, Some(false));
        assert!(serde_json::to_string(&event).unwrap().contains(r#""total":1,"recovered":false,"entries""#));
    }
}
