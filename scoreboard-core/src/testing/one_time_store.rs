//! The suite of [`OneTimeStore`](crate::OneTimeStore): each function is one case, and its documentation the rule.
//!
//! Run by [`one_time_store_conformance!`](crate::one_time_store_conformance).

use std::time::Duration;

use crate::testing::fixture::OneTimeStoreFixture;

const MINUTE: Duration = Duration::from_secs(60);
const MILLISECOND: Duration = Duration::from_millis(1);

/// A name of this number that shares nothing with those of others, as hashes do.
fn name(number: u64) -> [u8; 32] {
    crate::encoding::sha256("test/one time", &[&number.to_le_bytes()])
}

async fn put<F: OneTimeStoreFixture>(f: &F, name: [u8; 32], signed: &[u8], lifetime: Duration) {
    f.one_time_store().put(&name, signed, lifetime).await.expect("put answers");
}

async fn take<F: OneTimeStoreFixture>(f: &F, name: [u8; 32]) -> Option<Vec<u8>> {
    f.one_time_store().take(&name).await.expect("take answers")
}

/// What is kept is taken once.
pub async fn what_is_kept_is_taken_once<F: OneTimeStoreFixture>(f: &F) {
    put(f, name(1), b"signed", MINUTE).await;
    assert_eq!(take(f, name(1)).await.as_deref(), Some(&b"signed"[..]), "it is kept");
    for _ in 0..3 {
        assert_eq!(take(f, name(1)).await, None, "it is taken");
    }
}

/// Of many that take it at once one gets it.
pub async fn one_of_many_takes_it<F: OneTimeStoreFixture>(f: &F) {
    for round in 0..20 {
        put(f, name(round), b"signed", MINUTE).await;
        let takes = (0..16).map(|_| {
            let store = f.one_time_store();
            tokio::spawn(async move { store.take(&name(round)).await.expect("take answers") })
        });
        let mut taken = Vec::new();
        for take in takes.collect::<Vec<_>>() {
            taken.extend(take.await.expect("take does not panic"));
        }
        assert_eq!(taken, [b"signed"], "one of sixteen gets it, and gets it whole");
    }
}

/// Under a name that nothing was put under there is nothing.
pub async fn an_unknown_name_is_none<F: OneTimeStoreFixture>(f: &F) {
    assert_eq!(take(f, name(1)).await, None, "a fresh store keeps nothing");
    put(f, name(1), b"signed", MINUTE).await;
    assert_eq!(take(f, name(2)).await, None, "nothing was put there");
    assert!(take(f, name(1)).await.is_some(), "who asked for another name took nothing");
}

/// Names that differ in one byte are apart, wherever it is.
pub async fn names_are_told_apart<F: OneTimeStoreFixture>(f: &F) {
    for base in [0x00, b'a', 0x80, 0xff] {
        let names = (0..32).map(|at| {
            let mut name = [base; 32];
            name[at] = name[at].wrapping_add(1);
            name
        });
        let names: Vec<[u8; 32]> = [[base; 32]].into_iter().chain(names).collect();
        for (number, name) in (0..).zip(&names) {
            put(f, *name, &[number], MINUTE).await;
        }
        for (number, name) in (0..).zip(&names) {
            assert_eq!(take(f, *name).await, Some(vec![number]), "what was put under {name:?}");
        }
    }
}

/// Bytes come back as they were put, whatever they are.
pub async fn bytes_come_back_as_they_were<F: OneTimeStoreFixture>(f: &F) {
    let all: Vec<u8> = (0..=u8::MAX).collect();
    let long = all.repeat(16);
    let texts = [&b""[..], b"\0", b"\xff", b"\0a\0", b"\xc3\x28\r\n", b" 7", b"nil", &all, &long];
    for (number, signed) in (0..).zip(texts) {
        put(f, name(number), signed, MINUTE).await;
        assert_eq!(take(f, name(number)).await.as_deref(), Some(signed), "as it was put");
    }
}

/// What nobody takes is over after its lifetime, and not a millisecond before. In the very moment it may be either.
pub async fn what_nobody_takes_is_over_after_its_lifetime<F: OneTimeStoreFixture>(f: &F) {
    for number in [1, 2] {
        put(f, name(number), b"signed", MINUTE).await;
    }
    f.advance(MINUTE - MILLISECOND).await;
    assert!(take(f, name(1)).await.is_some(), "a millisecond is left");
    f.advance(2 * MILLISECOND).await;
    assert_eq!(take(f, name(2)).await, None, "its time is over");
}

/// Each has its own lifetime, whatever else is put.
pub async fn each_has_its_own_lifetime<F: OneTimeStoreFixture>(f: &F) {
    let lifetimes = [(1, 30), (2, 10), (3, 20)].map(|(number, seconds)| (number, Duration::from_secs(seconds)));
    for (number, lifetime) in lifetimes {
        put(f, name(number), b"signed", lifetime).await;
        put(f, name(10 + number), b"signed", lifetime).await;
    }
    // The soonest first.
    let mut gone = Duration::ZERO;
    for (number, lifetime) in [lifetimes[1], lifetimes[2], lifetimes[0]] {
        f.advance(lifetime - MILLISECOND - gone).await;
        assert!(take(f, name(number)).await.is_some(), "a millisecond of its {lifetime:?} is left");
        f.advance(2 * MILLISECOND).await;
        assert_eq!(take(f, name(10 + number)).await, None, "its {lifetime:?} are over");
        gone = lifetime + MILLISECOND;
    }
}
