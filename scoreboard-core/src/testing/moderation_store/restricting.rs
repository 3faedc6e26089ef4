//! Users who are held, shadowed or banned.

use super::{Moderator, ids};
use crate::audit::{Audit, verify};
use crate::board::Season;
use crate::entry::Range;
use crate::ranking::RankStyle;
use crate::score::Score;
use crate::store::{Change, ModerationAct, Refusal, Restriction, Visibility};
use crate::testing::fixture::ModerationStoreFixture;
use crate::testing::play::{Play, board_id, refused, replayed, spec, user, users};
use crate::testing::score_store::admitted::admitted;

/// That this user is nowhere: in no page, standing, scan, total or rank.
pub(super) async fn is_nowhere(play: &Play, number: u64, others: usize) {
    assert!(!users(&play.top().await).contains(&number), "no page");
    let found = play.store.standings(play.id(), None, RankStyle::Ordinal, &[user(number)]).await;
    let found = found.expect("standings answers").expect("the board is there");
    assert_eq!((&found.entries[..], found.total), (&[None][..], others as u64), "no standing");
    let scan = play.store.scan(play.id(), Season::FIRST, None, 1000).await.expect("scan answers");
    let scan = scan.expect("the board is there");
    assert_eq!((scan.scores.len(), scan.total), (others, others as u64), "no scan");
    assert_eq!(play.board().await.total, others as u64, "no total");
    let around = play.page(Range::Around { user: user(number), radius: 3 }).await;
    assert_eq!(around.entries, [], "nobody is around them");
    let rank = play.store.score_rank(play.id(), RankStyle::Ordinal, Score::ZERO).await.expect("score_rank answers");
    assert_eq!(rank.expect("the board is there").rank, others as u64 + 1, "no rank");
}

/// What is shown is what the log says, and `verify` agrees.
pub(super) async fn is_clean(play: &Play) {
    let audit = verify(&*play.store, play.id(), |_, _| {}).await.expect("verify answers");
    assert!(matches!(audit, Audit::Clean { .. }), "{audit:?}");
}

/// Whoever is banned stands nowhere, and nothing of them is taken but what counted before; lifted, they stand where they stood.
pub async fn who_is_banned_is_nowhere<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    play.scored_all(&[(1, 10), (2, 10), (3, 5)]).await;
    let change = play.change(1, 2);
    let first = play.apply_one(&change).await;
    play.scored(2, 2).await;
    let before = play.top().await;
    let effects = moderator.restrict(&play, 1, Restriction::Banned).await;
    assert_eq!((effects.carried_out.corrections, effects.shifts.len()), (1, 1));
    is_nowhere(&play, 1, 2).await;
    assert_eq!(play.entries().await, [(2, 12), (3, 5)]);
    assert_eq!(refused(play.apply_one(&play.change(1, 1)).await), Refusal::Banned);
    let repeat = replayed(play.apply_one(&change).await);
    assert_eq!(Some(repeat.score), first.receipt().map(|receipt| receipt.score), "a retry is answered");
    assert_eq!(moderator.own(&play, 1).await, Some(12));
    is_clean(&play).await;
    moderator.lift(&play, 1).await;
    assert_eq!(play.top().await.entries, before.entries, "as it was");
    play.scored(1, 1).await;
    assert_eq!(play.entries().await, [(1, 13), (2, 12), (3, 5)]);
    is_clean(&play).await;
}

/// The quota is that of anybody else: what is kept of when changes were admitted goes with what its user has, shown or not.
pub async fn a_quota_holds_for_who_is_restricted<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    for (number, restriction) in [(1, Restriction::Held), (2, Restriction::Shadowed)] {
        let admitted = |millis| Change { user_id: user(number), ..admitted(&play, millis) };
        play.scored(number, 10).await;
        moderator.restrict(&play, number, restriction).await;
        let mut told = Vec::new();
        for batch in [[0, 1], [2, 3], [999, 1000]] {
            told.extend(play.apply(&batch.map(admitted)).await.iter().map(|outcome| outcome.receipt().is_some()));
        }
        assert_eq!(told, [true, true, true, false, false, true], "three in any second: {restriction:?}");
    }
    is_clean(&play).await;
}

