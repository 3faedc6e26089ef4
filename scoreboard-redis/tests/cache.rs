//! The cache on the conformance kit, on one server and on a cluster, and what only a shared one has to keep.

mod support;

use std::sync::Arc;

use scoreboard_core::BoardCache;
use scoreboard_core::testing::{BoardCacheFixture, Fixture};
use scoreboard_redis::RedisBoardCache;
use support::{STORE, redis, shared_cluster, single};

#[derive(Debug)]
struct Single(Arc<RedisBoardCache>);

impl Fixture for Single {
    async fn fresh() -> Self {
        Self(Arc::new(RedisBoardCache::new(redis(single()), STORE)))
    }
}

impl BoardCacheFixture for Single {
    fn board_cache(&self) -> Arc<dyn BoardCache> {
        self.0.clone()
    }
}

#[derive(Debug)]
struct OnCluster(Arc<RedisBoardCache>);

impl Fixture for OnCluster {
    async fn fresh() -> Self {
        Self(Arc::new(RedisBoardCache::new(redis(&shared_cluster().url()), STORE)))
    }
}

impl BoardCacheFixture for OnCluster {
    fn board_cache(&self) -> Arc<dyn BoardCache> {
        self.0.clone()
    }
}

mod on_one_server {
    use super::Single;
    scoreboard_core::board_cache_conformance!(Single);
}

mod on_a_cluster {
    use super::OnCluster;
    scoreboard_core::board_cache_conformance!(OnCluster);
}
