//! An outside issuer whose tokens are JWTs and whose keys are a JWK set (RFC 7517), as OpenID providers publish it.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::jwk::{AlgorithmParameters, EllipticCurve, Jwk, PublicKeyUse};
use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use parking_lot::RwLock;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::sync::Notify;

use crate::accounts::{OutsideIssuer, Principal};
use crate::clock::Timestamp;
use crate::error::InvalidValue;
use crate::ids::{SessionId, UserId};

/// Nothing longer is looked at.
const MAX_TOKEN: usize = 8192;
/// The most bytes of a set.
const MAX_SET: usize = 64 * 1024;
/// The most keys of a set.
const MAX_KEYS: usize = 32;
/// The most bytes of a name that an issuer has for a user.
const MAX_SUBJECT: usize = 255;
/// How far the issuer's clock may be from ours.
const LEEWAY: i64 = 5;

/// Tells who shows a token of one issuer, for one audience, by the issuer's public keys.
///
/// - Each key is good for one algorithm: the one that it names, or the one of its curve, or RS256. Of those there are EdDSA, ES256, ES384, RS256, RS384, RS512,
///   PS256, PS384 and PS512; secrets that are shared (`oct`) are no public keys, and are left out.
/// - A token names its key (`kid`) and its algorithm, and `typ`, if it is there, is `JWT` or `at+jwt`; any other member of a header is refused, but for a
///   certificate's thumbprint, which is not looked at. `iss`, `aud`, `sub` and `exp` must be there, `nbf` and `iat` are held against the clock.
/// - A user is [`UserId::for_name`] of the issuer and `sub`, so that no account here has that id; a login is what `sid` names, or else the token itself.
#[derive(Debug)]
pub struct JwksIssuer {
    issuer: String,
    audience: String,
    keys: RwLock<Arc<[IssuerKey]>>,
    /// Told when a token names a key that is not known.
    unknown: Notify,
}

struct IssuerKey {
    id: String,
    algorithm: Algorithm,
    decoding: DecodingKey,
}

impl std::fmt::Debug for IssuerKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({:?})", self.id, self.algorithm)
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<serde_json::Value>,
}

/// A header with anything else in it, or with a member twice, does not decode.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Header {
    alg: Algorithm,
    kid: String,
    #[serde(default)]
    typ: Option<String>,
    /// Of a certificate that nobody looks at.
    #[serde(default, rename = "x5t")]
    _thumbprint: Option<String>,
    #[serde(default, rename = "x5t#S256")]
    _thumbprint_sha256: Option<String>,
}

#[derive(Deserialize)]
struct Claims {
    sub: String,
    exp: f64,
    #[serde(default)]
    nbf: Option<f64>,
    #[serde(default)]
    iat: Option<f64>,
    #[serde(default)]
    sid: Option<String>,
}

impl JwksIssuer {
    /// Takes tokens of this issuer (`iss`) for this audience (`aud`), once it has [keys](Self::replace).
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if one of them is empty.
    pub fn new(issuer: &str, audience: &str) -> Result<Self, InvalidValue> {
        if issuer.is_empty() || audience.is_empty() {
            return Err(InvalidValue::new("issuer", "and its audience must not be empty"));
        }
        let (issuer, audience) = (issuer.to_owned(), audience.to_owned());
        Ok(Self { issuer, audience, keys: RwLock::new(Arc::new([])), unknown: Notify::new() })
    }

    /// Takes the keys of this set in the place of those before; gives how many there are. Keys that are of no use here are left out.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if it is no JWK set, of more than 64 KiB or 32 keys, has none that is of use, or two of one name; then those before stay.
    pub fn replace(&self, set: &str) -> Result<usize, InvalidValue> {
        let invalid = |why| InvalidValue::new("JWK set", why);
        if set.len() > MAX_SET {
            return Err(invalid("must have at most 64 KiB"));
        }
        let Set { keys } = serde_json::from_str(set).map_err(|_| invalid("must be an object with a list `keys`"))?;
        if keys.len() > MAX_KEYS {
            return Err(invalid("must have at most 32 keys"));
        }
        let keys: Arc<[IssuerKey]> = keys.into_iter().filter_map(usable).collect();
        let mut ids = HashSet::new();
        if keys.is_empty() {
            return Err(invalid("must have a key with a name (`kid`) that is of use"));
        }
        if !keys.iter().all(|key| ids.insert(&key.id)) {
            return Err(invalid("must not have two keys of one name"));
        }
        let count = keys.len();
        *self.keys.write() = keys;
        Ok(count)
    }

