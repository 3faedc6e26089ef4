//! Thirty random histories: the store and the model agree on every answer, in lockstep.
//!
//! A failure names the seed and the command that repeats it. `SCOREBOARD_SEED=7` runs one history alone.

mod support;

use scoreboard_core::testing::model::{History, Subject};
use scoreboard_core::testing::{Fixture, ModerationStoreFixture, ScoreStoreFixture};
use support::PostgresFixture;

const COMMAND: &str = "cargo test -p scoreboard-postgres --test model";
const HISTORIES: u64 = 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_the_model() {
    for seed in History::seeds(HISTORIES) {
        let fixture = PostgresFixture::fresh().await;
        History::random(seed).compare(vec![Subject::new("postgres", fixture.score_store())], COMMAND).await;
    }
}

/// The same beside moderators, who void, unvoid, hold, shadow, ban and lift.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_is_the_model_beside_moderators() {
    for seed in History::seeds(HISTORIES) {
        let fixture = PostgresFixture::fresh().await;
        let subject = Subject::moderated("postgres", fixture.score_store(), fixture.moderation_store());
        History::moderated(seed).compare(vec![subject], COMMAND).await;
    }
}
