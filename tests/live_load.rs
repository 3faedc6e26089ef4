//! Many who watch one board of the real server at once: nobody misses anything, however slow the neighbours, and all who are cut off come
//! back for next to no reading of the store.
//!
//! A few hundred; all 5,000 with `SCOREBOARD_TEST_SCALE=100`.

mod support;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use serde_json::Value;
use support::client::Client;
use support::metrics::counted;
use support::resident::resident;
use support::scale::scaled;
use support::server::{Server, UNLIMITED};
use support::user::User;
use support::watcher::{Held, open};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

const PATIENCE: Duration = Duration::from_secs(60);

/// Between two updates of the board: ten a second.
const PACE: Duration = Duration::from_millis(100);

/// Until what was needed to begin has been given back, and all who were let in are told what there is.
const SETTLED: Duration = Duration::from_secs(2);

/// What hashing takes, and gives back, is not what is measured.
const CHEAP_HASHES: [(&str, &str); 2] =
    [("SCOREBOARD_ACCOUNTS__ARGON2_MEMORY_KIB", "1024"), ("SCOREBOARD_ACCOUNTS__ARGON2_ITERATIONS", "1")];

/// How often watched boards were read. The space is the end of its name.
const READS: &str = "scoreboard_live_reads_total ";

/// Watches until the version that `until` says, once it says one.
async fn follow(address: SocketAddr, mut held: Held, mut until: watch::Receiver<Option<u64>>) -> Held {
    let mut socket = open(address, &held).await;
    loop {
        if until.borrow_and_update().is_some_and(|version| held.version >= version) {
            return held;
        }
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
                held.apply(&message);
            }
        }
    }
}

/// Updates the board so often, at the pace; gives when each version was asked for.
async fn play(user: &mut User, times: usize) -> BTreeMap<u64, Instant> {
    let mut asked = BTreeMap::new();
    for _ in 0..times {
        let action = user.issue("tap").await.expect("issued").expect(201)["action"].take();
        let at = Instant::now();
        let receipt = user.update(&action).await.expect("answered").expect(200)["receipt"].take();
        asked.insert(receipt["version"].as_u64().expect("a version"), at);
        sleep(PACE).await;
    }
    asked
}

fn percentile(sorted: &[Duration], percent: usize) -> Duration {
    sorted[(sorted.len() * percent / 100).min(sorted.len() - 1)]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn hundreds_watch_without_a_gap_are_cut_and_come_back() {
    // Of 5,000: a twenty-fifth, unless all is asked for.
    let clients = scaled(scaled(5_000));
    let settings: Vec<_> = UNLIMITED.into_iter().chain(CHEAP_HASHES).collect();
    let server = Server::start_with(&settings, &[]).await;
    let address = server.address();
    let mut users = User::register_many(address, "user", 3).await;
    for user in &mut users {
        play(user, 1).await;
    }

    // All watch; one in a hundred, and one at least, reads nothing.
    sleep(SETTLED).await;
    let rss = resident(server.pid());
    let deaf = join_all((0..clients.div_ceil(100)).map(async |_| open(address, &Held::default()).await)).await;
    let (end, until) = watch::channel(None);
    let watchers: Vec<JoinHandle<Held>> =
        (0..clients).map(|_| tokio::spawn(follow(address, Held::default(), until.clone()))).collect();
    sleep(SETTLED).await;
    let then = resident(server.pid());
    let each = (then as f64 - rss as f64) / (clients + deaf.len()) as f64;
    println!(
        "the server: {rss} KiB before, {then} KiB with all, {each:.1} KiB for each who watches and is told nothing"
    );
    let mut asked = BTreeMap::new();
    for _ in 0..7 {
        for user in &mut users {
            asked.append(&mut play(user, 1).await);
        }
    }
    let last = *asked.keys().next_back().expect("some");
    end.send_replace(Some(last));
    let all = timeout(PATIENCE, join_all(watchers)).await.expect("all hear the last");
    let held: Vec<Held> = all.into_iter().map(|held| held.expect("without a gap")).collect();
    assert!(held.iter().all(|one| one.rows == held[0].rows && one.version == last), "all hold one board");
    let mut took: Vec<Duration> = Vec::new();
    for (version, at) in held.iter().flat_map(|one| &one.told) {
        if let Some(asked) = asked.get(version) {
            took.push(at.duration_since(*asked));
        }
    }
    took.sort_unstable();
    let (median, p99) = (percentile(&took, 50), percentile(&took, 99));
    println!("{clients} clients, {} deaf: {} messages, median {median:?}, p99 {p99:?}", deaf.len(), took.len());
    assert!(took.len() >= clients * asked.len() / 2, "most changes are seen one by one");
    assert!(p99 < Duration::from_secs(2), "{p99:?}");

    // All are cut at once, the board moves, and all come back.
    let mut client = Client::new(address);
    let before = counted(&mut client, READS).await;
    let asked = play(&mut users[0], 3).await;
    let last = *asked.keys().next_back().expect("some");
    let (_end, until) = watch::channel(Some(last));
    let started = Instant::now();
    let snapshots: usize = held.iter().map(|one| one.snapshots).sum();
    let back = join_all(held.into_iter().map(|one| tokio::spawn(follow(address, one, until.clone()))));
    let back = timeout(Duration::from_secs(15), back).await.expect("all are back");
    let back: Vec<Held> = back.into_iter().map(|held| held.expect("without a gap")).collect();
    assert!(back.iter().all(|one| one.rows == back[0].rows && one.version == last), "all hold one board");
    let again: usize = back.iter().map(|one| one.snapshots).sum();
    let caused = counted(&mut client, READS).await - before;
    println!("all back after {:?}, {} by a snapshot, for {caused} readings", started.elapsed(), again - snapshots);
    // The three changes are read for those who are deaf, who still watch.
    assert!(caused <= 5 + 3, "{caused} readings of the store");
    drop(deaf);
}
