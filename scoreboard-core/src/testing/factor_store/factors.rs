//! Second factors.

use std::time::Duration;

use uuid::Uuid;

use crate::accounts::{Factor, FactorStore, TokenHash};
use crate::testing::drop_at::drop_after;
use crate::testing::fixture::FactorStoreFixture;
use crate::testing::play::{at, user};

fn stamp(number: u64) -> Uuid {
    Uuid::from_u128(u128::from(number))
}

/// A factor with every field set, told from others by its stamp.
fn full(owner: u64, number: u64) -> Factor {
    Factor {
        user_id: user(owner),
        stamp: stamp(number),
        secret: (0..=255).chain([0, 39, 0]).collect(),
        confirmed_at: Some(at(7)),
        last_step: Some(56_666_667 + number),
        recovery_codes: (0..10u8).map(|n| TokenHash::of(&[n])).collect(),
        wrong_at: (0..10).map(|n| at(1000 + n)).collect(),
    }
}

fn begun(owner: u64, number: u64) -> Factor {
    let nothing = Factor { confirmed_at: None, last_step: None, ..full(owner, number) };
    Factor { recovery_codes: Vec::new(), wrong_at: Vec::new(), ..nothing }
}

async fn replace(store: &dyn FactorStore, owner: u64, from: Option<u64>, to: Option<&Factor>) -> bool {
    store.replace_factor(user(owner), from.map(stamp), to).await.expect("replace_factor answers")
}

async fn found(store: &dyn FactorStore, owner: u64) -> Option<Factor> {
    store.factor(user(owner)).await.expect("factor answers")
}

/// A factor is kept with all its fields, be they empty or full, and told from another user's.
pub async fn a_factor_is_kept_whole<F: FactorStoreFixture>(f: &F) {
    let store = f.factor_store();
    assert_eq!(found(&*store, 1).await, None, "nobody began one");
    for (owner, factor) in [(1, begun(1, 10)), (2, full(2, 20)), (3, full(3, 30))] {
        assert!(replace(&*store, owner, None, Some(&factor)).await, "there was none");
    }
    assert_eq!(found(&*store, 1).await, Some(begun(1, 10)));
    assert_eq!(found(&*store, 2).await, Some(full(2, 20)));
    let fewer = Factor { recovery_codes: full(3, 30).recovery_codes[3..].to_vec(), ..full(3, 31) };
    assert!(replace(&*store, 3, Some(30), Some(&fewer)).await, "it is the old one");
    assert_eq!(found(&*store, 3).await, Some(fewer), "the order of what is left stays");
}

/// A factor is replaced if its stamp is the one that was seen; otherwise nothing is changed.
pub async fn a_factor_is_replaced_if_it_is_the_old_one<F: FactorStoreFixture>(f: &F) {
    let store = f.factor_store();
    assert!(!replace(&*store, 1, Some(9), Some(&full(1, 10))).await, "there is none to be replaced");
    assert_eq!(found(&*store, 1).await, None, "and none was made");
    assert!(replace(&*store, 1, None, Some(&full(1, 10))).await);
    assert!(!replace(&*store, 1, None, Some(&begun(1, 11))).await, "there is one by now");
    assert!(replace(&*store, 1, Some(10), Some(&full(1, 11))).await);
    assert!(!replace(&*store, 1, Some(10), Some(&begun(1, 12))).await, "it is another by now");
    assert_eq!(found(&*store, 1).await, Some(full(1, 11)));
}

/// A factor is taken away if its stamp is the one that was seen, and only then.
pub async fn a_factor_is_taken_away_if_it_is_the_old_one<F: FactorStoreFixture>(f: &F) {
    let store = f.factor_store();
    for owner in [1, 2] {
        assert!(replace(&*store, owner, None, Some(&full(owner, 10))).await);
    }
    assert!(!replace(&*store, 1, Some(9), None).await, "it is another");
    assert_eq!(found(&*store, 1).await, Some(full(1, 10)), "it stays");
    assert!(replace(&*store, 1, Some(10), None).await);
    assert_eq!(found(&*store, 1).await, None, "it is gone");
    assert!(!replace(&*store, 1, Some(10), None).await, "it was gone before");
    assert_eq!(found(&*store, 2).await, Some(full(2, 10)), "another's stays");
    assert!(replace(&*store, 1, None, Some(&begun(1, 11))).await, "the user may begin again");
}

