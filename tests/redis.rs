//! Two servers of one database that share a Redis: one limit over both, and none of their promises stands or falls with it. And servers of different
//! databases that do: none shows another's boards.

mod support;

use std::time::Duration;

use serde_json::Value;
use support::client::Client;
use support::metrics::counted;
use support::place::Place;
use support::redis::Process;
use support::server::{Server, UNLIMITED};
use support::user::{User, update};
use support::wait::until;
use tokio::time::Instant;

/// What is announced and heard takes milliseconds; a machine that is busy adds to it.
const SOON: Duration = Duration::from_millis(1500);

/// Both count the quota of updates, which is the default of ten a minute.
async fn two_servers(redis: &Process) -> [Server; 2] {
    let url = redis.url();
    let shared = [("SCOREBOARD_REDIS__URL", url.as_str()), ("SCOREBOARD_REDIS__NODES", "2")];
    let limited = ["SCOREBOARD_LIMITS__UPDATE", "SCOREBOARD_LIMITS__LOGIN"];
    let unlimited = UNLIMITED.into_iter().filter(|(name, _)| !limited.contains(name));
    let settings: Vec<_> = unlimited.chain(shared).chain([(limited[1], "40/min")]).collect();
    let one = Server::start_as(Place::postgres().await, &settings, &[]).await;
    let other = one.start_beside().await;
    [one, other]
}

/// Hands in taps at each in turn until one is refused; gives how many counted.
async fn play_until_refused(user: &mut User, clients: &mut [Client]) -> usize {
    let counted = play(user, clients, 100).await;
    assert!(counted < 100, "there is no limit");
    counted
}

/// The same with so many taps at most.
async fn play(user: &mut User, clients: &mut [Client], taps: usize) -> usize {
    for counted in 0..taps {
        let action = user.issue("tap").await.expect("it answers").expect(201)["action"].take();
        let answer = update(&mut clients[counted % clients.len()], &user.token, &action).await.expect("it answers");
        match answer.status {
            200 => {}
            429 => return counted,
            other => panic!("{other}: {}", answer.body),
        }
    }
    taps
}

async fn cache_is(client: &mut Client, status: &str) {
    until(format!("the cache is {status}"), Duration::from_secs(10), async || {
        let report = client.get("/health").await.ok()?;
        (report.status == 200 && report.body["parts"]["cache"]["status"] == status).then_some(())
    })
    .await;
}

async fn version(client: &mut Client) -> Option<u64> {
    let page: Value = client.get("/api/scoreboard").await.expect("a read is answered").expect(200);
    page["version"].as_u64()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_limit_holds_at_both_and_nothing_else_needs_redis() {
    let mut redis = Process::start(&[]);
    let servers = two_servers(&redis).await;
    let mut clients = servers.each_ref().map(|server| Client::new(server.address()));
    let mut users = User::register_many(servers[0].address(), "user", 3).await;
    for client in &mut clients {
        cache_is(client, "up").await;
    }

    assert_eq!(play_until_refused(&mut users[0], &mut clients).await, 10, "ten a minute, wherever they are handed in");
    for client in &mut clients {
        until("both show it", SOON, async || (version(client).await == Some(10)).then_some(())).await;
    }
    assert!(redis.cli(&["KEYS", "scoreboard:cache:*"]).contains("view:"), "the answer is there for all");

    redis.kill();
    let began = Instant::now();
    assert_eq!(play_until_refused(&mut users[1], &mut clients).await, 10, "five at each, its part of ten");
    assert_eq!(play_until_refused(&mut users[0], &mut clients).await, 0, "who has had ten a moment ago waits");
    assert!(began.elapsed() < Duration::from_secs(10), "nobody waits for who is gone: {:?}", began.elapsed());
    // What keeps guesses at passwords few is halved besides: of forty a quarter at each of two.
    let credentials = serde_json::json!({"email": "nobody@example.org", "password": "a guess of somebody"});
    let guessed = clients[0].post("/api/auth/login", &credentials).await.expect("it answers");
    assert_eq!(guessed.status, 401, "{}", guessed.body);
    assert_eq!(guessed.headers["ratelimit-policy"], "\"login\";q=10;w=60");
    for client in &mut clients {
        // Nothing is announced now: they look into the database.
        until("both show it", Duration::from_secs(8), async || (version(client).await == Some(20)).then_some(())).await;
        cache_is(client, "degraded").await;
    }

    redis.restart();
    for client in &mut clients {
        cache_is(client, "up").await;
    }
    assert_eq!(play_until_refused(&mut users[2], &mut clients).await, 10);
    for server in &servers {
        server.assert_verified();
    }
}

/// It answers, so no limiter can tell that it has forgotten what it had counted; but the rows of scores have not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_a_minute_stay_ten_when_redis_is_emptied() {
    let redis = Process::start(&[]);
    let servers = two_servers(&redis).await;
    let mut clients = servers.each_ref().map(|server| Client::new(server.address()));
    for client in &mut clients {
        cache_is(client, "up").await;
    }
    let mut user = User::register(servers[0].address(), "user").await;
    let began = Instant::now();
    // One that is refused would be remembered by the server that did so.
    assert_eq!(play(&mut user, &mut clients, 10).await, 10);
    assert_eq!(redis.cli(&["FLUSHALL"]), "OK");
    refused_everywhere(&mut user, &mut clients, 20).await;
    let mut forgotten = 0;
    for client in &mut clients {
        forgotten += counted(client, "scoreboard_ratelimit_store_refusals_total").await;
    }
    assert_eq!(forgotten, 2, "one at each server: behind it, each knows");
    let took = began.elapsed();
    println!("10 counted, Redis emptied, none more counted, within {took:?}");
    assert!(took < Duration::from_secs(60), "all in one minute: {took:?}");
    assert_eq!(user.standing().await["score"], 10);
    for server in &servers {
        server.assert_verified();
    }
}

