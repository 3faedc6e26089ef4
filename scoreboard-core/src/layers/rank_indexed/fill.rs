//! Filling an index from the store while the log goes on.

use crate::board::Board;
use crate::error::{BackendError, Chain, ErrorKind};
use crate::ids::UserId;
use crate::layers::rank_indexed::RankIndexed;
use crate::layers::rank_indexed::absorb::ROWS;
use crate::layers::rank_indexed::indexed_board::{IndexedBoard, Live, Step, Told};
use crate::rank_index::RankIndex;
use crate::store::{AppliedChange, Reached};

/// How many users are read at once.
const PAGE: usize = 5_000;

/// How often a filling begins anew because the board was set back, turned or archived meanwhile.
const ATTEMPTS: usize = 3;

/// What a user is reckoned to cost before there is an index to measure: above what any board came to.
const BYTES_A_USER: u64 = 64;

impl RankIndexed {
    pub(super) async fn fill_or_warn(&self, indexed: &IndexedBoard) {
        if let Err(error) = self.fill(indexed).await {
            tracing::warn!(error = %Chain(&error), board = %indexed.id, "ranks could not be filled; trying again");
            self.shared.wake.notify_one();
        }
    }

    /// Fills an index, unless another has meanwhile.
    pub(super) async fn fill(&self, indexed: &IndexedBoard) -> Result<(), BackendError> {
        let _turn = indexed.turn.lock().await;
        for _ in 0..ATTEMPTS {
            if !indexed.is_filling() {
                return Ok(());
            }
            let Some(board) = self.shared.inner.board(&indexed.id).await? else { return Ok(()) };
            if !self.fits(board.total) {
                tracing::warn!(board = %indexed.id, users = board.total, "the board's ranks would not fit; the store is asked for them");
                indexed.give_up();
                return Ok(());
            }
            indexed.raise_floor(board.position());
            if let Some(live) = self.read(indexed, board).await? {
                indexed.publish(live);
            }
        }
        if indexed.is_filling() {
            return Err(BackendError::new(ErrorKind::Contended, "rank index", "fill"));
        }
        Ok(())
    }

    /// Whether so many users more fit.
    pub(super) fn fits(&self, users: u64) -> bool {
        let more = usize::try_from(users.saturating_mul(BYTES_A_USER)).unwrap_or(usize::MAX);
        users <= RankIndex::<128, 128>::MAX_USERS as u64
            && self.bytes().saturating_add(more) <= self.shared.config.max_bytes
    }

    /// Reads all users, each page at its own version, then the log from before the first page on. `None` if the two do not belong together.
    async fn read(&self, indexed: &IndexedBoard, board: Board) -> Result<Option<Live>, BackendError> {
        let (inner, id, order) = (&self.shared.inner, &indexed.id, board.spec.order());
        indexed.progress.lock().begins(board.total);
        let mut scores: Vec<(UserId, Reached)> = Vec::with_capacity(usize::try_from(board.total).unwrap_or(0));
        // The newest page's version: only from there on are all pages true together.
        let mut whole_at = board.version;
        loop {
            let after = scores.last().map(|(user, _)| *user);
            let Some(scan) = inner.scan(id, board.season, after, PAGE).await? else { return Ok(None) };
            if scan.position.epoch != board.epoch {
                return Ok(None);
            }
            whole_at = whole_at.max(scan.position.version);
            let ended = scan.scores.len() < PAGE;
            scores.extend(scan.scores);
            indexed.progress.lock().read(scores.len() as u64, scan.total);
            if ended {
                break;
            }
        }
        // Seconds of sorting for ten million: not on a thread that others' tasks wait for.
        let index = tokio::task::spawn_blocking(move || RankIndex::load(order, scores)).await;
        let index =
            index.map_err(|error| BackendError::new(ErrorKind::Unavailable, "rank index", "load").because(error))?;
        let mut live = Live { season: board.season, position: board.position(), index };
        loop {
            let rows = inner.log(id, live.position.version, ROWS).await?;
            for row in &rows {
                // A first row behind a look at an empty board, too: the order may have changed between the two.
                if live.take(&Step::from(&AppliedChange::from(row))) != Told::Current {
                    return Ok(None);
                }
            }
            if rows.len() < ROWS {
                return Ok((live.position.version >= whole_at).then_some(live));
            }
        }
    }
}
