//! What was acknowledged is there, once, whenever the server's process ends.

mod support;

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;
use support::client::{Answer, Lost};
use support::place::{Place, on_every_place};
use support::seed::Seeded;
use support::server::Server;
use support::user::{User, split_receipt};
use support::wait::until;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

const KILLS: u64 = 20;
const ACKNOWLEDGED: usize = 5_000;
const CLIENTS: usize = 32;
const PATIENCE: Duration = Duration::from_secs(60);

/// Longer than the server takes to come back; in between, clients ask again.
const BETWEEN_TRIES: Duration = Duration::from_millis(20);

on_every_place!(
    twenty_kills_under_load_lose_nothing_and_double_nothing,
    sigterm_under_load_ends_in_order_within_the_drain_time,
);

async fn twenty_kills_under_load_lose_nothing_and_double_nothing(place: Place) {
    let mut seeded = Seeded::new();
    let mut server = Server::start_on(place).await;
    let load = Load::start(server.address(), CLIENTS).await;

    for kill in 1..=KILLS {
        let goal = ACKNOWLEDGED * kill as usize / KILLS as usize;
        load.reach(goal).await;
        // Somewhere between two commits, or within one.
        sleep(Duration::from_micros(seeded.within(0..20_000))).await;
        server.kill9();
        server.restart().await;
    }
    load.reach(ACKNOWLEDGED).await;
    let (users, unknown) = load.stop().await;

    let counted = check_all(users).await;
    assert!(counted >= ACKNOWLEDGED);
    assert!(unknown.asked_again > 0, "no kill met a request under way: the load is too small to show anything");
    assert!(server.terminate().await.success());
    let verified = server.assert_verified();
    assert!(verified.contains(&format!("version {counted} ({CLIENTS} scores)")), "{verified}");
    println!(
        "{counted} updates acknowledged over {KILLS} kills, 0 lost, 0 doubled; {} had an unknown outcome at first, of which {} \
         turned out to have counted",
        unknown.asked_again, unknown.had_counted
    );
}

async fn sigterm_under_load_ends_in_order_within_the_drain_time(place: Place) {
    let mut server = Server::start_on(place).await;
    let load = Load::start(server.address(), CLIENTS).await;
    load.reach(500).await;

    let asked = Instant::now();
    let status = server.terminate().await;
    let took = asked.elapsed();
    assert!(status.success(), "SIGTERM is an orderly end: {status}\n{}", server.log());
    assert!(took < Duration::from_secs(10), "the drain took {took:?}");
    server.assert_verified();

    server.restart().await;
    let acknowledged = load.acknowledged();
    load.reach(acknowledged + 100).await;
    let (users, _) = load.stop().await;
    let counted = check_all(users).await;
    let verified = server.assert_verified();
    assert!(verified.contains(&format!("version {counted} ({CLIENTS} scores)")), "beside a running server: {verified}");
}

/// Many users who play as fast as they are answered, and settle every unknown outcome by asking again.
struct Load {
    progress: Arc<Progress>,
    players: Vec<JoinHandle<(User, Vec<Played>)>>,
}

#[derive(Default)]
struct Progress {
    acknowledged: AtomicUsize,
    /// Updates that had to be sent again because nothing, or a 503, came back.
    asked_again: AtomicUsize,
    /// Those of them that had counted the first time.
    had_counted: AtomicUsize,
    enough: AtomicBool,
}

struct Unknown {
    asked_again: usize,
    had_counted: usize,
}

/// An action and the receipt that acknowledged it.
struct Played {
    action: Value,
    receipt: Value,
}

impl Load {
    async fn start(address: SocketAddr, clients: usize) -> Self {
        let progress = Arc::new(Progress::default());
        let users = User::register_many(address, "user", clients).await;
        let players = users.into_iter().map(|user| tokio::spawn(play(user, progress.clone()))).collect();
        Self { progress, players }
    }

    fn acknowledged(&self) -> usize {
        self.progress.acknowledged.load(Ordering::Relaxed)
    }

