//! One announcement, as it goes over the channel: `publisher number position board`.

use std::fmt;

use scoreboard_core::{BoardId, Position};

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Announcement {
    pub(super) publisher: String,
    /// The publisher counts its announcements.
    pub(super) number: u64,
    pub(super) position: Position,
    pub(super) board: BoardId,
}

impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} {}", self.publisher, self.number, self.position, self.board)
    }
}

impl Announcement {
    /// `None` for what is none: a newer release may say more on a channel of its own.
    pub(super) fn read(text: &[u8]) -> Option<Self> {
        let text = std::str::from_utf8(text).ok()?;
        let parts: Vec<&str> = text.split(' ').collect();
        let [publisher, number, position, board] = parts[..] else { return None };
        Some(Self {
            publisher: Some(publisher).filter(|name| (1..=64).contains(&name.len()))?.to_owned(),
            number: number.parse().ok()?,
            position: position.parse().ok()?,
            board: board.parse().ok()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_nothing_else() {
        let announcement = Announcement {
            publisher: "a1b2".to_owned(),
            number: u64::MAX,
            position: "3.77".parse().unwrap(),
            board: "main".parse().unwrap(),
        };
        let text = announcement.to_string();
        assert_eq!(Announcement::read(text.as_bytes()), Some(announcement));
        let long = format!("{} 1 1.1 main", "a".repeat(65));
        for other in ["", " 1 1.1 main", "a 1 1.1", "a 1 1.1 main x", "a x 1.1 main", "a 1 11 main", "a 1 1.1 Ä", &long]
        {
            assert_eq!(Announcement::read(other.as_bytes()), None, "{other}");
        }
        assert_eq!(Announcement::read(&[0xff, 0xfe]), None);
    }
}
