//! Actions that do not count, and count again.

use super::{Moderator, ids};
use crate::audit::{Audit, verify};
use crate::entry::Range;
use crate::ranking::{Direction, Operator, RankStyle};
use crate::score::MAX_SCORE;
use crate::store::{LogRow, ModerationAct, ModerationRefusal, Origin, Restriction};
use crate::testing::fixture::ModerationStoreFixture;
use crate::testing::play::{Play, board_id, number, spec, user, users};
use crate::version::Version;

/// What is void does not count: scores, ranks and totals are those of a board on which it never happened.
pub async fn what_is_void_does_not_count<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let cheat = play.scored(1, 100).await;
    play.scored_all(&[(2, 20), (1, 5), (3, 10)]).await;
    assert_eq!(play.entries().await, [(1, 105), (2, 20), (3, 10)]);
    let effects = moderator.void(&play, &[&cheat]).await;
    assert_eq!((effects.carried_out.changed, effects.carried_out.corrections, effects.replayed), (1, 1, false));
    assert_eq!(play.entries().await, [(2, 20), (3, 10), (1, 5)]);
    assert_eq!((play.version().await, play.board().await.total), (5, 3), "one correction, one version");
    let voided = moderator.store.voided(&[cheat.action_id]).await.expect("voided answers");
    assert_eq!(voided.len(), 1);
    play.scored(1, 10).await;
    assert_eq!(play.entries().await, [(2, 20), (1, 15), (3, 10)], "a score goes on from what counts");
    assert_eq!(play.log().await[5].previous.map(|previous| previous.score.get()), Some(5));
}

/// On boards that keep the best or replace, what remains comes forward, with the place among equals that it had.
pub async fn best_and_set_recover_what_remains<F: ModerationStoreFixture>(f: &F) {
    let best = Play::on(f, spec("best", Operator::Best, Direction::Ascending)).await;
    let set = Play::on(f, spec("set", Operator::Set, Direction::Descending)).await;
    let moderator = Moderator::new(f);
    best.scored_all(&[(1, 60), (2, 60), (3, 70)]).await;
    let cheat = best.scored(1, 3).await;
    best.scored(1, 90).await;
    moderator.void(&best, &[&cheat]).await;
    assert_eq!(best.entries().await, [(1, 60), (2, 60), (3, 70)], "the time before, reached when it was");

    set.scored_all(&[(1, 7), (2, 5)]).await;
    let wrong = set.scored(1, 1).await;
    assert_eq!(set.entries().await, [(2, 5), (1, 1)]);
    moderator.void(&set, &[&wrong]).await;
    assert_eq!(set.entries().await, [(1, 7), (2, 5)]);
    let reached = set.top().await.entries[0].reached;
    assert_eq!(reached.get(), 1, "reached when it was");
}

/// What is not void any more brings the first state back: every page, place among equals, version and time of a score.
pub async fn unvoid_brings_the_first_state_back<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let mut receipts = Vec::new();
    for n in 0..40 {
        receipts.push(play.scored(n % 7, i64::try_from(n % 3).expect("small")).await);
    }
    let (before, total) = (play.top().await, play.board().await.total);
    let some: Vec<_> = receipts.iter().filter(|receipt| number(receipt.user_id).is_multiple_of(2)).collect();
    moderator.void(&play, &some).await;
    assert_eq!(users(&play.top().await).len(), 3, "those with nothing left are gone");
    assert_eq!(play.board().await.total, 3);
    let (first, second) = some.split_at(some.len() / 2);
    moderator.unvoid(&play, first).await;
    moderator.unvoid(&play, second).await;
    let after = play.top().await;
    assert_eq!((after.entries, after.total), (before.entries, total));
    for style in [RankStyle::Competition, RankStyle::Dense] {
        assert_eq!(play.page_in(style, Range::Top { limit: 9 }).await.total, total);
    }
}

/// Whoever has nothing left is on no list and in no total, and comes back with what they do next.
pub async fn a_user_with_nothing_left_leaves_and_comes_back<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let all = [play.scored(1, 0).await, play.scored(1, 9).await];
    play.scored(2, 3).await;
    let effects = moderator.void(&play, &[&all[0], &all[1]]).await;
    assert_eq!(effects.carried_out.corrections, 1, "a row for a user, not for an action");
    assert_eq!(effects.shifts.len(), 1);
    assert_eq!((effects.shifts[0].before.map(|was| was.score.get()), effects.shifts[0].after), (Some(9), None));
    assert_eq!((play.entries().await, play.board().await.total), (vec![(2, 3)], 1));
    play.scored(1, 4).await;
    assert_eq!((play.entries().await, play.board().await.total), (vec![(1, 4), (2, 3)], 2));
    let row = play.log().await.pop().expect("a log");
    assert_eq!((row.previous, row.score.get()), (None, 4), "as the first");
    moderator.unvoid(&play, &[&all[1]]).await;
    assert_eq!(play.entries().await, [(1, 13), (2, 3)]);
}

