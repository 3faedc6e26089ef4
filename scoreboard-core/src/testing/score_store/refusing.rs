//! Changes are refused: why, in which order, and without a trace.

use std::time::Duration;

use crate::board::Season;
use crate::ranking::{Direction, Operator};
use crate::score::MAX_SCORE;
use crate::store::{Admitted, AtMost, Change, Origin, Refusal};
use crate::testing::fixture::ScoreStoreFixture;
use crate::testing::play::{Play, applied, at, board_id, points, refused, spec};

/// A change for a board that is not there is refused, and creates none.
pub async fn a_change_for_an_unknown_board_is_refused<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let change = Change { board: board_id("nowhere"), ..play.change(1, 5) };
    assert_eq!(refused(play.apply_one(&change).await), Refusal::UnknownBoard);
    assert_eq!(play.store.boards().await.expect("boards answers").len(), 1, "a refused change creates no board");
}

/// A change for another season than the board's is refused, be it past or to come.
pub async fn a_change_for_another_season_is_refused<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    for season in [0, 2, u32::MAX] {
        let change = Change { season: Season::new(season), ..play.change(1, 5) };
        assert_eq!(
            refused(play.apply_one(&change).await),
            Refusal::SeasonOver,
            "season {season} of a board in season 1"
        );
    }
    assert_eq!(play.entries().await, [], "a change for another season does not count");
}

/// A score that would leave ±(2^53 − 1) at either end is refused: not wrapped, not clamped.
pub async fn a_score_out_of_range_is_refused<F: ScoreStoreFixture>(f: &F) {
    let cases = [
        ("a", Operator::Increment, MAX_SCORE, 1),
        ("b", Operator::Increment, -MAX_SCORE, -1),
        ("c", Operator::Decrement, MAX_SCORE, 1),
        ("d", Operator::Decrement, -MAX_SCORE, -1),
        ("e", Operator::Increment, MAX_SCORE, MAX_SCORE),
        ("f", Operator::Decrement, -MAX_SCORE, -MAX_SCORE),
    ];
    for (name, operator, first, second) in cases {
        let play = Play::on(f, spec(name, operator, Direction::Descending)).await;
        let before = play.scored(1, first).await;
        let outcome = play.apply_one(&play.change(1, second)).await;
        assert_eq!(refused(outcome), Refusal::ScoreOutOfRange, "{operator:?} of {first}, then {second}");
        assert_eq!(play.entries().await, [(1, before.score.get())], "a refused change leaves the score");
        assert_eq!(play.version().await, 1, "a refused change takes no version");
    }
}

/// A refused change takes no version, leaves no log row, and spoils no other of its batch.
pub async fn a_refused_change_spoils_no_other<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let nowhere = Change { board: board_id("nowhere"), ..play.change(1, 5) };
    let late = Change { season: Season::new(7), ..play.change(1, 5) };
    let above = Change { at_most: Some(AtMost { count: 1, since: at(-1000) }), ..play.change(1, 5) };
    let batch = [
        nowhere,
        play.change(1, MAX_SCORE),
        late,
        play.change(1, 1), // out of range
        play.change(2, 3),
        above,
        play.change(1, -1),
    ];
    let outcomes = play.apply(&batch).await;
    let versions: Vec<_> = outcomes.iter().map(|o| o.receipt().map(|receipt| receipt.version.get())).collect();
    assert_eq!(versions, [None, Some(1), None, None, Some(2), None, Some(3)], "only what is applied takes a version");
    assert_eq!(play.entries().await, [(1, MAX_SCORE - 1), (2, 3)], "what is refused does not count, the rest does");
    assert_eq!(play.log().await.len(), 3, "what is refused leaves no log row");
    for (change, outcome) in batch.iter().zip(&outcomes) {
        let found = play.store.action(change.action_id).await.expect("action answers");
        assert_eq!(found.is_some(), outcome.receipt().is_some(), "only an action that counted is found");
    }
}

/// A change that says that it is a correction is refused, on whatever board: only a moderator's decision makes one.
pub async fn a_correction_from_outside_is_refused<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    play.scored(1, 5).await;
    for board in [play.id().clone(), board_id("nowhere")] {
        let change = Change { board, origin: Origin::Correction, ..play.change(1, 5) };
        assert_eq!(refused(play.apply_one(&change).await), Refusal::Correction);
    }
    assert_eq!((play.version().await, play.entries().await), (1, vec![(1, 5)]), "nothing was changed");
}

/// A refusal is not remembered: the same change counts once what refused it is gone.
pub async fn a_refused_change_can_count_later<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    play.scored(1, MAX_SCORE).await;
    let change = play.change(1, 1);
    assert_eq!(refused(play.apply_one(&change).await), Refusal::ScoreOutOfRange);
    play.scored(1, -1).await;
    assert_eq!(applied(play.apply_one(&change).await).score.get(), MAX_SCORE, "there is room for it now");

    let early = Change { board: board_id("later"), ..play.change(1, 5) };
    assert_eq!(refused(play.apply_one(&early).await), Refusal::UnknownBoard);
    Play::on(f, spec("later", Operator::Set, Direction::Descending)).await;
    assert_eq!(applied(play.apply_one(&early).await).version.get(), 1, "its board is there now");
}

/// A change with several faults is refused for the first of: unknown board, season over, above the count, over the quota, out of
/// range.
pub async fn refusals_have_an_order<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let admitted = Admitted::under("1/s".parse().expect("a quota"), at(0));
    let _ = applied(play.apply_one(&Change { admitted, ..play.change(1, MAX_SCORE) }).await);
    let mut change = Change {
        board: board_id("nowhere"),
        season: Season::new(9),
        at_most: Some(AtMost { count: 1, since: at(-1000) }),
        admitted,
        points: points(1),
        ..play.change(1, 1)
    };
    assert_eq!(refused(play.apply_one(&change).await), Refusal::UnknownBoard, "the board is looked at first");
    change.board = play.id().clone();
    assert_eq!(refused(play.apply_one(&change).await), Refusal::SeasonOver, "then the season");
    change.season = Season::FIRST;
    assert_eq!(refused(play.apply_one(&change).await), Refusal::AboveCount, "then the count");
    change.at_most = None;
    let over = refused(play.apply_one(&change).await);
    assert_eq!(over, Refusal::OverQuota(Duration::from_secs(1)), "then the quota");
    change.admitted = None;
    assert_eq!(refused(play.apply_one(&change).await), Refusal::ScoreOutOfRange, "then the range");
}
