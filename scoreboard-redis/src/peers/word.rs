//! One word between nodes, as it goes over a channel: what it is and who says it, its body, and a signature over both.
//!
//! | bytes | hold |
//! | --- | --- |
//! | 1 | the format, [`FORMAT`] |
//! | some | the [`Header`], by postcard |
//! | the rest | the body, by postcard |
//! | 32 | HMAC-SHA256 over the channel's name behind its length, and all bytes before these |
//!
//! The key is derived from the ring's for this purpose alone. The channel is signed too, so that what was said to one node, or in one namespace, passes
//! for nothing on the channel of another.

use hmac::{Hmac, KeyInit, Mac};
use scoreboard_core::{KeyRing, Secret};
use serde::{Deserialize, Serialize};
use sha2::Sha256;

use crate::error::Failure;

/// Another one is for another release: what is said in it is passed over.
const FORMAT: u8 = 2;
const PURPOSE: &str = "peers";
const SIGNATURE: usize = 32;

/// The longest word, some eight times what 512 changes with the longest names take: what is longer is not looked at.
pub(super) const LONGEST: usize = 1 << 20;

/// What a word is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    /// To all: this node writes to a board.
    Claim,
    /// To one: apply these changes.
    Ask,
    /// To who asked: what became of them.
    Answer,
    /// To oneself: is it heard?
    Echo,
}

/// What stands before the body.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Header<'a> {
    pub(super) kind: Kind,
    /// The id of the key that it is signed by.
    key: &'a str,
    /// The name of the node that says it.
    pub(super) from: &'a str,
    /// Of an answer, the number of the word that it answers; of all else, its own: each node numbers what it says.
    pub(super) number: u64,
}

/// Why a word is passed over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Why {
    /// It is none, or one of another release.
    Unreadable,
    /// It is not signed by a key in force, or was signed for something else.
    Forged,
    /// It was heard before, or is so old that this cannot be told.
    Repeated,
    /// It answers nothing that was asked, of this node, or that anybody still waits for.
    Unasked,
    /// Too many are being dealt with.
    Full,
}

impl Why {
    /// As the metric names it.
    pub(super) const fn label(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Forged => "forged",
            Self::Repeated => "repeated",
            Self::Unasked => "unasked",
            Self::Full => "full",
        }
    }
}

/// A word for a channel, signed by the key of the ring that signs now.
pub(super) fn seal(
    ring: &KeyRing,
    channel: &str,
    (kind, from, number): (Kind, &str, u64),
    body: &impl Serialize,
) -> Result<Vec<u8>, Failure> {
    let keys = ring.derive(PURPOSE);
    let (key, secret) = keys.first().expect("a ring has a key");
    let header = Header { kind, key: key.as_str(), from, number };
    let word = postcard::to_extend(&header, vec![FORMAT]).and_then(|word| postcard::to_extend(body, word));
    let mut word = word.expect("there is always room in a vector, and every length is known");
    let signature = mac(secret, channel, &word).finalize().into_bytes();
    word.extend_from_slice(&signature);
    if word.len() > LONGEST { Err(Failure::TooLong) } else { Ok(word) }
}

/// What was [sealed](seal) for this channel: its header and its body. The ring is asked each time, so that the keys may change meanwhile.
pub(super) fn open<'a>(ring: &KeyRing, channel: &str, word: &'a [u8]) -> Result<(Header<'a>, &'a [u8]), Why> {
    if word.len() > LONGEST || word.first() != Some(&FORMAT) {
        return Err(Why::Unreadable);
    }
    let (signed, signature) = word.split_last_chunk::<SIGNATURE>().ok_or(Why::Unreadable)?;
    let header = signed.get(1..).ok_or(Why::Unreadable)?;
    let (header, body) = postcard::take_from_bytes::<Header<'a>>(header).map_err(|_| Why::Unreadable)?;
    if !is_name(header.from) {
        return Err(Why::Unreadable);
    }
    let keys = ring.derive(PURPOSE);
    let (_, secret) = keys.iter().find(|(key, _)| key.as_str() == header.key).ok_or(Why::Forged)?;
    mac(secret, channel, signed).verify_slice(signature).map_err(|_| Why::Forged)?;
    Ok((header, body))
}

