//! A log by numbers that are taken before the commit, as outboxes over a sequence have them.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::{Alteration, Altered, Result};
use crate::ids::BoardId;
use crate::store::{Change, LogRow, Outcome, ScoreStore};
use crate::testing::broken::Defect;
use crate::version::Version;

/// The log is numbered by a serial that each batch takes before it commits: a later number can be there first, and who reads on behind it never
/// sees the earlier one.
#[derive(Debug)]
pub struct SerialCursor;

impl Defect for SerialCursor {
    fn score_store(store: Arc<dyn ScoreStore>) -> Arc<dyn ScoreStore> {
        Arc::new(Altered { store, alteration: Serials::default() })
    }
}

#[derive(Default)]
struct Serials {
    taken: AtomicU64,
    committed: Mutex<BTreeMap<u64, (BoardId, LogRow)>>,
}

#[async_trait]
impl Alteration for Serials {
    async fn apply(&self, store: &dyn ScoreStore, changes: &[Change]) -> Result<Vec<Outcome>> {
        let first = self.taken.fetch_add(changes.len() as u64, Ordering::SeqCst) + 1;
        if first % 4 == 1 {
            // This transaction takes a little longer than others.
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let outcomes = store.apply(changes).await?;
        for ((serial, change), outcome) in (first..).zip(changes).zip(&outcomes) {
            if let Outcome::Applied(_) = outcome
                && let Some((board, mut row)) = store.action(change.action_id).await?
            {
                row.position.version = Version::new(serial);
                self.committed.lock().insert(serial, (board, row));
            }
        }
        Ok(outcomes)
    }

    async fn log(&self, _store: &dyn ScoreStore, board: &BoardId, after: Version, limit: usize) -> Result<Vec<LogRow>> {
        let committed = self.committed.lock();
        let rows = committed.range(after.get() + 1..).filter(|(_, (on, _))| on == board);
        Ok(rows.take(limit).map(|(_, (_, row))| row.clone()).collect())
    }
}
