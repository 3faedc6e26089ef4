//! As much of PostgreSQL's protocol as it takes to see a commit go by.
//!
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>

/// What a client has said so far, cut into messages.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    /// What came and is no whole message yet.
    rest: Vec<u8>,
    /// The first message of a connection has no type.
    begun: bool,
}

/// `SSLRequest` and `GSSENCRequest`, which are asked before the first message proper.
const BEFORE_THE_FIRST: [u32; 2] = [80_877_103, 80_877_104];

impl Commits {
    /// Takes the next piece; whether it ends a message that commits.
    pub(crate) fn see(&mut self, piece: &[u8]) -> bool {
        self.rest.extend_from_slice(piece);
        let mut commits = false;
        while let Some((kind, body, length)) = self.message() {
            commits |= match kind {
                Some(b'Q') => is_commit(body),
                // Parse: the name of the statement, then its text.
                Some(b'P') => body.split(|byte| *byte == 0).nth(1).is_some_and(is_commit),
                Some(_) => false,
                None => {
                    self.begun = !body
                        .get(..4)
                        .is_some_and(|code| BEFORE_THE_FIRST.iter().any(|request| request.to_be_bytes() == code));
                    false
                }
            };
            self.rest.drain(..length);
        }
        commits
    }

    /// The first whole message: its type, its body, and how long it is in all.
    fn message(&self) -> Option<(Option<u8>, &[u8], usize)> {
        let head = usize::from(self.begun);
        let length = self.rest.get(head..head + 4)?;
        let length = u32::from_be_bytes(length.try_into().expect("four bytes")) as usize + head;
        let body = self.rest.get(head + 4..length)?;
        Some((self.rest.first().copied().filter(|_| self.begun), body, length))
    }
}

fn is_commit(text: &[u8]) -> bool {
    text.len() >= 6 && text[..6].eq_ignore_ascii_case(b"commit")
}
