//! A user's rows, read from the store: as many as a history rests on.

use crate::board::Season;
use crate::error::BackendError;
use crate::fraud::statistical::History;
use crate::fraud::watch::Shared;
use crate::ids::BoardId;
use crate::store::{AppliedChange, LogRow, Origin};
use crate::version::Version;

/// How many rows are read at once.
const PAGE: usize = 256;
/// How many rows of a user are read at most: more than the ordinary quota allows in a day.
const MAX_ROWS: usize = 16_384;

impl Shared {
    /// What a user did before this row.
    pub(super) async fn history_before(&self, board: &BoardId, row: &AppliedChange) -> Result<History, BackendError> {
        // Whoever comes onto a board in its first season has no rows there.
        if !row.had_score && row.season == Season::FIRST {
            return Ok(History::default());
        }
        Ok(History::of(&self.rows(board, row, row.position.version).await?))
    }

    /// A user's rows up to this one, and with it, in the order of their versions.
    pub(super) async fn rows_up_to(&self, board: &BoardId, row: &AppliedChange) -> Result<Vec<LogRow>, BackendError> {
        self.rows(board, row, row.position.version.next()).await
    }

    /// Those before `before` on which a history rests that ends with `row`.
    async fn rows(&self, board: &BoardId, row: &AppliedChange, before: Version) -> Result<Vec<LogRow>, BackendError> {
        let mut end = History::default();
        end.take(&AppliedChange { origin: Origin::Action, ..row.clone() });
        let since = end.since();
        let (mut rows, mut before) = (Vec::new(), before);
        let mut acts = 0;
        loop {
            let page = self.store().history(board, row.user_id, Some(before), PAGE).await?;
            acts += page.iter().filter(|row| row.origin == Origin::Action).count();
            let Some(oldest) = page.last() else { break };
            let is_enough = acts >= History::CAPACITY && oldest.at < since;
            before = oldest.position.version;
            let is_last = page.len() < PAGE;
            rows.extend(page);
            if is_enough || is_last || rows.len() >= MAX_ROWS {
                break;
            }
        }
        rows.reverse();
        Ok(rows)
    }
}
