//! What must not be seen, and the search for it: as it is, percent-encoded, in base64 wherever that begins, and in hexadecimal.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};

/// What was planted.
#[derive(Debug, Default)]
pub(crate) struct Secrets(BTreeMap<&'static str, Secret>);

#[derive(Debug)]
struct Secret {
    value: String,
    is_used: bool,
    /// In every form, the name of the form first.
    forms: Vec<(&'static str, String)>,
}

impl Secrets {
    /// Plants one, and gives it back.
    pub(crate) fn plant(&mut self, name: &'static str, value: impl Into<String>) -> String {
        let value = value.into();
        assert!(!value.is_empty(), "{name} is nothing");
        let is_new = self.0.values().all(|other| other.value != value);
        assert!(is_new, "{name} is another one's value");
        let secret = Secret { forms: forms(&value), value: value.clone(), is_used: false };
        assert!(self.0.insert(name, secret).is_none(), "{name} was planted before");
        value
    }

    /// One that is made up here: 24 letters and digits and what URLs and JSON write otherwise.
    pub(crate) fn make(&mut self, name: &'static str) -> String {
        let letters: String = (0..24).map(|_| char::from(rand::random_range(b'a'..=b'z'))).collect();
        self.plant(name, format!("{letters}-~{}", rand::random_range(1000..9999)))
    }

    /// The server has done with it what one does with such.
    pub(crate) fn used(&mut self, names: &[&'static str]) {
        for name in names {
            self.0.get_mut(name).unwrap_or_else(|| panic!("{name} was never planted")).is_used = true;
        }
    }

    /// How many there are, all of them used.
    pub(crate) fn count(&self) -> usize {
        let idle: Vec<_> = self.0.iter().filter(|(_, secret)| !secret.is_used).map(|(name, _)| *name).collect();
        assert!(idle.is_empty(), "planted, and never used: {idle:?}");
        self.0.len()
    }

    /// Which of them stand in this, in which form, and where.
    pub(crate) fn seen_in(&self, place: &str, bytes: &[u8]) -> Vec<String> {
        let text = String::from_utf8_lossy(bytes);
        let mut seen = Vec::new();
        for (name, secret) in &self.0 {
            for (form, value) in &secret.forms {
                if let Some(at) = found(&text, value) {
                    let around: String =
                        text[..at].chars().rev().take(160).collect::<Vec<_>>().into_iter().rev().collect();
                    seen.push(format!("{place}: {name}, {form}, behind `…{around}`"));
                }
            }
        }
        seen
    }
}

/// Where it stands. Few digits stand for themselves only where nothing joins on to them: times have fractions of six.
fn found(text: &str, value: &str) -> Option<usize> {
    let is_number = value.len() <= 8 && value.bytes().all(|byte| byte.is_ascii_digit());
    let joins = |byte: Option<&u8>| byte.is_some_and(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(byte));
    text.match_indices(value).map(|(at, _)| at).find(|at| {
        let (before, after) =
            (at.checked_sub(1).and_then(|at| text.as_bytes().get(at)), text.as_bytes().get(at + value.len()));
        !is_number || !(joins(before) || joins(after))
    })
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn percent(bytes: &[u8]) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    bytes.iter().map(|&byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

/// The letters of base64 that these bytes alone decide, where so many bytes stand before them.
fn inner(bytes: &[u8], before: usize, encode: impl Fn(&[u8]) -> String) -> String {
    let mut padded = vec![0; before];
    padded.extend_from_slice(bytes);
    let (first, end) = ((before * 8).div_ceil(6), padded.len() * 8 / 6);
    encode(&padded)[first..end].to_owned()
}

fn forms(value: &str) -> Vec<(&'static str, String)> {
    let bytes = value.as_bytes();
    let mut forms = vec![("as it is", value.to_owned())];
    // In other writings a few digits are found anywhere.
    if bytes.len() <= 8 {
        return forms;
    }
    let mut add = |form, written: String| {
        if forms.iter().all(|(_, known): &(&str, String)| *known != written) {
            forms.push((form, written));
        }
    };
    add("percent-encoded", percent(bytes));
    add("in hexadecimal", hex(bytes));
    add("in hexadecimal", hex(bytes).to_uppercase());
    for before in 0..3 {
        add("in base64", inner(bytes, before, |bytes| STANDARD_NO_PAD.encode(bytes)));
        add("in base64url", inner(bytes, before, |bytes| URL_SAFE_NO_PAD.encode(bytes)));
    }
    // Of what is base64 itself, what it stands for.
    let plain = value.trim_end_matches('=');
    for bytes in [STANDARD_NO_PAD.decode(plain), URL_SAFE_NO_PAD.decode(plain)].into_iter().flatten() {
        if bytes.len() >= 16 {
            add("decoded, in hexadecimal", hex(&bytes));
            add("in the other base64", STANDARD_NO_PAD.encode(&bytes));
            add("in the other base64", URL_SAFE_NO_PAD.encode(&bytes));
        }
    }
    forms
}

#[test]
fn what_is_planted_is_found_in_every_form() {
    let mut secrets = Secrets::default();
    let value = secrets.plant("one", "a b+c/d?e&f=g~äöü");
    secrets.plant("code", "123456");
    let wrapped = |before: &[u8]| [before, value.as_bytes(), b" behind it"].concat();
    for text in [
        value.clone(),
        percent(value.as_bytes()),
        hex(value.as_bytes()),
        STANDARD_NO_PAD.encode(wrapped(b"")),
        STANDARD_NO_PAD.encode(wrapped(b"\0")),
        URL_SAFE_NO_PAD.encode(wrapped(b"me")),
        URL_SAFE_NO_PAD.encode(wrapped(b"me:")),
    ] {
        assert_eq!(secrets.seen_in("here", format!("x{text}x").as_bytes()).len(), 1, "{text}");
    }
    assert_eq!(secrets.seen_in("here", b"{\"code\":123456,\"at\":\"10:11:12.123456Z\"}").len(), 1);
    assert_eq!(secrets.seen_in("here", b"10:11:12.123456Z 1234567 a123456").len(), 0);
}
