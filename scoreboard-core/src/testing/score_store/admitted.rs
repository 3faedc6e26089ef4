//! A quota holds exactly, by when changes were admitted.

use std::time::Duration;

use crate::board::BoardSpec;
use crate::limiter::Quota;
use crate::ranking::{Direction, Operator};
use crate::score::MAX_SCORE;
use crate::store::{Admitted, Change, Origin, Outcome, Refusal};
use crate::testing::fixture::ScoreStoreFixture;
use crate::testing::play::{Play, applied, at, board_id, points, refused, replayed, spec, user};

/// A change of user 1, admitted so many milliseconds after the first moment, under a quota of three a second.
pub(in crate::testing) fn admitted(play: &Play, millis: i64) -> Change {
    let quota: Quota = "3/s".parse().expect("a quota");
    Change { admitted: Admitted::under(quota, at(millis)), ..play.change(1, 1) }
}

/// How long those have to wait that did not count.
fn waits(outcomes: &[Outcome]) -> Vec<Option<u128>> {
    let wait = |outcome: &Outcome| match outcome {
        Outcome::Refused(Refusal::OverQuota(wait)) => Some(wait.as_millis()),
        counted => counted.receipt().map(|_| None).expect("it counts, or is over the quota"),
    };
    outcomes.iter().map(wait).collect()
}

/// No window holds more, closed at its start and open at its end, however the changes come; and who has to wait is told how long.
pub async fn a_quota_holds_across_batches<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let mut told = Vec::new();
    for millis in [0, 0, 400, 999, 1000, 1001, 1399, 1400, 3000] {
        told.extend(waits(&play.apply(&[admitted(&play, millis)]).await));
    }
    let expected = [None, None, None, Some(1), None, None, Some(1), None, None];
    assert_eq!(told, expected, "three in any second");
    assert_eq!((play.version().await, play.entries().await), (7, vec![(1, 7)]), "what is over takes no version");
}

/// The same inside one batch, with what came before it.
pub async fn a_quota_holds_inside_a_batch<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let batch: Vec<_> = [0, 0, 10, 20, 999, 1000, 1000, 1010, 1011].map(|millis| admitted(&play, millis)).to_vec();
    assert_eq!(waits(&play.apply(&batch[..1]).await), [None]);
    let outcomes = play.apply(&batch).await;
    let _ = replayed(outcomes[0].clone());
    let expected = [None, None, None, Some(980), Some(1), None, None, None, Some(989)];
    assert_eq!(waits(&outcomes), expected, "one before, two here, and three in the next second");
}

/// What was admitted earlier may come later: it is counted where it was admitted.
pub async fn a_quota_holds_in_whatever_order_changes_come<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let mut told = Vec::new();
    for millis in [1500, 1400, 600, 1450, 501, 450] {
        told.push(play.apply_one(&admitted(&play, millis)).await.receipt().is_some());
    }
    assert_eq!(
        told,
        [true, true, true, false, false, true],
        "1450 with 600, 1400 and 1500; 501 with 600, 1400 and 1500"
    );
}

/// Users and boards are told apart; what was admitted under no quota neither counts nor is refused.
pub async fn a_quota_is_of_a_user_on_a_board<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let other = Play::on(f, BoardSpec::new(board_id("other"))).await;
    let free = || Change { origin: Origin::Record, ..play.change(1, 1) };
    let batch = [free(), free(), free(), admitted(&play, 0), admitted(&play, 0), free(), admitted(&play, 0)];
    assert_eq!(waits(&play.apply(&batch).await), [None; 7], "three are under the quota");
    let elsewhere = [admitted(&other, 0), Change { user_id: user(2), ..admitted(&play, 0) }, free()];
    assert_eq!(waits(&play.apply(&elsewhere).await), [None; 3]);
    let _ = applied(play.apply_one(&free()).await);
    assert_eq!(waits(&play.apply(&[admitted(&play, 1)]).await), [Some(999)], "and those are still known");
}

/// Neither repeats nor what is refused use the quota up; what leaves the score as it is does.
pub async fn a_quota_counts_what_counts<F: ScoreStoreFixture>(f: &F) {
    let play = Play::on(f, spec("best", Operator::Best, Direction::Descending)).await;
    let first = Change { points: points(MAX_SCORE), ..admitted(&play, 0) };
    let _ = applied(play.apply_one(&first).await);
    for _ in 0..3 {
        let _ = replayed(play.apply_one(&first).await);
        let late = Change { season: crate::board::Season::new(7), ..admitted(&play, 0) };
        assert_eq!(refused(play.apply_one(&late).await), Refusal::SeasonOver);
    }
    for _ in 0..2 {
        let _ = applied(play.apply_one(&admitted(&play, 0)).await);
    }
    let over = admitted(&play, 1);
    for _ in 0..3 {
        assert_eq!(refused(play.apply_one(&over).await), Refusal::OverQuota(Duration::from_millis(999)));
    }
    let again = Change { admitted: admitted(&play, 1000).admitted, ..over };
    let _ = applied(play.apply_one(&again).await);
    assert_eq!(play.entries().await, [(1, MAX_SCORE)], "none was better");
}
