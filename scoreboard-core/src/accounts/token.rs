//! Access tokens: short-lived JWTs (RFC 7519, profile RFC 9068), one pinned algorithm, every claim required.

use std::fmt;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::accounts::known_tokens::{KnownTokens, Signed};
use crate::accounts::session::Principal;
use crate::clock::Timestamp;
use crate::ids::{KeyId, SessionId, UserId};
use crate::verifier::KeyRing;

/// No token of ours is longer, and nothing longer is looked at.
const MAX_BYTES: usize = 4096;
/// How far the clocks of two nodes may be apart.
const LEEWAY: Duration = Duration::from_secs(5);

/// Issues and verifies access tokens.
pub(super) struct AccessTokens {
    /// The first signs.
    keys: Vec<TokenKey>,
    issuer: String,
    validation: Validation,
    known: KnownTokens,
}

struct TokenKey {
    header: Header,
    /// The header as it stands in a token. A token is only looked at if it begins with one of these to the letter: so no
    /// other algorithm, type, key or extension can be asked for.
    encoded_header: String,
    encoding: EncodingKey,
    decoding: DecodingKey,
}

/// All required: a token without one does not decode.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Claims {
    iss: String,
    aud: String,
    sub: UserId,
    sid: SessionId,
    iat: i64,
    exp: i64,
    /// Only on a token that is good for setting up a second factor alone; true then. A server of before it was known refuses such a token,
    /// as it does any claim that it does not know.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    enr: bool,
}

impl AccessTokens {
    pub(super) fn new(ring: &KeyRing, issuer: &str) -> Self {
        let key = |(id, secret): (KeyId, crate::Secret)| {
            let mut header = Header::new(Algorithm::HS256);
            header.typ = Some("at+jwt".to_owned());
            header.kid = Some(id.to_string());
            let json = serde_json::to_vec(&header).expect("a header always encodes");
            TokenKey {
                header,
                encoded_header: URL_SAFE_NO_PAD.encode(json),
                encoding: EncodingKey::from_secret(secret.expose()),
                decoding: DecodingKey::from_secret(secret.expose()),
            }
        };
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        validation.set_issuer(&[issuer]);
        validation.set_audience(&[issuer]);
        // Checked below, by the injected clock.
        validation.validate_exp = false;
        Self {
            keys: ring.derive("access-tokens").into_iter().map(key).collect(),
            issuer: issuer.to_owned(),
            validation,
            known: KnownTokens::default(),
        }
    }

    pub(super) fn issue(
        &self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
        lifetime: Duration,
        must_enrol: bool,
    ) -> String {
        let key = &self.keys[0];
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.issuer.clone(),
            sub: user,
            sid: session,
            iat: now.as_secs(),
            exp: now.plus(lifetime).as_secs(),
            enr: must_enrol,
        };
        jsonwebtoken::encode(&key.header, &claims, &key.encoding).expect("HMAC takes any key and the claims encode")
    }

    /// Who the token says is asking, if it is ours, unaltered and in its time; and whether it is good for setting up a second factor alone.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Option<(Principal, bool)> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let digest = Sha256::digest(token).into();
        let signed = self.known.get(&digest).or_else(|| {
            let signed = self.decode(token)?;
            self.known.insert(digest, signed);
            Some(signed)
        })?;
        let leeway = LEEWAY.as_secs().cast_signed();
        let now = now.as_secs();
        let in_time = signed.issued_at <= now.saturating_add(leeway) && now < signed.expires_at.saturating_add(leeway);
        let principal = Principal {
            user_id: signed.user_id,
            session_id: signed.session_id,
            expires_at: Timestamp::from_millis(signed.expires_at.saturating_mul(1000)),
        };
        in_time.then_some((principal, signed.must_enrol))
    }

    fn decode(&self, token: &str) -> Option<Signed> {
        let (header, _) = token.split_once('.')?;
        let key = self.keys.iter().find(|key| key.encoded_header == header)?;
        let Claims { sub, sid, iat, exp, enr, .. } =
            jsonwebtoken::decode::<Claims>(token, &key.decoding, &self.validation).ok()?.claims;
        // What no server of ours writes is no token of ours, whoever signed it.
        if !(is_moment(iat) && is_moment(exp)) {
            return None;
        }
        Some(Signed { user_id: sub, session_id: sid, issued_at: iat, expires_at: exp, must_enrol: enr })
    }
}

/// Whether a [`Timestamp`] can be at this second, which is so in the years 1970 to 9999.
fn is_moment(seconds: i64) -> bool {
    Timestamp::from_millis(seconds.saturating_mul(1000)).as_secs() == seconds
}

impl fmt::Debug for AccessTokens {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kids: Vec<_> = self.keys.iter().map(|key| &key.header.kid).collect();
        f.debug_struct("AccessTokens").field("keys", &kids).field("issuer", &self.issuer).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Secret;
    use serde_json::json;

