//! Callers that go away.

use std::time::Duration;

use crate::store::{Change, Outcome};
use crate::testing::drop_at::drop_after;
use crate::testing::fixture::ScoreStoreFixture;
use crate::testing::play::{Play, applied};
use crate::testing::score_store::concurrency::settle;

/// A batch for users 1 and 2, and one change that repeats the first.
fn batch(play: &Play) -> [Change; 3] {
    let [one, two] = [play.change(1, 1), play.change(2, 2)];
    [one.clone(), two, one]
}

/// Applies again what may or may not have been applied: all of it counted before, or none.
async fn settles(play: &Play, batch: &[Change], round: u64) {
    let outcomes = settle(play.store.as_ref(), batch).await;
    let first_time: Vec<_> = outcomes.iter().map(|outcome| matches!(outcome, Outcome::Applied(_))).collect();
    let whole = first_time == [true, true, false] || first_time == [false, false, false];
    assert!(whole, "round {round}: the dropped batch was applied in part: {outcomes:?}");
    assert!(outcomes.iter().all(|o| o.receipt().is_some()), "round {round}: the retry settles all: {outcomes:?}");
}

/// Checks that each of so many batches counted once.
async fn each_counted_once(play: &Play, batches: u64) {
    let each = i64::try_from(batches).expect("few");
    assert_eq!(play.entries().await, [(2, 2 * each), (1, each)], "each batch counts once");
    let versions: Vec<_> = play.log().await.iter().map(|row| row.position.version.get()).collect();
    assert_eq!(versions, (1..=2 * batches).collect::<Vec<_>>(), "versions have no gap");
}

/// An `apply` that is dropped at any of its waits was applied whole or not at all, and a retry settles it.
pub async fn a_dropped_apply_is_all_or_nothing<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    for polls in 0..100 {
        let batch = batch(&play);
        let done = drop_after(polls, play.store.apply(&batch)).await;
        settles(&play, &batch, polls.into()).await;
        if done.is_some_and(|outcomes| outcomes.is_ok()) {
            return each_counted_once(&play, u64::from(polls) + 1).await;
        }
    }
    panic!("apply is not done after 99 polls");
}

/// An `apply` whose task is ended at some moment was applied whole or not at all, and a retry settles it.
pub async fn an_aborted_apply_is_all_or_nothing<F: ScoreStoreFixture>(f: &F) {
    const ROUNDS: u64 = 40;
    let play = Play::new(f).await;
    for round in 0..ROUNDS {
        let batch = batch(&play);
        let task = tokio::spawn({
            let (store, batch) = (play.store.clone(), batch.clone());
            async move { store.apply(&batch).await }
        });
        tokio::time::sleep(Duration::from_micros(round * 50)).await;
        task.abort();
        settles(&play, &batch, round).await;
    }
    each_counted_once(&play, ROUNDS).await;
}

/// Callers who go away do not disturb others who apply at the same time.
pub async fn others_are_not_disturbed<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    for round in 1..=20 {
        let (lost, kept) = (batch(&play), play.change(3, 1));
        let task = tokio::spawn({
            let (store, lost) = (play.store.clone(), lost.clone());
            async move { store.apply(&lost).await }
        });
        let other = tokio::spawn({
            let (store, kept) = (play.store.clone(), kept.clone());
            async move { settle(store.as_ref(), &[kept]).await.remove(0) }
        });
        tokio::task::yield_now().await;
        task.abort();
        let receipt = applied(other.await.expect("apply does not panic"));
        assert_eq!(receipt.score.get(), round, "what another caller applied counts");
        settles(&play, &lost, round.unsigned_abs()).await;
    }
    assert_eq!(play.version().await, 60, "all counts once, without a gap");
}
