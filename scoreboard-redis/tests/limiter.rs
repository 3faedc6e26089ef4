//! The limiter on the conformance kit, on one server and on a cluster, by their own clocks.

mod support;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use scoreboard_core::testing::{Fixture, RateLimiterFixture};
use scoreboard_core::{RateLimiter, Timestamp};
use scoreboard_redis::RedisRateLimiter;
use support::clocks::Moved;
use tokio::sync::MutexGuard;

/// A limiter on a server whose clock the suite moves.
#[derive(Debug)]
struct MovedFixture {
    limiter: Arc<RedisRateLimiter>,
    server: Mutex<MutexGuard<'static, Moved>>,
}

impl MovedFixture {
    fn on(server: MutexGuard<'static, Moved>) -> Self {
        let limiter = Arc::new(RedisRateLimiter::new(support::redis(&server.url)));
        Self { limiter, server: Mutex::new(server) }
    }
}

#[derive(Debug)]
struct Single(MovedFixture);

impl Fixture for Single {
    async fn fresh() -> Self {
        Self(MovedFixture::on(Moved::single().await))
    }
}

#[derive(Debug)]
struct OnCluster(MovedFixture);

impl Fixture for OnCluster {
    async fn fresh() -> Self {
        Self(MovedFixture::on(Moved::cluster().await))
    }
}

macro_rules! moved {
    ($($fixture:ty),*) => {
        $(
            impl RateLimiterFixture for $fixture {
                fn rate_limiter(&self) -> Arc<dyn RateLimiter> {
                    self.0.limiter.clone()
                }

                fn now(&self) -> Timestamp {
                    self.0.server.lock().now()
                }

                async fn advance(&self, duration: Duration) {
                    self.0.server.lock().advance(duration);
                }
            }
        )*
    };
}

moved!(Single, OnCluster);

mod single {
    use super::Single;
    scoreboard_core::rate_limiter_conformance!(Single);
}

mod cluster {
    use super::OnCluster;
    scoreboard_core::rate_limiter_conformance!(OnCluster);
}
