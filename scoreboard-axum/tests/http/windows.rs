//! Watching a user's neighbourhood, or a list of users, over a WebSocket.

use std::time::Duration;

use scoreboard_core::{BoardId, RecordRequest, UserId};
use serde_json::{Value, json};

use crate::serving::Served;
use crate::support::{Setup, World};
use crate::watcher::{Copy, Watcher};

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

/// One point for a user.
async fn tap(world: &World, key: &str, number: u8) {
    let request =
        RecordRequest { board: BoardId::main(), user_id: user(number), kind: "tap".parse().unwrap(), points: None };
    world.scoreboard.record(&"game".parse().unwrap(), key, request).await.unwrap();
}

/// Thirty users with one point each, the first in front.
async fn crowd(world: &World) {
    for number in 1..=30 {
        tap(world, &format!("first {number}"), number).await;
    }
}

fn around(number: u8, radius: usize) -> Value {
    json!({ "type": "subscribe", "window": "around", "userId": user(number), "radius": radius })
}

fn users(numbers: &[u8]) -> Value {
    let users: Vec<_> = numbers.iter().copied().map(user).collect();
    json!({ "type": "subscribe", "window": "users", "userIds": users })
}

fn ranks(copy: &Copy) -> Vec<(u64, String)> {
    copy.rows.iter().map(|(rank, user, _)| (*rank, user.clone())).collect()
}

