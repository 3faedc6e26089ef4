//! Requests of game servers are signed as `docs/signed-requests.md` says: its vectors, taken as they are and refused if anything in them is another.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::accounts::{AccountError, Accounts, ServerCredential, ServerKey, ServerKeyStore, SignedRequest};
use scoreboard_core::memory::MemoryAccountStore;
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{KeyId, KeyRing, RandomIds, Timestamp};
use serde_json::Value;

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(text(value)).expect("hexadecimal")
}

#[tokio::test]
async fn each_vector_is_taken_and_nothing_that_differs_from_one() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/signed-requests.json");
    let vectors: Value = serde_json::from_slice(&std::fs::read(file).expect("the vectors are there")).expect("JSON");
    let cases = vectors["requests"].as_array().expect("a list");
    for case in cases {
        let time = Timestamp::from_millis(case["time"].as_i64().expect("a number"));
        let (key, signature) = (KeyId::new(text(&case["key"])).expect("a slug"), bytes(&case["signature"]));
        let store = Arc::new(MemoryAccountStore::default());
        let public_key = bytes(&case["publicKey"]).try_into().expect("32 bytes");
        let kept = ServerKey { id: key.clone(), credential: ServerCredential::PublicKey(public_key), created_at: time };
        assert!(store.add_server_key(&kept).await.expect("memory"));
        let builder = Accounts::builder(store, &KeyRing::random(&RandomIds));
        let accounts = builder.with_clock(Arc::new(ManualClock::at(time))).build();
        let request = SignedRequest {
            key: &key,
            time,
            method: text(&case["method"]),
            target: text(&case["target"]),
            idempotency_key: text(&case["idempotencyKey"]),
            body: text(&case["body"]).as_bytes(),
            signature: &signature,
        };
        assert_eq!(accounts.authenticate_signed(&request).await.expect("signed"), key, "{}", case["about"]);
        let other_key = KeyId::new("other").expect("a slug");
        let mut altered = vec![
            SignedRequest { key: &other_key, ..request },
            SignedRequest { time: time.plus(Duration::from_millis(1)), ..request },
            SignedRequest { method: "GET", ..request },
            SignedRequest { target: "/api/scoreboard/record/", ..request },
            SignedRequest { idempotency_key: "other", ..request },
            SignedRequest { body: b"other", ..request },
            SignedRequest { signature: &signature[..63], ..request },
        ];
        let turned: Vec<Vec<u8>> = (0..signature.len() * 8)
            .map(|bit| {
                let mut turned = signature.clone();
                turned[bit / 8] ^= 1 << (bit % 8);
                turned
            })
            .collect();
        altered.extend(turned.iter().map(|signature| SignedRequest { signature, ..request }));
        for altered in altered {
            let refused = accounts.authenticate_signed(&altered).await;
            assert!(matches!(refused, Err(AccountError::Unauthorized)), "{}: {altered:?}", case["about"]);
        }
    }
    assert!(cases.len() >= 3);
}
