//! Access tokens and the verdict that each must get: a few good ones, and every way to forge one that we know of.
//!
//! The ways are those of RFC 8725, of the vectors that Project Wycheproof has for JSON Web Signatures, and our own.

use aws_lc_rs::signature::Ed25519KeyPair;
use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE, URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::{Sha256, Sha384, Sha512};

use crate::KeyRing;

mod claims;
mod header;
mod shape;
mod signature;

/// One token.
#[derive(Debug, Clone)]
pub struct TokenCase {
    /// What is peculiar about it.
    pub what: String,
    /// The token.
    pub token: String,
    /// Whether it must be taken.
    pub good: bool,
}

/// The cases around a token that was just issued with the first key of this ring, by either algorithm.
///
/// # Panics
///
/// If it is none.
#[must_use]
pub fn token_cases(issued: &str, ring: &KeyRing) -> Vec<TokenCase> {
    let forger = Forger::new(issued, ring);
    let mut cases = vec![good("as it was issued", issued), good("made again by hand", forger.token())];
    cases.extend(header::cases(&forger));
    cases.extend(claims::cases(&forger));
    cases.extend(shape::cases(&forger));
    cases.extend(signature::cases(&forger));
    cases
}

/// The members of a JSON object, in their order, as they are spelt.
type Members = Vec<(&'static str, String)>;

struct Forger {
    ring: KeyRing,
    /// The very key that tokens are signed with: what only its owner can make shows which check refuses it.
    key: Vec<u8>,
    /// Signs with that.
    pair: Option<Ed25519KeyPair>,
    header: Members,
    claims: Members,
    now: i64,
}

impl Forger {
    fn new(issued: &str, ring: &KeyRing) -> Self {
        let parts: Vec<&str> = issued.split('.').collect();
        let members = |part: &str, names: &[&'static str]| -> Members {
            let json = URL_SAFE_NO_PAD.decode(part).expect("the token is one of ours");
            let value: Value = serde_json::from_slice(&json).expect("the token is one of ours");
            let members: Members = names.iter().map(|name| (*name, value[name].to_string())).collect();
            assert_eq!(object(&members).as_bytes(), json, "the members of a token of ours are these, in this order");
            members
        };
        let claims = members(parts[1], &["iss", "aud", "sub", "sid", "iat", "exp"]);
        let header = members(parts[0], &["typ", "alg", "kid"]);
        let is_pair = header[1].1 == "\"EdDSA\"";
        let purpose = if is_pair { "access-tokens-ed25519" } else { "access-tokens" };
        let key = ring.derive(purpose)[0].1.expose().to_vec();
        Self {
            pair: is_pair.then(|| pair(&key)),
            key,
            ring: ring.clone(),
            header,
            now: claims[4].1.parse().expect("a number"),
            claims,
        }
    }

    /// The signature that is right for this message.
    fn sign(&self, message: &str) -> Vec<u8> {
        match &self.pair {
            Some(pair) => pair.sign(message.as_bytes()).as_ref().to_vec(),
            None => sha256(message, &self.key),
        }
    }

    fn signed(&self, header: &str, claims: &str) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = encode(self.sign(&message));
        format!("{message}.{signature}")
    }

    fn token(&self) -> String {
        self.signed(&object(&self.header), &object(&self.claims))
    }

    fn with_header(&self, header: &str) -> String {
        self.signed(header, &object(&self.claims))
    }

    fn with_claims(&self, claims: &str) -> String {
        self.signed(&object(&self.header), claims)
    }

    /// The three parts of a token that is good.
    fn parts(&self) -> [String; 3] {
        let token = self.token();
        let mut parts = token.split('.').map(str::to_owned);
        std::array::from_fn(|_| parts.next().expect("three parts"))
    }
}

fn pair(seed: &[u8]) -> Ed25519KeyPair {
    Ed25519KeyPair::from_seed_unchecked(seed).expect("a seed is any 32 bytes")
}

fn good(what: impl Into<String>, token: impl Into<String>) -> TokenCase {
    TokenCase { what: what.into(), token: token.into(), good: true }
}

fn forged(what: impl Into<String>, token: impl Into<String>) -> TokenCase {
    TokenCase { what: what.into(), token: token.into(), good: false }
}

fn object(members: &Members) -> String {
    let members: Vec<String> = members.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
    format!("{{{}}}", members.join(","))
}

/// With this member spelt so, at its place if there is one of its name.
fn with(members: &Members, name: &'static str, value: &str) -> String {
    let mut members = members.clone();
    match members.iter_mut().find(|(other, _)| *other == name) {
        Some(member) => value.clone_into(&mut member.1),
        None => members.push((name, value.to_owned())),
    }
    object(&members)
}

fn without(members: &Members, name: &str) -> String {
    object(&members.iter().filter(|(other, _)| *other != name).cloned().collect())
}

/// With this member once more, before all others or behind.
fn doubled(members: &Members, name: &'static str, value: &str, before: bool) -> String {
    let mut members = members.clone();
    members.insert(if before { 0 } else { members.len() }, (name, value.to_owned()));
    object(&members)
}

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

fn hs256(header: &str, claims: &str, key: &[u8]) -> String {
    let message = format!("{}.{}", encode(header), encode(claims));
    let signature = encode(sha256(&message, key));
    format!("{message}.{signature}")
}

fn sha256(message: &str, key: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("any length will do");
    mac.chain_update(message).finalize().into_bytes().to_vec()
}

fn sha384(message: &str, key: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha384>::new_from_slice(key).expect("any length will do");
    mac.chain_update(message).finalize().into_bytes().to_vec()
}

fn sha512(message: &str, key: &[u8]) -> Vec<u8> {
    let mac = Hmac::<Sha512>::new_from_slice(key).expect("any length will do");
    mac.chain_update(message).finalize().into_bytes().to_vec()
}
