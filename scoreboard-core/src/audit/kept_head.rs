//! A head that was kept elsewhere, beside the log.

use crate::audit::Difference;
use crate::error::BackendError;
use crate::hash_chain::Head;
use crate::ids::BoardId;
use crate::store::ScoreStore;
use crate::version::Version;

/// What [`compare_head`] found.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum KeptHead {
    /// The log's row of that version has that digest. If its hash chain holds, all that was before it is what it was.
    Same,
    /// The row is archived, so that the store cannot tell.
    Archived,
    /// There is no such board.
    UnknownBoard,
    /// It is another log, or a shorter one.
    Differs(Difference),
}

/// Compares a head that was kept elsewhere with a board's log: whoever rewrites a log with all its digests cannot rewrite that.
///
/// It looks at one row. That the rows before it lead there is what [`verify`](crate::verify) shows.
///
/// # Errors
///
/// If the store fails.
///
/// # Cancel safety
///
/// Nothing is changed.
pub async fn compare_head(store: &dyn ScoreStore, board: &BoardId, kept: Head) -> Result<KeptHead, BackendError> {
    let before = Version::new(kept.version.get().saturating_sub(1));
    let rows = store.log(board, before, 1).await?;
    // Behind the row: what is archived meanwhile is not missed.
    let Some(found) = store.board(board).await? else { return Ok(KeptHead::UnknownBoard) };
    let differs = |what| Ok(KeptHead::Differs(Difference { version: kept.version, what }));
    match rows.first().filter(|row| row.position.version == kept.version) {
        Some(row) if row.digest == Some(kept.digest) => Ok(KeptHead::Same),
        Some(row) => {
            let now = row.digest.map_or_else(|| "none".to_owned(), |digest| digest.to_string());
            differs(format!("the digest was {}, and is {now}: the log up to there is another one", kept.digest))
        }
        None if found.version < kept.version => {
            differs(format!("the log had come to there, and ends at version {}", found.version))
        }
        None if kept.version <= found.log_after => Ok(KeptHead::Archived),
        None => differs("the row of this version is missing".to_owned()),
    }
}
