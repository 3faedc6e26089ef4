//! Equals are ordered by when they reached their score.

use crate::board::BoardSpec;
use crate::ranking::{Direction, Operator, TieBreak};
use crate::store::Change;
use crate::testing::fixture::ScoreStoreFixture;
use crate::testing::play::{Play, applied, at, board_id, spec, users};

const DIRECTIONS: [(&str, Direction); 2] = [("down", Direction::Descending), ("up", Direction::Ascending)];

/// Among equals the earliest to reach the score leads, whichever end of the board leads, and whatever the users' ids.
pub async fn the_earliest_leads_among_equals<F: ScoreStoreFixture>(f: &F) {
    for (name, direction) in DIRECTIONS {
        let play = Play::on(f, spec(name, Operator::Increment, direction)).await;
        play.apply(&[play.change(5, 9), play.change(2, 9)]).await;
        play.scored_all(&[(9, 9), (1, 9)]).await;
        assert_eq!(users(&play.top().await), [5, 2, 9, 1], "{direction:?}, earliest: in the order of their versions");
    }
}

/// Among equals the latest to reach the score leads, if the board says so.
pub async fn the_latest_leads_among_equals<F: ScoreStoreFixture>(f: &F) {
    for (name, direction) in DIRECTIONS {
        let spec = BoardSpec { tie_break: TieBreak::Latest, ..spec(name, Operator::Increment, direction) };
        let play = Play::on(f, spec).await;
        play.apply(&[play.change(5, 9), play.change(2, 9)]).await;
        play.scored_all(&[(9, 9), (1, 9)]).await;
        assert_eq!(
            users(&play.top().await),
            [1, 9, 2, 5],
            "{direction:?}, latest: against the order of their versions"
        );
    }
}

/// Versions break ties, not the times that callers name.
pub async fn times_break_no_ties<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    for (user_number, millis) in [(1, 500), (2, 0), (3, 1000), (4, 500)] {
        let change = Change { at: at(millis), ..play.change(user_number, 9) };
        let _ = applied(play.apply_one(&change).await);
    }
    assert_eq!(users(&play.top().await), [1, 2, 3, 4], "the first to be applied was the first to reach it");
}

/// A change that leaves the score as it is takes a version, but not the place among equals, and not the time of the entry.
pub async fn a_score_that_stays_keeps_its_place<F: ScoreStoreFixture>(f: &F) {
    let cases = [
        ("add", Operator::Increment, TieBreak::Earliest, 0),
        ("sub", Operator::Decrement, TieBreak::Earliest, 0),
        ("set", Operator::Set, TieBreak::Earliest, 9),
        ("best", Operator::Best, TieBreak::Earliest, 9),
        ("worse", Operator::Best, TieBreak::Earliest, 4),
        ("late", Operator::Set, TieBreak::Latest, 9),
    ];
    for (name, operator, tie_break, again) in cases {
        let first = if operator == Operator::Decrement { -9 } else { 9 };
        let spec = BoardSpec { tie_break, ..spec(name, operator, Direction::Descending) };
        let play = Play::on(f, spec).await;
        play.scored_all(&[(1, first), (2, first), (3, first)]).await;
        let before = play.top().await;
        let mut batch = vec![play.change(1, again), play.change(2, again), play.change(1, again)];
        batch.iter_mut().for_each(|change| change.at = at(99_999));
        let receipt = applied(play.apply(&batch).await.remove(2));
        assert_eq!(receipt.version.get(), 6, "{name}: a change without effect takes a version");
        assert_eq!(receipt.previous_score, Some(receipt.score), "{name}: its receipt shows that nothing moved");
        let after = play.top().await;
        assert_eq!(after.position.version, receipt.version, "{name}: the page is at the new version");
        assert_eq!(after.entries, before.entries, "{name}: who keeps a score keeps when it was reached");
    }
}

/// Who leaves a score and comes back to it reached it anew, be it in one batch.
pub async fn coming_back_to_a_score_is_reaching_it_anew<F: ScoreStoreFixture>(f: &F) {
    let play = Play::on(f, spec("set", Operator::Set, Direction::Descending)).await;
    play.scored_all(&[(1, 9), (2, 9), (3, 9), (1, 8), (1, 9)]).await;
    assert_eq!(users(&play.top().await), [2, 3, 1], "one by one");
    play.apply(&[play.change(2, 1), play.change(2, 9)]).await;
    assert_eq!(users(&play.top().await), [3, 1, 2], "in one batch");
}

/// A better score passes equals and others at once; a worse one falls behind them.
pub async fn a_score_moves_to_its_place<F: ScoreStoreFixture>(f: &F) {
    let play = Play::on(f, BoardSpec::new(board_id("moves"))).await;
    play.scored_all(&[(1, 10), (2, 20), (3, 20), (4, 30)]).await;
    play.scored(1, 10).await;
    assert_eq!(play.entries().await, [(4, 30), (2, 20), (3, 20), (1, 20)], "behind those who had the score before");
    play.scored(1, 5).await;
    assert_eq!(play.entries().await, [(4, 30), (1, 25), (2, 20), (3, 20)], "between scores");
    play.scored(4, -100).await;
    assert_eq!(play.entries().await, [(1, 25), (2, 20), (3, 20), (4, -70)], "down to the end");
    assert_eq!(play.board().await.total, 4, "moving changes no total");
}
