//! Many who watch one board of the real server, each around a user of their own: what all of them see is right, and is read from memory and not
//! from the database.
//!
//! Some two hundred; all thousand with `SCOREBOARD_TEST_SCALE=100`.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use scoreboard::UserId;
use serde_json::{Value, json};
use support::arena::Arena;
use support::client::Client;
use support::metrics::counted;
use support::scale::scaled;
use support::server::Server;
use support::watcher::{Held, try_watch};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

const PATIENCE: Duration = Duration::from_secs(60);
const PLAYED: Duration = Duration::from_secs(5);
const UPDATES_PER_SECOND: u32 = 20;

const READS: &str = "scoreboard_live_reads_total ";
/// How often anybody has read the database.
const QUERIES: &str = "scoreboard_db_pool_wait_seconds_count{pool=\"readers\"";

/// Watches around a user until the version that `until` says, once it says one.
async fn follow(
    address: SocketAddr,
    user: String,
    mut until: watch::Receiver<Option<u64>>,
    ready: watch::Sender<usize>,
) -> Held {
    let mut held = Held::default();
    let subscribe = json!({ "type": "subscribe", "board": "main", "window": "around", "userId": user });
    let mut socket = try_watch(address, &held, subscribe).await.expect("it is let in");
    while until.borrow_and_update().is_none_or(|version| held.version < version) {
        let message = tokio::select! {
            message = socket.next() => message.expect("it stays open").expect("it works"),
            changed = until.changed() => {
                changed.expect("the test goes on");
                continue;
            }
        };
        if let Message::Text(text) = message {
            let message: Value = serde_json::from_str(&text).expect("JSON");
            if message["type"] != "connected" {
                assert_eq!(message["userId"], *user);
                held.apply(&message);
                if message["type"] == "snapshot" {
                    ready.send_modify(|ready| *ready += 1);
                }
            }
        }
    }
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_of_neighbourhoods_are_right_and_cost_the_database_next_to_nothing() {
    let server = Server::start().await;
    let (address, key) = (server.address(), Arena::key(&server));
    let mut client = Client::new(address);
    let users: Vec<String> =
        (0..scaled(1_000)).map(|user| UserId::for_name("arena", &user.to_string()).to_string()).collect();
    for (number, user) in users.iter().enumerate() {
        let result = json!({ "userId": user, "kind": "boss", "points": 50 + number % 100 });
        client.record(&key, &format!("first-{number}"), &result).await.expect("it is answered").expect(200);
    }
    let (end, until) = watch::channel(None);
    let (ready, mut all_ready) = watch::channel(0);
    let watchers: Vec<_> =
        users.iter().map(|user| tokio::spawn(follow(address, user.clone(), until.clone(), ready.clone()))).collect();
    timeout(PATIENCE, all_ready.wait_for(|ready| *ready == users.len())).await.expect("in time").expect("all watch");

    let before = (counted(&mut client, READS).await, counted(&mut client, QUERIES).await);
    let arena = Arena::play(&server, &key, &["main"], &users, UPDATES_PER_SECOND);
    sleep(PLAYED).await;
    let played = arena.recorded();
    drop(arena);
    // What was under way has landed.
    sleep(Duration::from_millis(500)).await;
    let page = client.get("/api/scoreboard?limit=1").await.expect("answered").expect(200);
    end.send_replace(page["version"].as_u64());
    let held = timeout(PATIENCE, join_all(watchers)).await.expect("all hear the last");
    let now = (counted(&mut client, READS).await, counted(&mut client, QUERIES).await);
    let (reads, queries) = (now.0 - before.0, now.1 - before.1);

    let (mut told, mut wholes) = (0, 0);
    for (user, held) in users.iter().zip(held) {
        let held = held.expect("without a gap");
        let around = client.get(&format!("/api/scoreboard/users/{user}/around")).await.expect("answered").expect(200);
        let entry = |entry: &Value| {
            let user = entry["userId"].as_str().expect("a user").to_owned();
            (user, (entry["rank"].as_u64().expect("a rank"), entry["score"].as_i64().expect("a score")))
        };
        let expected = around["entries"].as_array().expect("entries").iter().map(entry).collect();
        assert_eq!((held.version, held.rows), (around["version"].as_u64().expect("a version"), expected), "{user}");
        (told, wholes) = (told + held.told.len(), wholes + held.snapshots);
    }
    println!(
        "{} neighbourhoods, {played} changes: {told} messages ({wholes} of them whole), {reads} readings, {queries} queries",
        users.len(),
    );
    assert!(reads > 10 * users.len() as u64 && queries < reads / 20, "{queries} queries for {reads} readings");
}
