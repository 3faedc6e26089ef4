use super::*;
use crate::board::{ActionKind, PointsRule};
use crate::clock::Timestamp;
use crate::live::LiveWindow;
use crate::ranking::{Direction, Operator};
use crate::score::Points;
use crate::version::Position;

const ME: u8 = 100;

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

/// Users and their scores from a rank on.
fn view(first: u64, entries: &[(u8, i64)]) -> View {
    let entry = |(rank, &(number, score)): (u64, &(u8, i64))| Entry {
        rank,
        user_id: user(number),
        display_name: Some(format!("user {number}")),
        score: Score::new(score).unwrap(),
        updated_at: Timestamp::from_millis(score),
    };
    let position = Position { epoch: Epoch::new(1), version: Version::new(7) };
    View { season: Season::FIRST, position, total: 500, entries: (first..).zip(entries).map(entry).collect() }
}

fn spec(operator: Operator, worst: i64) -> BoardSpec {
    let points = PointsRule::Range(Points::new(worst).unwrap(), Points::new(20).unwrap());
    let kind = "any".parse().unwrap();
    let kinds = vec![ActionKind { kind, points, min_duration_seconds: 0, lifetime_seconds: 60, per_day: None }];
    BoardSpec { operator, kinds, ..BoardSpec::new(BoardId::main()) }
}

/// Before, now, and by whom; `None` if nobody has passed.
fn overtaken(held: &View, next: &View, spec: &BoardSpec) -> Option<(u64, u64, Option<u8>)> {
    let part = Part { board: BoardId::main(), window: LiveWindow::around(user(ME), 10) };
    match (Between { part: &part, held, next }).overtaken(spec, spec.scores_only_improve())? {
        PrivateEvent::Overtaken(Overtaken { rank, previous_rank, by, .. }) => {
            Some((previous_rank, rank, by.map(|by| by.user_id.as_bytes()[0])))
        }
        PrivateEvent::EnteredTop(_) => panic!("that is something else"),
    }
}

#[test]
fn who_passed_is_named_if_it_is_certain() {
    let (sure, unsure) = (spec(Operator::Increment, 0), spec(Operator::Increment, -5));
    let held = view(20, &[(1, 90), (2, 80), (ME, 70), (3, 60), (4, 50)]);
    for (next, expected) in [
        (view(20, &[(1, 90), (2, 80), (ME, 70), (4, 65), (3, 60)]), None),
        (view(20, &[(1, 90), (2, 80), (3, 75), (ME, 70), (4, 50)]), Some((22, 23, Some(3)))),
        // Of two, the one who is nearer.
        (view(22, &[(2, 80), (4, 78), (3, 75), (ME, 70), (5, 1)]), Some((22, 25, Some(3)))),
        // One who is out of sight.
        (view(21, &[(1, 90), (2, 80), (ME, 70), (3, 60), (4, 50)]), Some((22, 23, None))),
        // The user has scored, and others more.
        (view(20, &[(1, 90), (2, 80), (3, 78), (4, 77), (ME, 75)]), Some((22, 24, Some(4)))),
        // The user has lost points, or has come back to a score.
        (view(20, &[(1, 90), (2, 80), (3, 60), (ME, 55), (4, 50)]), None),
        (view(20, &[(1, 90), (2, 80), (3, 75), (4, 50)]), None),
    ] {
        assert_eq!(overtaken(&held, &next, &sure), expected, "{next:?}");
        assert_eq!(overtaken(&held, &next, &unsure), expected, "{next:?}");
    }
    let mut returned = view(20, &[(1, 90), (2, 80), (3, 70), (ME, 70), (4, 50)]);
    assert_eq!(overtaken(&held, &returned, &sure), Some((22, 23, Some(3))));
    returned.entries[3].updated_at = Timestamp::from_millis(71);
    assert_eq!(overtaken(&held, &returned, &sure), None);
    // Somebody whom the window did not show came from behind, or fell from far ahead, while another passed.
    let stranger = view(20, &[(1, 90), (2, 80), (9, 75), (ME, 70), (3, 60)]);
    assert_eq!(overtaken(&held, &stranger, &sure), Some((22, 23, Some(9))));
    assert_eq!(overtaken(&held, &stranger, &unsure), Some((22, 23, None)));
    let from_the_top = view(1, &[(1, 90), (2, 80), (ME, 70), (3, 60), (4, 50)]);
    let stranger = view(1, &[(1, 90), (2, 80), (9, 75), (ME, 70), (3, 60)]);
    assert_eq!(overtaken(&from_the_top, &stranger, &unsure), Some((3, 4, Some(9))));
}

#[test]
fn whether_scores_only_improve_is_seen_in_the_catalogue() {
    for (operator, direction, worst, expected) in [
        (Operator::Increment, Direction::Descending, 0, true),
        (Operator::Increment, Direction::Descending, -1, false),
        (Operator::Increment, Direction::Ascending, 0, false),
        (Operator::Decrement, Direction::Ascending, 0, true),
        (Operator::Decrement, Direction::Descending, 0, false),
        (Operator::Best, Direction::Ascending, -1, true),
        (Operator::Set, Direction::Descending, 1, false),
    ] {
        let spec = BoardSpec { direction, ..spec(operator, worst) };
        assert_eq!(spec.scores_only_improve(), expected, "{operator:?} {direction:?} {worst}");
    }
}

#[test]
fn the_top_is_entered_from_below_and_from_nowhere() {
    let part = Part { board: BoardId::main(), window: LiveWindow::around(user(ME), 10) };
    let at = |rank| view(rank, &[(ME, 5)]);
    let nowhere = view(1, &[]);
    for (held, next, expected) in [
        (&at(11), &at(10), Some(10)),
        (&at(300), &at(1), Some(1)),
        (&nowhere, &at(3), Some(3)),
        (&at(10), &at(1), None),
        (&at(12), &at(11), None),
        (&nowhere, &at(11), None),
        (&at(3), &nowhere, None),
    ] {
        let rank = (Between { part: &part, held, next }).entered_top().map(|event| match event {
            PrivateEvent::EnteredTop(entered) => entered.rank,
            PrivateEvent::Overtaken(_) => panic!("that is something else"),
        });
        assert_eq!(rank, expected);
    }
}

#[test]
fn they_look_as_described() {
    let part = Part { board: BoardId::main(), window: LiveWindow::around(user(ME), 10) };
    let (held, next) = (view(10, &[(ME, 70), (3, 60)]), view(10, &[(3, 75), (ME, 70)]));
    let overtaken = Between { part: &part, held: &held, next: &next }.overtaken(&spec(Operator::Increment, 0), true);
    let expected = serde_json::json!({
        "type": "overtaken", "board": "main", "season": 1, "epoch": 1, "version": 7, "rank": 11, "previousRank": 10,
        "by": { "userId": user(3), "displayName": "user 3", "score": 75 },
    });
    assert_eq!(serde_json::to_value(overtaken).unwrap(), expected);
    let entered = Between { part: &part, held: &next, next: &held }.entered_top();
    let expected = serde_json::json!({
        "type": "enteredTop", "board": "main", "season": 1, "epoch": 1, "version": 7, "rank": 10, "limit": 10,
    });
    assert_eq!(serde_json::to_value(entered).unwrap(), expected);
}
