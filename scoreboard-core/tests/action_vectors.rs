//! Actions are signed as `docs/signed-actions.md` says: its vectors, byte for byte.

use std::path::Path;

use hmac::{Hmac, KeyInit, Mac};
use scoreboard_core::{ActionVerifier, HmacVerifier, KeyId, KeyRing, Secret, SignedAction};
use serde_json::Value;
use sha2::Sha256;

fn vectors() -> Value {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/signed-actions.json");
    serde_json::from_slice(&std::fs::read(file).expect("the vectors are there")).expect("JSON")
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn secret(hexadecimal: &Value) -> [u8; 32] {
    let mut bytes = [0; 32];
    hex::decode_to_slice(text(hexadecimal), &mut bytes).expect("32 bytes");
    bytes
}

fn keys(vectors: &Value) -> Vec<(KeyId, Secret)> {
    let key = |key: &Value| (KeyId::new(text(&key["id"])).expect("a slug"), Secret::from_bytes(secret(&key["secret"])));
    vectors["keys"].as_array().expect("a list").iter().map(key).collect()
}

#[test]
fn keys_are_derived_as_the_document_says() {
    let vectors = vectors();
    let ring = KeyRing::new(keys(&vectors)).expect("keys");
    for (key, (id, derived)) in vectors["keys"].as_array().expect("a list").iter().zip(ring.derive("actions")) {
        assert_eq!((text(&key["id"]), &secret(&key["derived"])), (id.as_str(), derived.expose()));
    }
}

#[test]
fn each_vector_is_signed_byte_for_byte_and_gets_its_verdict() {
    let vectors = vectors();
    let all = keys(&vectors);
    let verifier = HmacVerifier::new(&KeyRing::new(all.clone()).expect("keys"));
    let list = |name: &str| vectors[name].as_array().expect("a list").clone();
    for vector in list("genuine") {
        let about = text(&vector["about"]);
        let action: SignedAction = serde_json::from_value(vector["action"].clone()).expect(about);
        assert_eq!(verifier.verify(&action), Ok(()), "{about}");
        assert_eq!(serde_json::to_value(&action).expect("it encodes"), vector["action"], "{about}: spelt as we do");
        let signing = all.iter().find(|(id, _)| *id == action.key_id).expect("its key").clone();
        let ring = KeyRing::new(vec![signing]).expect("a key");
        assert_eq!(HmacVerifier::new(&ring).sign(action.claims.clone()), action, "{about}");
        // The message is what is under the signature.
        let message = hex::decode(text(&vector["message"])).expect("hexadecimal");
        let mac = Hmac::<Sha256>::new_from_slice(ring.derive("actions")[0].1.expose()).expect("any length will do");
        let signature: [u8; 32] = mac.chain_update(message).finalize().into_bytes().into();
        assert_eq!(&signature, action.hash.as_bytes(), "{about}");
    }
    let ordinary = &list("genuine")[0]["action"];
    let names =
        ["id", "board", "season", "kind", "userId", "points", "issuedAt", "notBefore", "expiresAt", "keyId", "hash"];
    let values = Value::Array(names.iter().map(|name| ordinary[name].clone()).collect());
    assert!(serde_json::from_value::<SignedAction>(values).is_err(), "an action is no list of its values");
    for vector in list("forged") {
        let about = text(&vector["about"]);
        if let Ok(action) = serde_json::from_value::<SignedAction>(vector["action"].clone()) {
            assert!(verifier.verify(&action).is_err(), "{about}");
        }
    }
    assert!(list("genuine").len() >= 15 && list("forged").len() >= 30);
}
