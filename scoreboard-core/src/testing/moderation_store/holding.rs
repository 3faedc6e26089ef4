//! Users whom a rule holds, until people have decided.

use super::restricting::{is_clean, is_nowhere};
use super::{Moderator, ids};
use crate::ids::IncidentId;
use crate::store::{Effects, ModerationAct, Origin, Receipt, Refusal, Restriction, Visibility};
use crate::testing::fixture::ModerationStoreFixture;
use crate::testing::play::{Play, board_id, refused, user};

impl Moderator {
    /// A rule holds the user for what they did on the board from this action on.
    async fn hold(&self, play: &Play, number: u64, since: &Receipt) -> Effects {
        let act = ModerationAct::Hold { user_id: user(number), board: play.id().clone(), since: since.version };
        self.done(play, act).await
    }

    async fn conclude(&self, play: &Play, number: u64, receipts: &[&Receipt], release: bool) -> Effects {
        self.done(play, conclusion(number, receipts, release)).await
    }

    async fn restriction(&self, number: u64) -> Option<Restriction> {
        let found = self.store.restriction(user(number)).await.expect("restriction answers");
        found.map(|found| found.restriction)
    }
}

/// The end of a case about the user.
pub(super) fn conclusion(number: u64, receipts: &[&Receipt], release: bool) -> ModerationAct {
    let confirmed = !receipts.is_empty();
    ModerationAct::Conclude {
        incident: IncidentId::MAX,
        confirmed,
        user_id: user(number),
        actions: ids(receipts),
        release,
    }
}

/// Of whom a rule holds others see what was before that which it found, and nothing at all if there was nothing; themselves have all of it. On
/// other boards they stay as they are, and what they do anywhere is theirs alone.
pub async fn whom_a_rule_holds_is_seen_as_before<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let other = Play::on(f, crate::board::BoardSpec::new(board_id("other"))).await;
    play.scored_all(&[(1, 10), (2, 8), (4, 1)]).await;
    other.scored(1, 3).await;
    let found = [play.scored(1, 5).await, play.scored(1, 5).await];
    let first = play.scored(3, 50).await;
    play.scored(3, 50).await;
    let effects = moderator.hold(&play, 1, &found[0]).await;
    assert_eq!((effects.carried_out.changed, effects.carried_out.corrections, effects.shifts.len()), (0, 3, 1));
    assert_eq!(moderator.restriction(1).await, Some(Restriction::Held));
    assert_eq!(play.entries().await, [(3, 100), (1, 10), (2, 8), (4, 1)]);
    moderator.hold(&play, 3, &first).await;
    is_nowhere(&play, 3, 3).await;
    assert_eq!(play.entries().await, [(1, 10), (2, 8), (4, 1)]);
    assert_eq!((moderator.own(&play, 1).await, moderator.own(&play, 3).await), (Some(20), Some(100)));
    other.board().await;
    assert_eq!(other.entries().await, [(1, 3)]);
    play.scored_all(&[(1, 1), (3, 1), (2, 1)]).await;
    other.scored_all(&[(1, 1), (3, 7)]).await;
    assert_eq!((play.entries().await, other.entries().await), (vec![(1, 10), (2, 9), (4, 1)], vec![(1, 3)]));
    assert_eq!((moderator.own(&play, 1).await, moderator.own(&other, 3).await), (Some(21), Some(7)));
    let corrections: Vec<_> = play.log().await.into_iter().filter(|row| row.origin == Origin::Correction).collect();
    let told: Vec<_> = corrections.iter().map(|row| (row.kind.as_str(), row.visibility)).collect();
    use Visibility::{AsBefore, Shown};
    assert_eq!(told, [("hold", Shown), ("hold", AsBefore), ("hold", Shown), ("hold", AsBefore)]);
    is_clean(&play).await;
    is_clean(&other).await;
}

