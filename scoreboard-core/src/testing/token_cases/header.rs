//! Another header: it names an algorithm, a key, a type or an extension that is not ours.

use super::{Forger, TokenCase, doubled, encode, forged, object, sha256, sha384, sha512, with, without};

pub(super) fn cases(forger: &Forger) -> Vec<TokenCase> {
    let mut cases = Vec::new();
    algorithms(forger, &mut cases);
    let mut header = |what: &str, header: String| {
        cases.push(forged(format!("header: {what}"), forger.with_header(&header)));
    };

    for kid in [
        "\"\"",
        "\"unknown\"",
        "\"../k\"",
        "\"/dev/null\"",
        "\"k\\u0000\"",
        "\"K\"",
        "\"' or 1=1 --\"",
        "[\"k\"]",
        "{}",
        "0",
        "null",
    ] {
        header(&format!("kid {kid}"), with(&forger.header, "kid", kid));
    }
    for typ in ["\"JWT\"", "\"at+JWT\"", "\"jwt\"", "\"rt+jwt\"", "\"application/at+jwt\"", "\"\"", "null", "1"] {
        header(&format!("typ {typ}"), with(&forger.header, "typ", typ));
    }
    for name in ["typ", "alg", "kid"] {
        header(&format!("no {name}"), without(&forger.header, name));
    }
    let own_key = format!("{{\"kty\":\"oct\",\"k\":\"{}\"}}", encode(&forger.key));
    for (name, value) in [
        ("jku", "\"https://attacker.example/keys\""),
        ("x5u", "\"https://attacker.example/chain\""),
        ("x5c", "[\"MIIB\"]"),
        ("x5t", "\"AAAA\""),
        ("jwk", own_key.as_str()),
        ("crit", "[\"exp\"]"),
        ("crit", "[]"),
        ("zip", "\"DEF\""),
        ("enc", "\"A256GCM\""),
        ("b64", "false"),
        ("cty", "\"JWT\""),
        ("nonce", "\"1\""),
    ] {
        header(&format!("{name}: {value}"), with(&forger.header, name, value));
    }
    for (name, value) in [("alg", "\"none\""), ("alg", "\"HS256\""), ("kid", "\"other\""), ("typ", "\"JWT\"")] {
        header(&format!("a second {name}, {value}, before"), doubled(&forger.header, name, value, true));
        header(&format!("a second {name}, {value}, behind"), doubled(&forger.header, name, value, false));
    }
    let ours = object(&forger.header);
    header("spaces in it", ours.replace(':', ": "));
    header("a letter spelt by its number", ours.replace("alg", "\\u0061lg"));
    header("a line end behind it", format!("{ours}\n"));
    header("something behind it", format!("{ours}{{}}"));
    header("a byte order mark", format!("\u{feff}{ours}"));
    header("in a list", format!("[{ours}]"));
    for text in ["", "{}", "null", "\"HS256\"", "{\"alg\":\"HS256\"", "[]"] {
        header(&format!("`{text}`"), text.to_owned());
    }
    cases
}

/// Another algorithm, with the signature that goes with it as far as one can be made, and with ours, and with none.
fn algorithms(forger: &Forger, cases: &mut Vec<TokenCase>) {
    for alg in [
        "\"none\"",
        "\"None\"",
        "\"NONE\"",
        "\"nOnE\"",
        "\"none \"",
        "\"\"",
        "null",
        "0",
        "[\"HS256\"]",
        "\"HS256 \"",
        "\"hs256\"",
        "\"HS384\"",
        "\"HS512\"",
        "\"HS256\"",
        "\"HS1\"",
        "\"RS256\"",
        "\"RS512\"",
        "\"PS256\"",
        "\"ES256\"",
        "\"ES256K\"",
        "\"EdDSA\"",
        "\"A128KW\"",
        "\"dir\"",
    ] {
        if forger.header[1].1 == alg {
            continue;
        }
        let message = format!("{}.{}", encode(with(&forger.header, "alg", alg)), encode(object(&forger.claims)));
        let signatures = [
            ("ours", forger.sign(&message)),
            ("SHA-256", sha256(&message, &forger.key)),
            ("none", vec![]),
            ("SHA-384", sha384(&message, &forger.key)),
            ("SHA-512", sha512(&message, &forger.key)),
            // As many bytes as ES256 has, zeros: r = s = 0 (CVE-2022-21449).
            ("zeros", vec![0; 64]),
        ];
        for (signed, signature) in signatures {
            cases.push(forged(
                format!("header: alg {alg}, signed: {signed}"),
                format!("{message}.{}", encode(signature)),
            ));
        }
    }
}
