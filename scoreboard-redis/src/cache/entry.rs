//! How an answer stands in Redis: one line of text, then its bytes.
//!
//! ```text
//! SB1 epoch.version put-at lifetime length⏎
//! ```
//!
//! Times are milliseconds, since 1970 and long. The line begins with the format's number: a release that changes the format changes that, and
//! to each other their entries are misses. `cache_put.lua` reads the position from here.

use std::time::Duration;

use bytes::Bytes;
use scoreboard_core::{Cached, Position, Timestamp};

const FORMAT: &str = "SB1";

/// The longest first line: four numbers below 2^63 and one position, with what is between them.
const MAX_LINE: usize = 128;

/// What was kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    pub(super) answer: Cached,
    put_at: Timestamp,
    lifetime: Duration,
}

/// The index of the last byte that is read, where answers have at most so many. One more than there can be, so that a longer entry is seen
/// to be longer than it says.
pub(super) fn largest(max_bytes: usize) -> isize {
    isize::try_from(max_bytes.saturating_add(MAX_LINE)).unwrap_or(isize::MAX)
}

pub(super) fn write(answer: &Cached, now: Timestamp, lifetime: Duration) -> Vec<u8> {
    let Cached { position, bytes } = answer;
    let line = format!("{FORMAT} {position} {} {} {}\n", now.as_millis(), lifetime.as_millis(), bytes.len());
    let mut entry = line.into_bytes();
    entry.extend_from_slice(bytes);
    entry
}

impl Entry {
    /// `None` for everything that [`write`] of this release did not write, whole.
    pub(super) fn read(entry: &Bytes) -> Option<Self> {
        let end = entry.iter().take(MAX_LINE).position(|byte| *byte == b'\n')?;
        let line = std::str::from_utf8(&entry[..end]).ok()?;
        let parts: Vec<&str> = line.split(' ').collect();
        let [FORMAT, position, put_at, lifetime, length] = parts[..] else { return None };
        let bytes = entry.slice(end + 1..);
        (bytes.len() == length.parse::<usize>().ok()?).then_some(())?;
        Some(Self {
            answer: Cached { position: position.parse::<Position>().ok()?, bytes },
            put_at: Timestamp::from_millis(put_at.parse().ok()?),
            lifetime: Duration::from_millis(lifetime.parse().ok()?),
        })
    }

    /// What is left of its life; `None` at its end.
    pub(super) fn fresh_for(&self, now: Timestamp) -> Option<Duration> {
        // A node whose clock is behind must not lengthen a life without end.
        let is_before = self.put_at.since(now) > self.lifetime;
        self.lifetime.checked_sub(now.since(self.put_at)).filter(|left| !is_before && !left.is_zero())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(bytes: &'static [u8]) -> Cached {
        Cached { position: "3.9007199254740991".parse().unwrap(), bytes: Bytes::from_static(bytes) }
    }

    #[test]
    fn what_was_written_is_read() {
        for bytes in [&b""[..], b"[]", b"\n\n", b"SB1 1.1 1 1 1\nx", &[0, 255, 10, 32]] {
            let written = write(&answer(bytes), Timestamp::from_millis(i64::MAX), Duration::from_millis(u64::MAX));
            assert!(written.len() <= MAX_LINE + bytes.len());
            let read = Entry::read(&written.into()).unwrap();
            assert_eq!(read.answer, answer(bytes));
        }
    }

    #[test]
    fn what_this_release_did_not_write_is_none() {
        let whole = write(&answer(b"[1,2]"), Timestamp::from_millis(5), Duration::from_millis(7));
        for cut in 0..whole.len() {
            assert_eq!(Entry::read(&Bytes::copy_from_slice(&whole[..cut])), None, "cut at {cut}");
        }
        for other in [
            "",
            "\n",
            "[]",
            "SB0 1.1 5 7 2\n[]",
            "SB2 1.1 5 7 2\n[]",
            "sb1 1.1 5 7 2\n[]",
            "SB1 1.1 5 7 2 9\n[]",
            "SB1 1.1 5 7\n[]",
            "SB1 1 5 7 2\n[]",
            "SB1 1.1 x 7 2\n[]",
            "SB1 1.1 5 -7 2\n[]",
            "SB1 1.1 5 7 3\n[]",
            "SB1 1.1 5 7 1\n[]",
            "SB1  1.1 5 7 2\n[]",
        ] {
            assert_eq!(Entry::read(&Bytes::from_static(other.as_bytes())), None, "{other:?}");
        }
        assert_eq!(Entry::read(&vec![b'x'; 1_000_000].into()), None);
        assert_eq!(Entry::read(&vec![0xff; 100].into()), None);
    }
}
