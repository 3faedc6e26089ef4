//! Decisions: once, kept, listed, previewed.

use super::holding::conclusion;
use super::{Moderator, done, ids};
use crate::ids::{ActionId, ModerationId};
use crate::store::{Effects, Moderated, Moderation, ModerationAct, ModerationRefusal, Restriction};
use crate::testing::fixture::ModerationStoreFixture;
use crate::testing::play::{Play, refused, user};

/// A decision is carried out once, and answered as replayed from then on; another one with its id is refused.
pub async fn a_decision_is_carried_out_once<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let receipts = [play.scored(1, 1).await, play.scored(1, 2).await];
    let decision = moderator.decision(ModerationAct::Void { actions: ids(&[&receipts[0]]) });
    let first = done(moderator.moderate(&decision).await);
    let version = play.version().await;
    let again = Moderation { at: decision.at.plus(std::time::Duration::from_secs(9)), ..decision.clone() };
    let replayed = done(moderator.moderate(&again).await);
    assert_eq!(
        replayed,
        Effects { replayed: true, shifts: Vec::new(), ..first },
        "when it is tried again does not matter"
    );
    for other in [
        Moderation { reason: "another".to_owned(), ..decision.clone() },
        Moderation { by: "another".to_owned(), ..decision.clone() },
        Moderation { act: ModerationAct::Void { actions: ids(&[&receipts[1]]) }, ..decision.clone() },
        Moderation { act: ModerationAct::Unvoid { actions: ids(&[&receipts[0]]) }, ..decision.clone() },
    ] {
        assert_eq!(moderator.moderate(&other).await, Moderated::Refused(ModerationRefusal::IdUsed));
    }
    assert_eq!((play.version().await, play.entries().await), (version, vec![(1, 2)]), "once");
    assert_eq!(moderator.store.moderations(None, 10).await.expect("moderations answers").len(), 1);
}

/// A decision that finds nothing to do changes nothing, and is kept all the same.
pub async fn a_decision_without_effect_is_kept<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let receipt = play.scored(1, 1).await;
    moderator.void(&play, &[&receipt, &receipt]).await;
    moderator.restrict(&play, 2, Restriction::Held).await;
    let version = play.version().await;
    for act in [
        ModerationAct::Void { actions: ids(&[&receipt]) },
        ModerationAct::Void { actions: Vec::new() },
        ModerationAct::Restrict { user_id: user(2), restriction: Restriction::Held },
        ModerationAct::Lift { user_id: user(3) },
    ] {
        let effects = moderator.done(&play, act).await;
        assert_eq!((effects.carried_out.changed, effects.carried_out.corrections), (0, 0));
        assert_eq!(effects.shifts, []);
        let kept = moderator.store.moderation(effects.carried_out.moderation.id).await.expect("moderation answers");
        assert_eq!(kept, Some(effects.carried_out));
    }
    assert_eq!(play.version().await, version);
    let first = moderator.store.restriction(user(2)).await.expect("restriction answers").expect("held");
    assert_eq!(first.moderation_id, ModerationId::from_bytes(1_u128.to_be_bytes()), "since the first decision");
}

/// What never counted cannot be void, nor can a correction; the whole decision is refused, and says which.
pub async fn what_never_counted_cannot_be_void<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let receipt = play.scored(1, 1).await;
    moderator.void(&play, &[&receipt]).await;
    let correction = play.log().await[1].action_id;
    let counts = play.scored(2, 1).await.action_id;
    let stranger = ActionId::from_bytes([7; 16]);
    for act in [
        ModerationAct::Unvoid { actions: vec![receipt.action_id, stranger, correction] },
        ModerationAct::Void { actions: vec![counts, stranger, correction] },
    ] {
        let refusal = moderator.refused(act).await;
        assert_eq!(refusal, ModerationRefusal::UnknownActions(vec![stranger, correction]));
    }
    play.board().await;
    assert_eq!(play.entries().await, [(2, 1)], "nothing was changed");
    let change = crate::store::Change { action_id: correction, ..play.change(1, 1) };
    assert_eq!(refused(play.apply_one(&change).await), crate::store::Refusal::FingerprintMismatch, "its id is taken");
}

