//! How far the indexes are: what readiness waits for.

use std::time::Duration;

use tokio::time::Instant;

use crate::ids::BoardId;
use crate::layers::rank_indexed::RankIndexed;
use crate::version::Position;

/// What an index of ranks is at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IndexState {
    /// Users are being read from the store, or wait for it; the store answers.
    Filling,
    /// It answers.
    Ready,
    /// It would not fit into [`max_bytes`](crate::RankIndexedConfig::max_bytes); the store answers.
    TooLarge,
}

/// How far a board's index is.
#[derive(Debug, Clone, PartialEq)]
#[non_exhaustive]
pub struct IndexProgress {
    /// The board.
    pub board: BoardId,
    /// What it is at.
    pub state: IndexState,
    /// When it is true, if it is ready.
    pub position: Option<Position>,
    /// The users that it has, or has read so far.
    pub users: u64,
    /// The users that there are, as of the last look.
    pub total: u64,
    /// How many users a second are read; 0 while none are.
    pub users_per_second: f64,
    /// In what time it is ready, at this pace; unknown while nothing was read.
    pub remaining: Option<Duration>,
    /// What it has allocated.
    pub bytes: usize,
}

/// What is known of a filling.
#[derive(Debug, Default)]
pub(super) struct Progress {
    began: Option<Instant>,
    users: u64,
    total: u64,
}

impl Progress {
    pub(super) fn begins(&mut self, total: u64) {
        *self = Self { began: Some(Instant::now()), users: 0, total };
    }

    pub(super) fn read(&mut self, users: u64, total: u64) {
        (self.users, self.total) = (users, total);
    }

    fn pace(&self) -> f64 {
        let seconds = self.began.map_or(0.0, |began| began.elapsed().as_secs_f64());
        if seconds > 0.0 { self.users as f64 / seconds } else { 0.0 }
    }

    fn remaining(&self) -> Option<Duration> {
        let pace = self.pace();
        let left = self.total.saturating_sub(self.users) as f64;
        (pace > 0.0).then(|| Duration::try_from_secs_f64(left / pace).unwrap_or(Duration::MAX))
    }
}

impl RankIndexed {
    /// How far each board's index is, sorted by board: a server is ready when none is [`Filling`](IndexState::Filling).
    #[must_use]
    pub fn progress(&self) -> Vec<IndexProgress> {
        let boards: Vec<_> = self.shared.boards.read().values().cloned().collect();
        let mut all: Vec<_> = boards
            .iter()
            .map(|indexed| {
                let live = indexed.look(|live| (live.position, live.index.total(), live.index.bytes()));
                let progress = indexed.progress.lock();
                match live {
                    Some((position, total, bytes)) => IndexProgress {
                        board: indexed.id.clone(),
                        state: IndexState::Ready,
                        position: Some(position),
                        users: total,
                        total,
                        users_per_second: 0.0,
                        remaining: Some(Duration::ZERO),
                        bytes,
                    },
                    None => IndexProgress {
                        board: indexed.id.clone(),
                        state: if indexed.is_too_large() { IndexState::TooLarge } else { IndexState::Filling },
                        position: None,
                        users: progress.users,
                        total: progress.total,
                        users_per_second: progress.pace(),
                        remaining: progress.remaining(),
                        bytes: 0,
                    },
                }
            })
            .collect();
        all.sort_by(|a, b| a.board.cmp(&b.board));
        all
    }

    /// What all indexes together have allocated.
    pub(super) fn bytes(&self) -> usize {
        let boards: Vec<_> = self.shared.boards.read().values().cloned().collect();
        boards.iter().filter_map(|indexed| indexed.look(|live| live.index.bytes())).sum()
    }
}
