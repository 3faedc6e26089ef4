//! A cluster of three masters, and a master with a replica under sentinels.

use std::process::Command;
use std::time::Duration;

use tokio::time::Instant;

use super::server::{Process, cli, free_port};

/// Three masters that share the slots.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) nodes: Vec<Process>,
}

impl Cluster {
    pub(crate) fn start(environment: &[(&str, &str)]) -> Self {
        let nodes: Vec<Process> = (0..3)
            .map(|_| {
                let bus = free_port().to_string();
                // Long enough for a machine that is busy with other tests, and for a clock that jumps by days.
                let options =
                    ["--cluster-enabled", "yes", "--cluster-port", &bus, "--cluster-node-timeout", "1000000000"];
                Process::start_with(&options, environment)
            })
            .collect();
        let addresses = nodes.iter().map(|node| format!("127.0.0.1:{}", node.port));
        let made = Command::new("redis-cli")
            .args(["--cluster", "create"])
            .args(addresses)
            .args(["--cluster-replicas", "0", "--cluster-yes"])
            .output()
            .expect("redis-cli runs");
        assert!(made.status.success(), "the cluster is made: {}", String::from_utf8_lossy(&made.stdout));
        for node in &nodes {
            wait_until("a node knows the whole cluster", || {
                let state = node.cli(&["cluster", "info"]);
                state.contains("cluster_state:ok") && state.contains("cluster_known_nodes:3")
            });
        }
        Self { nodes }
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port)).collect();
        format!("redis+cluster://{}", hosts.join(","))
    }

    /// The node that a key lies on.
    pub(crate) fn node_of(&self, key: &str) -> &Process {
        let holds = |node: &&Process| !node.cli(&["exists", key]).starts_with("MOVED");
        self.nodes.iter().find(holds).expect("each slot has a node")
    }
}

/// A master, its replica, and three sentinels that watch them.
#[derive(Debug)]
pub(crate) struct Sentinels {
    pub(crate) servers: Vec<Process>,
    pub(crate) sentinels: Vec<Process>,
}

impl Sentinels {
    pub(crate) const MASTER: &str = "scores";

    pub(crate) fn start() -> Self {
        let master = Process::start(&["--repl-diskless-sync-delay", "0"]);
        let port = master.port.to_string();
        let replica = Process::start(&["--replicaof", "127.0.0.1", &port, "--repl-diskless-sync-delay", "0"]);
        wait_until("the replica follows", || replica.cli(&["info", "replication"]).contains("master_link_status:up"));
        let name = Self::MASTER;
        let configuration = format!(
            "sentinel monitor {name} 127.0.0.1 {port} 2\n\
             sentinel down-after-milliseconds {name} 500\n\
             sentinel failover-timeout {name} 3000\n\
             bind 127.0.0.1"
        );
        let sentinels: Vec<Process> = (0..3).map(|_| Process::start_sentinel(&configuration)).collect();
        for sentinel in &sentinels {
            wait_until("the sentinels know each other and the replica", || {
                let state = sentinel.cli(&["info", "sentinel"]);
                state.contains("slaves=1,sentinels=3")
            });
        }
        Self { servers: vec![master, replica], sentinels }
    }

    pub(crate) fn url(&self) -> String {
        let hosts: Vec<String> = self.sentinels.iter().map(|sentinel| format!("127.0.0.1:{}", sentinel.port)).collect();
        format!("redis+sentinel://{}/{}", hosts.join(","), Self::MASTER)
    }

    /// The port of the master, as the sentinels know it.
    pub(crate) fn master_port(&self) -> u16 {
        let told = cli(self.sentinels[0].port, &["sentinel", "get-master-addr-by-name", Self::MASTER]);
        told.lines().last().and_then(|port| port.parse().ok()).expect("the sentinel knows the master")
    }
}

/// Looks again and again, for a quarter of a minute.
pub(crate) fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let limit = Instant::now() + Duration::from_secs(15);
    while !is_so() {
        assert!(Instant::now() < limit, "not after 15 s: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}