/// Nobody decides about themselves, be it their actions or what they may not: the whole decision is refused.
pub async fn nobody_decides_about_themselves<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let receipts = [play.scored(1, 9).await, play.scored(2, 5).await, play.scored(1, 1).await];
    moderator.void(&play, &[&receipts[0]]).await;
    moderator.restrict(&play, 1, Restriction::Shadowed).await;
    let version = play.version().await;
    for act in [
        ModerationAct::Unvoid { actions: ids(&[&receipts[0]]) },
        ModerationAct::Void { actions: ids(&[&receipts[1], &receipts[2]]) },
        ModerationAct::Restrict { user_id: user(1), restriction: Restriction::Held },
        ModerationAct::Lift { user_id: user(1) },
        conclusion(1, &[], true),
    ] {
        let own = Moderation { by: user(1).to_string(), ..moderator.decision(act.clone()) };
        let preview = moderator.store.preview(&own).await.expect("preview answers");
        assert_eq!(preview, Moderated::Refused(ModerationRefusal::OneselfDecided), "{act:?}");
        assert_eq!(moderator.moderate(&own).await, preview);
        assert_eq!(moderator.store.moderation(own.id).await.expect("moderation answers"), None);
    }
    assert_eq!((play.version().await, play.entries().await), (version, vec![(2, 5)]), "nothing was changed");
    let others = Moderation {
        by: user(1).to_string(),
        ..moderator.decision(ModerationAct::Void { actions: ids(&[&receipts[1]]) })
    };
    assert!(matches!(moderator.moderate(&others).await, Moderated::Done(_)), "about others they do");
}

/// A preview tells what would be done, and does nothing.
pub async fn a_preview_changes_nothing<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let receipts = [play.scored(1, 9).await, play.scored(2, 5).await];
    let before = (play.top().await, play.version().await, play.log().await);
    for act in [
        ModerationAct::Void { actions: ids(&[&receipts[0], &receipts[1]]) },
        ModerationAct::Restrict { user_id: user(1), restriction: Restriction::Banned },
    ] {
        let decision = moderator.decision(act);
        let preview = moderator.store.preview(&decision).await.expect("preview answers");
        assert_eq!((play.top().await, play.version().await, play.log().await), before);
        assert_eq!(moderator.store.moderation(decision.id).await.expect("moderation answers"), None);
        assert_eq!(moderator.store.restriction(user(1)).await.expect("restriction answers"), None);
        assert_eq!(moderator.store.voided(&ids(&[&receipts[0]])).await.expect("voided answers").len(), 0);
        assert!(!done(preview).shifts.is_empty());
    }
    let decision = moderator.decision(ModerationAct::Void { actions: ids(&[&receipts[0]]) });
    let preview = moderator.store.preview(&decision).await.expect("preview answers");
    assert_eq!(preview, moderator.moderate(&decision).await, "as it is then done");
    let again = moderator.store.preview(&decision).await.expect("preview answers");
    assert!(done(again).replayed);
}

/// Decisions are listed newest first, in stretches, each as it was carried out.
pub async fn decisions_are_listed_newest_first<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let mut all = Vec::new();
    for n in 0..7 {
        let receipt = play.scored(n, 1).await;
        all.push(moderator.void(&play, &[&receipt]).await.carried_out);
    }
    all.push(moderator.restrict(&play, 1, Restriction::Shadowed).await.carried_out);
    all.push(moderator.lift(&play, 1).await.carried_out);
    all.reverse();
    for limit in [1, 2, 5, 100] {
        let (mut before, mut seen) = (None, Vec::new());
        loop {
            let page = moderator.store.moderations(before, limit).await.expect("moderations answers");
            assert!(page.len() <= limit);
            let Some(last) = page.last() else { break };
            before = Some(last.moderation.id);
            seen.extend(page);
        }
        assert_eq!(seen, all, "by {limit}");
    }
    let nobody = Some(ModerationId::MAX);
    assert_eq!(moderator.store.moderations(nobody, 9).await.expect("moderations answers"), []);
}
