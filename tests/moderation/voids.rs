//! A thousand actions of cheats made void under load, each decision handed in twice, by a server that is killed in between, on a file; and on
//! PostgreSQL by one of two nodes, where the database's own process that carries a decision out is killed too: what is left is what a fold from scratch
//! says, who watches, at the other node, follows all of it, and what counts again stands where it stood, rank for rank.

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use scoreboard::{ActionId, UserId, Version};
use serde_json::{Value, json};
use tokio::time::{sleep, timeout};

use crate::ground::{Ground, from_scratch, is_from_scratch};
use crate::moderator::{Killed, Moderator, PATIENCE};
use crate::support::arena::Arena;
use crate::support::client::Client;
use crate::support::wait::until;
use crate::support::watcher::{Held, try_watch};

const CHEATS: usize = 100;
const EACH: usize = 10;
/// Four decisions, so that one is under way when something is killed, and three are done.
pub(crate) const PART: usize = CHEATS * EACH / 4;

fn user(name: &str, number: usize) -> String {
    UserId::for_name(name, &number.to_string()).to_string()
}

/// Lets each cheat beat the boss ten times; gives what they did.
async fn cheat(address: SocketAddr, key: &str) -> Vec<String> {
    let mut client = Client::new(address);
    let mut actions = Vec::new();
    for number in 0..CHEATS * EACH {
        let points = 50 + number % 101;
        let result = json!({ "userId": user("cheat", number % CHEATS), "kind": "boss", "points": points });
        let answer = client.record(key, &format!("cheat-{number}"), &result).await.expect("record answers");
        actions.push(answer.expect(200)["receipt"]["actionId"].as_str().expect("an id").to_owned());
    }
    actions
}

/// Who watches the first hundred, through every loss of the connection, until told to stop; gives what they hold.
async fn watch(address: SocketAddr, stop: Arc<AtomicBool>, reached: Arc<AtomicU64>) -> Held {
    let mut held = Held::default();
    while !stop.load(Ordering::Relaxed) {
        let subscribe = json!({ "type": "subscribe", "board": "main", "limit": 100 });
        let Ok(mut socket) = try_watch(address, &held, subscribe).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        while !stop.load(Ordering::Relaxed) {
            let Ok(Some(Ok(message))) = timeout(Duration::from_millis(500), socket.next()).await.or_else(|_| {
                // Nothing for a while: whether to stop is looked at.
                Ok::<_, ()>(Some(Ok(tokio_tungstenite::tungstenite::Message::Ping(Default::default()))))
            }) else {
                break;
            };
            let Ok(text) = message.to_text() else { continue };
            let Ok(message) = serde_json::from_str::<Value>(text) else { continue };
            if matches!(message["type"].as_str(), Some("snapshot" | "update")) {
                held.apply(&message);
                reached.store(held.version, Ordering::Relaxed);
            }
        }
    }
    held
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_voids_under_load_and_kills_leave_what_a_fold_from_scratch_says() {
    voids_under_load_and_kills(Ground::sqlite().await, [Killed::Server, Killed::Server]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_a_thousand_voids_under_load_and_kills_leave_what_a_fold_from_scratch_says_at_the_other_node_too() {
    voids_under_load_and_kills(Ground::postgres().await, [Killed::Server, Killed::Backend]).await;
}

async fn voids_under_load_and_kills(mut ground: Ground, killed: [Killed; 2]) {
    let key = Arena::key(ground.deciding());
    let mut moderator = Moderator::new(ground.deciding()).await;
    let honest: Vec<String> = (0..50).map(|number| user("honest", number)).collect();
    let arena = Arena::play(ground.deciding(), &key, &["main"], &honest, 60);
    let (stop, reached) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let watcher = tokio::spawn(watch(ground.watched(), stop.clone(), Arc::clone(&reached)));
    let actions = cheat(ground.deciding().address(), &key).await;
    let store = ground.open().await;
    let cheats: HashSet<UserId> = (0..CHEATS).map(|n| user("cheat", n).parse().expect("an id")).collect();
    let before: BTreeMap<_, _> = from_scratch(store.scores(), &HashSet::new(), Version::new(u64::MAX)).await;
    let before: BTreeMap<_, _> = before.into_iter().filter(|(user, _)| cheats.contains(user)).collect();
    store.close().await;
    assert_eq!(before.len(), CHEATS);

    let ids = |from: usize| -> Vec<String> {
        (from..from + 4).map(|n| format!("018bcfe5-6800-7000-8000-00000000000{n}")).collect()
    };
    let replayed = moderator.turn(&mut ground, killed[0], "/api/admin/voids", &actions, &ids(0)).await;
    assert!((3..=4).contains(&replayed), "{replayed} of four were carried out before the kill");
    // Each once more: nothing changes.
    for (id, part) in ids(0).iter().zip(actions.chunks(PART)) {
        let again = moderator.decide("/api/admin/voids", id, part).await.expect("an answer").expect(200);
        assert_eq!((&again["replayed"], &again["moderation"]["changed"]), (&json!(true), &json!(PART)));
    }
    drop(arena);
    let void: HashSet<ActionId> = actions.iter().map(|action| action.parse().expect("an id")).collect();
    let left = is_from_scratch(&ground, &void).await;
    assert!(!left.is_empty() && left.iter().all(|(user, _)| !cheats.contains(user)), "the cheats are gone");

    let arena = Arena::play(ground.deciding(), &key, &["main"], &honest, 60);
    let replayed = moderator.turn(&mut ground, killed[1], "/api/admin/unvoids", &actions, &ids(4)).await;
    assert!((3..=4).contains(&replayed), "{replayed} of four");
    drop(arena);
    let back = is_from_scratch(&ground, &HashSet::new()).await;
    let back: BTreeMap<_, _> = back.into_iter().filter(|(user, _)| cheats.contains(user)).collect();
    assert_eq!(back, before, "all stands where it stood");

    let top = Client::new(ground.deciding().address()).get("/api/scoreboard?limit=100").await;
    let top = top.expect("the board answers").expect(200);
    let version = top["version"].as_u64().expect("a version");
    until("the watcher is there", PATIENCE, async || (reached.load(Ordering::Relaxed) >= version).then_some(())).await;
    stop.store(true, Ordering::Relaxed);
    let held = watcher.await.expect("the watcher sees no gap");
    let expected: BTreeMap<String, (u64, i64)> = top["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| {
            let user = entry["userId"].as_str().expect("a user").to_owned();
            (user, (entry["rank"].as_u64().expect("a rank"), entry["score"].as_i64().expect("a score")))
        })
        .collect();
    assert_eq!(held.rows, expected, "what was followed is what is there");
    println!("the watcher was told {} times, {} of them the whole view", held.told.len(), held.snapshots);
}
