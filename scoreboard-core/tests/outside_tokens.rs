//! Tokens of an outside issuer: each algorithm's good ones are taken, and every way to forge one that we know of is refused.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::{KeyPair as RsaKeyPair, KeySize};
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RSA_PSS_SHA256,
};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use hmac::{Hmac, KeyInit, Mac};
use scoreboard_core::accounts::{AccountError, Accounts, JwksIssuer, OutsideIssuer};
use scoreboard_core::memory::MemoryAccountStore;
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{KeyRing, RandomIds, Timestamp, UserId};
use serde_json::{Value, json};
use sha2::Sha256;

const ISSUER: &str = "https://login.example";
const AUDIENCE: &str = "scores";
const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// Somebody else's login.
struct Login {
    ed: Ed25519KeyPair,
    ec: EcdsaKeyPair,
    rsa: RsaKeyPair,
}

impl Login {
    fn new() -> Self {
        Self {
            ed: Ed25519KeyPair::generate().expect("a pair"),
            ec: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).expect("a pair"),
            rsa: RsaKeyPair::generate(KeySize::Rsa2048).expect("a pair"),
        }
    }

    fn modulus(&self) -> Vec<u8> {
        // RFC 8017 §A.1.1: a sequence of two integers, of 256 and three bytes.
        let sequence = self.rsa.public_key().as_ref();
        assert_eq!((sequence.len(), &sequence[265..]), (270, &[2, 3, 1, 0, 1][..]), "the exponent is 65537");
        sequence[9..265].to_vec()
    }

    fn set(&self) -> Value {
        let point = self.ec.public_key().as_ref();
        json!({ "keys": [
            { "kty": "OKP", "crv": "Ed25519", "kid": "ed", "use": "sig", "alg": "EdDSA", "x": encode(self.ed.public_key()) },
            { "kty": "EC", "crv": "P-256", "kid": "ec", "x": encode(&point[1..33]), "y": encode(&point[33..]) },
            { "kty": "RSA", "kid": "rsa", "use": "sig", "n": encode(self.modulus()), "e": "AQAB" },
            // Of no use here.
            { "kty": "oct", "kid": "shared", "alg": "HS256", "k": encode([7; 32]) },
            { "kty": "OKP", "crv": "Ed25519", "kid": "for-encryption", "use": "enc", "x": encode(self.ed.public_key()) },
            { "kty": "OKP", "crv": "Ed25519", "use": "sig", "x": encode(self.ed.public_key()) },
            { "kty": "new", "kid": "of-the-future" },
        ] })
    }

    fn sign(&self, kid: &str, message: &[u8]) -> Vec<u8> {
        match kid {
            "ec" => self.ec.sign(&SystemRandom::new(), message).expect("signs").as_ref().to_vec(),
            "rsa" => self.rsa(&RSA_PKCS1_SHA256, message),
            _ => self.ed.sign(message).as_ref().to_vec(),
        }
    }

    fn rsa(&self, padding: &'static dyn aws_lc_rs::signature::RsaEncoding, message: &[u8]) -> Vec<u8> {
        let mut signature = vec![0; self.rsa.public_modulus_len()];
        self.rsa.sign(padding, &SystemRandom::new(), message, &mut signature).expect("signs");
        signature
    }

    /// Spelt so, and signed well.
    fn spelt(&self, header: &str, claims: &str, kid: &str) -> String {
        let message = format!("{}.{}", encode(header), encode(claims));
        let signature = self.sign(kid, message.as_bytes());
        format!("{message}.{}", encode(signature))
    }

    fn token(&self, header: &Value, claims: &Value) -> String {
        self.spelt(&header.to_string(), &claims.to_string(), header["kid"].as_str().unwrap_or("ed"))
    }
}

fn header() -> Value {
    json!({ "alg": "EdDSA", "kid": "ed", "typ": "JWT" })
}

fn claims() -> Value {
    json!({ "iss": ISSUER, "aud": AUDIENCE, "sub": "ada", "sid": "login-1", "iat": NOW.as_secs(), "exp": NOW.as_secs() + 600 })
}

fn with(object: &Value, name: &str, value: Value) -> Value {
    let mut object = object.clone();
    object[name] = value;
    object
}

fn without(object: &Value, name: &str) -> Value {
    let mut object = object.clone();
    object.as_object_mut().expect("an object").remove(name);
    object
}