/// A score that would leave its range refuses the whole decision.
pub async fn a_score_out_of_range_refuses_the_decision<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let fine = play.scored(2, 1).await;
    play.scored(1, 10).await;
    let back = play.scored(1, -10).await;
    play.scored(1, MAX_SCORE).await;
    let before = (play.top().await, play.version().await);
    let refusal = moderator.refused(ModerationAct::Void { actions: ids(&[&fine, &back]) }).await;
    assert!(matches!(refusal, ModerationRefusal::ScoreOutOfRange { .. }), "{refusal}");
    assert_eq!((play.top().await, play.version().await), before, "nothing was changed");
    assert!(moderator.store.voided(&ids(&[&fine])).await.expect("voided answers").is_empty());
}

/// Corrections are rows as any others: the log folds to what is shown, without a gap, and says of each whose decision it was.
pub async fn corrections_are_in_the_log<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let other = Play::on(f, spec("other", Operator::Best, Direction::Descending)).await;
    let mut receipts = Vec::new();
    for n in 0..30 {
        receipts.push(play.scored(n % 5, 1).await);
        receipts.push(other.scored(n % 4, i64::try_from(n).expect("small")).await);
    }
    let some: Vec<_> = receipts.iter().step_by(3).collect();
    let effects = moderator.void(&play, &some).await;
    other.board().await;
    for play in [&play, &other] {
        let audit = verify(&*play.store, play.id(), |_, _| {}).await.expect("verify answers");
        assert!(matches!(audit, Audit::Clean { .. }), "{audit:?}");
    }
    let rows: Vec<_> = [play.log().await, other.log().await].concat();
    let rows: Vec<_> = rows.iter().filter(|row| row.origin == Origin::Correction).collect();
    assert_eq!(rows.len() as u64, effects.carried_out.corrections);
    let moderation = &effects.carried_out.moderation;
    for row in rows {
        assert_eq!(row.fingerprint.as_bytes(), moderation.id.as_bytes());
        assert_eq!((row.kind.as_str(), row.at, row.points.get()), ("void", moderation.at, 0));
        assert_eq!(row.score.get(), row.corrected.map_or(0, |corrected| corrected.score.get()));
    }
}

/// A history is what a user did: corrections are not in it, and pages go on past them.
pub async fn a_history_is_what_a_user_did<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    let mut done = Vec::new();
    for n in 0..6 {
        let receipt = play.scored(1, n).await;
        moderator.void(&play, &[&receipt]).await;
        done.push(receipt.version);
    }
    done.reverse();
    let (mut before, mut seen) = (None, Vec::new());
    loop {
        let page = play.store.history(play.id(), user(1), before, 2).await.expect("history answers");
        assert!(page.len() <= 2);
        let Some(last) = page.last() else { break };
        before = Some(last.position.version);
        seen.extend(page.iter().map(|row| row.position.version));
    }
    assert_eq!(seen, done);
}

/// What was put right of what a user did is told newest first, between two versions; that they are restricted is not.
pub async fn corrections_of_a_user_are_told<F: ModerationStoreFixture>(f: &F) {
    let (play, moderator) = (Play::new(f).await, Moderator::new(f));
    for n in 0..4 {
        let receipts = [play.scored(1, n).await, play.scored(2, 1).await];
        moderator.void(&play, &[&receipts[0], &receipts[1]]).await;
    }
    moderator.restrict(&play, 1, Restriction::Shadowed).await;
    let receipt = play.scored(1, 7).await;
    moderator.void(&play, &[&receipt]).await;
    moderator.lift(&play, 1).await;
    let log = play.log().await;
    let is_told =
        |row: &&LogRow| row.user_id == user(1) && row.origin == Origin::Correction && row.kind.as_str() == "void";
    let all: Vec<_> = log.iter().rev().filter(is_told).cloned().collect();
    assert_eq!(all.len(), 5, "the first was of no points, and a score all the same");
    let told = async |after, before, limit| {
        let (after, before) = (Version::new(after), Version::new(before));
        moderator.store.corrections(play.id(), user(1), after, before, limit).await.expect("corrections answers")
    };
    assert_eq!(told(0, 1_000, 100).await, all);
    assert_eq!(told(0, 1_000, 2).await, all[..2]);
    let version = |index: usize| all[index].position.version.get();
    assert_eq!(told(version(4), version(0), 100).await, all[1..4], "neither end");
    assert_eq!(told(version(2), version(1), 100).await, []);
    let nobody = moderator.store.corrections(play.id(), user(9), Version::ZERO, Version::new(1_000), 9).await;
    assert_eq!(nobody.expect("corrections answers"), []);
    let nowhere = moderator.store.corrections(&board_id("none"), user(1), Version::ZERO, Version::new(1_000), 9).await;
    assert_eq!(nowhere.expect("corrections answers"), []);
}
