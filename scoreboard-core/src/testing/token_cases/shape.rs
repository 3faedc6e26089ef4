//! The same parts put together otherwise, or spelt otherwise.

use super::{Engine, Forger, STANDARD, TokenCase, URL_SAFE, encode, forged, object, with};

pub(super) fn cases(forger: &Forger) -> Vec<TokenCase> {
    let [header, claims, signature] = forger.parts();
    let token = forger.token();
    let mut cases = Vec::new();
    for (what, text) in [
        ("nothing", String::new()),
        ("a dot", ".".to_owned()),
        ("two dots", "..".to_owned()),
        ("three dots", "...".to_owned()),
        ("a dot before", format!(".{token}")),
        ("a dot behind", format!("{token}.")),
        ("a dot more in the middle", format!("{header}..{claims}.{signature}")),
        ("four parts", format!("{token}.{signature}")),
        ("five parts", format!("{header}.{claims}.{signature}.{claims}.{signature}")),
        ("the header alone", header.clone()),
        ("two parts", format!("{header}.{claims}")),
        ("no header", format!(".{claims}.{signature}")),
        ("no claims", format!("{header}..{signature}")),
        ("no signature", format!("{header}.{claims}.")),
        ("claims first", format!("{claims}.{header}.{signature}")),
        ("a space before", format!(" {token}")),
        ("a space behind", format!("{token} ")),
        ("a line end behind", format!("{token}\n")),
        ("a line end in the header", format!("{}\n{}.{claims}.{signature}", &header[..4], &header[4..])),
        ("a space in the claims", format!("{header}.{} {}.{signature}", &claims[..4], &claims[4..])),
        ("a tab in the signature", format!("{header}.{claims}.{}\t{}", &signature[..4], &signature[4..])),
        ("a NUL behind", format!("{token}\0")),
        ("an invisible letter behind", format!("{token}\u{200b}")),
        ("in quotes", format!("\"{token}\"")),
        ("its scheme before", format!("Bearer {token}")),
        ("twice", format!("{token},{token}")),
        ("padding behind the signature", format!("{token}=")),
        ("more padding behind the signature", format!("{token}==")),
        ("padding behind the header", format!("{header}=.{claims}.{signature}")),
        ("padding behind the claims", format!("{header}.{claims}=.{signature}")),
        ("dots by their numbers", token.replace('.', "%2E")),
        ("signature and claims swapped", format!("{header}.{signature}.{claims}")),
        (
            "the JSON of RFC 7515, flat",
            format!(r#"{{"protected":"{header}","payload":"{claims}","signature":"{signature}"}}"#),
        ),
        (
            "the JSON of RFC 7515, general",
            format!(r#"{{"payload":"{claims}","signatures":[{{"protected":"{header}","signature":"{signature}"}}]}}"#),
        ),
    ] {
        cases.push(forged(format!("shape: {what}"), text));
    }
    // Signed as they are spelt, so that it is the spelling alone which is wrong.
    let spelt = |what: &str, header: &str, claims: &str| {
        let message = format!("{header}.{claims}");
        forged(format!("shape: {what}"), format!("{message}.{}", encode(forger.sign(&message))))
    };
    let text = object(&forger.claims);
    let spaces = (0..3).map(|n| format!("{text}{}", " ".repeat(n)));
    let uneven = spaces.into_iter().find(|text| text.len() % 3 != 0).expect("two of three lengths are uneven");
    cases.push(spelt("padded claims, signed so", &header, &URL_SAFE.encode(&uneven)));
    cases.push(spelt("claims with bits beyond their end, signed so", &header, &beyond(&encode(&uneven))));
    // `?` and `~` at any place of three make a `/` or a `+`, which our alphabet does not have.
    let special = with(&forger.claims, "aud", "\"~~~???>>>\"");
    cases.push(spelt(
        "claims in the other alphabet, signed so",
        &header,
        STANDARD.encode(special).trim_end_matches('='),
    ));
    cases.push(spelt("a line end in the claims, signed so", &header, &format!("{}\n{}", &claims[..4], &claims[4..])));
    cases.push(spelt("claims that are not encoded, signed so", &header, &text));
    cases.push(spelt("a header that is not encoded, signed so", &object(&forger.header), &claims));
    cases.push(spelt("bytes that are no text, signed so", &header, &encode(b"{\"iss\":\"\xff\"}")));
    cases
}

/// The last letter of Base64 with bits set that belong to no byte: another spelling of the same bytes.
pub(super) fn beyond(text: &str) -> String {
    const ALPHABET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
    let (rest, last) = text.split_at(text.len() - 1);
    let value = ALPHABET.find(last).expect("a letter of Base64");
    format!("{rest}{}", &ALPHABET[value + 1..value + 2])
}
