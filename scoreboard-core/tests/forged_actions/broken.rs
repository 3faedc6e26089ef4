//! Verifiers that forget one thing each.

use hmac::{Hmac, KeyInit, Mac};
use scoreboard_core::{
    ActionId, ActionVerifier, BoardId, Claims, HmacVerifier, KeyId, Points, Rejection, Season, Signature, SignedAction,
    Timestamp, UserId,
};
use sha2::Sha256;

use crate::mutation::ring;

type Blank = fn(&mut Claims);

/// Each with what it forgets.
pub(crate) fn verifiers() -> Vec<(&'static str, Box<dyn ActionVerifier>)> {
    let fields: [(&'static str, Blank); 9] = [
        ("the id", |claims| claims.id = ActionId::MIN),
        ("the board", |claims| claims.board = BoardId::main()),
        ("the season", |claims| claims.season = Season::FIRST),
        ("the kind", |claims| claims.kind = "kind".parse().expect("a slug")),
        ("the user", |claims| claims.user_id = UserId::MIN),
        ("the points", |claims| claims.points = Points::new(0).expect("small")),
        ("when it started", |claims| claims.issued_at = Timestamp::from_millis(0)),
        ("its first moment", |claims| claims.not_before = Timestamp::from_millis(0)),
        ("its end", |claims| claims.expires_at = Timestamp::from_millis(0)),
    ];
    let inner = || HmacVerifier::new(&ring(7));
    let mut verifiers: Vec<(&'static str, Box<dyn ActionVerifier>)> = Vec::new();
    for (what, blank) in fields {
        verifiers.push((what, Box::new(Forgets { inner: inner(), blank })));
    }
    verifiers.push(("which key it was", Box::new(AnyKey(inner()))));
    verifiers.push(("all of the signature but its first byte", Box::new(FirstByte(inner()))));
    verifiers.push(("the second half of the signature", Box::new(FirstHalf(inner()))));
    verifiers.push((
        "that environments have keys of their own",
        Box::new(TwoEnvironments(inner(), HmacVerifier::new(&ring(8)))),
    ));
    verifiers.push(("where fields end", Box::new(RunTogether)));
    verifiers
}

/// A field is neither signed nor checked.
#[derive(Debug)]
struct Forgets {
    inner: HmacVerifier,
    blank: Blank,
}

impl ActionVerifier for Forgets {
    fn sign(&self, claims: Claims) -> SignedAction {
        let mut blanked = claims.clone();
        (self.blank)(&mut blanked);
        SignedAction { claims, ..self.inner.sign(blanked) }
    }

    fn verify(&self, action: &SignedAction) -> Result<(), Rejection> {
        let mut blanked = action.clone();
        (self.blank)(&mut blanked.claims);
        self.inner.verify(&blanked)
    }
}

#[derive(Debug)]
struct AnyKey(HmacVerifier);

impl ActionVerifier for AnyKey {
    fn sign(&self, claims: Claims) -> SignedAction {
        self.0.sign(claims)
    }

    fn verify(&self, action: &SignedAction) -> Result<(), Rejection> {
        let any = ["k1", "k2"].into_iter().any(|id| {
            let key_id = KeyId::new(id).expect("a slug");
            self.0.verify(&SignedAction { key_id, ..action.clone() }).is_ok()
        });
        if any { Ok(()) } else { Err(Rejection::SignatureInvalid) }
    }
}

/// Compares so many bytes.
fn compared(verifier: &HmacVerifier, action: &SignedAction, bytes: usize) -> Result<(), Rejection> {
    let own = verifier.sign(action.claims.clone());
    let same = own.key_id == action.key_id && own.hash.as_bytes()[..bytes] == action.hash.as_bytes()[..bytes];
    if same { Ok(()) } else { Err(Rejection::SignatureInvalid) }
}

#[derive(Debug)]
struct FirstByte(HmacVerifier);

impl ActionVerifier for FirstByte {
    fn sign(&self, claims: Claims) -> SignedAction {
        self.0.sign(claims)
    }

    fn verify(&self, action: &SignedAction) -> Result<(), Rejection> {
        compared(&self.0, action, 1)
    }
}

#[derive(Debug)]
struct FirstHalf(HmacVerifier);

impl ActionVerifier for FirstHalf {
    fn sign(&self, claims: Claims) -> SignedAction {
        self.0.sign(claims)
    }

    fn verify(&self, action: &SignedAction) -> Result<(), Rejection> {
        compared(&self.0, action, 16)
    }
}

/// Takes what either has signed.
#[derive(Debug)]
struct TwoEnvironments(HmacVerifier, HmacVerifier);

impl ActionVerifier for TwoEnvironments {
    fn sign(&self, claims: Claims) -> SignedAction {
        self.0.sign(claims)
    }

    fn verify(&self, action: &SignedAction) -> Result<(), Rejection> {
        self.0.verify(action).or_else(|_| self.1.verify(action))
    }
}

/// Signs the letters of the fields one behind the other, without their lengths.
#[derive(Debug)]
struct RunTogether;

impl RunTogether {
    fn mac(claims: &Claims) -> Signature {
        let Claims { id, board, season, kind, user_id, points, issued_at, not_before, expires_at } = claims;
        let times = [issued_at, not_before, expires_at].map(ToString::to_string).concat();
        let text = format!("{id}{board}{kind}{user_id}{season:?}{points:?}{times}");
        let mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("any length will do");
        Signature::from_bytes(mac.chain_update(text).finalize().into_bytes().into())
    }
}

impl ActionVerifier for RunTogether {
    fn sign(&self, claims: Claims) -> SignedAction {
        SignedAction { hash: Self::mac(&claims), claims, key_id: KeyId::new("k2").expect("a slug") }
    }

    fn verify(&self, action: &SignedAction) -> Result<(), Rejection> {
        let same = action.key_id.as_str() == "k2" && Self::mac(&action.claims) == action.hash;
        if same { Ok(()) } else { Err(Rejection::SignatureInvalid) }
    }
}
