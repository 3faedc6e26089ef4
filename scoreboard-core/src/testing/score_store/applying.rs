//! Changes are applied: operators, versions, receipts.

use crate::board::BoardSpec;
use crate::ids::KindId;
use crate::ranking::{Direction, Operator, TieBreak};
use crate::score::{MAX_SCORE, Score};
use crate::store::{Change, Origin, Reached};
use crate::testing::fixture::ScoreStoreFixture;
use crate::testing::play::{Play, applied, at, number, spec, user};

/// Plays each list of points on a new board of each direction, and checks the scores after each.
async fn folds<F: ScoreStoreFixture>(f: &F, operator: Operator, expected: [&[(i64, i64)]; 2]) {
    for (direction, steps) in [Direction::Descending, Direction::Ascending].into_iter().zip(expected) {
        let name = if direction == Direction::Descending { "down" } else { "up" };
        let play = Play::on(f, spec(name, operator, direction)).await;
        let mut previous = None;
        for &(points, after) in steps {
            let receipt = play.scored(1, points).await;
            let rule = format!("{operator:?} of {points} to {previous:?}, {direction:?}");
            assert_eq!(receipt.score.get(), after, "{rule}");
            assert_eq!(receipt.previous_score.map(Score::get), previous, "previous score: {rule}");
            assert_eq!(play.entries().await, [(1, after)], "the board shows {rule}");
            previous = Some(after);
        }
    }
}

/// `increment` adds; a user not on the board starts at zero, whichever end leads.
pub async fn increment_adds<F: ScoreStoreFixture>(f: &F) {
    let steps: &[_] = &[(5, 5), (3, 8), (0, 8), (-10, -2), (-1, -3)];
    folds(f, Operator::Increment, [steps, steps]).await;
}

/// `decrement` subtracts; a user not on the board starts at zero, and scores may be negative.
pub async fn decrement_subtracts<F: ScoreStoreFixture>(f: &F) {
    let steps: &[_] = &[(5, -5), (3, -8), (0, -8), (-10, 2), (1, 1)];
    folds(f, Operator::Decrement, [steps, steps]).await;
}

/// `set` replaces, for better or worse.
pub async fn set_replaces<F: ScoreStoreFixture>(f: &F) {
    let steps: &[_] = &[(5, 5), (3, 3), (3, 3), (-10, -10), (0, 0)];
    folds(f, Operator::Set, [steps, steps]).await;
}

/// `best` keeps the better by the board's direction; the first counts whatever it is.
pub async fn best_keeps_the_better<F: ScoreStoreFixture>(f: &F) {
    let down: &[_] = &[(-5, -5), (-7, -5), (3, 3), (3, 3), (2, 3), (9, 9)];
    let up: &[_] = &[(5, 5), (7, 5), (-3, -3), (-3, -3), (-2, -3), (-9, -9)];
    folds(f, Operator::Best, [down, up]).await;
}

/// A first change of zero puts its user on the board.
pub async fn zero_points_enter_the_board<F: ScoreStoreFixture>(f: &F) {
    let operators = [Operator::Increment, Operator::Decrement, Operator::Best, Operator::Set];
    for (name, operator) in ["a", "b", "c", "d"].into_iter().zip(operators) {
        let play = Play::on(f, spec(name, operator, Direction::Descending)).await;
        assert_eq!(play.scored(1, 0).await.previous_score, None, "{operator:?}: the user was not on the board");
        assert_eq!(play.entries().await, [(1, 0)], "{operator:?}: a score of zero is a score");
        assert_eq!(play.board().await.total, 1, "{operator:?}: who has zero counts in the total");
    }
}

/// Each applied change takes the next version: 1, 2, 3 … without a gap, in the order of the batch.
pub async fn versions_have_no_gap<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let mut next = 1;
    for size in [1, 3, 1, 20] {
        let changes: Vec<_> = (0..size).map(|n| play.change(n % 4, 1)).collect();
        for outcome in play.apply(&changes).await {
            assert_eq!(applied(outcome).version.get(), next, "the next change takes the next version");
            next += 1;
        }
        assert_eq!(play.version().await, next - 1, "the board stands at its newest version");
    }
    let versions: Vec<_> = play.log().await.iter().map(|row| row.position.version.get()).collect();
    assert_eq!(versions, (1..next).collect::<Vec<_>>(), "the log holds each version once, in order");
}

/// Outcomes come in the order of the changes, whatever boards and users they name.
pub async fn outcomes_come_in_order<F: ScoreStoreFixture>(f: &F) {
    let (a, b) = (Play::on(f, BoardSpec::new("a".parse().expect("a slug"))).await, Play::new(f).await);
    let changes = [b.change(9, 1), a.change(2, 2), b.change(1, 3), a.change(9, 4), a.change(2, 5), b.change(9, 6)];
    let outcomes = a.apply(&changes).await;
    for (change, outcome) in changes.iter().zip(outcomes) {
        let receipt = applied(outcome);
        assert_eq!(receipt.action_id, change.action_id, "outcomes are in the order of the changes");
        assert_eq!((&receipt.board, receipt.points), (&change.board, change.points), "and are about those changes");
    }
    assert_eq!(a.entries().await, [(2, 7), (9, 4)], "each board has its own changes");
    assert_eq!(b.entries().await, [(9, 7), (1, 3)], "each board has its own changes");
    assert_eq!((a.version().await, b.version().await), (3, 3), "each board counts its own versions");
}

