//! Several servers on one database: what one has counted, the others show; whom one has signed out, the others refuse.

mod support;

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use support::client::Client;
use support::fault_proxy::{Fault, FaultProxy, Upstream};
use support::metrics::counted;
use support::place::Place;
use support::postgres;
use support::redis::Process;
use support::scale::scaled;
use support::server::{Server, UNLIMITED};
use support::user::{PASSWORD, User, split_receipt, update};
use support::wait::until;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

const ROUNDS: usize = 30;

/// What is announced and heard takes milliseconds; a lost announcement, two seconds and what a busy machine adds.
const AT_ONCE: Duration = Duration::from_millis(1500);

/// With its own 50 ms, a busy machine would decide who finds Redis gone.
const NO_HURRY: (&str, &str) = ("SCOREBOARD_REDIS__TIMEOUT_MS", "2000");

/// How long a replica may take to catch up.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long it takes at most until a server knows what it missed.
const RECOVERY: Duration = Duration::from_secs(5);

/// Twice what lies between two polls of the store, and what a busy machine adds.
const SAYS_SO: Duration = Duration::from_secs(14);
/// The servers follow what others have ended twice a second.
const FOLLOWED: Duration = Duration::from_secs(1);

struct Watcher(WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Watcher {
    async fn open(server: &Server) -> Self {
        let url = format!("{}/api/scoreboard/ws", server.url().replace("http://", "ws://"));
        let (socket, _) = connect_async(url).await.expect("it takes connections");
        let mut watcher = Self(socket);
        assert_eq!(watcher.next(AT_ONCE).await["type"], "connected");
        watcher
    }

    async fn send(&mut self, message: &Value) {
        self.0.send(Message::text(message.to_string())).await.expect("it is open");
    }

    /// The next message in JSON; a close frame is its code.
    async fn next(&mut self, within: Duration) -> Value {
        loop {
            let next = timeout(within, self.0.next()).await.unwrap_or_else(|_| panic!("nothing within {within:?}"));
            match next.expect("it is open").expect("a whole message") {
                Message::Text(text) => return serde_json::from_str(&text).expect("JSON"),
                Message::Close(frame) => return json!({ "closed": frame.map(|frame| u16::from(frame.code)) }),
                _ => {}
            }
        }
    }
}

async fn count_one(user: &mut User, on: &Server) -> u64 {
    let action = user.issue("tap").await.expect("issue answers").expect(201)["action"].take();
    // Signed by one, counted by another.
    let answer = update(&mut Client::new(on.address()), &user.token, &action).await.expect("update answers");
    let (receipt, replayed) = split_receipt(answer);
    assert!(!replayed);
    receipt["version"].as_u64().expect("a version")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_counts_the_other_shows_and_pushes() {
    let one = Server::start_on(Place::postgres().await).await;
    let other = one.start_beside().await;
    let mut user = User::register(one.address(), "ada").await;
    let mut reader = Client::new(other.address());
    let mut watcher = Watcher::open(&other).await;
    watcher.send(&json!({"type": "subscribe", "board": "main"})).await;
    assert_eq!(watcher.next(AT_ONCE).await["type"], "snapshot");

    let (mut pushed, mut shown) = (Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        // So that there is something old to show.
        reader.get("/api/scoreboard").await.expect("a read is answered").expect(200);
        let version = count_one(&mut user, &one).await;
        let began = Instant::now();
        if round % 2 == 1 {
            // Who names what he wants need not wait until it is announced.
            let page = reader.get(&format!("/api/scoreboard?minVersion={version}")).await.expect("a read is answered");
            assert!(page.expect(200)["version"].as_u64() >= Some(version));
        }
        until(format!("version {version} is shown"), AT_ONCE, async || {
            let page = reader.get("/api/scoreboard").await.expect("a read is answered").expect(200);
            (page["version"].as_u64() >= Some(version)).then_some(())
        })
        .await;
        shown.push(began.elapsed());
        while watcher.next(AT_ONCE).await["version"].as_u64() < Some(version) {}
        pushed.push(began.elapsed());
        // What was pushed is not taken back by what is read.
        let page = reader.get("/api/scoreboard").await.expect("a read is answered").expect(200);
        assert!(page["version"].as_u64() >= Some(version), "{page}");
    }
    for (what, times) in [("shown", &mut shown), ("pushed", &mut pushed)] {
        times.sort_unstable();
        println!("{what} elsewhere after {:?} in the middle, {:?} at most", times[ROUNDS / 2], times[ROUNDS - 1]);
    }
    one.assert_verified();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_signed_out_at_one_is_refused_by_the_other() {
    let one = Server::start_on(Place::postgres().await).await;
    let other = one.start_beside().await;
    let mut user = User::register(one.address(), "ada").await;
    let login = json!({"email": "ada@example.org", "password": PASSWORD});
    let login = user.client.post("/api/auth/login", &login).await.expect("login answers").expect(200);
    let token = login["token"].as_str().expect("a token");
    let mut elsewhere = Client::new(other.address());
    let me = async |client: &mut Client, token: &str| {
        client.send("GET", "/api/auth/me", Some(token), None).await.expect("it answers").status
    };
    assert_eq!(me(&mut elsewhere, token).await, 200);
    let ticket = elsewhere.send("POST", "/api/auth/ws-ticket", Some(token), None).await;
    let ticket = ticket.expect("it answers").expect(201)["ticket"].take();
    let mut watcher = Watcher::open(&other).await;
    watcher.send(&json!({"type": "authenticate", "ticket": ticket})).await;
    assert_eq!(watcher.next(AT_ONCE).await["type"], "authenticated");

    let refresh = json!({"refreshToken": login["refreshToken"]});
    let out = user.client.send("POST", "/api/auth/logout", Some(token), None).await;
    out.expect("it answers").expect(204);
    let began = Instant::now();
    assert_eq!(me(&mut user.client, token).await, 401, "at once where it was signed out");
    until("the other refuses the token", FOLLOWED, async || (me(&mut elsewhere, token).await == 401).then_some(()))
        .await;
    assert_eq!(watcher.next(FOLLOWED).await, json!({"closed": 4500}));
    println!("refused elsewhere, and its socket closed, after {:?}", began.elapsed());
    let again = elsewhere.post("/api/auth/refresh", &refresh).await.expect("it answers");
    assert_eq!(again.status, 401, "the session is over for all");
    assert_eq!(me(&mut elsewhere, &user.token).await, 200, "another session of the same user goes on");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_refreshes_at_two_nodes_all_get_one_token_and_a_late_one_ends_the_session() {
    let one = Server::start_on(Place::postgres().await).await;
    let other = one.start_beside().await;
    let mut user = User::register(one.address(), "ada").await;
    let login = json!({"email": "ada@example.org", "password": PASSWORD});
    let login = user.client.post("/api/auth/login", &login).await.expect("login answers").expect(200);
    let first = json!({"refreshToken": login["refreshToken"]});
    let tries = (0..50).map(|n| {
        let (address, first) = ([&one, &other][n % 2].address(), &first);
        async move {
            let answer = Client::new(address).post("/api/auth/refresh", first).await.expect("refresh answers");
            answer.expect(200)["refreshToken"].as_str().expect("a token").to_owned()
        }
    });
    let mut given = futures_util::future::join_all(tries).await;
    given.sort();
    given.dedup();
    assert_eq!(given.len(), 1, "one successor");
    let second = json!({"refreshToken": given[0]});
    let [mut here, mut there] = [&one, &other].map(|server| Client::new(server.address()));
    let third = there.post("/api/auth/refresh", &second).await.expect("refresh answers").expect(200);
    let token = third["token"].as_str().expect("a token");
    let me = async |client: &mut Client| {
        client.send("GET", "/api/auth/me", Some(token), None).await.expect("answers").status
    };
    assert_eq!((me(&mut here).await, me(&mut there).await), (200, 200), "the session goes on");

    // As somebody who has a copy: as long as it is repeated nothing ends.
    until("the token is taken for a copy", Duration::from_secs(15), async || {
        let answer = here.post("/api/auth/refresh", &second).await.expect("refresh answers");
        let same = answer.status == 200 && answer.body["refreshToken"] == third["refreshToken"];
        assert!(same || answer.status == 401, "{}: {}", answer.status, answer.body);
        (answer.status == 401).then_some(())
    })
    .await;
    let began = Instant::now();
    assert_eq!(me(&mut here).await, 401, "at once where it was shown");
    until("the other refuses the token", FOLLOWED, async || (me(&mut there).await == 401).then_some(())).await;
    println!("refused elsewhere after {:?}", began.elapsed());
    let third = json!({"refreshToken": third["refreshToken"]});
    assert_eq!(there.post("/api/auth/refresh", &third).await.expect("refresh answers").status, 401);
}

/// The servers look for revoked keys each two seconds; each has a copy of the key file of its own.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_key_that_is_revoked_at_one_is_refused_by_the_other() {
    let one = Server::start_on(Place::postgres().await).await;
    let other = one.start_beside().await;
    let mut user = User::register(one.address(), "ada").await;
    let action = user.issue("tap").await.expect("issue answers").expect(201)["action"].take();
    let key = action["keyId"].as_str().expect("an id").to_owned();
    let mut elsewhere = Client::new(other.address());
    let me = async |client: &mut Client, token: &str| {
        client.send("GET", "/api/auth/me", Some(token), None).await.expect("it answers").status
    };
    assert_eq!(me(&mut elsewhere, &user.token).await, 200);
    let revoked = one.command(&["admin", "revoke-key", &key]);
    assert!(revoked.status.success(), "{revoked:?}");
    let began = Instant::now();
    until("the other refuses the token", Duration::from_secs(4), async || {
        (me(&mut elsewhere, &user.token).await == 401).then_some(())
    })
    .await;
    println!("a revoked key's token is refused elsewhere after {:?}", began.elapsed());
    until("so does the one", Duration::from_secs(4), async || {
        (me(&mut user.client, &user.token).await == 401).then_some(())
    })
    .await;

    // Where the key file has the new key, things go on; the other's copy has none that is good, and what it signs is good there alone.
    let login = json!({"email": "ada@example.org", "password": PASSWORD});
    let login = user.client.post("/api/auth/login", &login).await.expect("login answers").expect(200);
    let token = login["token"].as_str().expect("a token");
    let old = update(&mut user.client, token, &action).await.expect("update answers");
    assert_eq!((old.status, &old.body["code"]), (400, &json!("action_signature_invalid")));
    assert_eq!(me(&mut elsewhere, token).await, 401);
    assert!(other.log().contains("every key of the key file was revoked"), "and it says so");
    one.assert_verified();
}

/// A server whose database falls silent goes on with what it has, and knows what it missed soon after.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_was_cut_off_hears_of_the_others_again() {
    let database = postgres::Server::start(&[]);
    let one = Server::start_on(Place::At(database.url().to_owned())).await;
    let proxy = FaultProxy::start(Upstream::Socket(database.socket())).await;
    let through = format!("postgres://postgres@{}/postgres?sslmode=disable", proxy.address());
    let other = one.start_beside_at(through).await;
    let mut user = User::register(one.address(), "ada").await;
    let mut reader = Client::new(other.address());
    let mut watcher = Watcher::open(&other).await;
    watcher.send(&json!({"type": "subscribe", "board": "main"})).await;
    assert_eq!(watcher.next(AT_ONCE).await["type"], "snapshot");

    for _ in 0..3 {
        reader.get("/api/scoreboard").await.expect("a read is answered").expect(200);
        proxy.set(Fault::HalfOpen);
        // Anew: a round may take as long as a connection may be at rest.
        user.client = Client::new(one.address());
        let action = user.issue("tap").await.expect("issue answers").expect(201)["action"].take();
        let (receipt, _) = split_receipt(user.update(&action).await.expect("update answers"));
        // Longer than it takes to find that nobody answers.
        tokio::time::sleep(Duration::from_secs(4)).await;
        let kept = reader.get("/api/scoreboard").await.expect("a read is answered").expect(200);
        assert!(kept["version"].as_u64() < receipt["version"].as_u64(), "{kept}");
        until("it says that it may be old", SAYS_SO, async || {
            let page = reader.get("/api/scoreboard").await.ok().filter(|page| page.status == 200)?;
            let status = page.headers.get("cache-status")?.to_str().ok()?;
            status.ends_with("detail=store-unavailable").then_some(())
        })
        .await;

        proxy.set(Fault::None);
        let began = Instant::now();
        until("it shows what it missed", RECOVERY, async || {
            let page = reader.get("/api/scoreboard").await.ok().filter(|page| page.status == 200)?;
            (page.body["version"] == receipt["version"]).then_some(())
        })
        .await;
        while watcher.next(RECOVERY).await["version"] != receipt["version"] {}
        println!("what was missed was shown and pushed after {:?}", began.elapsed());
    }
}

/// How often the server has read on a replica with this outcome.
async fn replica_reads(server: &Server, result: &str) -> u64 {
    let name = format!("scoreboard_replica_reads_total{{result=\"{result}\"}} ");
    counted(&mut Client::new(server.address()), &name).await
}

/// Whoever counts something reads it at once, wherever the replica is.
async fn own_reads_are_fresh(user: &mut User, rounds: usize) {
    for _ in 0..rounds {
        let action = user.issue("tap").await.expect("issue answers").expect(201)["action"].take();
        let (receipt, _) = split_receipt(user.update(&action).await.expect("update answers"));
        assert_eq!(user.standing().await["score"], receipt["score"]);
        let page = format!("/api/scoreboard?style=dense&minVersion={}", receipt["version"]);
        let page = user.client.get(&page).await.expect("a read is answered").expect(200);
        assert!(page["version"].as_u64() >= receipt["version"].as_u64(), "{page}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_replica_answers_what_it_has_and_nothing_old() {
    let primary = postgres::Server::start(&[]);
    // Before the replica is made, so that it has all of it.
    Server::start_on(Place::At(primary.url().to_owned())).await.terminate().await;
    let replica = postgres::Server::replica_of(&primary);
    // With ranks in memory hardly a read would get as far as a replica.
    let replicas = [("SCOREBOARD_REPLICA_URLS", replica.url()), ("SCOREBOARD_RANKS__MEGABYTES", "0")];
    let settings = [UNLIMITED.as_slice(), &replicas].concat();
    let server = Server::start_as(Place::At(primary.url().to_owned()), &settings, &[]).await;
    let mut user = User::register(server.address(), "ada").await;

    own_reads_are_fresh(&mut user, 20).await;
    // Nothing moves: the replica is as far as the primary.
    until("the replica answers", PATIENCE, async || {
        user.standing().await;
        (replica_reads(&server, "served").await > 20).then_some(())
    })
    .await;

    postgres::run(replica.url(), "SELECT pg_wal_replay_pause()").await;
    let (began, served) = (Instant::now(), replica_reads(&server, "served").await);
    let rounds = scaled(1000);
    own_reads_are_fresh(&mut user, rounds).await;
    // Ten seconds in all where all of it is asked for.
    let still = Duration::from_millis(scaled(10_000) as u64);
    tokio::time::sleep(still.saturating_sub(began.elapsed())).await;
    own_reads_are_fresh(&mut user, 1).await;
    let stood = began.elapsed();
    assert_eq!(replica_reads(&server, "served").await, served, "it had none of what was asked for");
    assert!(replica_reads(&server, "behind").await > 0, "it was tried");
    postgres::run(replica.url(), "SELECT pg_wal_replay_resume()").await;
    until("the replica answers again", PATIENCE, async || {
        user.standing().await;
        (replica_reads(&server, "served").await > served).then_some(())
    })
    .await;

    replica.kill9();
    own_reads_are_fresh(&mut user, 20).await;
    server.assert_verified();
    println!("{rounds} of {rounds} own reads were fresh while the replica stood still for {stood:?}");
}

/// A ticket for a WebSocket is asked for at one server, and shown at the other: a proxy takes each to whichever it likes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_ticket_of_one_server_is_good_at_the_other_once() {
    let redis = Process::start(&[]);
    let url = redis.url();
    let settings: Vec<_> = UNLIMITED.into_iter().chain([("SCOREBOARD_REDIS__URL", url.as_str()), NO_HURRY]).collect();
    let one = Server::start_as(Place::postgres().await, &settings, &[]).await;
    let other = one.start_beside().await;
    let servers = [one, other];
    let mut user = User::register(servers[0].address(), "ada").await;
    for (asked, shown) in [(0, 1), (1, 0), (0, 0)] {
        let mut client = Client::new(servers[asked].address());
        let ticket = client.send("POST", "/api/auth/ws-ticket", Some(&user.token), None).await;
        let authenticate =
            json!({"type": "authenticate", "ticket": ticket.expect("it answers").expect(201)["ticket"].take()});
        let mut first = Watcher::open(&servers[shown]).await;
        first.send(&authenticate).await;
        assert_eq!(first.next(AT_ONCE).await["type"], "authenticated", "of {asked}, at {shown}");
        for server in &servers {
            let mut second = Watcher::open(server).await;
            second.send(&authenticate).await;
            assert_eq!(second.next(AT_ONCE).await["code"], "unauthorized", "it was used");
        }
        if shown == 1 {
            // What ends the session ends the socket, wherever that is.
            let login = json!({"email": "ada@example.org", "password": PASSWORD});
            let out = user.client.send("POST", "/api/auth/logout", Some(&user.token), None).await;
            out.expect("it answers").expect(204);
            assert_eq!(first.next(FOLLOWED).await, json!({"closed": 4500}));
            let again = user.client.post("/api/auth/login", &login).await.expect("login answers").expect(200);
            user.token = again["token"].as_str().expect("a token").to_owned();
        }
    }
}
