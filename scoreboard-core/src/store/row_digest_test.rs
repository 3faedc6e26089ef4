use super::*;
use crate::action::Fingerprint;
use crate::board::Season;
use crate::clock::Timestamp;
use crate::ids::{ActionId, UserId};
use crate::score::{Points, Score};
use crate::version::{Epoch, Position, Version};

fn bytes(from: u8) -> [u8; 16] {
    std::array::from_fn(|i| from + u8::try_from(i).unwrap())
}

fn score(score: i64) -> Score {
    Score::new(score).unwrap()
}

fn board() -> BoardId {
    BoardId::main()
}

fn first() -> LogRow {
    LogRow {
        position: Position { epoch: Epoch::new(1), version: Version::new(1) },
        action_id: ActionId::from_bytes(bytes(0)),
        fingerprint: Fingerprint::from_bytes(bytes(16)),
        season: Season::FIRST,
        user_id: UserId::from_bytes(bytes(32)),
        kind: "tap".parse().unwrap(),
        points: Points::new(5).unwrap(),
        origin: Origin::Action,
        previous: None,
        score: score(5),
        at: Timestamp::from_millis(1000),
        corrected: None,
        visibility: Visibility::Shown,
        digest: None,
    }
}

fn second() -> LogRow {
    LogRow {
        position: Position { epoch: Epoch::new(4), version: Version::new(2) },
        action_id: ActionId::from_bytes(bytes(16)),
        fingerprint: Fingerprint::from_bytes(bytes(0)),
        season: Season::new(3),
        kind: "quest".parse().unwrap(),
        points: Points::new(-7).unwrap(),
        origin: Origin::Record,
        previous: first().after(),
        score: score(-2),
        at: Timestamp::from_millis(1_700_000_000_000),
        ..first()
    }
}

/// By a program in Python, made from the documentation.
const FIRST: &str = "b5bde8b6570412844cd32cb4bcb722f5ae93b4fdf920a817eaeafe654486f91b";
const SECOND: &str = "61fd9f54074a222cf0cb5e4e4beca42d3acb0039e3fca0e13b8505b5068cc995";

/// Logs are kept for years: what a digest is over can never change again.
#[test]
fn digests_stay_what_they_are() {
    let before = RowDigest::of(None, &board(), &first());
    assert_eq!(before.to_string(), FIRST);
    assert_eq!(RowDigest::of(Some(before), &board(), &second()).to_string(), SECOND);
}

#[test]
fn every_field_of_a_row_and_what_is_before_it_count_but_not_the_epoch() {
    let row = second();
    let before = FIRST.parse().ok();
    let digest = RowDigest::of(before, &board(), &row);
    let previous = |change: fn(&mut Reached)| {
        let mut row = second();
        change(row.previous.as_mut().unwrap());
        row
    };
    let altered = [
        LogRow { position: Position { version: Version::new(3), ..row.position }, ..row.clone() },
        LogRow { action_id: ActionId::from_bytes(bytes(17)), ..row.clone() },
        LogRow { fingerprint: Fingerprint::from_bytes(bytes(1)), ..row.clone() },
        LogRow { season: Season::new(4), ..row.clone() },
        LogRow { user_id: UserId::from_bytes(bytes(33)), ..row.clone() },
        LogRow { kind: "quests".parse().unwrap(), ..row.clone() },
        LogRow { points: Points::new(7).unwrap(), ..row.clone() },
        LogRow { origin: Origin::Action, ..row.clone() },
        LogRow { previous: None, ..row.clone() },
        previous(|previous| previous.score = score(6)),
        previous(|previous| previous.version = Version::ZERO),
        previous(|previous| previous.at = Timestamp::from_millis(1001)),
        LogRow { score: score(2), ..row.clone() },
        LogRow { at: Timestamp::from_millis(1_700_000_000_001), ..row.clone() },
        LogRow { visibility: Visibility::Nothing, ..row.clone() },
        LogRow { visibility: Visibility::AsBefore, ..row.clone() },
        LogRow { origin: Origin::Correction, ..row.clone() },
        LogRow { origin: Origin::Correction, corrected: row.previous, ..row.clone() },
        LogRow { corrected: row.previous, ..row.clone() },
    ];
    let mut digests: Vec<_> = altered.iter().map(|row| RowDigest::of(before, &board(), row)).collect();
    digests.push(RowDigest::of(None, &board(), &row));
    digests.push(RowDigest::of(SECOND.parse().ok(), &board(), &row));
    digests.push(RowDigest::of(before, &"mains".parse().unwrap(), &row));
    assert!(!digests.contains(&digest), "{digests:?}");
    let different: std::collections::HashSet<_> = digests.iter().collect();
    assert_eq!(different.len(), digests.len(), "each alteration gives another digest");

    let elsewhere = LogRow { position: Position { epoch: Epoch::new(9), ..row.position }, digest: before, ..row };
    assert_eq!(RowDigest::of(before, &board(), &elsewhere), digest, "a copy keeps its digests");
}

#[test]
fn a_digest_is_read_only_as_it_is_written() {
    assert_eq!(FIRST.parse::<RowDigest>().unwrap().to_string(), FIRST);
    for text in ["", &FIRST[1..], &format!("{FIRST}0"), &FIRST.to_uppercase(), &FIRST.replace('b', "x")] {
        assert!(text.parse::<RowDigest>().is_err(), "{text}");
    }
}