fn hs256(message: &str, key: &[u8]) -> String {
    let mac = Hmac::<Sha256>::new_from_slice(key).expect("any length").chain_update(message).finalize();
    format!("{message}.{}", encode(mac.into_bytes()))
}

fn issuer(login: &Login) -> JwksIssuer {
    let issuer = JwksIssuer::new(ISSUER, AUDIENCE).expect("named");
    assert_eq!(issuer.replace(&login.set().to_string()).expect("a set"), 3, "what is of no use is left out");
    issuer
}

fn good(login: &Login) -> Vec<(String, String)> {
    let (header, claims) = (header(), claims());
    let mut good = vec![];
    for (alg, kid) in [("EdDSA", "ed"), ("ES256", "ec"), ("RS256", "rsa")] {
        good.push((alg.to_owned(), login.token(&json!({ "alg": alg, "kid": kid }), &claims)));
    }
    good.push(("its type is said".to_owned(), login.token(&with(&header, "typ", json!("at+jwt")), &claims)));
    good.push(("a thumbprint".to_owned(), login.token(&with(&header, "x5t", json!("AAAA")), &claims)));
    for (name, value) in [
        ("aud", json!(["other", AUDIENCE])),
        ("exp", json!(NOW.as_secs() as f64 + 0.5)),
        ("exp", json!(NOW.as_secs() - 4)),
        ("nbf", json!(NOW.as_secs() + 4)),
        ("scope", json!("play")),
        ("sub", json!("x".repeat(255))),
    ] {
        good.push((format!("{name}: {value}"), login.token(&header, &with(&claims, name, value))));
    }
    for name in ["sid", "iat"] {
        good.push((format!("no {name}"), login.token(&header, &without(&claims, name))));
    }
    good
}