fn expected(ranks: &[(u64, u8)]) -> Vec<(u64, String)> {
    ranks.iter().map(|(rank, number)| (*rank, user(*number).to_string())).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_neighbourhood_follows_its_user() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    crowd(&world).await;
    let mut watcher = Watcher::connect(&served).await;
    watcher.say(around(20, 2)).await;
    let mut copy = Copy::default();
    let snapshot = watcher.next().await;
    let told = (&snapshot["window"], &snapshot["userId"], &snapshot["total"], snapshot.get("recovered"));
    assert_eq!(told, (&json!("around"), &json!(user(20)), &json!(30), None), "{snapshot}");
    copy.apply(&snapshot);
    assert_eq!(ranks(&copy), expected(&[(18, 18), (19, 19), (20, 20), (21, 21), (22, 22)]));
    // Passed by one who was in sight, and by one who was not; then in front of all.
    for (key, number) in [("a", 22), ("b", 29), ("c", 20), ("d", 20)] {
        tap(&world, key, number).await;
    }
    while copy.version < 34 {
        let update = watcher.next().await;
        assert_eq!((&update["window"], &update["userId"]), (&json!("around"), &json!(user(20))), "{update}");
        copy.apply(&update);
    }
    assert_eq!(ranks(&copy), expected(&[(1, 20), (2, 22), (3, 29), (4, 1), (5, 2)]));
    // Whoever is not on the board has none, until they are.
    watcher.say(around(77, 1)).await;
    let snapshot = watcher.next().await;
    assert_eq!((&snapshot["entries"], &snapshot["total"]), (&json!([]), &json!(30)));
    copy.apply(&snapshot);
    tap(&world, "e", 77).await;
    copy.apply(&watcher.next().await);
    assert_eq!(ranks(&copy), expected(&[(29, 28), (30, 30), (31, 77)]));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_a_list_who_is_missing_comes_later() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    crowd(&world).await;
    let mut watcher = Watcher::connect(&served).await;
    watcher.say(users(&[30, 5, 77])).await;
    let mut copy = Copy::default();
    let snapshot = watcher.next().await;
    let told = (&snapshot["window"], snapshot.get("userId"), &snapshot["total"]);
    assert_eq!(told, (&json!("users"), None, &json!(30)), "{snapshot}");
    copy.apply(&snapshot);
    assert_eq!(ranks(&copy), expected(&[(5, 5), (30, 30)]));
    tap(&world, "a", 77).await;
    tap(&world, "b", 30).await;
    while copy.version < 32 {
        copy.apply(&watcher.next().await);
    }
    assert_eq!(ranks(&copy), expected(&[(1, 30), (6, 5), (31, 77)]));
    // A hundred fit into one message.
    let all: Vec<u8> = (1..=100).collect();
    watcher.say(users(&all)).await;
    assert_eq!(watcher.next().await["entries"].as_array().unwrap().len(), 31);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_is_watched_in_three_ways_at_once_and_each_by_itself() {
    let mut setup = Setup::default();
    setup.http.live.max_boards = 1;
    let world = World::with(setup).await;
    let served = Served::start(&world).await;
    crowd(&world).await;
    let mut watcher = Watcher::connect(&served).await;
    let mut kinds = Vec::new();
    for subscribe in [json!({ "type": "subscribe", "limit": 3 }), around(20, 1), users(&[7])] {
        watcher.say(subscribe).await;
        kinds.push(watcher.next().await["window"].clone());
    }
    assert_eq!(kinds, [Value::Null, json!("around"), json!("users")], "of a top it is not said");
    tap(&world, "a", 30).await;
    let mut told: Vec<_> = Vec::new();
    for _ in 0..3 {
        let update = watcher.next().await;
        assert_eq!((&update["type"], &update["version"]), (&json!("update"), &json!(31)));
        told.push(update["window"].as_str().map(str::to_owned));
    }
    told.sort();
    assert_eq!(told, [None, Some("around".to_owned()), Some("users".to_owned())]);
    // One less, and then two.
    for (gone, left) in [("around", 2), ("top", 1)] {
        watcher.say(json!({ "type": "unsubscribe", "window": gone })).await;
        watcher.say(json!({ "type": "ping" })).await;
        assert_eq!(watcher.next().await["type"], "pong");
        tap(&world, gone, 30).await;
        for _ in 0..left {
            assert_ne!(watcher.next().await["window"], "around");
        }
        watcher.assert_silent(Duration::from_millis(300)).await;
    }
    // What is refused is told of the window that it was for.
    watcher.say(json!({ "type": "subscribe", "board": "other", "window": "users", "userIds": [user(1)] })).await;
    let refused = watcher.next().await;
    assert_eq!(
        (&refused["code"], &refused["board"], &refused["window"]),
        (&json!("invalid_request"), &json!("other"), &json!("users"))
    );
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_board_that_is_not_there_is_refused_by_window() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let mut watcher = Watcher::connect(&served).await;
    for (mut subscribe, window) in
        [(json!({ "type": "subscribe" }), Value::Null), (around(1, 1), json!("around")), (users(&[1]), json!("users"))]
    {
        subscribe["board"] = json!("nothing");
        watcher.say(subscribe).await;
        let refused = watcher.next().await;
        let told = (&refused["code"], &refused["board"], refused.get("window").unwrap_or(&Value::Null));
        assert_eq!(told, (&json!("not_found"), &json!("nothing"), &window), "{refused}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_resumes_a_window_is_told_what_was_missed_or_that_it_is_not_known() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    crowd(&world).await;
    for (name, subscribe) in
        [("top", json!({ "type": "subscribe", "limit": 40 })), ("around", around(20, 3)), ("users", users(&[20, 25]))]
    {
        let mut watcher = Watcher::connect(&served).await;
        watcher.say(subscribe.clone()).await;
        let snapshot = watcher.next().await;
        assert_eq!(snapshot.get("recovered"), None, "{name}");
        let mut copy = Copy::default();
        copy.apply(&snapshot);
        drop(watcher);
        tap(&world, name, 25).await;
        // Cut off and back: the window has kept what was missed.
        let mut again = subscribe.clone();
        again["since"] = json!({ "epoch": snapshot["epoch"], "version": snapshot["version"] });
        let mut watcher = Watcher::connect(&served).await;
        watcher.say(again.clone()).await;
        let missed = watcher.next().await;
        assert_eq!(missed["type"], "update", "{name}: {missed}");
        copy.apply(&missed);
        let mut fresh = Copy::default();
        let mut other = Watcher::connect(&served).await;
        other.say(subscribe.clone()).await;
        fresh.apply(&other.next().await);
        assert_eq!(copy.rows, fresh.rows, "{name}");
        // From another life of the board nothing leads on; a top alone is told from its log of what was before its window.
        again["since"] = json!({ "epoch": 99, "version": 1 });
        watcher.say(again.clone()).await;
        assert_eq!(watcher.next().await["recovered"], false, "{name}");
        if name != "top" {
            again["since"] = json!({ "epoch": snapshot["epoch"], "version": 3 });
            watcher.say(again).await;
            let whole = watcher.next().await;
            assert_eq!((&whole["type"], &whole["recovered"]), (&json!("snapshot"), &json!(false)), "{name}");
        }
    }
    served.stop().await;
}