/// Each change is decided against what those before it in its batch left.
pub async fn a_batch_builds_on_itself<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    play.scored(1, 100).await;
    let outcomes = play.apply(&[play.change(1, 1), play.change(2, 5), play.change(1, 2), play.change(2, 6)]).await;
    let seen: Vec<_> = outcomes
        .into_iter()
        .map(applied)
        .map(|receipt| (receipt.previous_score.map(Score::get), receipt.score.get()))
        .collect();
    assert_eq!(seen, [(Some(100), 101), (None, 5), (Some(101), 103), (Some(5), 11)], "earlier changes are seen");
    assert_eq!(play.entries().await, [(1, 103), (2, 11)], "the last score of each user stands");
    assert_eq!(play.board().await.total, 2, "a user is counted once");
}

/// An empty batch has no outcomes and changes nothing.
pub async fn an_empty_batch_does_nothing<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    assert_eq!(play.apply(&[]).await, []);
    assert_eq!(play.version().await, 0, "an empty batch takes no version");
}

/// A receipt tells all of its change, and of what it did.
pub async fn a_receipt_tells_all<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    play.scored(3, 40).await;
    let change = Change { at: at(123_456), origin: Origin::Record, ..play.change(3, 2) };
    let receipt = applied(play.apply_one(&change).await);
    let board = play.board().await;
    assert_eq!(receipt.action_id, change.action_id, "what counted");
    assert_eq!((receipt.board, receipt.season), (change.board, change.season), "where it counted");
    assert_eq!((receipt.user_id, receipt.points), (user(3), change.points), "for whom, and how much");
    assert_eq!((receipt.previous_score.map(Score::get), receipt.score.get()), (Some(40), 42), "what it changed");
    assert_eq!((receipt.epoch, receipt.version), (board.epoch, board.version), "at which position");
    assert_eq!(receipt.applied_at, at(123_456), "when it counted: the moment the caller named, to the millisecond");
    assert!(!receipt.replayed, "the first answer is no repeat");
    assert!(receipt.rank.is_none_or(|rank| rank == 1), "a rank, where given, is the one at this version");
}

/// A log row holds all of its change, and what it found and left.
pub async fn a_log_row_holds_all<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let first = play.change(3, 40);
    let kind = KindId::new("x_-9").expect("a slug");
    let second = Change { at: at(-5), origin: Origin::Record, kind, ..play.change(3, -2) };
    let receipts = play.apply(&[first.clone(), second.clone()]).await.into_iter().map(applied).collect::<Vec<_>>();
    let log = play.log().await;
    assert_eq!(log.len(), 2, "one row for each change");
    for ((change, row), receipt) in [&first, &second].into_iter().zip(&log).zip(&receipts) {
        assert_eq!(row.action_id, change.action_id, "a row holds the action");
        assert_eq!(row.fingerprint, change.fingerprint, "a row holds the fingerprint");
        assert_eq!((row.season, row.user_id), (change.season, change.user_id), "a row holds season and user");
        assert_eq!((&row.kind, row.points), (&change.kind, change.points), "a row holds kind and points");
        assert_eq!((row.origin, row.at), (change.origin, change.at), "a row holds origin and time");
        assert_eq!(row.receipt(&change.board, false), crate::Receipt { rank: None, ..receipt.clone() }, "as receipted");
    }
    assert_eq!(log[0].previous, None, "the user was not on the board");
    let reached = Reached { score: receipts[0].score, version: receipts[0].version, at: first.at };
    assert_eq!(log[1].previous, Some(reached), "a row holds the score before, and when that was reached");
    assert_eq!(log[1].score.get(), 38, "a row holds the score after");
}

/// Scores reach both ends of ±(2^53 − 1) exactly.
pub async fn scores_reach_both_ends_of_the_range<F: ScoreStoreFixture>(f: &F) {
    for tie_break in [TieBreak::Earliest, TieBreak::Latest] {
        for direction in [Direction::Descending, Direction::Ascending] {
            let name = format!("{tie_break:?}-{direction:?}").to_lowercase();
            let play = Play::on(f, BoardSpec { tie_break, ..spec(&name, Operator::Increment, direction) }).await;
            play.apply(&[play.change(1, MAX_SCORE - 1), play.change(2, 1 - MAX_SCORE)]).await;
            assert_eq!(play.scored(1, 1).await.score.get(), MAX_SCORE, "the upper end is in the range");
            assert_eq!(play.scored(2, -1).await.score.get(), -MAX_SCORE, "the lower end is in the range");
            let mut expected = vec![(1, MAX_SCORE), (2, -MAX_SCORE)];
            if direction == Direction::Ascending {
                expected.reverse();
            }
            assert_eq!(play.entries().await, expected, "the ends are kept, and ordered, exactly");
        }
    }
}

/// A read that starts after `apply` returned sees what it applied, whichever read it is.
pub async fn reads_see_what_was_applied<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    for n in 1..=20 {
        let receipt = play.scored(n % 3, 1).await;
        let version = receipt.version;
        assert_eq!(play.board().await.version, version, "board is fresh");
        let page = play.top().await;
        assert_eq!(page.position.version, version, "page is fresh");
        let entry = page.entries.iter().find(|entry| number(entry.user_id) == n % 3).expect("page shows the user");
        assert_eq!(entry.score, receipt.score, "page shows the new score");
        let log = play.store.log(play.id(), page.position.version, 5).await.expect("log answers");
        assert_eq!(log, [], "nothing is behind the newest version");
        let history = play.store.history(play.id(), receipt.user_id, None, 1).await.expect("history answers");
        assert_eq!(history.first().map(|row| row.position.version), Some(version), "history is fresh");
        let found = play.store.action(receipt.action_id).await.expect("action answers").expect("it counted");
        assert_eq!(found.1.position.version, version, "action is fresh");
    }
}