/// People decide about whom a rule holds, in one decision: dismissed, all comes back where it stood; confirmed, what was found is void, and the
/// user is let go or is not.
pub async fn what_a_rule_held_is_void_or_comes_back<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let mut found = Vec::new();
    for n in [1, 2, 3] {
        play.scored(n, 10).await;
        found.push([play.scored(n, 5).await, play.scored(n, 6).await]);
    }
    play.scored(9, 15).await;
    let before = play.top().await;
    for n in [1, 2, 3] {
        moderator.hold(&play, n, &found[usize::try_from(n).expect("small") - 1][0]).await;
    }
    assert_eq!(play.entries().await, [(9, 15), (1, 10), (2, 10), (3, 10)]);
    moderator.conclude(&play, 1, &[], true).await;
    assert_eq!(play.top().await.entries[0], before.entries[0], "rank for rank");
    assert_eq!((moderator.restriction(1).await, moderator.restriction(2).await), (None, Some(Restriction::Held)));
    let effects = moderator.conclude(&play, 2, &[&found[1][0], &found[1][1]], true).await;
    assert_eq!((effects.carried_out.changed, effects.carried_out.corrections, effects.shifts.len()), (2, 1, 0));
    let effects = moderator.conclude(&play, 3, &[&found[2][0], &found[2][1]], false).await;
    assert_eq!((effects.carried_out.changed, effects.carried_out.corrections), (2, 1));
    assert_eq!((moderator.restriction(2).await, moderator.restriction(3).await), (None, Some(Restriction::Held)));
    play.scored_all(&[(2, 1), (3, 2)]).await;
    assert_eq!(play.entries().await, [(1, 21), (9, 15), (2, 11), (3, 10)]);
    assert_eq!(moderator.own(&play, 3).await, Some(12));
    is_clean(&play).await;
    // What was confirmed can be undone.
    moderator.unvoid(&play, &[&found[1][0], &found[1][1], &found[2][0], &found[2][1]]).await;
    moderator.conclude(&play, 3, &[], true).await;
    assert_eq!(play.entries().await, [(3, 23), (2, 22), (1, 21), (9, 15)]);
    is_clean(&play).await;
}

/// A rule does nothing to who is held, shadowed or banned already, and the end of its case nothing to whom people have restricted.
pub async fn a_rule_leaves_who_is_restricted<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    for (n, restriction) in [(1, Restriction::Held), (2, Restriction::Shadowed), (3, Restriction::Banned)] {
        let first = play.scored(n, 10).await;
        moderator.restrict(&play, n, restriction).await;
        let version = play.version().await;
        let effects = moderator.hold(&play, n, &first).await;
        assert_eq!((effects.carried_out.corrections, effects.shifts.len()), (0, 0));
        moderator.conclude(&play, n, &[], true).await;
        assert_eq!((moderator.restriction(n).await, play.version().await), (Some(restriction), version));
    }
    assert_eq!(play.entries().await, [(1, 10)], "held by people, they are seen as they were");
    assert_eq!(refused(play.apply_one(&play.change(3, 1)).await), Refusal::Banned);
    // The other way round: people take over from the rule, and what it had found shows no more than they let it.
    let first = play.scored(4, 7).await;
    moderator.hold(&play, 4, &first).await;
    moderator.restrict(&play, 4, Restriction::Banned).await;
    moderator.conclude(&play, 4, &[], true).await;
    assert_eq!(moderator.restriction(4).await, Some(Restriction::Banned));
    assert_eq!(play.entries().await, [(1, 10)]);
    moderator.lift(&play, 4).await;
    assert_eq!(play.entries().await, [(1, 10), (4, 7)]);
    is_clean(&play).await;
}

/// What is void of whom a rule holds is taken from what others see, if it counted there, and else from what is pending; and so it comes back.
pub async fn what_is_void_of_whom_a_rule_holds_is_void<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let old = [play.scored(1, 10).await, play.scored(1, 20).await];
    moderator.void(&play, &[&old[1]]).await;
    let found = [play.scored(1, 5).await, play.scored(1, 6).await];
    moderator.hold(&play, 1, &found[0]).await;
    let later = play.scored(1, 7).await;
    assert_eq!((play.entries().await, moderator.own(&play, 1).await), (vec![(1, 10)], Some(28)));
    let effects = moderator.void(&play, &[&found[1], &later]).await;
    assert_eq!((effects.carried_out.corrections, effects.shifts.len()), (1, 0), "nobody else sees a difference");
    moderator.void(&play, &[&old[0]]).await;
    assert_eq!((play.entries().await, moderator.own(&play, 1).await), (vec![], Some(5)));
    is_nowhere(&play, 1, 0).await;
    moderator.unvoid(&play, &[&old[1]]).await;
    assert_eq!((play.entries().await, moderator.own(&play, 1).await), (vec![(1, 20)], Some(25)));
    moderator.unvoid(&play, &[&old[0], &found[1], &later]).await;
    assert_eq!((play.entries().await, moderator.own(&play, 1).await), (vec![(1, 30)], Some(48)));
    is_clean(&play).await;
    moderator.lift(&play, 1).await;
    assert_eq!(play.entries().await, [(1, 48)]);
    is_clean(&play).await;
}
