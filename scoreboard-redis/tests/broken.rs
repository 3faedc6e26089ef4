//! Caches on Redis that do what one must not: the kit finds them.

mod support;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use scoreboard_core::testing::{BoardCacheFixture, Fixture, board_cache, run};
use scoreboard_core::{BoardCache, BoardId, CacheKey, Cached, Hit, Lease, Position, Timestamp};
use scoreboard_redis::redis::{self, AsyncCommands};
use support::{config, single};

/// A cache that writes what it is given, and deletes what is old.
#[derive(Debug)]
struct Deleting {
    client: redis::Client,
    namespace: String,
}

impl Deleting {
    async fn connection(&self) -> redis::aio::MultiplexedConnection {
        self.client.get_multiplexed_async_connection().await.expect("it connects")
    }

    /// All answers of a board: a hash, deleted as a whole.
    fn place(&self, board: &BoardId) -> String {
        format!("{}:{board}", self.namespace)
    }
}

#[async_trait]
impl BoardCache for Deleting {
    async fn get(&self, key: &CacheKey, _: Timestamp) -> Option<Hit> {
        let found: Option<String> =
            self.connection().await.hget(self.place(&key.board), &*key.view).await.expect("it answers");
        let found = found?;
        let (position, bytes) = found.split_once(' ').expect("it was written so");
        let position = position.parse().expect("it was written so");
        let answer = Cached { position, bytes: bytes.to_owned().into() };
        Some(Hit { answer, fresh_for: Duration::ZERO })
    }

    async fn lease(&self, _: &CacheKey, _: Timestamp, _: Duration) -> Lease {
        Lease::Granted
    }

    async fn put(&self, key: CacheKey, answer: Cached, _: Timestamp, _: Duration) {
        let text = format!("{} {}", answer.position, String::from_utf8_lossy(&answer.bytes));
        let place = self.place(&key.board);
        let mut commands = redis::pipe();
        commands.hset(&place, &*key.view, text).ignore().expire(&place, 60).ignore();
        let () = commands.query_async(&mut self.connection().await).await.expect("it answers");
    }

    async fn raise_floor(&self, board: &BoardId, _: Position) {
        let () = self.connection().await.del(self.place(board)).await.expect("it answers");
    }
}

struct DeletingFixture(Arc<Deleting>);

impl Fixture for DeletingFixture {
    async fn fresh() -> Self {
        let client = redis::Client::open(single()).expect("a URL");
        Self(Arc::new(Deleting { client, namespace: config(single()).namespace.to_string() }))
    }
}

impl BoardCacheFixture for DeletingFixture {
    fn board_cache(&self) -> Arc<dyn BoardCache> {
        self.0.clone()
    }
}

fn fails(case: impl FnOnce()) -> bool {
    catch_unwind(AssertUnwindSafe(case)).is_err()
}

#[test]
fn a_del_in_the_place_of_a_tombstone_is_found() {
    run(async |fixture: &DeletingFixture| board_cache::an_answer_is_kept(fixture).await);
    assert!(fails(|| run(async |f: &DeletingFixture| board_cache::a_late_old_fill_is_never_served(f).await)));
    assert!(fails(|| run(
        async |f: &DeletingFixture| board_cache::no_answer_is_older_than_an_acknowledged_floor(f).await
    )));
}
