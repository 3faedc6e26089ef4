//! Two servers of one database that share a Redis Cluster, or a Redis under Sentinel: they are to each other what they are with one Redis.

#[allow(dead_code, reason = "what is done to one node is another test's")]
#[path = "../scoreboard-redis/tests/support/cluster.rs"]
mod cluster;
mod support;

use std::time::Duration;

use cluster::{Cluster, Sentinels};
use futures_util::StreamExt;
use serde_json::Value;
use support::client::Client;
use support::metrics::counted;
use support::place::Place;
// Where the cluster's own file looks for it.
use support::redis as server;
use support::server::{Server, UNLIMITED};
use support::user::{User, split_receipt, update};
use support::wait::until;
use support::watcher::{self, Held, Socket};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

/// What is announced and heard takes milliseconds; without that, two seconds.
const AT_ONCE: Duration = Duration::from_millis(1500);

const ROUNDS: usize = 8;

/// Both count the quota of updates, which is the default of ten a minute.
async fn two_servers(url: &str) -> [Server; 2] {
    // With its own 50 ms, a busy machine would decide who finds Redis gone.
    let shared = [("SCOREBOARD_REDIS__URL", url), ("SCOREBOARD_REDIS__TIMEOUT_MS", "2000")];
    let unlimited = UNLIMITED.into_iter().filter(|(name, _)| *name != "SCOREBOARD_LIMITS__UPDATE");
    let settings: Vec<_> = unlimited.chain(shared).collect();
    let one = Server::start_as(Place::postgres().await, &settings, &[]).await;
    let other = one.start_beside().await;
    [one, other]
}

/// Listens until the watcher holds this version.
async fn is_told(socket: &mut Socket, held: &mut Held, version: u64) {
    while held.snapshots == 0 || held.version < version {
        let Message::Text(text) = socket.next().await.expect("it is open").expect("a whole message") else { continue };
        let message: Value = serde_json::from_str(&text).expect("JSON");
        if message["type"] != "connected" {
            held.apply(&message);
        }
    }
}

/// Hands in an action at one server that the other has signed; `None` if that is one too many.
async fn plays(user: &mut User, at: &mut Client) -> Option<u64> {
    let action = user.issue("tap").await.expect("it answers").expect(201)["action"].take();
    let answer = update(at, &user.token, &action).await.expect("it answers");
    if answer.status == 429 {
        return None;
    }
    let (receipt, replayed) = split_receipt(answer);
    assert!(!replayed, "{receipt}");
    receipt["version"].as_u64()
}

async fn sum(clients: &mut [Client; 2], name: &str) -> u64 {
    let mut sum = 0;
    for client in clients {
        sum += counted(client, name).await;
    }
    sum
}

/// All that servers have of each other by a Redis.
async fn they_are_one_scoreboard(url: &str) {
    let servers = two_servers(url).await;
    let mut clients = servers.each_ref().map(|server| Client::new(server.address()));
    let mut users = User::register_many(servers[0].address(), "user", 3).await;
    for client in &mut clients {
        until("Redis is found", Duration::from_secs(10), async || {
            let report = client.get("/health").await.ok()?;
            (report.status == 200 && report.body["parts"]["cache"]["status"] == "up").then_some(())
        })
        .await;
    }

    // Each is told at once of what the other has counted, and shows it.
    let mut watchers = Vec::new();
    for server in &servers {
        let mut held = Held::default();
        let mut socket = watcher::open(server.address(), &held).await;
        timeout(AT_ONCE, is_told(&mut socket, &mut held, 0)).await.expect("a snapshot comes");
        watchers.push((socket, held));
    }
    let mut version = 0;
    for round in 0..ROUNDS {
        let (here, there) = (round % 2, 1 - round % 2);
        version = plays(&mut users[round / 4], &mut clients[here]).await.expect("it is within the quota");
        for (socket, held) in &mut watchers {
            let told = timeout(AT_ONCE, is_told(socket, held, version)).await;
            assert!(told.is_ok(), "version {version} of {here} is not told at once");
        }
        until(format!("version {version} of {here} is shown at {there}"), AT_ONCE, async || {
            let page = clients[there].get("/api/scoreboard").await.expect("a read is answered").expect(200);
            (page["version"].as_u64() >= Some(version)).then_some(())
        })
        .await;
    }

    // Ten a minute, wherever they are handed in.
    let mut within = 0;
    for turn in 0..14 {
        within += usize::from(plays(&mut users[2], &mut clients[turn % 2]).await.is_some());
    }
    assert_eq!(within, 10, "of 14 that were handed in at both by turns");

    // What one has read, the other need not read again.
    let hits = "scoreboard_cache_requests_total{tier=\"l2\",result=\"hit\"}";
    let before = sum(&mut clients, hits).await;
    for limit in 1..=20 {
        for client in &mut clients {
            client.get(&format!("/api/scoreboard?limit={limit}")).await.expect("a read is answered").expect(200);
        }
    }
    let hits = sum(&mut clients, hits).await - before;
    // The one that everybody reads is there in any case.
    assert!(hits >= 10, "of 20 pages that one had read, the other found {hits}");
    let alone = sum(&mut clients, "scoreboard_ratelimit_fallbacks_total").await;
    assert_eq!(alone, 0, "decisions that one made by itself");
    println!("{version} versions told at once, {within} of 14 within the quota, {hits} of 20 pages found");
    for server in &servers {
        assert!(!server.log().contains("Redis is not there yet"), "{}", server.log());
        server.assert_verified();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_of_a_cluster_are_one_scoreboard() {
    let cluster = Cluster::start(&[]);
    they_are_one_scoreboard(&cluster.url()).await;
    let used = cluster.nodes.iter().filter(|node| node.cli(&["dbsize"]) != "0").count();
    assert!(used > 1, "keys lie on {used} of 3 nodes");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_servers_under_sentinel_are_one_scoreboard() {
    let sentinels = Sentinels::start();
    they_are_one_scoreboard(&sentinels.url()).await;
}
