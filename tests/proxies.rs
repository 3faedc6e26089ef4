//! Three servers of one database and one Redis behind a stock proxy: live connections pass, servers are restarted one after the other,
//! and neither an update nor the start of an action is refused; one is killed, and no more are disturbed than were under way. One that hangs is
//! left out by the proxy that asks for health.

mod support;

use std::time::Duration;

use futures_util::future::join_all;
use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use support::client::Client;
use support::load::{Load, check_each};
use support::metrics::counted;
use support::place::Place;
use support::proxy::{Proxy, Stock};
use support::redis::Process;
use support::server::{Server, UNLIMITED};
use support::user::User;
use support::wait::until;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

const CLIENTS: usize = 8;

/// Between two steps of a restart, so that there is load before, during and after each.
const AMONG: Duration = Duration::from_millis(700);

/// The next check after at most a second, and a second in which it is not answered (`deploy/haproxy.cfg`); and as long again, for a busy machine.
const CHECKED: Duration = Duration::from_secs(4);

/// Far less than the twenty seconds that a proxy waits for a server that hangs.
const FAST: Duration = Duration::from_secs(5);

/// As `deploy/` puts them together: with a Redis that they share, and the notice that the proxy's configuration asks for.
async fn three_servers(stock: Stock, redis: &Process) -> [Server; 3] {
    let notice = match stock {
        Stock::Nginx => "0",
        Stock::Haproxy => "3",
    };
    let behind_a_proxy = [("SCOREBOARD_TRUSTED_PROXIES", "127.0.0.1"), ("SCOREBOARD_NOTICE_SECONDS", notice)];
    let url = redis.url();
    // With its own 50 ms, a busy machine would decide who finds Redis gone.
    let patience = ("SCOREBOARD_REDIS__TIMEOUT_MS", "2000");
    let shared = [("SCOREBOARD_REDIS__URL", url.as_str()), ("SCOREBOARD_REDIS__NODES", "3"), patience];
    let settings: Vec<_> = UNLIMITED.into_iter().chain(behind_a_proxy).chain(shared).collect();
    let one = Server::start_as(Place::postgres().await, &settings, &[]).await;
    let (two, three) = (one.start_beside().await, one.start_beside().await);
    [one, two, three]
}

async fn passes_live_connections(proxy: &Proxy, user: &mut User) {
    let (mut socket, _) =
        connect_async(format!("ws://{}/api/scoreboard/ws", proxy.address())).await.expect("an upgrade");
    // By another request, which the proxy may take to another server.
    let ticket = user.client.send("POST", "/api/auth/ws-ticket", Some(&user.token), None).await;
    let ticket = ticket.expect("it answers").expect(201)["ticket"].take();
    let authenticate = json!({ "type": "authenticate", "ticket": ticket });
    socket.send(Message::text(authenticate.to_string())).await.expect("it is open");
    for expected in ["connected", "authenticated"] {
        let said = timeout(Duration::from_secs(10), socket.next()).await.expect("in time").expect("open");
        let said: Value = serde_json::from_str(said.expect("whole").to_text().expect("text")).expect("JSON");
        assert_eq!(said["type"], expected, "{said}");
    }
    let subscribe = json!({ "type": "subscribe", "board": "main" });
    socket.send(Message::text(subscribe.to_string())).await.expect("it is open");
    let action = user.issue("tap").await.expect("it answers").expect(201)["action"].take();
    let version = user.update(&action).await.expect("it answers").expect(200)["receipt"]["version"].take();
    loop {
        let message =
            timeout(Duration::from_secs(10), socket.next()).await.expect("in time").expect("open").expect("whole");
        let Message::Text(text) = message else { continue };
        let message: Value = serde_json::from_str(&text).expect("JSON");
        if message["version"].as_u64() >= version.as_u64() && message["type"] != "connected" {
            return;
        }
    }
}

