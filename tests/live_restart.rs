//! Servers that stop and servers that die, while many watch: whoever watched is told to come again, spread over the time there is for it, or comes
//! by himself to another server, and holds the same board as all others a moment later.
//!
//! A few hundred; all of them, 2,000 and 1,000, with `SCOREBOARD_TEST_SCALE=100`.

mod support;

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::join_all;
use serde_json::Value;
use support::arena::Arena;
use support::client::Client;
use support::place::Place;
use support::redis::Process;
use support::scale::scaled;
use support::server::{Server, UNLIMITED};
use support::user::User;
use support::wait::until;
use support::watcher::{Held, Socket, open, try_open};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::Message;

const PATIENCE: Duration = Duration::from_secs(60);

/// The time that a server takes for those who watch, in seconds, and what it may take in all.
const DRAIN_SECONDS: usize = 10;
const EXIT: Duration = Duration::from_secs(30);

/// Whoever lost his server is back in this time, and knows what he missed.
const BACK: Duration = Duration::from_secs(5);

/// A client waits for up to so long before it comes again, by chance.
const JITTER: Duration = Duration::from_millis(500);

/// Reads until the end of a connection, and gives when and with which code it was closed; `None` if it just broke.
async fn watch_out(mut socket: Socket, held: &mut Held) -> (Instant, Option<u16>) {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) => take(held, &text),
            Some(Ok(Message::Close(frame))) => return (Instant::now(), frame.map(|frame| frame.code.into())),
            Some(Ok(_)) => {}
            Some(Err(_)) | None => return (Instant::now(), None),
        }
    }
}

/// Returns once so many are let in.
async fn all_watch(server: &Server, watchers: usize) {
    let mut client = Client::new(server.address());
    until("all watch", PATIENCE, async || {
        let metrics = client.get("/metrics").await.ok()?.expect(200);
        let line = metrics.as_str()?.lines().find_map(|line| line.strip_prefix("scoreboard_ws_connections "))?;
        (line.trim().parse::<usize>().ok()? == watchers).then_some(())
    })
    .await;
}

