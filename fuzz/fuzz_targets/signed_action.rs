//! Reads an action as a client hands it in. Only what was signed, to the letter, may verify.
#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use scoreboard_core::{
    ActionId, ActionVerifier, BoardId, Claims, HmacVerifier, KeyId, KeyRing, Points, Season, Secret, SignedAction,
    Timestamp, UserId,
};

static VERIFIER: LazyLock<HmacVerifier> = LazyLock::new(|| {
    let key = (KeyId::new("k1").expect("a slug"), Secret::from_bytes([1; 32]));
    HmacVerifier::new(&KeyRing::new(vec![key]).expect("one key"))
});

static GENUINE: LazyLock<SignedAction> = LazyLock::new(|| {
    VERIFIER.sign(Claims {
        id: ActionId::from_bytes([1; 16]),
        board: BoardId::main(),
        season: Season::FIRST,
        kind: "quest".parse().expect("a slug"),
        user_id: UserId::for_name("fuzz", "ada"),
        points: Points::new(10).expect("small"),
        issued_at: Timestamp::from_millis(1_700_000_000_000),
        not_before: Timestamp::from_millis(1_700_000_002_000),
        expires_at: Timestamp::from_millis(1_700_000_600_000),
    })
});

fuzz_target!(|input: &[u8]| {
    let Ok(action) = serde_json::from_slice::<SignedAction>(input) else { return };
    let again = serde_json::to_vec(&action).expect("what was read can be written");
    assert_eq!(serde_json::from_slice::<SignedAction>(&again).expect("and read"), action);
    assert!(VERIFIER.verify(&action).is_err() || action == *GENUINE, "verified, though never signed");
});