async fn no_update_is_refused(stock: Stock) {
    let redis = Process::start(&[]);
    let mut servers = three_servers(stock, &redis).await;
    let proxy = Proxy::start(stock, servers.each_ref().map(Server::address)).await;
    let mut users = User::register_many(proxy.address(), "user", CLIENTS).await;
    for _ in 0..4 {
        passes_live_connections(&proxy, &mut users[0]).await;
    }
    let before = users[0].standing().await["score"].as_u64().expect("a score");
    assert_eq!(before, 4);
    let users = users.split_off(1);

    // One after the other, as a new release is brought out.
    let load = Load::behind_faults(users);
    for server in &mut servers {
        sleep(AMONG).await;
        assert!(server.terminate().await.success());
        sleep(AMONG).await;
        server.restart().await;
        // A proxy that asks for health takes a moment to send traffic again.
        sleep(Duration::from_secs(2)).await;
    }
    let restarted = load.acknowledged();
    assert_eq!(load.asked_again(), 0, "{stock}: an update was refused while servers were restarted");
    assert_eq!(load.not_issued(), 0, "{stock}: an action was not started while servers were restarted");
    println!("{stock}: {restarted} updates while each of three servers was restarted, none refused, nor their starts");

    // Without a word: who was asked at that moment may have to ask again, everyone else does not notice.
    servers[1].kill9();
    sleep(Duration::from_secs(3)).await;
    load.reach(load.acknowledged() + 50).await;
    let (played, unknown) = load.stop().await;
    let disturbed = unknown.asked_again + unknown.not_issued;
    assert!(disturbed <= CLIENTS, "{stock}: more than those under way were disturbed: {unknown:?}");
    let versions = check_each(played).await;
    println!("{stock}: {} updates with one of three killed, {unknown:?}", versions.len() - restarted);
    let mut client = Client::new(servers[0].address());
    let together = counted(&mut client, "scoreboard_one_writer_changes_total").await;
    assert!(together > 0, "{stock}: each server wrote for itself, as if there were no Redis");
    println!("{stock}: one writer for all: {together}");
    servers[0].assert_verified();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_nginx_no_update_is_refused() {
    no_update_is_refused(Stock::Nginx).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_haproxy_no_update_is_refused() {
    no_update_is_refused(Stock::Haproxy).await;
}

/// Each user reads and plays, each time over another connection; gives how long the slowest answer took.
async fn all_play(proxy: &Proxy, users: &mut [User]) -> Duration {
    let playing = users.iter_mut().map(async |user| {
        let mut slowest = Duration::ZERO;
        for _ in 0..10 {
            user.client = Client::new(proxy.address());
            let began = Instant::now();
            user.client.get("/api/scoreboard").await.expect("a read is answered").expect(200);
            let read = began.elapsed();
            let action = user.issue("tap").await.expect("it is answered").expect(201)["action"].take();
            let started = began.elapsed();
            user.update(&action).await.expect("it is answered").expect(200);
            slowest = [slowest, read, started - read, began.elapsed() - started].into_iter().max().expect("four");
        }
        slowest
    });
    join_all(playing).await.into_iter().max().expect("somebody plays")
}

/// How many requests of theirs the server has answered.
async fn answered(server: &Server) -> u64 {
    let mut client = Client::new(server.address());
    let mut sum = 0;
    for route in ["", "/generate-action", "/update"] {
        let series = format!("scoreboard_http_request_duration_seconds_count{{route=\"/api/scoreboard{route}\"");
        sum += counted(&mut client, &series).await;
    }
    sum
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn behind_haproxy_nobody_waits_for_a_server_that_hangs() {
    let redis = Process::start(&[]);
    let servers = three_servers(Stock::Haproxy, &redis).await;
    let proxy = Proxy::start(Stock::Haproxy, servers.each_ref().map(Server::address)).await;
    let mut users = User::register_many(proxy.address(), "user", CLIENTS).await;
    all_play(&proxy, &mut users).await;
    let mut before = Vec::new();
    for server in &servers {
        before.push(answered(server).await);
    }
    assert!(before.iter().all(|answered| *answered > 0), "all three are used: {before:?}");

    // It still takes connections, as far as the others can see: only who asks it something finds that it hangs.
    servers[1].signal("STOP");
    sleep(CHECKED).await;
    let slowest = all_play(&proxy, &mut users).await;
    println!("one of three hangs, and the slowest answer took {slowest:?}");
    assert!(slowest < FAST, "somebody waited for the one that hangs: {slowest:?}");
    servers[1].signal("CONT");
    let meanwhile = answered(&servers[1]).await;
    assert_eq!(meanwhile, before[1], "it was asked although it hung");

    until("it is asked again", 2 * CHECKED, async || {
        all_play(&proxy, &mut users[..1]).await;
        (answered(&servers[1]).await > meanwhile).then_some(())
    })
    .await;
}
