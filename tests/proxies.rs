//! Three servers of one database and one Redis behind a stock proxy: live connections pass, servers are restarted one after the other,
//! and no update is refused; one is killed, and no more updates are disturbed than were under way.

mod support;

use std::time::Duration;

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
use tokio::time::{sleep, timeout};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

const CLIENTS: usize = 8;

/// Between two steps of a restart, so that there is load before, during and after each.
const AMONG: Duration = Duration::from_millis(700);

/// As `deploy/` puts them together: with a Redis that they share.
async fn three_servers(redis: &Process) -> [Server; 3] {
    let behind_a_proxy = [("SCOREBOARD_TRUSTED_PROXIES", "127.0.0.1"), ("SCOREBOARD_NOTICE_SECONDS", "3")];
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
    let mut servers = three_servers(&redis).await;
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
    println!("{stock}: {restarted} updates while each of three servers was restarted, none refused");

    // Without a word: who was asked at that moment may have to ask again, everyone else does not notice.
    servers[1].kill9();
    sleep(Duration::from_secs(3)).await;
    load.reach(load.acknowledged() + 50).await;
    let (played, unknown) = load.stop().await;
    assert!(unknown.asked_again <= CLIENTS, "{stock}: more than those under way were disturbed: {unknown:?}");
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
