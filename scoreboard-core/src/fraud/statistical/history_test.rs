use std::time::Duration;

use super::*;
use crate::action::Fingerprint;
use crate::board::Season;
use crate::ids::{ActionId, UserId};
use crate::score::Score;
use crate::store::Visibility;
use crate::version::{Epoch, Position};

fn row(version: u64, at: Timestamp, kind: &str) -> LogRow {
    let id = u128::from(version).to_be_bytes();
    LogRow {
        position: Position { epoch: Epoch::new(1), version: Version::new(version) },
        action_id: ActionId::from_bytes(id),
        fingerprint: Fingerprint::from_bytes(id),
        season: Season::FIRST,
        user_id: UserId::from_bytes([1; 16]),
        kind: kind.parse().expect("a slug"),
        points: Points::new(1).expect("small"),
        origin: Origin::Action,
        previous: None,
        score: Score::ZERO,
        at,
        corrected: None,
        visibility: Visibility::Shown,
        digest: None,
    }
}

fn at(seconds: u64) -> Timestamp {
    Timestamp::from_millis(1_700_006_400_000).plus(Duration::from_secs(seconds))
}

#[test]
fn a_history_is_bounded_whatever_comes() {
    let mut history = History::default();
    for version in 1..=100_000 {
        let name = format!("{:0>63}", version % 70);
        assert!(history.push(&row(version, at(version * 7), &name)));
    }
    assert_eq!(history.acts().len(), History::CAPACITY);
    let names: std::collections::HashSet<_> = history.acts().map(|act| act.kind.as_str().as_ptr()).collect();
    let takes = size_of::<History>() + history.acts.capacity() * size_of::<Act>() + names.len() * (63 + 16);
    assert!(takes <= History::MAX_BYTES, "{takes} bytes, and no more than {} were promised", History::MAX_BYTES);
    const { assert!(History::MAX_BYTES < 12_000) }
}

#[test]
fn acts_of_a_kind_share_its_name() {
    let rows: Vec<_> =
        (1..=60).map(|version| row(version, at(version), ["tap", "quest"][version as usize % 2])).collect();
    let history = History::of(&rows);
    let names: std::collections::HashSet<_> = history.acts().map(|act| act.kind.as_str().as_ptr()).collect();
    assert_eq!(names.len(), 2);
}

#[test]
fn hours_are_counted_and_those_that_are_over_are_forgotten() {
    let mut history = History::default();
    for (version, hour) in [0, 0, 1, 3, 3, 3].into_iter().enumerate() {
        history.push(&row(version as u64 + 1, at(hour * 3600 + 5), "tap"));
    }
    assert_eq!(history.hours().take(5).collect::<Vec<_>>(), [3, 0, 1, 2, 0]);
    assert_eq!(history.since(), at(3 * 3600).minus(Duration::from_secs(23 * 3600)));
    // A clock that was behind by an hour, and one by more than is counted.
    history.push(&row(7, at(2 * 3600), "tap"));
    history.push(&row(8, at(0).minus(Duration::from_secs(48 * 3600)), "tap"));
    assert_eq!(history.hours().take(4).collect::<Vec<_>>(), [3, 1, 1, 2]);
    history.push(&row(9, at(25 * 3600), "tap"));
    assert_eq!(history.hours().map(u32::from).sum::<u32>(), 1 + 3 + 1, "of hours 2 to 25");
    history.push(&row(10, at(1000 * 3600), "tap"));
    assert_eq!(history.hours().map(u32::from).sum::<u32>(), 1);
}

#[test]
fn a_row_is_taken_in_once_and_what_a_game_server_recorded_never() {
    let mut history = History::default();
    assert!(history.push(&row(5, at(1), "tap")));
    let before = history.clone();
    assert!(!history.push(&row(5, at(1), "tap")), "again");
    assert!(!history.push(&row(4, at(0), "tap")), "one before");
    assert!(!history.push(&LogRow { origin: Origin::Record, ..row(6, at(2), "tap") }));
    assert_eq!(history, before);
}

#[test]
fn it_depends_on_nothing_but_the_last_rows() {
    let rows: Vec<_> = (1..=500).map(|version| row(version, at(version * 600), "tap")).collect();
    let whole = History::of(&rows);
    let since = rows.iter().position(|row| row.at >= whole.since()).expect("some are");
    let late = History::of(&rows[since.min(rows.len() - History::CAPACITY)..]);
    assert_eq!(late, whole);
}

#[test]
fn it_is_known_whether_all_are_alike() {
    let mut history = History::default();
    assert!(history.is_all_alike(), "of none");
    let mut seen = [0, 0];
    for version in 1..=2_000 {
        // Long runs of the same, and others between them.
        let kind = ["tap", "quest"][usize::from(version % 157 == 0)];
        let points = Points::new(1 + i64::from(version % 211 == 0)).expect("small");
        history.push(&LogRow { points, ..row(version, at(version), kind) });
        let first = history.acts().next().expect("there is one").clone();
        let expected = history.acts().all(|act| act.kind == first.kind && act.points == first.points);
        assert_eq!(history.is_all_alike(), expected, "behind {version}");
        seen[usize::from(expected)] += 1;
    }
    assert!(seen.iter().all(|times| *times > 100), "{seen:?}");
}