    fn ring(ids: &[(&str, u8)]) -> KeyRing {
        let key = |(id, byte): &(&str, u8)| (KeyId::new(id).expect("slug"), Secret::from_bytes([*byte; 32]));
        KeyRing::new(ids.iter().map(key).collect()).expect("keys")
    }

    fn sign(tokens: &AccessTokens, header: &str, claims: &serde_json::Value) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let key = &tokens.keys[0].encoding;
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, Algorithm::HS256).expect("signs");
        format!("{message}.{signature}")
    }

    #[test]
    fn only_our_own_tokens_in_their_time_are_taken() {
        let tokens = AccessTokens::new(&ring(&[("k1", 1)]), "scoreboard");
        let (user, session) = (UserId::from_bytes([1; 16]), SessionId::from_bytes([2; 16]));
        let now = Timestamp::from_millis(1_700_000_000_000);
        let minutes = |n: u64| Duration::from_secs(60 * n);
        let token = tokens.issue(user, session, now, minutes(10), false);
        let (principal, must_enrol) = tokens.verify(&token, now).expect("ours");
        assert_eq!((principal.user_id, principal.session_id, must_enrol), (user, session, false));
        let enrolling = tokens.issue(user, session, now, minutes(10), true);
        assert_eq!(tokens.verify(&enrolling, now), Some((principal, true)), "and again, from what is known");
        assert_eq!(tokens.verify(&enrolling, now), Some((principal, true)));
        assert!(tokens.verify(&token, now.plus(minutes(10)).plus(Duration::from_secs(4))).is_some(), "leeway");
        assert!(tokens.verify(&token, now.plus(minutes(11))).is_none(), "expired");
        assert!(tokens.verify(&token, now.minus(minutes(1))).is_none(), "from the future");

        let header = r#"{"typ":"at+jwt","alg":"HS256","kid":"k1"}"#;
        let good = json!({"iss": "scoreboard", "aud": "scoreboard", "sub": user, "sid": session,
            "iat": now.as_secs(), "exp": now.as_secs() + 60});
        assert!(tokens.verify(&sign(&tokens, header, &good), now).is_some(), "the helper signs as we do");
        let with = |base: &serde_json::Value, key: &str, value: serde_json::Value| {
            let mut changed = base.clone();
            changed[key] = value;
            changed
        };
        for (key, value) in [
            ("alg", json!("none")),
            ("alg", json!("HS384")),
            ("alg", json!("RS256")),
            ("typ", json!("JWT")),
            ("kid", json!("k2")),
            ("kid", json!("../k1")),
            ("jku", json!("http://127.0.0.1/")),
            ("jwk", json!({})),
            ("x5u", json!("x")),
            ("crit", json!(["exp"])),
            ("zip", json!("DEF")),
            ("b64", json!(false)),
        ] {
            let mut fields = json!({"typ": "at+jwt", "alg": "HS256", "kid": "k1"});
            fields[key] = value.clone();
            assert!(tokens.verify(&sign(&tokens, &fields.to_string(), &good), now).is_none(), "{key}: {value}");
        }
        for (key, value) in [
            ("iss", json!("other")),
            ("aud", json!("other")),
            ("aud", json!(["scoreboard", "other"])),
            ("sub", json!("ada")),
            ("sid", json!(null)),
            ("exp", json!(now.as_secs() - 60)),
            ("exp", json!(-1)),
            ("exp", json!("soon")),
            ("exp", json!(1e300)),
            ("iat", json!(now.as_secs() + 60)),
            ("roles", json!(["admin"])),
            ("enr", json!(null)),
            ("enr", json!("yes")),
        ] {
            assert!(
                tokens.verify(&sign(&tokens, header, &with(&good, key, value.clone())), now).is_none(),
                "{key}: {value}"
            );
        }
        for key in ["iss", "aud", "sub", "sid", "iat", "exp"] {
            let mut lacking = good.clone();
            lacking.as_object_mut().expect("an object").remove(key);
            assert!(tokens.verify(&sign(&tokens, header, &lacking), now).is_none(), "without {key}");
        }
        let unsigned = token.rsplit_once('.').expect("three parts").0;
        for forged in [format!("{unsigned}."), unsigned.to_owned(), String::new(), "..".to_owned(), "x".repeat(5000)] {
            assert!(tokens.verify(&forged, now).is_none());
        }
    }

    #[test]
    fn a_key_that_was_rotated_out_still_verifies_and_a_strange_one_does_not() {
        let now = Timestamp::from_millis(0);
        let issue = |keys: &[(&str, u8)]| {
            let tokens = AccessTokens::new(&ring(keys), "scoreboard");
            tokens.issue(UserId::MIN, SessionId::MIN, now, Duration::from_secs(60), false)
        };
        let rotated = AccessTokens::new(&ring(&[("k2", 2), ("k1", 1)]), "scoreboard");
        assert!(rotated.verify(&issue(&[("k1", 1)]), now).is_some());
        assert!(rotated.verify(&issue(&[("k1", 9)]), now).is_none(), "the id of a key is not the key");
        assert!(rotated.verify(&issue(&[("k3", 1)]), now).is_none());
    }
}
