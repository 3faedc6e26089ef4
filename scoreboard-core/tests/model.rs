//! Random histories: the store in memory, bare, under an index of ranks and behind group commit, and the model agree on every answer.

use std::collections::HashSet;
use std::sync::Arc;

use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::testing::broken::score_store::*;
use scoreboard_core::testing::broken::{Broken, Defect};
use scoreboard_core::testing::model::{History, Step, Subject};
use scoreboard_core::testing::{Fixture, ScoreStoreFixture, run};
use scoreboard_core::{GroupCommit, Outcome, RankIndexed, RankIndexedConfig, Refusal, ScoreStore};

const COMMAND: &str = "cargo test -p scoreboard-core --test model";

#[tokio::test]
async fn memory_and_its_layers_are_the_model() {
    for seed in History::seeds(300) {
        let subjects = vec![
            Subject::new("memory", Arc::new(MemoryScoreStore::new())),
            Subject::new(
                "rank index",
                Arc::new(RankIndexed::new(Arc::new(MemoryScoreStore::new()), RankIndexedConfig::default())),
            ),
            Subject::new("group commit", Arc::new(GroupCommit::new(Arc::new(MemoryScoreStore::new())))),
        ];
        History::random(seed).compare(subjects, COMMAND).await;
    }
}

/// The same beside moderators, who void, unvoid, hold, shadow, ban and lift.
#[tokio::test]
async fn memory_and_its_layers_are_the_model_beside_moderators() {
    for seed in History::seeds(300) {
        let [bare, below] = [(); 2].map(|()| Arc::new(MemoryScoreStore::new()));
        let subjects = vec![
            Subject::moderated("memory", bare.clone(), bare),
            Subject::moderated(
                "rank index",
                Arc::new(RankIndexed::new(below.clone(), RankIndexedConfig::default())),
                below,
            ),
        ];
        History::moderated(seed).compare(subjects, COMMAND).await;
    }
}

/// What the message of the first difference of a broken store from the model says.
fn difference<D: Defect>() -> String {
    let compare = || {
        run(async |_: &Broken<D>| {
            for seed in 0..100 {
                let fresh = Broken::<D>::fresh().await.score_store();
                History::random(seed).compare(vec![Subject::new("broken", fresh)], COMMAND).await;
            }
        });
    };
    let panic = std::panic::catch_unwind(compare).expect_err("a broken store differs within a hundred histories");
    *panic.downcast::<String>().expect("the message is formatted")
}

/// A comparison that finds nothing proves nothing.
#[test]
fn the_comparison_bites() {
    for message in [
        difference::<DoubleApply>(),
        difference::<FingerprintIgnored>(),
        difference::<AtMostAfterMoment>(),
        difference::<RangeClamped>(),
        difference::<ReceiptOfNow>(),
        difference::<TiesById>(),
        difference::<IdleChangeReaches>(),
        difference::<CompetitionOffByOne>(),
        difference::<KeyIncluded>(),
        difference::<TiesSkipped>(),
        difference::<AroundCutShort>(),
        difference::<ScoreBeforeEquals>(),
        difference::<HistoryOldestFirst>(),
        difference::<StaleReads>(),
    ] {
        assert!(message.contains("`broken` differs from the model"), "{message}");
        assert!(message.contains("repeat: SCOREBOARD_SEED="), "the message tells how to repeat it: {message}");
        assert!(message.ends_with(COMMAND), "the message tells how to repeat it: {message}");
    }
}

/// A generator that no longer reached a rule would let it rot unnoticed.
#[tokio::test]
async fn histories_reach_every_rule() {
    let (mut orders, mut refusals, mut replays, mut idle, mut over) = (HashSet::new(), HashSet::new(), 0, 0, 0);
    for seed in 0..300 {
        let (history, store) = (History::random(seed), MemoryScoreStore::new());
        for spec in &history.boards {
            let _ = store.create_board(spec).await.unwrap();
            orders.insert((spec.operator, spec.direction, spec.tie_break));
        }
        for step in &history.steps {
            let Step::Apply(changes) = step else { continue };
            for outcome in store.apply(changes).await.unwrap() {
                match outcome {
                    Outcome::Applied(receipt) => idle += usize::from(receipt.previous_score == Some(receipt.score)),
                    Outcome::Replayed(_) => replays += 1,
                    Outcome::Refused(Refusal::OverQuota(_)) => over += 1,
                    Outcome::Refused(refusal) => drop(refusals.insert(refusal)),
                }
            }
        }
    }
    assert_eq!(orders.len(), 16, "every operator, direction and tie-break");
    let all = [
        Refusal::UnknownBoard,
        Refusal::SeasonOver,
        Refusal::ScoreOutOfRange,
        Refusal::FingerprintMismatch,
        Refusal::AboveCount,
    ];
    assert_eq!(refusals, HashSet::from(all));
    assert!(replays > 300 && idle > 300, "{replays} replays, {idle} changes without effect");
    assert!(over > 300, "{over} over a quota");
}
