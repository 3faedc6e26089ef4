//! "At most so many" holds exactly.

use crate::board::BoardSpec;
use crate::clock::Timestamp;
use crate::score::MAX_SCORE;
use crate::store::{AtMost, Change, Outcome, Refusal};
use crate::testing::fixture::ScoreStoreFixture;
use crate::testing::play::{Play, applied, at, board_id, kind, refused, replayed, user};

/// A change of user 1 that counts if it is at most the `count`th since then.
fn limited(play: &Play, count: u32, since: Timestamp) -> Change {
    Change { at_most: Some(AtMost { count, since }), ..play.change(1, 1) }
}

fn counted(outcomes: &[Outcome]) -> Vec<bool> {
    outcomes.iter().map(|outcome| outcome.receipt().is_some()).collect()
}

/// Exactly so many count, one batch after the other.
pub async fn at_most_holds_across_batches<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    for n in 1..=6 {
        let outcome = play.apply_one(&limited(&play, 3, at(0))).await;
        if n <= 3 {
            assert_eq!(applied(outcome).version.get(), n, "change {n} of at most 3 counts");
        } else {
            assert_eq!(refused(outcome), Refusal::AboveCount, "change {n} is above 3");
        }
    }
    assert_eq!(play.entries().await, [(1, 3)], "three of six count");
}

/// Exactly so many count inside one batch, those of earlier batches included.
pub async fn at_most_holds_inside_a_batch<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let batch: Vec<_> = (0..5).map(|_| limited(&play, 3, at(0))).collect();
    assert_eq!(counted(&play.apply(&batch[..1]).await), [true]);
    let outcomes = play.apply(&batch).await;
    let _ = replayed(outcomes[0].clone());
    assert_eq!(counted(&outcomes), [true, true, true, false, false], "one before, two here, none more");
    for outcome in &outcomes[3..] {
        assert_eq!(refused(outcome.clone()), Refusal::AboveCount);
    }
    assert_eq!(play.version().await, 3, "what is above the count takes no version");
}

/// What is at the moment itself counts, what is before does not; the change's own time plays no part.
pub async fn at_most_counts_from_its_moment_on<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    for millis in [999, 1000, 1001] {
        let change = Change { at: at(millis), ..play.change(1, 1) };
        let _ = applied(play.apply_one(&change).await);
    }
    for (since, before) in [(998, 3), (999, 3), (1000, 2), (1001, 1), (1002, 0)] {
        let above = Change { at: at(0), ..limited(&play, before, at(since)) };
        let outcome = play.apply_one(&above).await;
        assert_eq!(
            refused(outcome),
            Refusal::AboveCount,
            "{before} are there since {since} ms, so no more than that fit"
        );
    }
    let fits = Change { at: at(0), ..limited(&play, 3, at(1000)) };
    let _ = applied(play.apply_one(&fits).await);
    let early = Change { at: at(500), ..limited(&play, 3, at(1000)) };
    let _ = applied(play.apply_one(&early).await);
}

/// Inside one batch too, what is before the moment does not count.
pub async fn at_most_counts_from_its_moment_on_inside_a_batch<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let timed = |millis| Change { at: at(millis), ..limited(&play, 2, at(1000)) };
    let outcomes = play.apply(&[timed(1), timed(2), timed(999), timed(1000), timed(1001), timed(3000), timed(5)]).await;
    assert_eq!(counted(&outcomes), [true, true, true, true, true, false, false], "two are there since 1000 ms");
}

/// Only changes of the same user, kind and board count, whether they had a condition themselves or not.
pub async fn at_most_counts_its_own_kind<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let other = Play::on(f, BoardSpec::new(board_id("other"))).await;
    let others = [
        play.change(2, 1),
        Change { kind: kind("other"), ..play.change(1, 1) },
        other.change(1, 1),
        limited(&play, 1, at(0)),
    ];
    assert_eq!(counted(&play.apply(&others).await), [true; 4], "user, kind and board are told apart in a batch");
    assert_eq!(counted(&play.apply(&[limited(&play, 1, at(0))]).await), [false], "one is there");
    let elsewhere = [
        Change { user_id: user(3), ..limited(&play, 1, at(0)) },
        Change { kind: kind("third"), ..limited(&play, 1, at(0)) },
        limited(&play, 2, at(0)),
    ];
    for change in elsewhere {
        assert_eq!(counted(&play.apply(&[change]).await), [true], "user, kind and board are told apart across batches");
    }
    play.scored(1, 1).await;
    assert_eq!(counted(&play.apply(&[limited(&play, 3, at(0))]).await), [false], "those without a condition count too");
}

/// Neither refused changes nor repeats use up the count, and changes that leave the score as it is do.
pub async fn at_most_counts_what_counts<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let big = Change { points: crate::Points::new(MAX_SCORE).expect("the end"), ..limited(&play, 3, at(0)) };
    let _ = applied(play.apply_one(&big).await);
    for _ in 0..3 {
        let _ = refused(play.apply_one(&limited(&play, 3, at(0))).await);
        let _ = replayed(play.apply_one(&big).await);
    }
    for _ in 0..2 {
        let still = Change { points: crate::Points::ZERO, ..limited(&play, 3, at(0)) };
        let _ = applied(play.apply_one(&still).await);
    }
    let full = Change { points: crate::Points::ZERO, ..limited(&play, 3, at(0)) };
    assert_eq!(
        refused(play.apply_one(&full).await),
        Refusal::AboveCount,
        "a change of zero points is one of the count"
    );
}

/// At most none lets none through.
pub async fn at_most_none_refuses_all<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let outcome = play.apply_one(&limited(&play, 0, at(0))).await;
    assert_eq!(refused(outcome), Refusal::AboveCount, "zero may count, this one included");
}
