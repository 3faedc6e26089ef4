//! A thousand random histories: the store in memory, the one on disk, and the model agree on every answer, in lockstep.
//!
//! A failure names the seed and the command that repeats it. `SCOREBOARD_SEED=7` runs one history alone.

use std::sync::Arc;

use scoreboard::ScoreStore;
use scoreboard::memory::MemoryScoreStore;
use scoreboard::testing::model::{History, Subject};
use scoreboard_sqlite::{Config, SqliteStore};

const COMMAND: &str = "cargo test -p scoreboard --test model";
const HISTORIES: u64 = 1000;
/// Each on a thread of its own.
const LANES: usize = 2;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn memory_and_sqlite_are_the_model() {
    let seeds: Vec<_> = History::seeds(HISTORIES).collect();
    let lanes: Vec<_> = (0..LANES)
        .map(|lane| {
            let seeds: Vec<_> = seeds.iter().copied().skip(lane).step_by(LANES).collect();
            tokio::spawn(async move {
                for seed in seeds {
                    compare(seed).await;
                }
            })
        })
        .collect();
    for lane in lanes {
        if let Err(failed) = lane.await {
            std::panic::resume_unwind(failed.into_panic());
        }
    }
}

async fn compare(seed: u64) {
    let folder = tempfile::tempdir().expect("a temporary folder and file");
    let sqlite = SqliteStore::open(&Config::new(folder.path().join("scoreboard.db")))
        .await
        .expect("a temporary folder and file");
    let stores: [(_, Arc<dyn ScoreStore>); 2] =
        [("memory", Arc::new(MemoryScoreStore::new())), ("sqlite", Arc::new(sqlite.clone()))];
    let subjects = stores.into_iter().map(|(name, store)| Subject::new(name, store)).collect();
    History::random(seed).compare(subjects, COMMAND).await;
    sqlite.close().await;
}
