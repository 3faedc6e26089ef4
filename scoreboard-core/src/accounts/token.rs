//! Access tokens: short-lived JWTs (RFC 7519, profile RFC 9068), one pinned algorithm, every claim required.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::accounts::known_tokens::{KnownTokens, Signed};
use crate::accounts::session::Principal;
use crate::accounts::token_key::{self, PublicTokenKey, TokenAlgorithm, TokenKey};
use crate::clock::Timestamp;
use crate::ids::{SessionId, UserId};
use crate::verifier::{Derived, KeyRing};

/// No token of ours is longer, and nothing longer is looked at.
const MAX_BYTES: usize = 4096;
/// How far the clocks of two nodes may be apart.
const LEEWAY: Duration = Duration::from_secs(5);

/// Issues and verifies access tokens.
pub(super) struct AccessTokens {
    keys: Derived<TokenKeys>,
    issuer: String,
    algorithm: TokenAlgorithm,
}

/// What a state of the ring comes to. Its tokens are forgotten with it, so that one of a key that was retired is looked at again.
struct TokenKeys {
    keys: Vec<TokenKey>,
    known: KnownTokens,
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
    pub(super) fn new(ring: &KeyRing, issuer: &str, algorithm: TokenAlgorithm) -> Self {
        let of = issuer.to_owned();
        let keys =
            Derived::new(ring, move |ring| TokenKeys { keys: token_key::of(ring, &of), known: KnownTokens::default() });
        Self { keys, issuer: issuer.to_owned(), algorithm }
    }

    pub(super) fn issue(
        &self,
        user: UserId,
        session: SessionId,
        now: Timestamp,
        lifetime: Duration,
        must_enrol: bool,
    ) -> String {
        let keys = self.keys.get();
        let key = keys.keys.iter().find(|key| key.algorithm == self.algorithm).expect("each key of the ring has both");
        let claims = Claims {
            iss: self.issuer.clone(),
            aud: self.issuer.clone(),
            sub: user,
            sid: session,
            iat: now.as_secs(),
            exp: now.plus(lifetime).as_secs(),
            enr: must_enrol,
        };
        jsonwebtoken::encode(&key.header, &claims, &key.encoding)
            .expect("the key is of its algorithm and the claims encode")
    }

    /// The public halves of the keys, where there are such: the one that signs first.
    pub(super) fn public(&self) -> Vec<PublicTokenKey> {
        let keys = self.keys.get();
        let signing = keys.keys.iter().filter(|key| key.algorithm == self.algorithm);
        signing.filter_map(|key| key.public.clone()).collect()
    }

    /// Who the token says is asking, if it is ours, unaltered and in its time; and whether it is good for setting up a second factor alone.
    pub(super) fn verify(&self, token: &str, now: Timestamp) -> Option<(Principal, bool)> {
        if token.len() > MAX_BYTES {
            return None;
        }
        let digest = Sha256::digest(token).into();
        let keys = self.keys.get();
        let signed = keys.known.get(&digest).or_else(|| {
            let signed = keys.decode(token)?;
            keys.known.insert(digest, signed);
            Some(signed)
        })?;
        let leeway = LEEWAY.as_secs().cast_signed();
        let now = now.as_secs();
        let in_time = signed.issued_at <= now.saturating_add(leeway) && now < signed.expires_at.saturating_add(leeway);
        let principal = Principal {
            user_id: signed.user_id,
            session_id: signed.session_id,
            expires_at: Timestamp::from_millis(signed.expires_at.saturating_mul(1000)),
            ends_with_token: false,
        };
        in_time.then_some((principal, signed.must_enrol))
    }
}