/// Whoever is shadowed stands nowhere, and goes on for themselves: receipts, own score and history are as ever. Lifted, all of it counts.
pub async fn who_is_shadowed_sees_themselves_alone<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    play.scored_all(&[(1, 10), (2, 8)]).await;
    moderator.restrict(&play, 1, Restriction::Shadowed).await;
    is_nowhere(&play, 1, 1).await;
    let change = play.change(1, 5);
    let outcomes = play.apply(&[change.clone(), play.change(2, 1), play.change(1, 1), change]).await;
    let receipts: Vec<_> = outcomes.iter().filter_map(|outcome| outcome.receipt()).collect();
    let told: Vec<_> = receipts.iter().map(|r| (r.previous_score.map(Score::get), r.score.get(), r.replayed)).collect();
    assert_eq!(told, [(Some(10), 15, false), (Some(8), 9, false), (Some(15), 16, false), (Some(10), 15, true)]);
    is_nowhere(&play, 1, 1).await;
    assert_eq!(moderator.own(&play, 1).await, Some(16));
    let history = play.store.history(play.id(), user(1), None, 10).await.expect("history answers");
    assert_eq!(history.iter().map(|row| row.score.get()).collect::<Vec<_>>(), [16, 15, 10]);
    let shown: Vec<_> = play.log().await.iter().map(|row| row.visibility).collect();
    use Visibility::{Nothing, Shown};
    assert_eq!(shown, [Shown, Shown, Nothing, Nothing, Shown, Nothing], "each row says whether it is shown");
    is_clean(&play).await;
    moderator.lift(&play, 1).await;
    assert_eq!(play.entries().await, [(1, 16), (2, 9)]);
    assert_eq!(moderator.store.own(play.id(), None, user(1)).await.expect("own answers"), None);
    is_clean(&play).await;
}

/// Who is new is restricted from the first action on, on every board.
pub async fn a_restriction_holds_on_boards_to_come<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    moderator.restrict(&play, 1, Restriction::Shadowed).await;
    moderator.restrict(&play, 2, Restriction::Held).await;
    moderator.restrict(&play, 3, Restriction::Banned).await;
    assert_eq!(play.version().await, 0, "nobody had anything");
    let other = Play::on(f, crate::board::BoardSpec::new(board_id("other"))).await;
    for play in [&play, &other] {
        play.scored_all(&[(1, 1), (2, 2), (4, 4)]).await;
        assert_eq!(refused(play.apply_one(&play.change(3, 1)).await), Refusal::Banned);
        assert_eq!(play.entries().await, [(4, 4)]);
        assert_eq!((moderator.own(play, 1).await, moderator.own(play, 2).await), (Some(1), Some(2)));
        assert_eq!(moderator.own(play, 3).await, None);
        is_clean(play).await;
    }
    for n in [1, 2, 3] {
        moderator.lift(&play, n).await;
    }
    other.board().await;
    for play in [&play, &other] {
        assert_eq!(play.entries().await, [(4, 4), (2, 2), (1, 1)]);
        is_clean(play).await;
    }
}

