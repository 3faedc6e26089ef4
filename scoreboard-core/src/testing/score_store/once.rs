//! An action counts once.

use crate::action::Fingerprint;
use crate::board::{BoardSpec, Season};
use crate::ids::ActionId;
use crate::score::MAX_SCORE;
use crate::store::{AtMost, Change, Outcome, Receipt, Refusal};
use crate::testing::fixture::ScoreStoreFixture;
use crate::testing::play::{Play, applied, at, board_id, points, refused, replayed, user};

/// The receipt that a repeat must answer.
fn repeated(first: &Receipt) -> Receipt {
    Receipt { replayed: true, ..first.clone() }
}

/// A change with an id that counted is replayed: it adds nothing, takes no version, and answers the first receipt.
pub async fn a_repeat_counts_once<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let change = play.change(1, 5);
    let first = applied(play.apply_one(&change).await);
    for _ in 0..3 {
        let again = replayed(play.apply_one(&change).await);
        assert_eq!(again, repeated(&first), "a repeat answers the first receipt, with `replayed` set");
    }
    assert_eq!(play.entries().await, [(1, 5)], "a repeat adds nothing");
    assert_eq!(play.version().await, 1, "a repeat takes no version");
    assert_eq!(play.log().await.len(), 1, "a repeat leaves no log row");
}

/// A repeat inside one batch is a replay too.
pub async fn a_repeat_in_one_batch_counts_once<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let (one, two) = (play.change(1, 5), play.change(2, 7));
    let mut outcomes = play.apply(&[one.clone(), two.clone(), one.clone(), one, two]).await.into_iter();
    let mut next = || outcomes.next().expect("five outcomes");
    let (first, second) = (applied(next()), applied(next()));
    for expected in [&first, &first, &second] {
        assert_eq!(replayed(next()), repeated(expected), "a repeat in a batch answers the receipt of the first");
    }
    assert_eq!(play.entries().await, [(2, 7), (1, 5)], "a repeat in a batch adds nothing");
    assert_eq!(play.version().await, 2, "a repeat in a batch takes no version");
}

/// A receipt stays the same, whatever has happened since.
pub async fn a_receipt_stays_the_same<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let changes: Vec<_> = (0..12).map(|n| play.change(n % 3, 1 + i64::try_from(n).expect("small"))).collect();
    let firsts: Vec<_> = play.apply(&changes).await.into_iter().map(applied).collect();
    play.scored_all(&[(0, 100), (4, 1000), (1, -50)]).await;
    for (change, first) in changes.iter().zip(&firsts).rev() {
        assert_eq!(replayed(play.apply_one(change).await), repeated(first), "the first receipt, however late");
    }
}

/// An id that counted, with another fingerprint, is another request: refused, across batches and inside one.
pub async fn another_request_with_a_used_id_is_refused<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let change = play.change(1, 5);
    let forged = Change { fingerprint: Fingerprint::from_bytes([9; 16]), ..change.clone() };
    let outcomes = play.apply(&[change.clone(), forged.clone()]).await;
    assert_eq!(refused(outcomes[1].clone()), Refusal::FingerprintMismatch, "in the batch that applied the id");
    assert_eq!(refused(play.apply_one(&forged).await), Refusal::FingerprintMismatch, "in a later batch");
    assert_eq!(play.entries().await, [(1, 5)], "another request with a used id does not count");
    let mut close = *change.fingerprint.as_bytes();
    close[15] ^= 1;
    let close = Change { fingerprint: Fingerprint::from_bytes(close), ..change.clone() };
    assert_eq!(refused(play.apply_one(&close).await), Refusal::FingerprintMismatch, "every bit of it counts");
    let _ = replayed(play.apply_one(&change).await);
}

/// The fingerprint alone tells requests apart: a repeat is replayed though the caller filled in other fields.
pub async fn a_repeat_is_known_by_its_fingerprint<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let change = play.change(1, 5);
    let first = applied(play.apply_one(&change).await);
    let later = Change { at: at(999_999), points: points(50), user_id: user(2), ..change };
    assert_eq!(replayed(play.apply_one(&later).await), repeated(&first), "same id, same fingerprint: same receipt");
    assert_eq!(play.entries().await, [(1, 5)], "a repeat changes nobody's score");
}

/// An id counts once in the whole store: on another board it is a repeat.
pub async fn an_id_counts_on_one_board<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let other = Play::on(f, BoardSpec::new(board_id("other"))).await;
    let change = play.change(1, 5);
    let first = applied(play.apply_one(&change).await);
    let there = Change { board: other.id().clone(), ..change };
    assert_eq!(replayed(other.apply_one(&there).await), repeated(&first), "it counted on the first board");
    assert_eq!((other.version().await, other.entries().await), (0, vec![]), "it does not count on the other");

    let (here, there) = (play.change(2, 1), other.change(2, 1));
    let there = Change { action_id: here.action_id, fingerprint: here.fingerprint, ..there };
    let outcomes = play.apply(&[here, there]).await;
    assert!(matches!(outcomes[1], Outcome::Replayed(_)), "in one batch too: {:?}", outcomes[1]);
}

/// A repeat is replayed though the change would be refused by now.
pub async fn a_repeat_comes_before_every_refusal<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let change = play.change(1, MAX_SCORE);
    let first = applied(play.apply_one(&change).await);
    let repeats = [
        change.clone(),
        Change { board: board_id("nowhere"), ..change.clone() },
        Change { season: Season::new(9), ..change.clone() },
        Change { at_most: Some(AtMost { count: 1, since: at(-1000) }), ..change.clone() },
    ];
    for repeat in repeats {
        assert_eq!(replayed(play.apply_one(&repeat).await), repeated(&first), "replayed first: {repeat:?}");
        let forged = Change { fingerprint: Fingerprint::from_bytes([9; 16]), ..repeat };
        let refusal = refused(play.apply_one(&forged).await);
        assert_eq!(refusal, Refusal::FingerprintMismatch, "a mismatch comes before other refusals");
    }
}

/// An action is found by its id with its board and log row; one that did not count is not.
pub async fn an_action_is_found_by_its_id<F: ScoreStoreFixture>(f: &F) {
    let play = Play::new(f).await;
    let other = Play::on(f, BoardSpec::new(board_id("other"))).await;
    play.apply(&[play.change(1, 5), other.change(2, 6), play.change(1, 7)]).await;
    for board in [&play, &other] {
        for row in board.log().await {
            let found = board.store.action(row.action_id).await.expect("action answers");
            assert_eq!(found, Some((board.id().clone(), row)), "an action is found as the log has it");
        }
    }
    let nothing = play.store.action(ActionId::from_bytes([7; 16])).await.expect("action answers");
    assert_eq!(nothing, None, "what never counted is not found");
}