impl TokenKeys {
    fn decode(&self, token: &str) -> Option<Signed> {
        let (header, _) = token.split_once('.')?;
        let key = self.keys.iter().find(|key| key.encoded_header == header)?;
        let Claims { sub, sid, iat, exp, enr, .. } =
            jsonwebtoken::decode::<Claims>(token, &key.decoding, &key.validation).ok()?.claims;
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
        f.debug_struct("AccessTokens")
            .field("keys", &self.keys)
            .field("issuer", &self.issuer)
            .field("algorithm", &self.algorithm)
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use jsonwebtoken::Algorithm;
    use serde_json::json;

    use super::*;
    use crate::{KeyId, Secret};

    fn ring(ids: &[(&str, u8)]) -> KeyRing {
        let key = |(id, byte): &(&str, u8)| (KeyId::new(id).expect("slug"), Secret::from_bytes([*byte; 32]));
        KeyRing::new(ids.iter().map(key).collect()).expect("keys")
    }

    fn sign(tokens: &AccessTokens, header: &str, claims: &serde_json::Value) -> String {
        let message = format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let keys = tokens.keys.get();
        let key = &keys.keys[0].encoding;
        let signature = jsonwebtoken::crypto::sign(message.as_bytes(), key, Algorithm::HS256).expect("signs");
        format!("{message}.{signature}")
    }

    #[test]
    fn only_our_own_tokens_in_their_time_are_taken() {
        let tokens = AccessTokens::new(&ring(&[("k1", 1)]), "scoreboard", TokenAlgorithm::Hs256);
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
            let tokens = AccessTokens::new(&ring(keys), "scoreboard", TokenAlgorithm::Hs256);
            tokens.issue(UserId::MIN, SessionId::MIN, now, Duration::from_secs(60), false)
        };
        let rotated = AccessTokens::new(&ring(&[("k2", 2), ("k1", 1)]), "scoreboard", TokenAlgorithm::Hs256);
        assert!(rotated.verify(&issue(&[("k1", 1)]), now).is_some());
        assert!(rotated.verify(&issue(&[("k1", 9)]), now).is_none(), "the id of a key is not the key");
        assert!(rotated.verify(&issue(&[("k3", 1)]), now).is_none());
    }

    #[test]
    fn a_key_that_is_retired_verifies_nothing_any_more_not_even_what_was_taken_before() {
        let now = Timestamp::from_millis(0);
        let key = |id: &str, byte| (KeyId::new(id).expect("slug"), Secret::from_bytes([byte; 32]));
        for algorithm in [TokenAlgorithm::Hs256, TokenAlgorithm::EdDsa] {
            let ring = KeyRing::new(vec![key("k1", 1)]).expect("a key");
            let tokens = AccessTokens::new(&ring, "scoreboard", algorithm);
            let issue = || tokens.issue(UserId::MIN, SessionId::MIN, now, Duration::from_secs(60), false);
            let old = issue();
            assert!(tokens.verify(&old, now).is_some() && tokens.verify(&old, now).is_some());
            ring.replace(vec![key("k2", 2), key("k1", 1)], vec![]).expect("sound");
            let new = issue();
            assert!(
                tokens.verify(&old, now).is_some() && tokens.verify(&new, now).is_some(),
                "the old one still verifies"
            );
            ring.replace(vec![key("k2", 2)], vec![key("k1", 1)]).expect("sound");
            assert!(tokens.verify(&old, now).is_none() && tokens.verify(&new, now).is_some(), "{algorithm:?}");
        }
    }

    #[test]
    fn tokens_of_either_algorithm_are_taken_and_neither_passes_for_the_other() {
        let now = Timestamp::from_millis(0);
        let [mac, eddsa] = [TokenAlgorithm::Hs256, TokenAlgorithm::EdDsa]
            .map(|algorithm| AccessTokens::new(&ring(&[("k1", 1)]), "scoreboard", algorithm));
        let issue =
            |tokens: &AccessTokens| tokens.issue(UserId::MIN, SessionId::MIN, now, Duration::from_secs(60), false);
        let (one, other) = (issue(&mac), issue(&eddsa));
        for tokens in [&mac, &eddsa] {
            assert!(
                tokens.verify(&one, now).is_some() && tokens.verify(&other, now).is_some(),
                "while servers are restarted one by one"
            );
        }
        let header = |token: &str| token.split('.').next().expect("a header").to_owned();
        let rest = |token: &str| token.split_once('.').expect("more").1.to_owned();
        for mixed in [format!("{}.{}", header(&one), rest(&other)), format!("{}.{}", header(&other), rest(&one))] {
            assert!(mac.verify(&mixed, now).is_none() && eddsa.verify(&mixed, now).is_none());
        }
        // The public half as the secret of a MAC (RFC 8725 §2.1).
        let public = &eddsa.public()[0];
        let claims = other.split('.').nth(1).expect("claims");
        for header in [header(&one), header(&other)] {
            let message = format!("{header}.{claims}");
            let key = jsonwebtoken::EncodingKey::from_secret(&public.bytes);
            let signature = jsonwebtoken::crypto::sign(message.as_bytes(), &key, Algorithm::HS256).expect("signs");
            assert!(eddsa.verify(&format!("{message}.{signature}"), now).is_none());
        }
        assert!(mac.public().is_empty(), "what is secret has no public half");
        assert_eq!((eddsa.public().len(), public.id.as_str()), (1, "k1"));
    }
}
