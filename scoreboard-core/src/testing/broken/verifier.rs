//! Defects of verifiers.

use std::sync::Arc;

use super::defects;
use crate::action::{Claims, Signature, SignedAction};
use crate::board::Season;
use crate::clock::Timestamp;
use crate::error::Rejection;
use crate::ids::{ActionId, BoardId, UserId};
use crate::score::Points;
use crate::testing::play::{board_id, kind};
use crate::verifier::ActionVerifier;

defects! {
    /// The id is not signed.
    SkipsId: |intact: dyn ActionVerifier| verifier = Skips { intact, skip: |claims| claims.id = ActionId::from_bytes([0; 16]) };
    /// The board is not signed.
    SkipsBoard: |intact: dyn ActionVerifier| verifier = Skips { intact, skip: |claims| claims.board = BoardId::main() };
    /// The season is not signed.
    SkipsSeason: |intact: dyn ActionVerifier| verifier = Skips { intact, skip: |claims| claims.season = Season::FIRST };
    /// The kind is not signed.
    SkipsKind: |intact: dyn ActionVerifier| verifier = Skips { intact, skip: |claims| claims.kind = kind("any") };
    /// The user is not signed.
    SkipsUser: |intact: dyn ActionVerifier| verifier = Skips { intact, skip: |claims| claims.user_id = UserId::from_bytes([0; 16]) };
    /// The points are not signed.
    SkipsPoints: |intact: dyn ActionVerifier| verifier = Skips { intact, skip: |claims| claims.points = Points::ZERO };
    /// The start is not signed.
    SkipsStart: |intact: dyn ActionVerifier| verifier = Skips { intact, skip: |claims| claims.issued_at = Timestamp::from_millis(0) };
    /// The first moment is not signed.
    SkipsFirstMoment: |intact: dyn ActionVerifier| verifier = Skips { intact, skip: |claims| claims.not_before = Timestamp::from_millis(0) };
    /// The end is not signed.
    SkipsEnd: |intact: dyn ActionVerifier| verifier = Skips { intact, skip: |claims| claims.expires_at = Timestamp::from_millis(0) };
    /// Board and kind are signed as one text.
    FieldsRunTogether: |intact: dyn ActionVerifier| verifier = Skips { intact, skip: |claims| {
        claims.kind = kind(&format!("{}{}", claims.board, claims.kind));
        claims.board = board_id("main");
    } };
    /// Half of the signature is compared.
    HalfCompared: |intact: dyn ActionVerifier| verifier = HalfComparing { intact };
    /// An unknown key is taken for the current one.
    AnyKey: |intact: dyn ActionVerifier| verifier = AnyKeyTaking { intact };
    /// Everything is good.
    BelievesAll: |intact: dyn ActionVerifier| verifier = Believing { intact };
}

/// Leaves something out of what is signed.
#[derive(Debug)]
struct Skips {
    intact: Arc<dyn ActionVerifier>,
    skip: fn(&mut Claims),
}

impl ActionVerifier for Skips {
    fn sign(&self, claims: Claims) -> SignedAction {
        let mut skipped = claims.clone();
        (self.skip)(&mut skipped);
        SignedAction { claims, ..self.intact.sign(skipped) }
    }

    fn verify(&self, action: &SignedAction) -> Result<(), Rejection> {
        let mut skipped = action.clone();
        (self.skip)(&mut skipped.claims);
        self.intact.verify(&skipped)
    }
}

#[derive(Debug)]
struct HalfComparing {
    intact: Arc<dyn ActionVerifier>,
}

impl ActionVerifier for HalfComparing {
    fn sign(&self, claims: Claims) -> SignedAction {
        self.intact.sign(claims)
    }

    fn verify(&self, action: &SignedAction) -> Result<(), Rejection> {
        let good = self.intact.sign(action.claims.clone());
        let mut bytes = *good.hash.as_bytes();
        if bytes[..16] == action.hash.as_bytes()[..16] {
            bytes.copy_from_slice(good.hash.as_bytes());
            return self.intact.verify(&SignedAction { hash: Signature::from_bytes(bytes), ..action.clone() });
        }
        Err(Rejection::SignatureInvalid)
    }
}

#[derive(Debug)]
struct AnyKeyTaking {
    intact: Arc<dyn ActionVerifier>,
}

impl ActionVerifier for AnyKeyTaking {
    fn sign(&self, claims: Claims) -> SignedAction {
        self.intact.sign(claims)
    }

    fn verify(&self, action: &SignedAction) -> Result<(), Rejection> {
        let key_id = self.intact.sign(action.claims.clone()).key_id;
        self.intact.verify(&SignedAction { key_id, ..action.clone() })
    }
}

#[derive(Debug)]
struct Believing {
    intact: Arc<dyn ActionVerifier>,
}

impl ActionVerifier for Believing {
    fn sign(&self, claims: Claims) -> SignedAction {
        self.intact.sign(claims)
    }

    fn verify(&self, _action: &SignedAction) -> Result<(), Rejection> {
        Ok(())
    }
}
