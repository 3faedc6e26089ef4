//! Nobody forges an access token: every case of the table gets its verdict, and whoever is refused learns nothing of why.

use std::sync::Arc;

use scoreboard_core::accounts::{Accounts, AccountsConfig, Hashing, Registration, TokenAlgorithm};
use scoreboard_core::memory::MemoryAccountStore;
use scoreboard_core::testing::{ManualClock, token_cases};
use scoreboard_core::{KeyId, KeyRing, Secret, Timestamp};

const PASSWORD: &str = "correct horse battery staple";

fn ring(byte: u8) -> KeyRing {
    KeyRing::new(vec![(KeyId::new("k").expect("a slug"), Secret::from_bytes([byte; 32]))]).expect("a key")
}

fn accounts(ring: &KeyRing, clock: &ManualClock, algorithm: TokenAlgorithm) -> Accounts {
    let mut config = AccountsConfig::default();
    config.token_algorithm = algorithm;
    config.hashing = Hashing::Argon2id { memory_kib: 8, iterations: 1 };
    let builder = Accounts::builder(Arc::new(MemoryAccountStore::default()), ring);
    builder.with_clock(Arc::new(clock.clone())).with_config(config).build()
}

async fn issued(accounts: &Accounts) -> String {
    let email = "ada@example.org";
    let registration =
        Registration { email: email.to_owned(), password: PASSWORD.to_owned(), display_name: "Ada".to_owned() };
    accounts.register(registration).await.expect("registered");
    accounts.login(email, PASSWORD.to_owned()).await.expect("signed in").signed_in().expect("no second factor").token
}

#[tokio::test]
async fn every_forged_token_is_refused_and_all_alike() {
    for algorithm in [TokenAlgorithm::Hs256, TokenAlgorithm::EdDsa] {
        all_get_their_verdicts(algorithm).await;
    }
}

async fn all_get_their_verdicts(algorithm: TokenAlgorithm) {
    let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    let [ours, node] = [(); 2].map(|()| accounts(&ring(1), &clock, algorithm));
    let token = issued(&ours).await;
    let user = ours.authenticate(&token).expect("just issued");
    let cases = token_cases(&token, &ring(1));
    let mut wrong = Vec::new();
    let mut refusals = std::collections::BTreeSet::new();
    // Twice, for what was once taken is remembered; and by a node that has seen none of them.
    for accounts in [&ours, &ours, &node] {
        for case in &cases {
            match accounts.authenticate(&case.token) {
                Ok(principal) if case.good => assert_eq!(principal.user_id, user.user_id, "{}", case.what),
                Ok(_) => wrong.push(format!("taken: {}", case.what)),
                Err(_) if case.good => wrong.push(format!("refused: {}", case.what)),
                Err(error) => {
                    refusals.insert(format!("{error:?}: {error}"));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "wrong verdicts: {wrong:#?}");
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    let good = cases.iter().filter(|case| case.good).count();
    println!("{algorithm:?}: {} tokens: {good} good, {} forged", cases.len(), cases.len() - good);
    assert!(good >= 5 && cases.len() - good >= 500);
}

#[tokio::test]
async fn where_another_key_signs_none_of_them_is_good() {
    let clock = ManualClock::at(Timestamp::from_millis(1_700_000_000_000));
    for algorithm in [TokenAlgorithm::Hs256, TokenAlgorithm::EdDsa] {
        let token = issued(&accounts(&ring(1), &clock, algorithm)).await;
        let other = accounts(&ring(2), &clock, algorithm);
        for case in token_cases(&token, &ring(1)) {
            assert!(other.authenticate(&case.token).is_err(), "{}", case.what);
        }
    }
}
