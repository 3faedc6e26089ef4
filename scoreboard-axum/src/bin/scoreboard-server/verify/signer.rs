//! Who signs heads: an Ed25519 key (RFC 8032) that is derived from the key file, as all keys of a server are.

use aws_lc_rs::encoding::AsDer;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use scoreboard_core::{KeyRing, Timestamp};

use crate::failure::{Failure, Result};
use crate::keys::Keys;
use crate::place::Place;
use crate::settings::Settings;

/// The purpose for which the seed is derived.
const PURPOSE: &str = "heads";

pub(super) struct Signer(Ed25519KeyPair);

impl Signer {
    /// By the key that signs now, of the file of the settings. None is made: it would be a key that nobody has heard of.
    pub(super) fn open(settings: &Settings, now: Timestamp) -> Result<Self> {
        let file = Place::of_command(settings)?.key_file(settings)?.expect("what is kept has keys that are kept");
        let keys = Keys::load(&file)?;
        let none = || Failure::new(format_args!("there is no key file {} to sign with", file.display()));
        let keys = keys.ok_or_else(none)?;
        // Whoever checks a head does it by the public key that they keep, so a key that was revoked meanwhile gains nobody anything here.
        let in_force = keys.in_force(&[], now);
        let ring = KeyRing::new(keys.with_secrets(&in_force.verify)).map_err(Failure::new)?;
        Ok(Self::of(&ring))
    }

    pub(super) fn of(ring: &KeyRing) -> Self {
        let keys = ring.derive(PURPOSE);
        let (_, seed) = keys.first().expect("a ring holds at least one key");
        Self(Ed25519KeyPair::from_seed_unchecked(seed.expose()).expect("any 32 bytes are a seed"))
    }

    /// In base64.
    pub(super) fn sign(&self, text: &str) -> String {
        STANDARD.encode(self.0.sign(text.as_bytes()))
    }

    /// As a SubjectPublicKeyInfo (RFC 8410) in base64: what stands in a PEM file between its two lines.
    pub(super) fn public_key(&self) -> String {
        STANDARD.encode(self.0.public_key().as_der().expect("an Ed25519 key has its form").as_ref())
    }
}

/// Whether a signature is of this text, by the private half of this public key.
pub(super) fn is_signed_by(public_key: &str, text: &str, signature: &str) -> bool {
    let (Ok(key), Ok(signature)) = (STANDARD.decode(public_key), STANDARD.decode(signature)) else { return false };
    UnparsedPublicKey::new(&ED25519, key).verify(text.as_bytes(), &signature).is_ok()
}