fn forged(login: &Login) -> Vec<(String, String)> {
    let (header, claims) = (header(), claims());
    let mut forged = vec![];
    for (name, value) in [
        ("iss", json!("https://login.example/")),
        ("iss", json!("other")),
        ("iss", json!("")),
        ("iss", json!(null)),
        ("aud", json!("score")),
        ("aud", json!("scores ")),
        ("aud", json!(["other"])),
        ("aud", json!([])),
        ("aud", json!(null)),
        ("sub", json!("")),
        ("sub", json!(7)),
        ("sub", json!(null)),
        ("sub", json!(["ada"])),
        ("sub", json!("x".repeat(256))),
        ("exp", json!(NOW.as_secs() - 5)),
        ("exp", json!(0)),
        ("exp", json!(-1)),
        ("exp", json!(1e300)),
        ("exp", json!("1800000000")),
        ("exp", json!(true)),
        ("nbf", json!(NOW.as_secs() + 6)),
        ("nbf", json!(-1)),
        ("nbf", json!("soon")),
        ("iat", json!(NOW.as_secs() + 6)),
        ("iat", json!(1e300)),
        ("sid", json!(7)),
    ] {
        forged.push((format!("{name}: {value}"), login.token(&header, &with(&claims, name, value))));
    }
    for name in ["iss", "aud", "sub", "exp"] {
        forged.push((format!("no {name}"), login.token(&header, &without(&claims, name))));
    }
    for (name, value) in [
        ("alg", json!("none")),
        ("alg", json!("None")),
        ("alg", json!("")),
        ("alg", json!(null)),
        ("alg", json!("ES256")),
        ("alg", json!("RS256")),
        ("alg", json!("HS256")),
        ("kid", json!("ec")),
        ("kid", json!("rsa")),
        ("kid", json!("shared")),
        ("kid", json!("for-encryption")),
        ("kid", json!("of-the-future")),
        ("kid", json!("unknown")),
        ("kid", json!("../ed")),
        ("kid", json!("")),
        ("kid", json!(null)),
        ("kid", json!(["ed"])),
        ("typ", json!("rt+jwt")),
        ("typ", json!("logout+jwt")),
        ("typ", json!(1)),
        ("jku", json!("https://attacker.example/keys")),
        ("jwk", json!({ "kty": "OKP", "crv": "Ed25519", "x": encode(login.ed.public_key()) })),
        ("x5u", json!("https://attacker.example/chain")),
        ("x5c", json!(["MIIB"])),
        ("crit", json!(["exp"])),
        ("b64", json!(false)),
        ("zip", json!("DEF")),
        ("cty", json!("JWT")),
    ] {
        let header = with(&header, name, value.clone());
        // By the key that would be right but for this.
        forged.push((format!("header {name}: {value}"), login.spelt(&header.to_string(), &claims.to_string(), "ed")));
    }
    for name in ["alg", "kid"] {
        forged.push((format!("header without {name}"), login.token(&without(&header, name), &claims)));
    }
    let (head, body) = (header.to_string(), claims.to_string());
    for (what, head, body) in [
        ("a second alg", head.replacen('{', r#"{"alg":"none","#, 1), body.clone()),
        ("a second kid", head.replacen('{', r#"{"kid":"ec","#, 1), body.clone()),
        ("a second sub", head.clone(), body.replacen('{', r#"{"sub":"eve","#, 1)),
        ("a second exp", head.clone(), body.replacen('{', r#"{"exp":9999999999,"#, 1)),
        ("claims in a list", head.clone(), format!("[{body}]")),
        ("no claims", head.clone(), String::new()),
        ("a header in a list", format!("[{head}]"), body.clone()),
    ] {
        forged.push((what.to_owned(), login.spelt(&head, &body, "ed")));
    }
    // Public keys as the secrets of MACs, under every key and its own name for it.
    for (kid, key) in [
        ("ed", login.ed.public_key().as_ref().to_vec()),
        ("ec", login.ec.public_key().as_ref().to_vec()),
        ("rsa", login.modulus()),
        ("shared", vec![7; 32]),
    ] {
        for alg in ["HS256", "EdDSA", "ES256", "RS256"] {
            let message = format!("{}.{}", encode(json!({ "alg": alg, "kid": kid }).to_string()), encode(&body));
            forged.push((format!("{alg} of {kid}, by a MAC"), hs256(&message, &key)));
        }
    }
    // The right key, and another algorithm of its kind than the one that it is good for.
    let message = format!("{}.{}", encode(r#"{"alg":"PS256","kid":"rsa"}"#), encode(&body));
    let signature = login.rsa(&RSA_PSS_SHA256, message.as_bytes());
    forged.push(("PS256 by a key for RS256".to_owned(), format!("{message}.{}", encode(signature))));
    for kid in ["ed", "ec", "rsa"] {
        let alg = match kid {
            "ec" => "ES256",
            "rsa" => "RS256",
            _ => "EdDSA",
        };
        let token = login.token(&json!({ "alg": alg, "kid": kid }), &claims);
        let (message, signature) = token.rsplit_once('.').expect("three parts");
        let bytes = URL_SAFE_NO_PAD.decode(signature).expect("just encoded");
        for bit in (0..bytes.len() * 8).step_by(7) {
            let mut turned = bytes.clone();
            turned[bit / 8] ^= 1 << (bit % 8);
            forged.push((format!("{alg}: bit {bit} turned"), format!("{message}.{}", encode(turned))));
        }
        for (what, signature) in [
            ("none", String::new()),
            ("zeros", encode(vec![0; bytes.len()])),
            ("half", encode(&bytes[..bytes.len() / 2])),
            ("a byte more", encode([&bytes[..], &[0]].concat())),
            ("padded", format!("{signature}=")),
        ] {
            forged.push((format!("{alg}: signature {what}"), format!("{message}.{signature}")));
        }
        let altered = encode(with(&claims, "sub", json!("eve")).to_string());
        let head = token.split('.').next().expect("a header");
        forged.push((format!("{alg}: altered"), format!("{head}.{altered}.{signature}")));
        let stranger = Login::new().token(&json!({ "alg": alg, "kid": kid }), &claims);
        forged.push((format!("{alg}: of another pair"), stranger));
        forged.push((format!("{alg}: a space behind"), format!("{token} ")));
        forged.push((format!("{alg}: twice"), format!("{token}.{token}")));
    }
    forged.push(("too long".to_owned(), login.token(&header, &with(&claims, "x", json!("x".repeat(8192))))));
    for text in ["", ".", "..", "ada", "e30.e30.e30"] {
        forged.push((format!("`{text}`"), text.to_owned()));
    }
    forged
}

#[test]
fn good_tokens_of_an_outside_issuer_are_taken_and_forged_ones_refused() {
    let login = Login::new();
    let issuer = issuer(&login);
    for (what, token) in good(&login) {
        assert!(issuer.principal(&token, NOW).is_some(), "refused: {what}");
    }
    let forged = forged(&login);
    let taken: Vec<_> =
        forged.iter().filter(|(_, token)| issuer.principal(token, NOW).is_some()).map(|(what, _)| what).collect();
    assert!(taken.is_empty(), "taken: {taken:#?}");
    println!("{} forged tokens", forged.len());
    assert!(forged.len() > 400, "{}", forged.len());
}

#[test]
fn a_user_is_the_same_in_every_login_and_nobody_elses() {
    let login = Login::new();
    let issuer = issuer(&login);
    let of = |claims: &Value| issuer.principal(&login.token(&header(), claims), NOW).expect("good");
    let ada = of(&claims());
    assert_eq!(ada.user_id, UserId::for_name(ISSUER, "ada"));
    assert_eq!(ada.expires_at, NOW.plus(Duration::from_secs(600)));
    let renewed = of(&with(&claims(), "exp", json!(NOW.as_secs() + 900)));
    assert_eq!((renewed.user_id, renewed.session_id), (ada.user_id, ada.session_id), "the same login goes on");
    let again = of(&with(&claims(), "sid", json!("login-2")));
    assert!(again.user_id == ada.user_id && again.session_id != ada.session_id);
    let eve = of(&with(&claims(), "sub", json!("eve")));
    assert!(eve.user_id != ada.user_id && eve.session_id != ada.session_id, "a login's name is its user's own");
}

#[tokio::test]
async fn keys_are_replaced_as_a_whole_and_a_strange_one_is_asked_for() {
    let login = Login::new();
    let issuer = issuer(&login);
    let wanted = async |issuer: &JwksIssuer| tokio::time::timeout(Duration::ZERO, issuer.key_wanted()).await.is_ok();
    assert!(!wanted(&issuer).await);
    let later = json!({ "alg": "EdDSA", "kid": "later" });
    let token = login.spelt(&later.to_string(), &claims().to_string(), "ed");
    assert!(issuer.principal(&token, NOW).is_none() && wanted(&issuer).await && !wanted(&issuer).await);
    let mut key = login.set()["keys"][0].clone();
    key["kid"] = json!("later");
    for bad in [
        json!([]).to_string(),
        json!({ "keys": [] }).to_string(),
        json!({ "keys": [key, key] }).to_string(),
        json!({ "keys": vec![key.clone(); 33] }).to_string(),
        json!({ "keys": [key], "x": "x".repeat(65_536) }).to_string(),
        json!({ "keys": [{ "kty": "oct", "kid": "k", "k": "AAAA" }] }).to_string(),
        "{".to_owned(),
    ] {
        assert!(issuer.replace(&bad).is_err(), "{bad:.80}");
    }
    let old = login.token(&header(), &claims());
    assert!(issuer.principal(&old, NOW).is_some(), "those before stay");
    assert_eq!(issuer.replace(&json!({ "keys": [key] }).to_string()).expect("a set"), 1);
    assert!(issuer.principal(&token, NOW).is_some() && issuer.principal(&old, NOW).is_none());
    issuer.forget();
    assert!(issuer.principal(&token, NOW).is_none());
}

#[tokio::test]
async fn an_outside_user_may_score_and_nothing_of_accounts() {
    let login = Login::new();
    let store = Arc::new(MemoryAccountStore::default());
    let builder = Accounts::builder(store, &KeyRing::random(&RandomIds)).with_outside_issuer(Arc::new(issuer(&login)));
    let accounts = builder.with_clock(Arc::new(ManualClock::at(NOW))).build();
    let token = login.token(&header(), &claims());
    let ada = accounts.identify(&token).expect("good");
    assert!(accounts.identify_reader(&token).is_ok());
    for refused in [accounts.authenticate(&token), accounts.authenticate_enrolling(&token), accounts.identify("x")] {
        assert!(matches!(refused, Err(AccountError::Unauthorized)));
    }
    assert!(matches!(accounts.roles(ada.user_id).await, Err(AccountError::Unauthorized)));
    let ticket = accounts.issue_ticket(&ada).await.expect("room");
    assert_eq!(accounts.redeem_ticket(&ticket.text).await.expect("good").user_id, ada.user_id);
}
