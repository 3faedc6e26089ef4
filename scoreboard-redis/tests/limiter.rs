//! The limiter on the conformance kit, on one server and on a cluster, by their own clocks.

mod support;

use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::testing::RateLimiterFixture;
use scoreboard_core::{RateLimiter, Timestamp};
use scoreboard_redis::RedisRateLimiter;
use support::clocks::OnMoved;

impl<const IS_CLUSTER: bool> RateLimiterFixture for OnMoved<RedisRateLimiter, IS_CLUSTER> {
    fn rate_limiter(&self) -> Arc<dyn RateLimiter> {
        self.adapter.clone()
    }

    fn now(&self) -> Timestamp {
        self.now()
    }

    async fn advance(&self, duration: Duration) {
        self.advance(duration);
    }
}

mod single {
    use super::*;
    scoreboard_core::rate_limiter_conformance!(OnMoved<RedisRateLimiter, false>);
}

mod cluster {
    use super::*;
    scoreboard_core::rate_limiter_conformance!(OnMoved<RedisRateLimiter, true>);
}