fn take(held: &mut Held, text: &str) {
    let message: Value = serde_json::from_str(text).expect("JSON");
    if message["type"] != "connected" {
        held.apply(&message);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_stops_sends_all_away_spread_over_its_time_and_keeps_what_it_acknowledged() {
    let watchers = scaled(scaled(2_000)).max(200);
    let drain = DRAIN_SECONDS.to_string();
    let settings: Vec<_> = UNLIMITED.into_iter().chain([("SCOREBOARD_DRAIN_SECONDS", drain.as_str())]).collect();
    let mut server = Server::start_with(&settings, &[]).await;
    let address = server.address();
    let mut user = User::register(address, "ada").await;
    let watching = (0..watchers).map(|_| {
        tokio::spawn(async move {
            let mut held = Held::default();
            let socket = open(address, &held).await;
            let (at, code) = watch_out(socket, &mut held).await;
            (at, code, held.snapshots)
        })
    });
    let watching: Vec<_> = watching.collect();
    all_watch(&server, watchers).await;

    // Somebody plays on until he is not served any more.
    let (stopped, mut stop) = watch::channel(());
    let playing = tokio::spawn(async move {
        let mut acknowledged = 0;
        while let Ok(issued) = user.issue("tap").await {
            let Ok(counted) = user.update(&issued.expect(201)["action"]).await else { break };
            counted.expect(200);
            acknowledged += 1;
            if acknowledged == 20 {
                stopped.send_replace(());
            }
            sleep(Duration::from_millis(20)).await;
        }
        (user, acknowledged)
    });
    timeout(PATIENCE, stop.changed()).await.expect("in time").expect("somebody plays");
    let told = Instant::now();
    let status = timeout(EXIT, server.terminate()).await.expect("it ends in time");
    assert!(status.success(), "{status}");
    println!("{watchers} who watch, gone after {:?}", told.elapsed());

    let mut seconds = vec![0; DRAIN_SECONDS + 2];
    for watcher in join_all(watching).await {
        let (at, code, snapshots) = watcher.expect("without a gap");
        assert_eq!((code, snapshots), (Some(1012), 1));
        seconds[at.duration_since(told).as_secs() as usize] += 1;
    }
    println!("closed in each second: {seconds:?}");
    let most = *seconds.iter().max().expect("some");
    assert!(most * DRAIN_SECONDS <= 2 * watchers, "no second has twice its share: {seconds:?}");

    let (mut user, acknowledged) = playing.await.expect("each answer is a good one, or none");
    server.restart().await;
    let score = user.standing().await["score"].as_i64().expect("a score");
    // One may have counted whose answer was lost.
    assert!((acknowledged..=acknowledged + 1).contains(&score), "{score} of {acknowledged}");
    server.assert_verified();
}

/// Watches at the first of these servers until it is gone, then at the next, until the version that `end` says, once it says one. Gives when it was
/// back at a board that moved on, if it was gone.
async fn watch_anywhere(servers: [SocketAddr; 2], mut end: watch::Receiver<Option<u64>>) -> (Held, Option<Instant>) {
    let (mut held, mut back) = (Held::default(), None);
    for (number, address) in servers.into_iter().cycle().enumerate() {
        if number > 0 {
            sleep(JITTER.mul_f64(rand::random())).await;
        }
        let Ok(mut socket) = try_open(address, &held).await else { continue };
        loop {
            if end.borrow_and_update().is_some_and(|version| held.version >= version) {
                return (held, back);
            }
            tokio::select! {
                changed = end.changed() => changed.expect("the test goes on"),
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => {
                        let before = held.version;
                        take(&mut held, &text);
                        if number > 0 && held.version > before {
                            back.get_or_insert_with(Instant::now);
                        }
                    }
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break,
                },
            }
        }
    }
    unreachable!("there is always a next server")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_who_watch_at_a_server_that_dies_hold_one_board_again_at_another() {
    let watchers = scaled(1_000);
    let redis = Process::start(&[]);
    let url = redis.url();
    let settings: Vec<_> = UNLIMITED.into_iter().chain([("SCOREBOARD_REDIS__URL", url.as_str())]).collect();
    let mut one = Server::start_as(Place::postgres().await, &settings, &[]).await;
    let other = one.start_beside().await;
    let users = User::register_many(other.address(), "user", 5).await;
    let users: Vec<String> = users.into_iter().map(|user| user.id).collect();
    let key = Arena::key(&other);
    let arena = Arena::play(&other, &key, &["main"], &users, 20);

    let (end, ended) = watch::channel(None);
    let servers = [one.address(), other.address()];
    let watching: Vec<_> = (0..watchers).map(|_| tokio::spawn(watch_anywhere(servers, ended.clone()))).collect();
    all_watch(&one, watchers).await;

    let killed = Instant::now();
    one.kill9();
    let played = arena.recorded();
    until("the board moves on", PATIENCE, async || (arena.recorded() > played + 5).then_some(())).await;
    // It goes on moving until all are back.
    all_watch(&other, watchers).await;
    drop(arena);
    let page = Client::new(other.address()).get("/api/scoreboard").await.expect("answered").expect(200);
    end.send_replace(page["version"].as_u64());
    let all = timeout(PATIENCE, join_all(watching)).await.expect("all hear the last");
    let mut took = Vec::new();
    let mut held = Vec::new();
    for watcher in all {
        let (one, back) = watcher.expect("without a gap");
        took.push(back.expect("all were gone").duration_since(killed));
        held.push(one);
    }
    took.sort_unstable();
    assert!(held.iter().all(|one| (one.version, &one.rows) == (held[0].version, &held[0].rows)), "all hold one board");
    println!(
        "{watchers} who watch, back after {:?} in the middle and {:?} at most",
        took[watchers / 2],
        took[watchers - 1]
    );
    assert!(took[watchers - 1] <= BACK, "{:?}", took[watchers - 1]);
    other.assert_verified();
}