    /// Forgets all keys: nobody is known until there are new ones.
    pub fn forget(&self) {
        *self.keys.write() = Arc::new([]);
    }

    /// Returns once a token has named a key that is not known: then it may be time to fetch the set.
    ///
    /// # Cancel safety
    ///
    /// Nothing is lost.
    pub async fn key_wanted(&self) {
        self.unknown.notified().await;
    }

    fn claims(&self, token: &str) -> Option<Claims> {
        if token.len() > MAX_TOKEN {
            return None;
        }
        let (header, _) = token.split_once('.')?;
        let header: Header = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).ok()?).ok()?;
        if header.typ.is_some_and(|typ| typ != "JWT" && typ != "at+jwt") {
            return None;
        }
        let keys = self.keys.read().clone();
        let Some(key) = keys.iter().find(|key| key.id == header.kid) else {
            self.unknown.notify_one();
            return None;
        };
        if key.algorithm != header.alg {
            return None;
        }
        let mut validation = Validation::new(key.algorithm);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[&self.issuer]);
        validation.set_audience(&[&self.audience]);
        // Checked below, by the injected clock.
        validation.validate_exp = false;
        Some(jsonwebtoken::decode::<Claims>(token, &key.decoding, &validation).ok()?.claims)
    }
}

impl OutsideIssuer for JwksIssuer {
    fn principal(&self, token: &str, now: Timestamp) -> Option<Principal> {
        let Claims { sub, exp, nbf, iat, sid } = self.claims(token)?;
        let seconds = |number: f64| {
            // JWTs may have fractions; the years 1970 to 9999 have no more than this.
            (0.0..253_402_300_800.0).contains(&number).then_some(number as i64)
        };
        let (now, expires) = (now.as_secs(), seconds(exp)?);
        let begun = [nbf, iat].into_iter().flatten().map(seconds).collect::<Option<Vec<_>>>()?;
        if now >= expires + LEEWAY || begun.iter().any(|moment| *moment > now + LEEWAY) {
            return None;
        }
        if sub.is_empty() || sub.len() > MAX_SUBJECT {
            return None;
        }
        let login = sid.map_or_else(|| Sha256::digest(token).to_vec(), String::into_bytes);
        let pieces = [self.issuer.as_bytes(), sub.as_bytes(), &login];
        Some(Principal {
            user_id: UserId::for_name(&self.issuer, &sub),
            session_id: SessionId::from_uuid(crate::encoding::uuid_for("scoreboard/outside-session/v1", &pieces)),
            expires_at: Timestamp::from_millis(0).plus(Duration::from_secs(expires.unsigned_abs())),
            ends_with_token: true,
        })
    }
}

/// A key that signatures can be verified with, and for which algorithm.
fn usable(value: serde_json::Value) -> Option<IssuerKey> {
    let key: Jwk = serde_json::from_value(value).ok()?;
    let common = &key.common;
    if common.public_key_use.as_ref().is_some_and(|usage| *usage != PublicKeyUse::Signature) {
        return None;
    }
    let id = common.key_id.clone().filter(|id| !id.is_empty())?;
    let by_shape = match &key.algorithm {
        AlgorithmParameters::OctetKeyPair(pair) if pair.curve == EllipticCurve::Ed25519 => vec![Algorithm::EdDSA],
        AlgorithmParameters::EllipticCurve(point) => match point.curve {
            EllipticCurve::P256 => vec![Algorithm::ES256],
            EllipticCurve::P384 => vec![Algorithm::ES384],
            _ => return None,
        },
        AlgorithmParameters::RSA(_) => vec![
            Algorithm::RS256,
            Algorithm::RS384,
            Algorithm::RS512,
            Algorithm::PS256,
            Algorithm::PS384,
            Algorithm::PS512,
        ],
        _ => return None,
    };
    let algorithm = match common.key_algorithm {
        Some(named) => {
            let named = Algorithm::try_from(named).ok()?;
            by_shape.into_iter().find(|algorithm| *algorithm == named)?
        }
        None => by_shape[0],
    };
    Some(IssuerKey { id, algorithm, decoding: DecodingKey::from_jwk(&key).ok()? })
}