/// Names of nodes become names of channels.
fn is_name(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric())
}

fn mac(secret: &Secret, channel: &str, signed: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::new_from_slice(secret.expose()).expect("HMAC takes keys of any length");
    mac.update(&(channel.len() as u64).to_be_bytes());
    mac.update(channel.as_bytes());
    mac.update(signed);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    const CHANNEL: &str = "n:peer:b";

    fn ring(ids: &[(&str, u8)]) -> KeyRing {
        let keys = ids.iter().map(|(id, byte)| (id.parse().unwrap(), Secret::from_bytes([*byte; 32])));
        KeyRing::new(keys.collect()).unwrap()
    }

    fn word(ring: &KeyRing) -> Vec<u8> {
        seal(ring, CHANNEL, (Kind::Ask, "a1", 7), &("body", 5)).unwrap()
    }

    #[test]
    fn what_was_sealed_is_opened_whole() {
        let ring = ring(&[("k1", 1)]);
        let word = word(&ring);
        let (header, body) = open(&ring, CHANNEL, &word).unwrap();
        assert_eq!(header, Header { kind: Kind::Ask, key: "k1", from: "a1", number: 7 });
        assert_eq!(postcard::from_bytes::<(&str, i32)>(body), Ok(("body", 5)));
    }

    #[test]
    fn nothing_that_is_altered_passes() {
        let ring = ring(&[("k1", 1), ("k2", 2)]);
        let word = word(&ring);
        for at in 0..word.len() {
            for bit in 0..8 {
                let mut altered = word.clone();
                altered[at] ^= 1 << bit;
                assert!(open(&ring, CHANNEL, &altered).is_err(), "bit {bit} of byte {at}");
            }
            assert!(open(&ring, CHANNEL, &word[..at]).is_err(), "cut at {at}");
            assert!(open(&ring, CHANNEL, &word[at + 1..]).is_err(), "begun behind {at}");
        }
        let longer = [word.as_slice(), &[0]].concat();
        assert_eq!(open(&ring, CHANNEL, &longer), Err(Why::Forged));
    }

    #[test]
    fn what_is_signed_for_one_channel_passes_on_no_other() {
        let ring = ring(&[("k1", 1)]);
        for other in ["n:peer:c", "m:peer:b", "n:peers", ""] {
            assert_eq!(open(&ring, other, &word(&ring)), Err(Why::Forged), "{other}");
        }
    }

    #[test]
    fn keys_in_force_verify_and_no_others() {
        let (old, both, new) = (ring(&[("k1", 1)]), ring(&[("k2", 2), ("k1", 1)]), ring(&[("k2", 2)]));
        assert!(open(&both, CHANNEL, &word(&old)).is_ok() && open(&both, CHANNEL, &word(&new)).is_ok());
        assert_eq!(open(&new, CHANNEL, &word(&old)), Err(Why::Forged));
        assert_eq!(open(&new, CHANNEL, &word(&ring(&[("k2", 3)]))), Err(Why::Forged), "the name alone is not enough");
        let rotated = old.clone();
        old.replace(vec![("k2".parse().unwrap(), Secret::from_bytes([2; 32]))], vec![]).unwrap();
        assert!(open(&new, CHANNEL, &word(&rotated)).is_ok(), "it signs with the new key at once");
    }

    #[test]
    fn what_is_too_long_is_neither_said_nor_heard() {
        let ring = ring(&[("k1", 1)]);
        let long = "x".repeat(LONGEST);
        assert!(matches!(seal(&ring, CHANNEL, (Kind::Ask, "a1", 7), &long), Err(Failure::TooLong)));
        let mut longer = word(&ring);
        longer.resize(LONGEST + 1, 0);
        assert_eq!(open(&ring, CHANNEL, &longer), Err(Why::Unreadable));
    }

    #[test]
    fn what_names_no_node_is_no_word() {
        let ring = ring(&[("k1", 1)]);
        for from in ["", "a b", "a:b", "ä", "{a}", &"a".repeat(65)] {
            let word = seal(&ring, CHANNEL, (Kind::Claim, from, 1), &"main").unwrap();
            assert_eq!(open(&ring, CHANNEL, &word), Err(Why::Unreadable), "{from}");
        }
    }
}
