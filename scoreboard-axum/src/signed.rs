//! The signature of a game server's request.

use axum::http::{HeaderMap, header};
use scoreboard_core::{KeyId, Timestamp};

use crate::problem::Problem;

const SCHEME: &str = "scoreboard-ed25519";

/// `Authorization: Scoreboard-Ed25519 key="…", time="…", signature="…"`.
pub(crate) struct SignatureField {
    pub(crate) key: KeyId,
    pub(crate) time: Timestamp,
    pub(crate) signature: [u8; 64],
}

/// The signature, if the request has one; `None` if it shows something else.
pub(crate) fn signature(headers: &HeaderMap) -> Result<Option<SignatureField>, Problem> {
    let mut values = headers.get_all(header::AUTHORIZATION).iter();
    let (Some(value), None) = (values.next(), values.next()) else { return Ok(None) };
    let Some((scheme, fields)) = value.to_str().ok().and_then(|value| value.split_once(' ')) else { return Ok(None) };
    if !scheme.eq_ignore_ascii_case(SCHEME) {
        return Ok(None);
    }
    parse(fields).map(Some).ok_or_else(Problem::unauthorized)
}

/// All three, once, in this order.
fn parse(fields: &str) -> Option<SignatureField> {
    let mut fields = fields.split(',').map(str::trim);
    let mut next = |name: &str| fields.next()?.strip_prefix(name)?.strip_prefix("=\"")?.strip_suffix('"');
    let (key, time, text) = (next("key")?, next("time")?, next("signature")?);
    if fields.next().is_some() || time.is_empty() || !time.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    // A moment that no `Timestamp` has is another one.
    let time = time.parse().ok().map(Timestamp::from_millis).filter(|at| at.as_millis().to_string() == time)?;
    let mut signature = [0; 64];
    hex::decode_to_slice(text, &mut signature).ok()?;
    Some(SignatureField { key: KeyId::new(key).ok()?, time, signature })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_taken_in_one_form_alone() {
        let signature = "0a".repeat(64);
        let good = format!(r#"key="arena-1", time="1700000000000", signature="{signature}""#);
        let parsed = parse(&good).unwrap();
        assert_eq!(
            (parsed.key.as_str(), parsed.time.as_millis(), parsed.signature),
            ("arena-1", 1_700_000_000_000, [10; 64])
        );
        assert!(parse(&good.replace(", ", ",")).is_some());
        for bad in [
            good.replace("arena-1", "Arena"),
            good.replace("1700000000000", "-1"),
            good.replace("1700000000000", "01700000000000"),
            good.replace("1700000000000", "1700000000000.0"),
            good.replace("1700000000000", "99999999999999999999"),
            good.replace("0a0a", "0a0"),
            good.replace("key=", "k="),
            good.replace('"', ""),
            format!("{good}, x=\"\""),
            format!("{good}, {good}"),
            String::new(),
        ] {
            assert!(parse(&bad).is_none(), "{bad}");
        }
    }
}
