//! The suite of [`ActionVerifier`](crate::ActionVerifier): each function is one case, and its documentation the rule.
//!
//! Run by [`verifier_conformance!`](crate::verifier_conformance).

use std::time::Duration;

use crate::action::{Claims, Signature, SignedAction};
use crate::board::Season;
use crate::clock::Timestamp;
use crate::error::Rejection;
use crate::ids::{ActionId, KeyId};
use crate::score::MAX_SCORE;
use crate::testing::fixture::VerifierFixture;
use crate::testing::play::{at, board_id, kind, points, user};

fn claims() -> Claims {
    Claims {
        id: ActionId::from_bytes([7; 16]),
        board: board_id("main"),
        season: Season::FIRST,
        kind: kind("lap"),
        user_id: user(1),
        points: points(100),
        issued_at: at(0),
        not_before: at(20_000),
        expires_at: at(900_000),
    }
}

#[track_caller]
fn refused<F: VerifierFixture>(f: &F, action: &SignedAction, why: &str) {
    assert_eq!(f.verifier().verify(action), Err(Rejection::SignatureInvalid), "{why} must be refused");
}

/// What was signed is verified, and says what it said before, also after it went over the wire.
pub async fn a_signed_action_is_verified<F: VerifierFixture>(f: &F) {
    let edges = Claims {
        season: Season::new(u32::MAX),
        points: points(-MAX_SCORE),
        issued_at: Timestamp::from_millis(0),
        not_before: Timestamp::from_millis(0),
        expires_at: Timestamp::from_millis(i64::MAX),
        ..claims()
    };
    for claims in [claims(), edges] {
        let action = f.verifier().sign(claims.clone());
        assert_eq!(action.claims, claims, "signing changes no claim");
        assert_eq!(f.verifier().verify(&action), Ok(()), "what was signed is verified");
        assert_eq!(f.verifier().verify(&action), Ok(()), "verifying uses nothing up");
        let wire = serde_json::to_string(&action).expect("actions encode");
        let read: SignedAction = serde_json::from_str(&wire).expect("and decode");
        assert_eq!(f.verifier().verify(&read), Ok(()), "the wire loses nothing: {wire}");
    }
}

type Alter = fn(&mut Claims);
type Time = fn(&mut Claims) -> &mut Timestamp;

/// An action of which any field was altered is refused.
pub async fn an_altered_field_is_refused<F: VerifierFixture>(f: &F) {
    let signed = f.verifier().sign(claims());
    let later = |at: Timestamp| at.plus(Duration::from_millis(1));
    let alterations: [(&str, Alter); 6] = [
        ("another id", |claims| claims.id = ActionId::from_bytes([8; 16])),
        ("another board", |claims| claims.board = board_id("main2")),
        ("another season", |claims| claims.season = Season::new(2)),
        ("another kind", |claims| claims.kind = kind("lap2")),
        ("another user", |claims| claims.user_id = user(2)),
        ("more points", |claims| claims.points = points(101)),
    ];
    for (what, alter) in alterations {
        let mut altered = signed.clone();
        alter(&mut altered.claims);
        refused(f, &altered, what);
    }
    let times: [(&str, Time); 3] = [
        ("a later start", |claims| &mut claims.issued_at),
        ("a later first moment", |claims| &mut claims.not_before),
        ("a later end", |claims| &mut claims.expires_at),
    ];
    for (what, time) in times {
        let mut altered = signed.clone();
        let time = time(&mut altered.claims);
        *time = later(*time);
        refused(f, &altered, what);
    }
    assert_eq!(f.verifier().verify(&signed), Ok(()), "the action itself is still good");
}

/// An action of whose signature any bit was altered is refused.
pub async fn an_altered_signature_is_refused<F: VerifierFixture>(f: &F) {
    let signed = f.verifier().sign(claims());
    for bit in 0..256 {
        let mut bytes = *signed.hash.as_bytes();
        bytes[bit / 8] ^= 1 << (bit % 8);
        let altered = SignedAction { hash: Signature::from_bytes(bytes), ..signed.clone() };
        refused(f, &altered, &format!("a signature with bit {bit} turned"));
    }
    for byte in [0, 255] {
        let altered = SignedAction { hash: Signature::from_bytes([byte; 32]), ..signed.clone() };
        refused(f, &altered, "a signature of equal bytes");
    }
}

/// Fields cannot run into each other: letters that move from one to the next make another action.
pub async fn fields_do_not_run_together<F: VerifierFixture>(f: &F) {
    let signed = f.verifier().sign(Claims { board: board_id("ab"), kind: kind("c"), ..claims() });
    let mut altered = signed.clone();
    (altered.claims.board, altered.claims.kind) = (board_id("a"), kind("bc"));
    refused(f, &altered, "board `a` and kind `bc` for `ab` and `c`");
    let mut altered = signed;
    let claims = &mut altered.claims;
    std::mem::swap(&mut claims.issued_at, &mut claims.not_before);
    refused(f, &altered, "two times in each other's place");
}

/// An action whose key nobody knows is refused.
pub async fn an_unknown_key_is_refused<F: VerifierFixture>(f: &F) {
    let signed = f.verifier().sign(claims());
    let unknown = KeyId::new("nobody-has-this-key").expect("a slug");
    refused(f, &SignedAction { key_id: unknown, ..signed }, "an unknown key id");
}

/// What somebody else signed is refused, though their key may have the same id.
pub async fn a_stranger_is_refused<F: VerifierFixture>(f: &F) {
    let stranger = F::fresh().await.verifier().sign(claims());
    refused(f, &stranger, "what another verifier signed");
    let own = f.verifier().sign(claims());
    refused(f, &SignedAction { key_id: own.key_id, ..stranger }, "a stranger's signature under a known key id");
}

/// Two actions have two signatures, hence two fingerprints, though all but their id is the same.
pub async fn two_actions_have_two_fingerprints<F: VerifierFixture>(f: &F) {
    let one = f.verifier().sign(claims());
    let two = f.verifier().sign(Claims { id: ActionId::from_bytes([8; 16]), ..claims() });
    assert_ne!(one.fingerprint(), two.fingerprint(), "a fingerprint tells actions apart");
}
