//! The cache on the conformance kit: on one server and on a cluster, and behind a near one as a node has it.

mod support;

use std::sync::Arc;

use scoreboard_core::memory::MemoryBoardCache;
use scoreboard_core::testing::{BoardCacheFixture, Fixture};
use scoreboard_core::{BoardCache, TwoLevelCache};
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

/// A near cache of so many bytes over the one on a server.
#[derive(Debug)]
struct TwoLevels<const NEAR: usize>(Arc<TwoLevelCache>);

impl<const NEAR: usize> Fixture for TwoLevels<NEAR> {
    async fn fresh() -> Self {
        let far = Arc::new(RedisBoardCache::new(redis(single()), STORE));
        Self(Arc::new(TwoLevelCache::new(Arc::new(MemoryBoardCache::new(NEAR)), Some(far))))
    }
}

impl<const NEAR: usize> BoardCacheFixture for TwoLevels<NEAR> {
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

mod behind_a_near_one {
    use super::TwoLevels;
    scoreboard_core::board_cache_conformance!(TwoLevels<{ 1 << 20 }>);
}

/// Nearly everything comes from Redis.
mod behind_a_small_near_one {
    use super::TwoLevels;
    scoreboard_core::board_cache_conformance!(TwoLevels<1000>);
}
