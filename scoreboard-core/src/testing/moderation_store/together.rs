//! Decisions beside all that goes on.

use std::sync::Arc;

use tokio::sync::Barrier;

use super::{Moderator, ids};
use crate::audit::{Audit, verify};
use crate::store::{Moderated, Moderation, ModerationAct, Origin, Outcome, Refusal, Restriction, Visibility};
use crate::testing::drop_at::drop_after;
use crate::testing::fixture::ModerationStoreFixture;
use crate::testing::play::{Play, user};
use crate::testing::score_store::settle;

/// Carries a decision out, again while the store asks for that.
async fn settled(moderator: &Moderator, decision: &Moderation) -> Moderated {
    for _ in 0..1000 {
        match moderator.store.moderate(decision).await {
            Ok(moderated) => return moderated,
            Err(error) if error.is_retryable() => tokio::task::yield_now().await,
            Err(error) => panic!("moderate fails under contention: {error}"),
        }
    }
    panic!("moderate does not settle in 1000 attempts");
}

/// No change slips past a ban: whatever of the user is in the log lies before it, and all that is applied after it returned is refused.
pub async fn nothing_slips_past_a_ban<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    play.scored(1, 1).await;
    let start = Arc::new(Barrier::new(9));
    let writers: Vec<_> = (0..8)
        .map(|_| {
            let (play, start) = (play.clone(), start.clone());
            tokio::spawn(async move {
                start.wait().await;
                let mut refused = false;
                for _ in 0..20 {
                    let outcome = settle(play.store.as_ref(), &[play.change(1, 1)]).await.remove(0);
                    let now = outcome == Outcome::Refused(Refusal::Banned);
                    assert!(now || !refused, "once banned, always refused: {outcome:?}");
                    refused = now;
                }
            })
        })
        .collect();
    start.wait().await;
    let ban = moderator.decision(ModerationAct::Restrict { user_id: user(1), restriction: Restriction::Banned });
    let banned = settled(&moderator, &ban).await;
    assert!(matches!(banned, Moderated::Done(_)), "{banned:?}");
    let outcome = settle(play.store.as_ref(), &[play.change(1, 1)]).await.remove(0);
    assert_eq!(outcome, Outcome::Refused(Refusal::Banned));
    for writer in writers {
        writer.await.expect("writers do not panic");
    }
    play.board().await;
    assert_eq!(play.entries().await, []);
    let log = play.log().await;
    let last = log.last().expect("a log");
    assert_eq!(
        (last.origin, last.visibility),
        (Origin::Correction, Visibility::Nothing),
        "the last of the user's rows"
    );
}

/// Many who void and unvoid while others play leave what a fold of the log says, and of one decision at once one is carried out.
pub async fn decisions_at_once_leave_what_the_log_says<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let mut receipts = Vec::new();
    for n in 0..40 {
        receipts.push(play.scored(n % 4, 1).await);
    }
    let before = play.entries().await;
    let start = Arc::new(Barrier::new(6));
    let mut tasks = Vec::new();
    for part in receipts.chunks(10) {
        let actions = ids(&part.iter().collect::<Vec<_>>());
        let (moderator, start) = (moderator.clone(), start.clone());
        tasks.push(tokio::spawn(async move {
            start.wait().await;
            for _ in 0..3 {
                let void = moderator.decision(ModerationAct::Void { actions: actions.clone() });
                let (first, second) = tokio::join!(settled(&moderator, &void), settled(&moderator, &void));
                let replayed = [first, second].map(|moderated| super::done(moderated).replayed);
                assert!(replayed[0] != replayed[1], "one of the two does it");
                let unvoid = moderator.decision(ModerationAct::Unvoid { actions: actions.clone() });
                super::done(settled(&moderator, &unvoid).await);
            }
        }));
    }
    for number in [7, 8] {
        let (play, start) = (play.clone(), start.clone());
        tasks.push(tokio::spawn(async move {
            start.wait().await;
            for _ in 0..20 {
                settle(play.store.as_ref(), &[play.change(number, 1), play.change(number - 7, 0)]).await;
            }
        }));
    }
    for task in tasks {
        task.await.expect("nobody panics");
    }
    play.board().await;
    let mut entries = play.entries().await;
    entries.retain(|(user, _)| *user < 7);
    entries.sort_unstable();
    assert_eq!(entries, {
        let mut before = before;
        before.sort_unstable();
        before
    });
    let audit = verify(&*play.store, play.id(), |_, _| {}).await.expect("verify answers");
    assert!(matches!(audit, Audit::Clean { .. }), "{audit:?}");
}

/// A `moderate` that is dropped at any of its waits was carried out whole or not at all, and a retry settles it.
pub async fn a_dropped_decision_is_all_or_nothing<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    for polls in 0..200 {
        let receipts = [play.scored(1, 1).await, play.scored(2, 1).await];
        let void = moderator.decision(ModerationAct::Void { actions: ids(&[&receipts[0], &receipts[1]]) });
        let was_done = drop_after(polls, moderator.store.moderate(&void)).await;
        let effects = super::done(settled(&moderator, &void).await);
        assert_eq!((effects.carried_out.changed, effects.carried_out.corrections), (2, 2));
        play.board().await;
        assert_eq!(play.entries().await, []);
        let voided = moderator.store.voided(&ids(&[&receipts[0], &receipts[1]])).await.expect("voided answers");
        assert_eq!(voided.len(), 2);
        if was_done.is_some_and(|moderated| moderated.is_ok()) {
            let corrections = play.log().await.iter().filter(|row| row.origin == Origin::Correction).count();
            assert_eq!(corrections, 2 * (polls as usize + 1), "each once");
            return;
        }
    }
    panic!("moderate is not done after 199 polls");
}
