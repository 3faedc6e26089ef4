//! Other claims, signed with the right key: what no server of ours writes.

use super::{Forger, Members, TokenCase, doubled, forged, good, object, with, without};

/// How far the clocks of two nodes may be apart, in seconds.
const LEEWAY: i64 = 5;

pub(super) fn cases(forger: &Forger) -> Vec<TokenCase> {
    let mut cases = Vec::new();
    let mut claims = |what: String, text: String| {
        cases.push(forged(format!("claims: {what}"), forger.with_claims(&text)));
    };
    for (name, own) in &forger.claims {
        claims(format!("no {name}"), without(&forger.claims, name));
        for value in ["null", "true", "{}", "[]", "\"\"", "1.5", "-1", "\"x\"", "1e400", "18446744073709551616"] {
            claims(format!("{name}: {value}"), with(&forger.claims, name, value));
        }
        claims(format!("{name} in a list"), with(&forger.claims, name, &format!("[{own}]")));
        claims(format!("{name} twice, both the same"), doubled(&forger.claims, name, own, false));
        claims(format!("{name} under a name in capitals"), renamed(&forger.claims, name));
    }
    let other = "\"00000000-0000-0000-0000-000000000001\"";
    for (name, value) in [("sub", other), ("sid", other), ("iss", "\"other\""), ("exp", "253402207199")] {
        claims(format!("another {name} before ours"), doubled(&forger.claims, name, value, true));
        claims(format!("another {name} behind ours"), doubled(&forger.claims, name, value, false));
    }
    for name in ["iss", "aud"] {
        for value in ["\"other\"", "\"Scoreboard\"", "\"scoreboard/\"", "\"scoreboard \"", "[\"scoreboard\",\"other\"]"]
        {
            claims(format!("{name}: {value}"), with(&forger.claims, name, value));
        }
    }
    for (name, value) in [
        ("roles", "[\"admin\"]"),
        ("scope", "\"admin\""),
        ("nbf", "99999999999"),
        ("jti", "\"1\""),
        ("cnf", "{}"),
        ("__proto__", "{}"),
    ] {
        claims(format!("{name} besides"), with(&forger.claims, name, value));
    }
    times(forger, &mut claims);
    let ours = object(&forger.claims);
    let values: Vec<&str> = forger.claims.iter().map(|(_, value)| value.as_str()).collect();
    claims("without their names".to_owned(), format!("[{}]", values.join(",")));
    claims("in a list".to_owned(), format!("[{ours}]"));
    claims("as a text".to_owned(), serde_json::Value::from(ours.as_str()).to_string());
    claims("something behind them".to_owned(), format!("{ours}{ours}"));
    claims("a byte order mark".to_owned(), format!("\u{feff}{ours}"));
    for text in ["", "{}", "null", "[]", "{", "true", "0"] {
        claims(format!("`{text}`"), text.to_owned());
    }
    let deep = "[".repeat(1000) + &"]".repeat(1000);
    claims("deep".to_owned(), with(&forger.claims, "sub", &deep));
    edges(forger, &mut cases);
    cases
}

fn times(forger: &Forger, claims: &mut impl FnMut(String, String)) {
    let now = forger.now;
    for (what, name, value) in [
        ("a second too late, behind the leeway", "exp", (now - LEEWAY).to_string()),
        ("long ago", "exp", "0".to_owned()),
        ("a fraction of a second", "exp", format!("{}.5", now + 60)),
        ("a whole number with a point", "exp", format!("{}.0", now + 60)),
        ("with an exponent", "exp", "1e12".to_owned()),
        ("a text", "exp", format!("\"{}\"", now + 60)),
        ("negative", "exp", format!("-{}", now + 60)),
        ("huge", "exp", "1e300".to_owned()),
        ("the greatest number of 64 bits", "exp", i64::MAX.to_string()),
        ("behind the year 9999", "exp", "253402300800".to_owned()),
        ("milliseconds", "exp", format!("{}", (now + 60) * 1000)),
        ("a second too early, before the leeway", "iat", (now + LEEWAY + 1).to_string()),
        ("a fraction of a second", "iat", format!("{now}.5")),
        ("a text", "iat", format!("\"{now}\"")),
        ("the least number of 64 bits", "iat", i64::MIN.to_string()),
        ("the greatest number of 64 bits", "iat", i64::MAX.to_string()),
        ("huge", "iat", "1e300".to_owned()),
    ] {
        claims(format!("{name} {what}"), with(&forger.claims, name, &value));
    }
}

/// What is just good, so that what is just bad is bad for its own reason.
fn edges(forger: &Forger, cases: &mut Vec<TokenCase>) {
    let now = forger.now;
    for (what, name, value) in [
        ("exp in the last second of the leeway", "exp", now - LEEWAY + 1),
        ("iat in the last second of the leeway", "iat", now + LEEWAY),
        ("iat a while ago", "iat", now - 60),
    ] {
        cases.push(good(what, forger.with_claims(&with(&forger.claims, name, &value.to_string()))));
    }
    // 4 KiB is the most that is read.
    let padded = |more: usize| forger.with_claims(&format!("{}{}", object(&forger.claims), " ".repeat(more)));
    let longest = (0..4096).rev().find(|&more| padded(more).len() <= 4096).expect("a token is shorter than that");
    cases.push(good("as long as one may be", padded(longest)));
    cases.push(forged("longer than one may be", padded(longest + 1)));
    cases.push(forged("far longer than one may be", padded(1 << 20)));
}

fn renamed(claims: &Members, name: &str) -> String {
    object(claims).replace(&format!("\"{name}\":"), &format!("\"{}\":", name.to_uppercase()))
}
