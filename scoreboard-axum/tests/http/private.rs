//! What only its user is told, over a WebSocket that a ticket has let in.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::serving::Served;
use crate::support::{Player, Setup, World};
use crate::watcher::Watcher;

impl World {
    /// So many points, one after the other, of which watchers see the sum.
    async fn taps(&self, player: &Player, points: usize) {
        for _ in 0..points {
            self.tap(player).await;
        }
    }
}

impl Watcher {
    /// The next message that is not about a board as all see it.
    async fn next_private(&mut self) -> Value {
        loop {
            let message = self.next().await;
            if !matches!(message["type"].as_str(), Some("snapshot" | "update")) {
                return message;
            }
        }
    }

    /// All that comes until an answer to a ping that is sent after a while, but for what all see.
    async fn private_meanwhile(&mut self, patience: Duration) -> Vec<Value> {
        tokio::time::sleep(patience).await;
        self.say(json!({ "type": "ping" })).await;
        let mut all = Vec::new();
        loop {
            let message = self.next_private().await;
            if message["type"] == "pong" {
                return all;
            }
            all.push(message);
        }
    }

    async fn subscribed(&mut self, board: &str) {
        self.say(json!({ "type": "subscribe", "board": board })).await;
        assert_eq!(self.next().await["type"], "snapshot");
    }
}

const A_WHILE: Duration = Duration::from_millis(400);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_passed_is_told_and_nobody_else() {
    let mut setup = Setup::default();
    setup.http.live.messages_per_minute = 100_000;
    let world = World::with(setup).await;
    let served = Served::start(&world).await;
    let (ada, bob) = (world.player("ada").await, world.player("bob").await);
    world.taps(&ada, 2).await;
    world.taps(&bob, 2).await;
    // The ticket before the subscription, and after it; somebody else, nobody, and one who watches another board.
    let mut adas = [Watcher::signed_in(&served, &world, &ada).await, Watcher::connect(&served).await];
    let mut others = [Watcher::signed_in(&served, &world, &bob).await, Watcher::connect(&served).await];
    let mut elsewhere = Watcher::signed_in(&served, &world, &ada).await;
    for watcher in adas.iter_mut().chain(&mut others) {
        watcher.subscribed("main").await;
    }
    elsewhere.subscribed("other").await;
    adas[1].assert_authenticated(&world.ticket(&ada).await, &ada).await;
    for watcher in adas.iter_mut().chain(&mut others).chain([&mut elsewhere]) {
        assert_eq!(
            watcher.private_meanwhile(A_WHILE).await,
            [] as [Value; 0],
            "the first look is compared with nothing"
        );
    }
    let receipt = world.tap(&bob).await;
    for watcher in &mut adas {
        let told = watcher.next_private().await;
        let by = json!({ "userId": bob.id, "displayName": null, "score": 3 });
        let expected = json!({
            "type": "overtaken", "board": "main", "season": 1, "epoch": receipt["epoch"], "version": receipt["version"],
            "rank": 2, "previousRank": 1, "by": by,
        });
        assert_eq!(told, expected);
    }
    for watcher in others.iter_mut().chain([&mut elsewhere]) {
        assert_eq!(watcher.private_meanwhile(A_WHILE).await, [] as [Value; 0]);
    }
    // Whatever happens, once in a second.
    let started = Instant::now();
    let mut told = Vec::new();
    while started.elapsed() < Duration::from_secs(3) {
        world.taps(&ada, 2).await;
        world.taps(&bob, 2).await;
        told.extend(adas[0].private_meanwhile(Duration::ZERO).await);
    }
    assert!((1..=4).contains(&told.len()), "{told:?}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_into_the_top_is_told() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let ada = world.player("ada").await;
    for number in 0..10 {
        let other = world.player(&format!("other{number}")).await;
        world.taps(&other, 2).await;
    }
    world.tap(&ada).await;
    let mut watcher = Watcher::signed_in(&served, &world, &ada).await;
    watcher.say(json!({ "type": "subscribe", "window": "around", "userId": ada.id })).await;
    assert_eq!(watcher.private_meanwhile(A_WHILE).await, [] as [Value; 0]);
    world.taps(&ada, 2).await;
    let told = watcher.next_private().await;
    let expected = json!({ "type": "enteredTop", "board": "main", "season": 1, "epoch": told["epoch"], "version": 23, "rank": 1, "limit": 10 });
    assert_eq!(told, expected);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_watches_a_board_no_more_is_told_nothing_of_it() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let (ada, bob) = (world.player("ada").await, world.player("bob").await);
    world.tap(&ada).await;
    let mut watcher = Watcher::signed_in(&served, &world, &ada).await;
    watcher.subscribed("main").await;
    watcher.say(json!({ "type": "subscribe", "window": "users", "userIds": [bob.id] })).await;
    watcher.say(json!({ "type": "unsubscribe" })).await;
    assert_eq!(watcher.private_meanwhile(A_WHILE).await, [] as [Value; 0]);
    world.taps(&bob, 2).await;
    assert_eq!(watcher.next_private().await["type"], "overtaken", "one window is still watched");
    watcher.say(json!({ "type": "unsubscribe", "window": "users" })).await;
    world.taps(&ada, 2).await;
    // Longer than what comes and goes is told as one.
    assert_eq!(watcher.private_meanwhile(Duration::from_millis(1_500)).await, [] as [Value; 0]);
    world.taps(&bob, 2).await;
    assert_eq!(watcher.private_meanwhile(A_WHILE).await, [] as [Value; 0]);
    // Of a board that is not there nothing is told either.
    watcher.say(json!({ "type": "subscribe", "board": "nothing" })).await;
    let told = watcher.private_meanwhile(A_WHILE).await;
    assert_eq!((told.len(), &told[0]["code"]), (1, &json!("not_found")), "{told:?}");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_signs_out_is_told_nothing_more() {
    let mut setup = Setup::default();
    setup.core.batch_interval = Duration::from_millis(1);
    let world = World::with(setup).await;
    let served = Served::start(&world).await;
    let bob = world.player("bob").await;
    for round in 0..20 {
        let ada = world.player(&format!("ada{round}")).await;
        world.taps(&ada, 1).await;
        let mut watcher = Watcher::signed_in(&served, &world, &ada).await;
        watcher.subscribed("main").await;
        watcher.private_meanwhile(Duration::from_millis(20)).await;
        // Signed out first: whatever is found from then on, even at the same moment, is not told.
        world.log_out(&ada).await;
        world.taps(&bob, 2).await;
        let (messages, code) = watcher.closed().await;
        assert_eq!(code, 4500);
        assert!(messages.iter().all(|message| message["type"] != "overtaken"), "round {round}: {messages:?}");
    }
    served.stop().await;
}
