//! The broadcaster on the conformance kit, from one node to another, on one server and on a cluster.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use scoreboard_core::Broadcaster;
use scoreboard_core::testing::{BroadcasterFixture, Fixture};
use scoreboard_redis::{Redis, RedisBroadcaster};
use support::{STORE, config, shared_cluster, single};

/// Two nodes, which take turns: who announces is rarely where somebody watches.
#[derive(Debug)]
struct TwoNodes {
    nodes: [Arc<RedisBroadcaster>; 2],
    turn: AtomicUsize,
}

impl TwoNodes {
    fn on(url: &str) -> Self {
        let config = config(url);
        let node = || Arc::new(RedisBroadcaster::new(Redis::new(&config).expect("a handle"), STORE));
        Self { nodes: [node(), node()], turn: AtomicUsize::new(0) }
    }

    fn next(&self) -> Arc<dyn Broadcaster> {
        self.nodes[self.turn.fetch_add(1, Ordering::Relaxed) % 2].clone()
    }
}

#[derive(Debug)]
struct Single(TwoNodes);

impl Fixture for Single {
    async fn fresh() -> Self {
        Self(TwoNodes::on(single()))
    }
}

impl BroadcasterFixture for Single {
    fn broadcaster(&self) -> Arc<dyn Broadcaster> {
        self.0.next()
    }
}

#[derive(Debug)]
struct OnCluster(TwoNodes);

impl Fixture for OnCluster {
    async fn fresh() -> Self {
        Self(TwoNodes::on(&shared_cluster().url()))
    }
}

impl BroadcasterFixture for OnCluster {
    fn broadcaster(&self) -> Arc<dyn Broadcaster> {
        self.0.next()
    }
}

mod on_one_server {
    use super::Single;
    scoreboard_core::broadcaster_conformance!(Single);
}

mod on_a_cluster {
    use super::OnCluster;
    scoreboard_core::broadcaster_conformance!(OnCluster);
}