    async fn reach(&self, acknowledged: usize) {
        let what = format!("{acknowledged} updates are acknowledged");
        until(what, PATIENCE, async || {
            assert!(!self.players.iter().any(JoinHandle::is_finished), "a player has failed");
            (self.acknowledged() >= acknowledged).then_some(())
        })
        .await;
    }

    /// Each user ends with the action at hand, whose outcome is then known.
    async fn stop(self) -> (Vec<(User, Vec<Played>)>, Unknown) {
        self.progress.enough.store(true, Ordering::Relaxed);
        let users =
            join_all(self.players).await.into_iter().map(|played| played.expect("every player ends well")).collect();
        let [asked_again, had_counted] =
            [&self.progress.asked_again, &self.progress.had_counted].map(|count| count.load(Ordering::Relaxed));
        (users, Unknown { asked_again, had_counted })
    }
}

async fn play(mut user: User, progress: Arc<Progress>) -> (User, Vec<Played>) {
    let mut played = Vec::new();
    while !progress.enough.load(Ordering::Relaxed) {
        let Some(answer) = settled(user.issue("tap").await) else {
            sleep(BETWEEN_TRIES).await;
            continue;
        };
        let action = answer.expect(201)["action"].take();
        let mut tries = 1;
        let answer = loop {
            match settled(user.update(&action).await) {
                Some(answer) => break answer,
                None => sleep(BETWEEN_TRIES).await,
            }
            tries += 1;
        };
        let (receipt, replayed) = split_receipt(answer);
        assert!(tries > 1 || !replayed, "a first try cannot be a repeat: {receipt}");
        progress.acknowledged.fetch_add(1, Ordering::Relaxed);
        progress.asked_again.fetch_add(usize::from(tries > 1), Ordering::Relaxed);
        progress.had_counted.fetch_add(usize::from(replayed), Ordering::Relaxed);
        played.push(Played { action, receipt });
    }
    (user, played)
}

/// `None` if whether the request did anything is unknown, or the server asks to come again.
fn settled(answer: Result<Answer, Lost>) -> Option<Answer> {
    answer.ok().filter(|answer| answer.status != 503)
}

/// Every acknowledged action is there once: asked again each answers its receipt, their versions are 1, 2, 3 … without a gap,
/// and the scores are their sums. Gives how many there are.
async fn check_all(users: Vec<(User, Vec<Played>)>) -> usize {
    let checked = users.into_iter().map(|(user, played)| tokio::spawn(check(user, played)));
    let versions = join_all(checked).await.into_iter().flat_map(|versions| versions.expect("all is there, once"));
    let mut versions: Vec<u64> = versions.collect();
    versions.sort_unstable();
    assert!(versions.iter().copied().eq(1..=versions.len() as u64), "the log has a gap or a double: {versions:?}");
    versions.len()
}

/// One user's part of it; gives the versions.
async fn check(mut user: User, played: Vec<Played>) -> Vec<u64> {
    let mut scores = HashMap::new();
    let mut versions = Vec::new();
    for Played { action, receipt } in &played {
        let (again, replayed) = split_receipt(user.update(action).await.expect("a repeat is answered"));
        assert!(replayed, "it was acknowledged, and lost: {receipt}");
        assert_eq!(again, *receipt, "a repeat answers the first receipt");
        let [score, version] = ["score", "version"].map(|field| receipt[field].as_u64().expect("a number"));
        scores.insert(score, version);
        versions.push(version);
    }
    let expected = played.len() as u64;
    assert_eq!(user.standing().await["score"], expected, "each acknowledged tap is worth one point");
    let mut in_order: Vec<_> = scores.into_iter().collect();
    in_order.sort_unstable();
    assert!(in_order.iter().map(|(score, _)| *score).eq(1..=expected), "each tap added one: {in_order:?}");
    assert!(in_order.is_sorted_by_key(|(_, version)| *version), "scores grow with versions: {in_order:?}");
    versions
}
