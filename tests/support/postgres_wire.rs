//! As much of PostgreSQL's protocol as it takes to see a commit go by.
//!
//! <https://www.postgresql.org/docs/current/protocol-message-formats.html>

use std::collections::HashSet;

/// What a client has said so far, cut into messages.
#[derive(Debug, Default)]
pub(crate) struct Commits {
    /// What came and is no whole message yet.
    rest: Vec<u8>,
    /// The first message of a connection has no type.
    begun: bool,
    /// The names of the statements that are a transaction by themselves, where they are in no other.
    alone: HashSet<Vec<u8>>,
    in_transaction: bool,
    /// Whether one of them is asked for.
    asked: bool,
}

/// `SSLRequest` and `GSSENCRequest`, which are asked before the first message proper.
const BEFORE_THE_FIRST: [u32; 2] = [80_877_103, 80_877_104];

/// As the statement begins by which a batch is written.
const WRITE: &[u8] = b"WITH moved AS (";

impl Commits {
    /// Takes the next piece; whether it ends a message that commits.
    pub(crate) fn see(&mut self, piece: &[u8]) -> bool {
        self.rest.extend_from_slice(piece);
        let mut commits = false;
        while let Some((kind, body, length)) = self.message() {
            let body = body.to_vec();
            let mut words = body.split(|byte| *byte == 0);
            match kind {
                Some(b'Q') => commits |= self.hear(&body),
                // Parse: the name of the statement, then its text.
                Some(b'P') => {
                    let (name, text) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
                    if text.starts_with(WRITE) {
                        self.alone.insert(name.to_vec());
                    }
                    commits |= self.hear(text);
                }
                // Bind: the name of the portal, then that of the statement. It is carried out before the next Sync.
                Some(b'B') => {
                    let asked = words.nth(1).is_some_and(|name| self.alone.contains(name));
                    self.asked = asked && !self.in_transaction;
                }
                // Sync: what was asked for is committed.
                Some(b'S') => commits |= std::mem::take(&mut self.asked),
                Some(_) => {}
                None => {
                    self.begun = !body
                        .get(..4)
                        .is_some_and(|code| BEFORE_THE_FIRST.iter().any(|request| request.to_be_bytes() == code));
                }
            }
            self.rest.drain(..length);
        }
        commits
    }

    /// Whether this statement commits.
    fn hear(&mut self, text: &[u8]) -> bool {
        let commits = begins(text, b"commit");
        if commits || begins(text, b"rollback") {
            self.in_transaction = false;
        } else if begins(text, b"begin") {
            self.in_transaction = true;
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

fn begins(text: &[u8], with: &[u8]) -> bool {
    text.get(..with.len()).is_some_and(|start| start.eq_ignore_ascii_case(with))
}
