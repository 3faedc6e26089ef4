//! What may be taken once, on the conformance kit by Redis' own clock: on one server and on a cluster.

mod support;

use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use scoreboard_core::OneTimeStore;
use scoreboard_core::testing::{Fixture, OneTimeStoreFixture};
use scoreboard_redis::RedisOneTimeStore;
use support::clocks::Moved;
use tokio::sync::MutexGuard;

/// A store on a server whose clock the suite moves.
#[derive(Debug)]
struct MovedFixture {
    one_time: RedisOneTimeStore,
    server: Mutex<MutexGuard<'static, Moved>>,
}

impl MovedFixture {
    fn on(server: MutexGuard<'static, Moved>) -> Self {
        let one_time = RedisOneTimeStore::new(support::redis(&server.url));
        Self { one_time, server: Mutex::new(server) }
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
            impl OneTimeStoreFixture for $fixture {
                fn one_time_store(&self) -> Arc<dyn OneTimeStore> {
                    Arc::new(self.0.one_time.clone())
                }

                async fn advance(&self, duration: Duration) {
                    self.0.server.lock().advance(duration);
                }
            }
        )*
    };
}

moved!(Single, OnCluster);

mod on_one_server {
    use super::Single;
    scoreboard_core::one_time_store_conformance!(Single);
}

mod on_a_cluster {
    use super::OnCluster;
    scoreboard_core::one_time_store_conformance!(OnCluster);
}
