//! Boards, logs and scores in memory.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use parking_lot::RwLock;

use crate::batch::Batch;
use crate::board::{Board, BoardSpec, Season};
use crate::entry::{PageQuery, RankedPage, RankedUsers, ScoreRank};
use crate::error::BackendError;
use crate::ids::{ActionId, BoardId, UserId};
use crate::ranking::RankStyle;
use crate::score::Score;
use crate::store::{Change, ChangeBoard, CreateBoard, LogRow, Outcome, Scan, ScoreStore};
use crate::version::{Epoch, Version};

mod board;
mod moderated;
mod season;

use board::StoredBoard;
use moderated::Moderated;

/// A [`ScoreStore`] and [`ModerationStore`](crate::ModerationStore) in memory, as strict as one on disk. Ranks come from a [`RankIndex`](crate::RankIndex) a
/// season.
///
/// ```
/// use scoreboard_core::memory::MemoryScoreStore;
/// use scoreboard_core::{BoardId, BoardSpec, CreateBoard, ScoreStore};
///
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let store = MemoryScoreStore::default();
/// let created = store.create_board(&BoardSpec::new(BoardId::main())).await?;
/// assert_eq!(created, CreateBoard::Created);
/// assert_eq!(store.boards().await?.len(), 1);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Default)]
pub struct MemoryScoreStore {
    truth: Arc<RwLock<Truth>>,
}

impl MemoryScoreStore {
    /// A store without boards.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }
}

impl fmt::Debug for MemoryScoreStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryScoreStore").finish_non_exhaustive()
    }
}

/// Everything under the one lock, so that whatever is read under it is true at one version.
struct Truth {
    epoch: Epoch,
    boards: BTreeMap<BoardId, StoredBoard>,
    /// Where each action counted.
    actions: HashMap<ActionId, (BoardId, Version)>,
    moderated: Moderated,
}

impl Default for Truth {
    fn default() -> Self {
        Self { epoch: Epoch::new(1), boards: BTreeMap::new(), actions: HashMap::new(), moderated: Moderated::default() }
    }
}

impl Truth {
    fn action(&self, action: ActionId) -> Option<(BoardId, LogRow)> {
        let (board, version) = self.actions.get(&action)?;
        let row = self.boards.get(board)?.row(*version)?;
        Some((board.clone(), row.clone()))
    }

    fn apply(&mut self, changes: &[Change]) -> Vec<Outcome> {
        let decided = self.read_for(changes).decide(changes);
        for (id, row) in decided.rows {
            self.actions.insert(row.action_id, (id.clone(), row.position.version));
            self.moved(&id).append(row);
        }
        for ((id, user), reached) in decided.scores {
            self.moved(&id).set_score(user, reached);
        }
        for ((id, user), reached) in decided.withheld {
            self.moved(&id).withhold(user, reached);
        }
        for ((id, user), admissions) in decided.admissions {
            self.moved(&id).keep_admissions(user, admissions);
        }
        decided.outcomes
    }

    fn read_for(&self, changes: &[Change]) -> Batch {
        let mut batch = Batch::default();
        for change in changes {
            if let Some(counted) = self.action(change.action_id) {
                batch.counted.insert(change.action_id, counted);
            }
            let Some(board) = self.boards.get(&change.board) else { continue };
            if !batch.boards.contains_key(&change.board) {
                batch.boards.insert(change.board.clone(), board.state());
            }
            if let Some(restriction) = self.moderated.restriction(change.user_id) {
                batch.restrictions.insert(change.user_id, restriction);
            }
            if let Some(reached) = board.own(change.user_id) {
                batch.scores.insert((change.board.clone(), change.user_id), reached);
            }
            // What is left out stays as it is.
            if change.admitted.is_some()
                && let Some(admissions) = board.admissions(change.user_id)
            {
                batch.admissions.insert((change.board.clone(), change.user_id), admissions.clone());
            }
            if let Some(at_most) = change.at_most {
                let count = board.count(change.user_id, &change.kind, at_most.since);
                let key = (change.board.clone(), change.user_id, change.kind.clone(), at_most.since);
                batch.counts.insert(key, count);
            }
        }
        batch
    }

