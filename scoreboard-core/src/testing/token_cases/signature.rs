//! Another signature, or a good one under something else.

use aws_lc_rs::signature::KeyPair;

use super::shape::beyond;
use super::{
    Engine, Forger, STANDARD, TokenCase, URL_SAFE_NO_PAD, encode, forged, hs256, object, sha384, sha512, with,
};

pub(super) fn cases(forger: &Forger) -> Vec<TokenCase> {
    let [header, claims, signature] = forger.parts();
    let message = format!("{header}.{claims}");
    let bytes = URL_SAFE_NO_PAD.decode(&signature).expect("just encoded");
    let mut cases = Vec::new();
    let mut signed = |what: &str, signature: &str| {
        cases.push(forged(format!("signature: {what}"), format!("{message}.{signature}")));
    };
    for bit in 0..8 * bytes.len() {
        let mut turned = bytes.clone();
        turned[bit / 8] ^= 1 << (bit % 8);
        signed(&format!("bit {bit} turned"), &encode(turned));
    }
    for length in 0..bytes.len() {
        signed(&format!("only {length} bytes"), &encode(&bytes[..length]));
    }
    signed("a letter short", &signature[..signature.len() - 1]);
    signed("a letter long", &format!("{signature}A"));
    signed("a byte long", &encode([&bytes[..], &[0]].concat()));
    signed("twice", &encode([&bytes[..], &bytes[..]].concat()));
    signed("bits beyond its end", &beyond(&signature));
    signed("zeros", &encode([0; 32]));
    signed("ones", &encode([255; 32]));
    signed("backwards", &encode(bytes.iter().rev().copied().collect::<Vec<_>>()));
    signed("in capitals", &signature.to_uppercase());
    signed("in hexadecimal", &hex::encode(&bytes));
    signed("in the other alphabet, padded", &STANDARD.encode(&bytes));
    signed("SHA-384's first half", &encode(&sha384(&message, &forger.key)[..32]));
    signed("SHA-512's first half", &encode(&sha512(&message, &forger.key)[..32]));
    signed("over the claims alone", &encode(forger.sign(&claims)));
    signed("over the header alone", &encode(forger.sign(&header)));
    let decoded = format!("{}.{}", object(&forger.header), object(&forger.claims));
    signed("over what is decoded", &encode(forger.sign(&decoded)));
    signed("over a line end more", &encode(forger.sign(&format!("{message}\n"))));

    let (header_text, claims_text) = (object(&forger.header), object(&forger.claims));
    let mut keys: Vec<(String, Vec<u8>)> = vec![
        ("nothing".to_owned(), vec![]),
        ("zeros".to_owned(), vec![0; 32]),
        ("the name of the key".to_owned(), forger.ring.derive("access-tokens")[0].0.as_str().as_bytes().to_vec()),
        ("the key in hexadecimal".to_owned(), hex::encode(&forger.key).into_bytes()),
        ("the key in Base64".to_owned(), encode(&forger.key).into_bytes()),
        ("half the key".to_owned(), forger.key[..16].to_vec()),
        ("the word `secret`".to_owned(), b"secret".to_vec()),
    ];
    for purpose in ["actions", "cursors", "refresh-tokens", "access-token", ""] {
        keys.push((format!("the key for `{purpose}`"), forger.ring.derive(purpose)[0].1.expose().to_vec()));
    }
    if let Some(pair) = &forger.pair {
        // By a MAC, under what is public, and by pairs that are made for something else.
        keys.push(("the key".to_owned(), forger.key.clone()));
        keys.push(("the public key".to_owned(), pair.public_key().as_ref().to_vec()));
        for purpose in ["access-tokens", "actions", "access-tokens-ed25519/", ""] {
            let other = super::pair(forger.ring.derive(purpose)[0].1.expose());
            let signature = encode(other.sign(message.as_bytes()).as_ref());
            cases.push(forged(format!("signed by the pair for `{purpose}`"), format!("{message}.{signature}")));
        }
        // S and S + L sign the same where nobody looks (RFC 8032 §8.4).
        cases.push(forged(
            "a signature with the order added to S",
            format!("{message}.{}", encode(with_order_added(&bytes))),
        ));
    }
    for (what, key) in keys {
        cases.push(forged(format!("signed with {what}"), hs256(&header_text, &claims_text, &key)));
    }

    // A good signature under other claims, and under the same ones spelt otherwise.
    let other = "\"00000000-0000-0000-0000-000000000001\"";
    let later = (forger.now + 86_400).to_string();
    for (name, value) in [("sub", other), ("sid", other), ("exp", later.as_str()), ("roles", "[\"admin\"]")] {
        let altered = encode(with(&forger.claims, name, value));
        cases.push(forged(format!("an altered {name}"), format!("{header}.{altered}.{signature}")));
        let own = hs256(&header_text, &with(&forger.claims, name, value), b"another key");
        cases.push(forged(format!("an altered {name}, signed with another key"), own));
    }
    for (what, text) in [
        ("with spaces", claims_text.replace(',', ", ")),
        ("with a line end", format!("{claims_text}\n")),
        ("with a letter by its number", claims_text.replace("sub", "\\u0073ub")),
        ("sorted", {
            let mut sorted = forger.claims.clone();
            sorted.sort_unstable();
            object(&sorted)
        }),
    ] {
        cases.push(forged(format!("claims encoded again, {what}"), format!("{header}.{}.{signature}", encode(text))));
    }
    cases
}

/// An Ed25519 signature whose second half is the same number modulo the order of the group.
fn with_order_added(signature: &[u8]) -> Vec<u8> {
    const ORDER: [u8; 32] = [
        0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0, 0, 0,
        0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
    ];
    let mut sum = signature.to_vec();
    let mut carry = 0;
    for (byte, order) in sum[32..].iter_mut().zip(ORDER) {
        let total = u16::from(*byte) + u16::from(order) + carry;
        let [low, high] = total.to_le_bytes();
        (*byte, carry) = (low, u16::from(high));
    }
    sum
}