/// Hands one more in so often, at each in turn: none of them counts it.
async fn refused_everywhere(user: &mut User, clients: &mut [Client], times: usize) {
    let one_more = user.issue("tap").await.expect("it answers").expect(201)["action"].take();
    for number in 0..times {
        let answer = update(&mut clients[number % clients.len()], &user.token, &one_more).await.expect("it answers");
        assert_eq!(answer.status, 429, "none more anywhere: {}", answer.body);
        let wait: u64 = answer.headers["retry-after"].to_str().expect("a number").parse().expect("a number");
        assert!((1..=60).contains(&wait), "{wait} s");
        let policy = answer.headers["ratelimit-policy"].to_str().expect("words");
        assert!(policy.starts_with("\"update\";q="), "{policy}");
    }
}

/// Who has had ten at one server, of which the others know nothing without Redis, has nothing more there: neither now nor when Redis is back, empty.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_at_one_server_stay_ten_at_all_when_redis_is_gone() {
    let mut redis = Process::start(&[]);
    let [one, other] = two_servers(&redis).await;
    let third = one.start_beside().await;
    let servers = [one, other, third];
    let mut clients = servers.each_ref().map(|server| Client::new(server.address()));
    for client in &mut clients {
        cache_is(client, "up").await;
    }
    let mut user = User::register(servers[0].address(), "user").await;
    let began = Instant::now();
    assert_eq!(play(&mut user, &mut clients[..1], 10).await, 10);
    redis.kill();
    refused_everywhere(&mut user, &mut clients, 12).await;
    redis.restart();
    for client in &mut clients {
        cache_is(client, "up").await;
    }
    refused_everywhere(&mut user, &mut clients, 12).await;
    let took = began.elapsed();
    println!("10 counted, Redis killed and started again, none more counted, within {took:?}");
    assert!(took < Duration::from_secs(60), "all in one minute: {took:?}");
    assert_eq!(user.standing().await["score"], 10);
    for server in &servers {
        server.assert_verified();
    }
}

/// How many are on the board, and its version.
async fn shown(client: &mut Client) -> (u64, u64) {
    let page: Value = client.get("/api/scoreboard").await.expect("a read is answered").expect(200);
    (page["total"].as_u64().expect("a number"), page["version"].as_u64().expect("a number"))
}

async fn plays(server: &Server, name: &str, times: usize) {
    let mut user = User::register(server.address(), name).await;
    for _ in 0..times {
        let action = user.issue("tap").await.expect("it answers").expect(201)["action"].take();
        user.update(&action).await.expect("it answers").expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_of_different_databases_show_their_own_boards() {
    let redis = Process::start(&[]);
    let url = redis.url();
    let settings: Vec<_> = UNLIMITED.into_iter().chain([("SCOREBOARD_REDIS__URL", url.as_str())]).collect();
    let start = async |place: Place| Server::start_as(place, &settings, &[]).await;
    let old = start(Place::postgres().await).await;
    plays(&old, "old", 5).await;
    let mut on_old = Client::new(old.address());
    let mut expected = (1, 5);
    assert_eq!(shown(&mut on_old).await, expected);

    // As after a database was thrown away and made anew, or where one for trying things out shares the Redis.
    for (round, place) in [Place::postgres().await, Place::sqlite().await].into_iter().enumerate() {
        let new = start(place).await;
        let mut on_new = Client::new(new.address());
        assert_eq!(shown(&mut on_new).await, (0, 0), "an empty board is shown empty");
        for name in ["one", "two"] {
            plays(&new, name, 1).await;
        }
        assert_eq!(shown(&mut on_new).await, (2, 2), "what counts here is shown here");
        assert_eq!(shown(&mut on_old).await, expected);
        plays(&old, &format!("user-{round}"), 1).await;
        expected = (expected.0 + 1, expected.1 + 1);
        assert_eq!(shown(&mut on_old).await, expected);
        assert_eq!(shown(&mut on_new).await, (2, 2));
    }
}
