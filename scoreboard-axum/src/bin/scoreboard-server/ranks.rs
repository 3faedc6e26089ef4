//! Ranks from memory: over the store, and ready before the server is.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::{BoardId, Broadcaster, IndexState, InvalidValue, RankIndexed, RankIndexedConfig, ScoreStore};
use tokio::time::{Instant, sleep};

use crate::failure::{Failure, Result};
use crate::settings;

/// How often it is looked whether they are ready.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// How often it is said how far they are.
const SAYS_SO_EVERY: Duration = Duration::from_secs(2);

/// The store that answers: the one below, where the settings want no ranks in memory.
pub(crate) fn over(
    store: Arc<dyn ScoreStore>,
    config: Option<RankIndexedConfig>,
    broadcaster: &Arc<dyn Broadcaster>,
) -> (Arc<dyn ScoreStore>, Option<RankIndexed>) {
    let Some(config) = config else { return (store, None) };
    let ranks = RankIndexed::new(store, config);
    tokio::spawn(ranks.clone().follow(broadcaster.clone()));
    (Arc::new(ranks.clone()), Some(ranks))
}

/// Waits until each board that is to have its ranks in memory has them, and says how far they are where that takes long.
pub(crate) async fn filled(ranks: &RankIndexed) -> Result<()> {
    let began = Instant::now();
    let mut said = began;
    ranks.adopt_all().await.map_err(|error| Failure::because("cannot read the boards", &error))?;
    loop {
        let progress = ranks.progress();
        let Some(filling) = progress.iter().find(|board| board.state == IndexState::Filling) else {
            let users: u64 = progress.iter().map(|board| board.users).sum();
            let bytes: usize = progress.iter().map(|board| board.bytes).sum();
            let took_ms = began.elapsed().as_millis();
            tracing::info!(boards = progress.len(), users, bytes, took_ms, "the ranks are in memory");
            return Ok(());
        };
        if said.elapsed() >= SAYS_SO_EVERY {
            said = Instant::now();
            let remaining_s = filling.remaining.map(|remaining| remaining.as_secs());
            let a_second = filling.users_per_second.round();
            tracing::info!(board = %filling.board, users = filling.users, of = filling.total, a_second, remaining_s, "reading the ranks");
        }
        sleep(LOOK_EVERY).await;
    }
}

impl settings::Ranks {
    /// `None` where they are off; the error is the rule that a setting breaks.
    pub(crate) fn config(&self) -> Result<Option<RankIndexedConfig>, InvalidValue> {
        if self.megabytes == 0 {
            return Ok(None);
        }
        let boards = self.boards.iter().map(|board| board.parse()).collect::<Result<BTreeSet<BoardId>, _>>()?;
        let mut config = RankIndexedConfig::default();
        config.max_bytes = self.megabytes << 20;
        config.boards = (!boards.is_empty()).then_some(boards);
        Ok(Some(config))
    }
}