/// Of many who replace one state at once, one does.
pub async fn one_of_many_replaces_a_factor<F: FactorStoreFixture>(f: &F) {
    let store = f.factor_store();
    assert!(replace(&*store, 1, None, Some(&begun(1, 1))).await);
    one_of_many(f, Some(1)).await;
}

/// Of many who begin a factor of one user at once, one does.
pub async fn one_of_many_begins_a_factor<F: FactorStoreFixture>(f: &F) {
    one_of_many(f, None).await;
}

async fn one_of_many<F: FactorStoreFixture>(f: &F, from: Option<u64>) {
    let tasks: Vec<_> = (100..108)
        .map(|n| {
            let (store, to) = (f.factor_store(), full(1, n));
            let from = from.map(stamp);
            tokio::spawn(
                async move { store.replace_factor(user(1), from, Some(&to)).await.map(|did| did.then_some(to)) },
            )
        })
        .collect();
    let mut done = Vec::new();
    for task in tasks {
        done.extend(task.await.expect("no panic").expect("replace_factor answers"));
    }
    assert_eq!(done.len(), 1, "one of 8 does");
    assert_eq!(found(&*f.factor_store(), 1).await.as_ref(), done.first(), "and that is the one that is kept");
}

/// A factor that is another user's is refused.
pub async fn a_factor_of_another_is_refused<F: FactorStoreFixture>(f: &F) {
    let store = f.factor_store();
    let refused = store.replace_factor(user(1), None, Some(&full(2, 10))).await;
    assert_eq!(refused.expect_err("it is another's").kind(), crate::ErrorKind::Refused);
    assert_eq!((found(&*store, 1).await, found(&*store, 2).await), (None, None));
}

/// Factors are listed in the order of their users' ids, a part at a time.
pub async fn factors_are_listed_by_user<F: FactorStoreFixture>(f: &F) {
    let store = f.factor_store();
    for owner in [5, 1, 300, 4] {
        assert!(replace(&*store, owner, None, Some(&full(owner, owner))).await);
    }
    let list = async |after: Option<u64>, limit| {
        let listed = store.factors(after.map(user), limit).await.expect("factors answers");
        listed.iter().for_each(|factor| assert_eq!(found_of(factor), *factor, "it is whole"));
        listed.iter().map(|factor| crate::testing::play::number(factor.user_id)).collect::<Vec<_>>()
    };
    fn found_of(factor: &Factor) -> Factor {
        let owner = crate::testing::play::number(factor.user_id);
        full(owner, owner)
    }
    assert_eq!(list(None, 2).await, [1, 4]);
    assert_eq!(list(Some(4), 2).await, [5, 300]);
    assert_eq!(list(Some(300), 2).await, [0; 0]);
    assert_eq!(list(Some(2), 100).await, [4, 5, 300], "who has none is no more than a place in the order");
}

/// A replacement whose caller goes away has been made, or has not begun.
pub async fn a_dropped_replacement_is_all_or_nothing<F: FactorStoreFixture>(f: &F) {
    for polls in 0..100u64 {
        let owner = 1000 + polls;
        let store = f.factor_store();
        assert!(replace(&*store, owner, None, Some(&begun(owner, 1))).await);
        let to = full(owner, 2);
        let call = store.replace_factor(user(owner), Some(stamp(1)), Some(&to));
        let done = drop_after(u32::try_from(polls).expect("small"), call).await;
        // What is on its way to a server may land after the question: it is one of the two in any case.
        let there = found(&*store, owner).await;
        assert!(there == Some(begun(owner, 1)) || there == Some(full(owner, 2)), "after {polls} polls: {there:?}");
        if done.is_some() {
            assert_eq!(there, Some(full(owner, 2)), "what is done is in force");
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("replace_factor is not done after 99 polls");
}
