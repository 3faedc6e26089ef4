//! What may be taken once, on the conformance kit by Redis' own clock: on one server and on a cluster.

mod support;

use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::OneTimeStore;
use scoreboard_core::testing::OneTimeStoreFixture;
use scoreboard_redis::RedisOneTimeStore;
use support::clocks::OnMoved;

impl<const IS_CLUSTER: bool> OneTimeStoreFixture for OnMoved<RedisOneTimeStore, IS_CLUSTER> {
    fn one_time_store(&self) -> Arc<dyn OneTimeStore> {
        self.adapter.clone()
    }

    async fn advance(&self, duration: Duration) {
        self.advance(duration);
    }
}

mod on_one_server {
    use super::*;
    scoreboard_core::one_time_store_conformance!(OnMoved<RedisOneTimeStore, false>);
}

mod on_a_cluster {
    use super::*;
    scoreboard_core::one_time_store_conformance!(OnMoved<RedisOneTimeStore, true>);
}