/// Whoever is held keeps the place that others saw; what they do meanwhile counts for them alone, and for all when they are let go.
pub async fn who_is_held_keeps_what_others_saw<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    play.scored_all(&[(1, 10), (2, 8)]).await;
    moderator.restrict(&play, 1, Restriction::Held).await;
    assert_eq!(play.entries().await, [(1, 10), (2, 8)]);
    let pending = play.scored(1, 100).await;
    assert_eq!((pending.previous_score.map(Score::get), pending.score.get()), (Some(10), 110));
    play.scored_all(&[(2, 1), (1, 1)]).await;
    assert_eq!(play.entries().await, [(1, 10), (2, 9)]);
    assert_eq!(moderator.own(&play, 1).await, Some(111));
    is_clean(&play).await;
    moderator.lift(&play, 1).await;
    assert_eq!(play.entries().await, [(1, 111), (2, 9)], "it counts");
    is_clean(&play).await;
    moderator.restrict(&play, 1, Restriction::Held).await;
    play.scored(1, 1).await;
    assert_eq!(play.entries().await, [(1, 111), (2, 9)], "what counted before the second time is shown");
    moderator.void(&play, &[&pending]).await;
    assert_eq!((play.entries().await, moderator.own(&play, 1).await), (vec![(1, 11), (2, 9)], Some(12)));
    is_clean(&play).await;
}

/// What is void of somebody held is taken from what others see, if it counted there, and from what is pending.
pub async fn what_is_void_of_who_is_held_is_void<F: ModerationStoreFixture>(f: &F) {
    let play = Play::on(f, spec("main", crate::Operator::Best, crate::Direction::Descending)).await;
    let moderator = Moderator::new(f);
    let old = [play.scored(1, 5).await, play.scored(1, 30).await];
    play.scored(2, 20).await;
    moderator.restrict(&play, 1, Restriction::Held).await;
    let pending = [play.scored(1, 50).await, play.scored(1, 40).await];
    let effects = moderator.void(&play, &[&pending[0]]).await;
    assert_eq!((effects.carried_out.corrections, effects.shifts.len()), (1, 0), "nobody else sees a difference");
    assert_eq!((play.entries().await, moderator.own(&play, 1).await), (vec![(1, 30), (2, 20)], Some(40)));
    let effects = moderator.void(&play, &[&old[1]]).await;
    assert_eq!(effects.shifts.len(), 1);
    assert_eq!((play.entries().await, moderator.own(&play, 1).await), (vec![(2, 20), (1, 5)], Some(40)));
    is_clean(&play).await;
    // Confirmed: what was pending stays void.
    moderator.done(&play, ModerationAct::Void { actions: ids(&[&pending[1]]) }).await;
    moderator.lift(&play, 1).await;
    assert_eq!(play.entries().await, [(2, 20), (1, 5)]);
    is_clean(&play).await;
}

/// What is void of somebody who is shadowed or banned shows when they are lifted, and not before.
pub async fn what_is_void_of_who_is_nowhere_shows_later<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let all = [play.scored(1, 10).await, play.scored(1, 1).await];
    play.scored(2, 2).await;
    moderator.restrict(&play, 1, Restriction::Shadowed).await;
    moderator.void(&play, &[&all[0]]).await;
    is_nowhere(&play, 1, 1).await;
    assert_eq!(moderator.own(&play, 1).await, Some(1));
    moderator.restrict(&play, 1, Restriction::Banned).await;
    moderator.void(&play, &[&all[1]]).await;
    assert_eq!(moderator.own(&play, 1).await, None);
    is_clean(&play).await;
    moderator.lift(&play, 1).await;
    is_nowhere(&play, 1, 1).await;
    moderator.restrict(&play, 1, Restriction::Shadowed).await;
    play.scored(1, 7).await;
    assert_eq!(moderator.own(&play, 1).await, Some(7), "from nothing");
    moderator.unvoid(&play, &[&all[0], &all[1]]).await;
    assert_eq!(moderator.own(&play, 1).await, Some(18));
    is_nowhere(&play, 1, 1).await;
    moderator.restrict(&play, 1, Restriction::Held).await;
    assert_eq!(play.entries().await, [(1, 18), (2, 2)], "held, they are seen as they are");
    moderator.lift(&play, 1).await;
    assert_eq!(play.entries().await, [(1, 18), (2, 2)]);
    is_clean(&play).await;
}
