//! An action: a claim, signed by the server, that a user may change a score once.

use std::fmt;
use std::str::FromStr;

use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use subtle::ConstantTimeEq;

use crate::board::Season;
use crate::clock::Timestamp;
use crate::error::InvalidValue;
use crate::ids::{ActionId, BoardId, KeyId, KindId, UserId};
use crate::score::Points;

/// What an action says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// The key under which it counts once.
    pub id: ActionId,
    /// Where it counts.
    pub board: BoardId,
    /// The season in which it was started, and counts.
    pub season: Season,
    /// What was done.
    pub kind: KindId,
    /// Who did it.
    pub user_id: UserId,
    /// What it is worth, by the board's catalogue.
    pub points: Points,
    /// When it was started.
    pub issued_at: Timestamp,
    /// It cannot be done sooner.
    pub not_before: Timestamp,
    /// From this moment on it is too late.
    pub expires_at: Timestamp,
}

/// The HMAC-SHA256 of an action. Compared in constant time; 64 lower-case hexadecimal digits on the wire.
#[derive(Clone, Copy)]
pub struct Signature([u8; 32]);

impl Signature {
    /// Wraps the 32 bytes of a MAC.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl PartialEq for Signature {
    fn eq(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Signature {}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(…)")
    }
}

impl FromStr for Signature {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let mut bytes = [0; 32];
        // Upper case would be a second spelling of the same action.
        let lower = !text.bytes().any(|b| b.is_ascii_uppercase());
        if lower && hex::decode_to_slice(text, &mut bytes).is_ok() {
            Ok(Self(bytes))
        } else {
            Err(InvalidValue::new("hash", "must be 64 lower-case hexadecimal digits"))
        }
    }
}

impl<'de> Deserialize<'de> for Signature {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        crate::wire::deserialize(deserializer)
    }
}

/// By hand, for it has no `Display` that could end up in a log.
impl Serialize for Signature {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(self.0))
    }
}

/// An action as the server gave it to a client, and as the client hands it in again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(into = "Wire")]
pub struct SignedAction {
    /// What it says.
    pub claims: Claims,
    /// Which key signed it.
    pub key_id: KeyId,
    /// The signature over all other fields.
    pub hash: Signature,
}

impl SignedAction {
    /// What tells this action from another that reuses its id.
    #[must_use]
    pub fn fingerprint(&self) -> Fingerprint {
        Fingerprint(crate::encoding::leading16(self.hash.as_bytes()))
    }
}

/// The flat form on the wire.
#[derive(Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[cfg_attr(feature = "openapi", schema(as = SignedAction))]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wire {
    id: ActionId,
    board: BoardId,
    season: Season,
    kind: KindId,
    user_id: UserId,
    points: Points,
    issued_at: Timestamp,
    not_before: Timestamp,
    expires_at: Timestamp,
    key_id: KeyId,
    #[cfg_attr(feature = "openapi", schema(value_type = String, pattern = "^[0-9a-f]{64}$"))]
    hash: Signature,
}

/// By hand, for a derived one would take an array of the fields' values, too.
impl<'de> Deserialize<'de> for SignedAction {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields;

        impl<'de> Visitor<'de> for Fields {
            type Value = Wire;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, fields: A) -> Result<Wire, A::Error> {
                Wire::deserialize(MapAccessDeserializer::new(fields))
            }
        }

        deserializer.deserialize_map(Fields).map(Self::from)
    }
}

impl From<Wire> for SignedAction {
    fn from(wire: Wire) -> Self {
        let Wire { id, board, season, kind, user_id, points, issued_at, not_before, expires_at, key_id, hash } = wire;
        let claims = Claims { id, board, season, kind, user_id, points, issued_at, not_before, expires_at };
        Self { claims, key_id, hash }
    }
}

impl From<SignedAction> for Wire {
    fn from(action: SignedAction) -> Self {
        let SignedAction { claims, key_id, hash } = action;
        let Claims { id, board, season, kind, user_id, points, issued_at, not_before, expires_at } = claims;
        Self { id, board, season, kind, user_id, points, issued_at, not_before, expires_at, key_id, hash }
    }
}

#[cfg(feature = "openapi")]
impl utoipa::PartialSchema for SignedAction {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        <Wire as utoipa::PartialSchema>::schema()
    }
}

#[cfg(feature = "openapi")]
impl utoipa::ToSchema for SignedAction {
    fn name() -> std::borrow::Cow<'static, str> {
        "SignedAction".into()
    }

    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::Schema>)>) {
        <Wire as utoipa::ToSchema>::schemas(schemas);
    }
}

/// An action whose signature and owner were checked. Only the pipeline makes one.
#[derive(Debug, Clone)]
pub struct VerifiedAction {
    claims: Claims,
    fingerprint: Fingerprint,
}

impl VerifiedAction {
    pub(crate) fn new(action: SignedAction) -> Self {
        Self { fingerprint: action.fingerprint(), claims: action.claims }
    }

    /// What it says.
    #[must_use]
    pub const fn claims(&self) -> &Claims {
        &self.claims
    }

    /// See [`SignedAction::fingerprint`].
    #[must_use]
    pub const fn fingerprint(&self) -> Fingerprint {
        self.fingerprint
    }
}

/// Tells two requests apart that bear the same id: 16 bytes of a hash over the whole request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Wraps the bytes.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 16]) -> Self {
        Self(bytes)
    }

    /// The bytes.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }
}
