//! As much of Redis' protocol as it takes to see an announcement go by.
//!
//! <https://redis.io/docs/latest/develop/pubsub/#format-of-pushed-messages>

/// How a message that was published begins, as an array and as a push of RESP 3.
const BEGINNINGS: [&[u8]; 2] = [b"*3\r\n$7\r\nmessage\r\n", b">3\r\n$7\r\nmessage\r\n"];

/// Whether a piece that a server sends begins with an announcement. Announcements are short, so one comes in one piece, with others at the
/// most.
pub(crate) fn is_announcement(piece: &[u8]) -> bool {
    BEGINNINGS.iter().any(|beginning| piece.starts_with(beginning))
}
