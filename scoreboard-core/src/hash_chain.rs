//! The log of a board as a hash chain, checked row by row.

use std::fmt;

use crate::ids::BoardId;
use crate::store::{LogRow, RowDigest};
use crate::version::Version;

/// The end of a board's log at some version. Kept elsewhere, it shows later whether the log up to there is still what it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Head {
    /// Of the row.
    pub version: Version,
    /// The row's digest, which stands for all rows before it too.
    pub digest: RowDigest,
}

/// `VERSION DIGEST`.
impl fmt::Display for Head {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.version, self.digest)
    }
}

/// What is known of the digest that the next row goes behind.
#[derive(Debug, Clone, Copy)]
enum Before {
    /// The row is the first of its board.
    Begin,
    /// There are rows before it, and their digests are elsewhere.
    Elsewhere,
    /// The last row with a digest.
    Row(Head),
}

/// Takes the rows of a board's log one after the other, and says which is the first that does not come to its digest: because it was
/// altered, or because a row before it was altered, left out, or is in another place.
///
/// Rows of releases before there were digests have none. They are passed over, and the next row with one goes behind the last that has
/// one. Their alteration shows in nothing here, so it is told [from where on](Self::whole_from) each row has its digest.
///
/// ```
/// use scoreboard_core::memory::MemoryScoreStore;
/// use scoreboard_core::{BoardId, HashChain, ScoreStore, Version};
///
/// # async fn example(store: MemoryScoreStore) -> Result<(), Box<dyn std::error::Error>> {
/// let board = BoardId::main();
/// let mut chain = HashChain::of(&board);
/// for row in store.log(&board, Version::ZERO, 100).await? {
///     assert!(chain.takes(&row));
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct HashChain {
    board: BoardId,
    before: Before,
    whole_from: Option<Version>,
}

impl HashChain {
    /// The chain of a board, which begins with its first row.
    #[must_use]
    pub fn of(board: &BoardId) -> Self {
        Self { board: board.clone(), before: Before::Begin, whole_from: None }
    }

    /// The chain of a board from some later row on: the first digest is taken as it is found.
    #[must_use]
    pub fn from_later(board: &BoardId) -> Self {
        Self { before: Before::Elsewhere, ..Self::of(board) }
    }

    /// Takes the next row. False if it does not come to its digest: it, or the digest before it, is not what it was.
    #[must_use]
    pub fn takes(&mut self, row: &LogRow) -> bool {
        let Some(digest) = row.digest else {
            self.whole_from = None;
            return true;
        };
        let before = match self.before {
            Before::Begin => Some(None),
            Before::Elsewhere => None,
            Before::Row(head) => Some(Some(head.digest)),
        };
        if before.is_some_and(|before| RowDigest::of(before, &self.board, row) != digest) {
            return false;
        }
        self.whole_from = self.whole_from.or(Some(row.position.version));
        self.before = Before::Row(Head { version: row.position.version, digest });
        true
    }

    /// The last row with a digest; `None` if there was none yet.
    #[must_use]
    pub const fn head(&self) -> Option<Head> {
        match self.before {
            Before::Row(head) => Some(head),
            Before::Begin | Before::Elsewhere => None,
        }
    }

    /// From this version on each row that was taken has a digest; `None` if the last one has none.
    #[must_use]
    pub const fn whole_from(&self) -> Option<Version> {
        self.whole_from
    }
}
