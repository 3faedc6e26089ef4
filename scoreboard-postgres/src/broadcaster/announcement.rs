//! What an announcement says, and on which channel.

use std::fmt;

use scoreboard_core::{BoardId, IdSourceExt, Position, RandomIds};

/// Asks for the name of the channel: a schema's own, for channels are the database's.
pub(super) const CHANNEL: &str = "SELECT 'scoreboard_' || oid FROM pg_namespace WHERE nspname = current_schema()";

/// Who announces: a process that hears of itself has known it all along.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Node(u64);

impl Node {
    /// One that no other has.
    pub(super) fn random() -> Self {
        let [a, b, c, d, e, f, g, h, ..] = RandomIds.secret();
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

/// `NODE EPOCH.VERSION BOARD`: far below the 8000 bytes that the server takes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Announcement {
    pub(super) node: Node,
    pub(super) position: Position,
    pub(super) board: BoardId,
}

impl fmt::Display for Announcement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x} {} {}", self.node.0, self.position, self.board)
    }
}

impl Announcement {
    /// `None` for what no node of this version says: it is passed over, for it is only a hint.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let mut words = text.splitn(3, ' ');
        let node = Node(u64::from_str_radix(words.next()?, 16).ok()?);
        let position = words.next()?.parse().ok()?;
        let board = BoardId::new(words.next()?).ok()?;
        Some(Self { node, position, board })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        let said = Announcement { node: Node(7), position: "3.900".parse().unwrap(), board: BoardId::main() };
        assert_eq!(said.to_string(), "0000000000000007 3.900 main");
        assert_eq!(Announcement::parse(&said.to_string()), Some(said));
    }

    #[test]
    fn what_is_not_understood_is_passed_over() {
        for text in ["", "main", "7 1.1", "7 1.1 ", "7 1.1 Main", "7 1 main", "x 1.1 main", "7 1.1 main main"] {
            assert_eq!(Announcement::parse(text), None, "{text:?}");
        }
    }

    #[test]
    fn nodes_differ() {
        assert_ne!(Node::random(), Node::random());
    }
}
