//! Logins that wait for the second factor.

use crate::accounts::{LoginChallenge, TokenHash};
use crate::testing::fixture::FactorStoreFixture;
use crate::testing::play::{at, user};

const EXPIRES: i64 = 1000;

fn id(name: &str) -> TokenHash {
    TokenHash::of(name.as_bytes())
}

fn challenge(name: &str) -> LoginChallenge {
    LoginChallenge {
        id: id(name),
        user_id: user(1),
        created_at: at(1),
        expires_at: at(EXPIRES),
        tries: 0,
        sent: 0,
        code: None,
    }
}

async fn begin<F: FactorStoreFixture>(f: &F, challenge: &LoginChallenge) {
    f.factor_store().begin_challenge(challenge).await.expect("begin_challenge answers");
}

async fn tried<F: FactorStoreFixture>(f: &F, name: &str, max: u32, now: i64) -> Option<LoginChallenge> {
    f.factor_store().try_challenge(id(name), max, at(now)).await.expect("try_challenge answers")
}

async fn sent<F: FactorStoreFixture>(f: &F, name: &str, code: &str, max: u32, now: i64) -> Option<LoginChallenge> {
    f.factor_store().set_challenge_code(id(name), id(code), max, at(now)).await.expect("set_challenge_code answers")
}

/// A login is kept whole and told from others; a second one of its id is refused and changes nothing.
pub async fn a_challenge_is_kept_whole<F: FactorStoreFixture>(f: &F) {
    let full = LoginChallenge { user_id: user(2), tries: 3, sent: 1, code: Some(id("code")), ..challenge("two") };
    begin(f, &challenge("one")).await;
    begin(f, &full).await;
    let refused = f.factor_store().begin_challenge(&LoginChallenge { user_id: user(3), ..challenge("one") }).await;
    assert_eq!(refused.expect_err("the id is taken").kind(), crate::ErrorKind::Refused);
    assert_eq!(tried(f, "one", 5, 10).await, Some(LoginChallenge { tries: 1, ..challenge("one") }));
    assert_eq!(tried(f, "two", 5, 10).await, Some(LoginChallenge { tries: 4, ..full }));
    assert_eq!(tried(f, "three", 5, 10).await, None, "nobody began it");
}

/// A login is tried so often, and no more; others are not counted with it.
pub async fn a_challenge_is_tried_so_often<F: FactorStoreFixture>(f: &F) {
    begin(f, &challenge("one")).await;
    begin(f, &challenge("two")).await;
    for tries in 1..=3 {
        assert_eq!(tried(f, "one", 3, 10).await.map(|waits| waits.tries), Some(tries));
    }
    assert_eq!(tried(f, "one", 3, 10).await, None, "three tries are all");
    assert_eq!(tried(f, "one", 3, 10).await, None, "and stay all");
    assert_eq!(tried(f, "two", 3, 10).await.map(|waits| waits.tries), Some(1), "another login has its own");
}

/// Of many tries at once, as many as there may be are answered.
pub async fn a_challenge_is_tried_so_often_at_once<F: FactorStoreFixture>(f: &F) {
    begin(f, &challenge("one")).await;
    let tasks: Vec<_> = (0..12)
        .map(|_| {
            let store = f.factor_store();
            tokio::spawn(async move { store.try_challenge(id("one"), 5, at(10)).await })
        })
        .collect();
    let mut tries = Vec::new();
    for task in tasks {
        tries.extend(task.await.expect("no panic").expect("try_challenge answers").map(|waits| waits.tries));
    }
    tries.sort_unstable();
    assert_eq!(tries, [1, 2, 3, 4, 5], "five of twelve, each counted");
}

/// At its end a login takes neither a try nor a code.
pub async fn a_challenge_expires<F: FactorStoreFixture>(f: &F) {
    begin(f, &challenge("one")).await;
    assert!(tried(f, "one", 5, EXPIRES - 1).await.is_some(), "a millisecond before its end");
    assert_eq!(tried(f, "one", 5, EXPIRES).await, None, "at its end");
    assert!(sent(f, "one", "a", 5, EXPIRES - 1).await.is_some());
    assert_eq!(sent(f, "one", "b", 5, EXPIRES).await, None);
}

/// A code takes the place of the one before, so often and no more; tries stay as they are.
pub async fn a_code_takes_the_place_of_the_one_before<F: FactorStoreFixture>(f: &F) {
    begin(f, &challenge("one")).await;
    assert!(tried(f, "one", 5, 10).await.is_some());
    let with = |code: &str, sent| LoginChallenge { code: Some(id(code)), sent, tries: 1, ..challenge("one") };
    assert_eq!(sent(f, "one", "a", 2, 10).await, Some(with("a", 1)));
    assert_eq!(sent(f, "one", "b", 2, 10).await, Some(with("b", 2)));
    assert_eq!(sent(f, "one", "c", 2, 10).await, None, "two are all");
    assert_eq!(tried(f, "one", 5, 10).await, Some(LoginChallenge { tries: 2, ..with("b", 2) }), "the last one stays");
    assert_eq!(sent(f, "two", "a", 2, 10).await, None, "nobody began it");
}

/// A login ends once, for one of all who end it at once; nothing is taken for it then.
pub async fn a_challenge_ends_once<F: FactorStoreFixture>(f: &F) {
    begin(f, &challenge("one")).await;
    begin(f, &challenge("two")).await;
    let tasks: Vec<_> = (0..8)
        .map(|_| {
            let store = f.factor_store();
            tokio::spawn(async move { store.end_challenge(id("one")).await })
        })
        .collect();
    let mut ended = 0;
    for task in tasks {
        ended += u32::from(task.await.expect("no panic").expect("end_challenge answers"));
    }
    assert_eq!(ended, 1, "one of eight ends it");
    assert_eq!(tried(f, "one", 5, 10).await, None, "it is gone");
    assert!(tried(f, "two", 5, 10).await.is_some(), "the other one stays");
}

/// Logins that were over before a moment are forgotten, others are not.
pub async fn challenges_that_are_over_are_forgotten<F: FactorStoreFixture>(f: &F) {
    for (name, expires) in [("one", 1000), ("two", 2000), ("three", 3000)] {
        begin(f, &LoginChallenge { expires_at: at(expires), ..challenge(name) }).await;
    }
    let forget =
        async |before| f.factor_store().forget_challenges(at(before)).await.expect("forget_challenges answers");
    assert_eq!(forget(1000).await, 0, "one that is over at the moment was not over before it");
    assert_eq!(forget(2001).await, 2, "two were over");
    assert_eq!(forget(2001).await, 0, "they are forgotten by now");
    assert_eq!(tried(f, "one", 5, 10).await, None, "it is forgotten");
    assert!(tried(f, "three", 5, 10).await.is_some(), "the third one waits");
}
