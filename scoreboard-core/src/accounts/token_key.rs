//! The keys of access tokens: of each key of the ring one for each algorithm, and each good for that one alone.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};

use crate::ids::KeyId;
use crate::verifier::{KeyRing, Secret};

/// How access tokens are signed. Servers take tokens of both, each under keys of its own, so that they can be restarted one by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TokenAlgorithm {
    /// HMAC-SHA256 (RFC 7518 §3.2): small and quick, verified by whoever could sign.
    #[default]
    Hs256,
    /// Ed25519 (RFC 8037): for others who verify tokens, by keys that are public.
    EdDsa,
}

/// The public half of a key that signs or has signed access tokens: an Ed25519 key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicTokenKey {
    /// What tokens call it: `kid`.
    pub id: KeyId,
    /// The public key itself.
    pub bytes: [u8; 32],
}

impl PublicTokenKey {
    /// As `x` of a JWK (RFC 8037 §2) has it.
    #[must_use]
    pub fn x(&self) -> String {
        URL_SAFE_NO_PAD.encode(self.bytes)
    }
}

pub(super) struct TokenKey {
    pub(super) algorithm: TokenAlgorithm,
    pub(super) header: Header,
    /// The header as it stands in a token. A token is only looked at if it begins with one of these to the letter: so no
    /// other algorithm, type, key or extension can be asked for.
    pub(super) encoded_header: String,
    pub(super) encoding: EncodingKey,
    pub(super) decoding: DecodingKey,
    pub(super) validation: Validation,
    pub(super) public: Option<PublicTokenKey>,
}

/// The keys of a ring for tokens of this issuer; of each algorithm, the one that signs comes first.
pub(super) fn of(ring: &KeyRing, issuer: &str) -> Vec<TokenKey> {
    let macs = ring.derive("access-tokens").into_iter().map(|(id, secret)| mac(&id, &secret, issuer));
    let pairs = ring.derive("access-tokens-ed25519").into_iter().map(|(id, seed)| pair(&id, &seed, issuer));
    macs.chain(pairs).collect()
}

fn mac(id: &KeyId, secret: &Secret, issuer: &str) -> TokenKey {
    let (encoding, decoding) = (EncodingKey::from_secret(secret.expose()), DecodingKey::from_secret(secret.expose()));
    TokenKey::new(TokenAlgorithm::Hs256, id, issuer, encoding, decoding, None)
}

fn pair(id: &KeyId, seed: &Secret, issuer: &str) -> TokenKey {
    let pair = Ed25519KeyPair::from_seed_unchecked(seed.expose()).expect("a seed is any 32 bytes");
    let document = pair.to_pkcs8().expect("a pair always encodes");
    let mut bytes = [0; 32];
    bytes.copy_from_slice(pair.public_key().as_ref());
    let (encoding, decoding) = (EncodingKey::from_ed_der(document.as_ref()), DecodingKey::from_ed_der(&bytes));
    let public = Some(PublicTokenKey { id: id.clone(), bytes });
    TokenKey::new(TokenAlgorithm::EdDsa, id, issuer, encoding, decoding, public)
}

impl TokenKey {
    fn new(
        algorithm: TokenAlgorithm,
        id: &KeyId,
        issuer: &str,
        encoding: EncodingKey,
        decoding: DecodingKey,
        public: Option<PublicTokenKey>,
    ) -> Self {
        let name = match algorithm {
            TokenAlgorithm::Hs256 => Algorithm::HS256,
            TokenAlgorithm::EdDsa => Algorithm::EdDSA,
        };
        let mut header = Header::new(name);
        header.typ = Some("at+jwt".to_owned());
        header.kid = Some(id.to_string());
        let json = serde_json::to_vec(&header).expect("a header always encodes");
        let mut validation = Validation::new(name);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[issuer]);
        // Checked by who asks, by the injected clock.
        validation.validate_exp = false;
        let encoded_header = URL_SAFE_NO_PAD.encode(json);
        Self { algorithm, header, encoded_header, encoding, decoding, validation, public }
    }
}