    fn moved(&mut self, board: &BoardId) -> &mut StoredBoard {
        self.boards.get_mut(board).expect("a batch only moves boards that it was given, under the same lock")
    }
}

#[async_trait]
impl ScoreStore for MemoryScoreStore {
    async fn create_board(&self, spec: &BoardSpec) -> Result<CreateBoard, BackendError> {
        let mut truth = self.truth.write();
        if truth.boards.contains_key(&spec.id) {
            return Ok(CreateBoard::AlreadyExists);
        }
        let board = StoredBoard::new(spec.clone(), truth.epoch);
        truth.boards.insert(spec.id.clone(), board);
        Ok(CreateBoard::Created)
    }

    async fn change_board(&self, from: &BoardSpec, to: &BoardSpec) -> Result<ChangeBoard, BackendError> {
        let mut truth = self.truth.write();
        Ok(match truth.boards.get_mut(&to.id) {
            Some(board) => board.change(from, to),
            None => ChangeBoard::Unknown,
        })
    }

    async fn board(&self, board: &BoardId) -> Result<Option<Board>, BackendError> {
        Ok(self.truth.read().boards.get(board).map(StoredBoard::board))
    }

    async fn boards(&self) -> Result<Vec<Board>, BackendError> {
        Ok(self.truth.read().boards.values().map(StoredBoard::board).collect())
    }

    async fn apply(&self, changes: &[Change]) -> Result<Vec<Outcome>, BackendError> {
        Ok(self.truth.write().apply(changes))
    }

    async fn action(&self, action: ActionId) -> Result<Option<(BoardId, LogRow)>, BackendError> {
        Ok(self.truth.read().action(action))
    }

    async fn page(&self, board: &BoardId, query: PageQuery) -> Result<Option<RankedPage>, BackendError> {
        Ok(self.truth.read().boards.get(board).and_then(|board| board.page(query)))
    }

    async fn standings(
        &self,
        board: &BoardId,
        season: Option<Season>,
        style: RankStyle,
        users: &[UserId],
    ) -> Result<Option<RankedUsers>, BackendError> {
        Ok(self.truth.read().boards.get(board).and_then(|board| board.standings(season, style, users)))
    }

    async fn score_rank(
        &self,
        board: &BoardId,
        style: RankStyle,
        score: Score,
    ) -> Result<Option<ScoreRank>, BackendError> {
        Ok(self.truth.read().boards.get(board).map(|board| board.score_rank(style, score)))
    }

    async fn history(
        &self,
        board: &BoardId,
        user: UserId,
        before: Option<Version>,
        limit: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        let truth = self.truth.read();
        Ok(truth.boards.get(board).map(|board| board.history(user, before, limit)).unwrap_or_default())
    }

    async fn log(&self, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>, BackendError> {
        let truth = self.truth.read();
        Ok(truth.boards.get(board).map(|board| board.log(after, limit)).unwrap_or_default())
    }

    async fn scan(
        &self,
        board: &BoardId,
        season: Season,
        after: Option<UserId>,
        limit: usize,
    ) -> Result<Option<Scan>, BackendError> {
        Ok(self.truth.read().boards.get(board).and_then(|board| board.scan(season, after, limit)))
    }

    async fn raise_epoch(&self, above: Epoch) -> Result<Epoch, BackendError> {
        let mut truth = self.truth.write();
        if truth.epoch <= above {
            let epoch = above.next();
            truth.epoch = epoch;
            truth.boards.values_mut().for_each(|board| board.set_epoch(epoch));
        }
        Ok(truth.epoch)
    }

    async fn check(&self) -> Result<(), BackendError> {
        Ok(())
    }
}

#[cfg(test)]
#[path = "store_test.rs"]
mod tests;
