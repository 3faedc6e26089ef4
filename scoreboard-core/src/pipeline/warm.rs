//! Answers that are there before the first who asks.

use tokio::time::{Instant, interval_at};

use crate::error::{Chain, Error, Result};
use crate::pipeline::Scoreboard;
use crate::pipeline::read::TopQuery;
use crate::store::ScoreStore;

/// How many boards are warmed up: where there are more, the rest are loaded when they are asked for.
const MAX_BOARDS: usize = 1_000;
/// The first pages that are asked for most: the default of the API, and the largest.
const LIMITS: [usize; 2] = [10, 100];

impl Scoreboard {
    /// Loads the catalogues and the first pages of the boards, with the names on them, into the cache. `progress` is told how many boards of
    /// how many are done. Gives their number.
    ///
    /// What the cache has already is left as it is.
    ///
    /// # Errors
    ///
    /// If the store fails. What was loaded until then stays.
    ///
    /// # Cancel safety
    ///
    /// As for an error.
    pub async fn warm_up(&self, mut progress: impl FnMut(usize, usize) + Send) -> Result<usize> {
        let mut boards = self.parts.store.boards().await?;
        boards.truncate(MAX_BOARDS);
        for (done, board) in boards.iter().enumerate() {
            progress(done, boards.len());
            let id = &board.spec.id;
            // A shared cache may have been restored to an older state.
            self.parts.cache.raise_near_floor(id, board.position()).await;
            self.catalogue(id, self.parts.clock.now()).await?;
            for limit in LIMITS {
                match self.warm_top(&TopQuery { limit, ..TopQuery::new(id.clone()) }).await {
                    Ok(()) | Err(Error::Rejected(_)) => {}
                    Err(error) => return Err(error),
                }
            }
        }
        progress(boards.len(), boards.len());
        Ok(boards.len())
    }

    /// [Warms up](Self::warm_up) again and again. Never returns: run it as a task.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is warmed up any more.
    pub async fn keep_warm(self) {
        let every = self.parts.config.warm_up_interval;
        let mut rounds = interval_at(Instant::now() + every, every);
        loop {
            rounds.tick().await;
            if let Err(error) = self.warm_up(|_, _| {}).await {
                tracing::warn!(error = %Chain(&error), "the cache could not be warmed up");
            }
        }
    }
}
