//! Three servers of one database and one Redis: a user has so many actions under way, wherever they were started; and nobody is refused because
//! Redis is gone.

mod support;

use std::time::Duration;

use serde_json::Value;
use support::client::{Answer, Client};
use support::place::Place;
use support::redis::Process;
use support::server::{Server, UNLIMITED};
use support::user::{User, update};
use support::wait::until;

const PATIENCE: Duration = Duration::from_secs(10);
const SERVERS: usize = 3;

struct World {
    servers: [Server; SERVERS],
    clients: [Client; SERVERS],
}

impl World {
    async fn on(redis: &Process) -> Self {
        let url = redis.url();
        let shared = [("SCOREBOARD_REDIS__URL", url.as_str()), ("SCOREBOARD_REDIS__NODES", "3")];
        let settings: Vec<_> = UNLIMITED.into_iter().chain(shared).collect();
        let one = Server::start_as(Place::postgres().await, &settings, &[]).await;
        let (two, three) = (one.start_beside().await, one.start_beside().await);
        let servers = [one, two, three];
        let clients = servers.each_ref().map(|server| Client::new(server.address()));
        let mut world = Self { servers, clients };
        world.cache_is("up").await;
        world
    }

    async fn cache_is(&mut self, status: &str) {
        for client in &mut self.clients {
            until(format!("Redis is {status}"), PATIENCE, async || {
                let report = client.get("/health").await.ok()?;
                (report.body["parts"]["cache"]["status"] == status).then_some(())
            })
            .await;
        }
    }

    /// Starts a tap of this user at a server.
    async fn start(&mut self, user: &User, at: usize) -> Answer {
        let body = serde_json::json!({ "kind": "tap" });
        let client = &mut self.clients[at % SERVERS];
        client
            .send("POST", "/api/scoreboard/generate-action", Some(&user.token), Some(&body))
            .await
            .expect("it answers")
    }

    /// One that is counted as under way.
    async fn started(&mut self, user: &User, at: usize) -> Value {
        self.start(user, at).await.expect(201)["action"].take()
    }

    /// Says why another must wait.
    async fn is_refused(&mut self, user: &User, at: usize) {
        let answer = self.start(user, at).await;
        assert_eq!(answer.status, 429, "at server {at}: {}", answer.body);
        assert_eq!(answer.body["code"], "rate_limited");
        let policy = answer.headers["ratelimit-policy"].to_str().expect("text").to_owned();
        assert!(policy.starts_with("\"outstanding\";q=5;"), "{policy}");
        let wait: u64 = answer.headers["retry-after"].to_str().expect("text").parse().expect("seconds");
        assert!((1..=600).contains(&wait), "until the first is over: {wait}");
    }

    async fn hand_in(&mut self, user: &User, at: usize, action: &Value) {
        let client = &mut self.clients[at % SERVERS];
        update(client, &user.token, action).await.expect("it answers").expect(200);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn five_are_under_way_over_all_servers() {
    let redis = Process::start(&[]);
    let mut world = World::on(&redis).await;
    let users = User::register_many(world.servers[0].address(), "user", 2).await;
    let mut under_way = Vec::new();
    for n in 0..5 {
        under_way.push(world.started(&users[0], n).await);
    }
    for at in 0..SERVERS {
        world.is_refused(&users[0], at).await;
    }
    // What is handed in at one leaves a place at another, at once, and one only.
    for n in 0..9 {
        let done = under_way.remove(0);
        world.hand_in(&users[0], n + 1, &done).await;
        under_way.push(world.started(&users[0], n).await);
        world.is_refused(&users[0], n + 2).await;
    }
    // Another user has places of their own, all at one server.
    for _ in 0..5 {
        world.started(&users[1], 1).await;
    }
    world.is_refused(&users[1], 0).await;
    for server in &world.servers {
        server.assert_verified();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_redis_each_server_counts_by_itself_and_every_action_counts() {
    let mut redis = Process::start(&[]);
    let mut world = World::on(&redis).await;
    let users = User::register_many(world.servers[0].address(), "user", 3).await;
    let mut under_way = Vec::new();
    for n in 0..5 {
        under_way.push(world.started(&users[0], n).await);
    }
    redis.kill();
    // What was started before counts, and leaves its place.
    for (n, action) in under_way.iter().enumerate() {
        world.hand_in(&users[0], n + 1, action).await;
    }
    for n in 0..5 {
        let action = world.started(&users[0], n).await;
        world.hand_in(&users[0], n + 1, &action).await;
    }
    // Five at each, for none knows of the others; and not more.
    for at in 0..SERVERS {
        for _ in 0..5 {
            world.started(&users[1], at).await;
        }
        world.is_refused(&users[1], at).await;
    }
    // What is said of health is a moment old: so it is not what was said before that is heard.
    world.cache_is("degraded").await;
    redis.restart();
    world.cache_is("up").await;
    for n in 0..5 {
        world.started(&users[2], n).await;
    }
    world.is_refused(&users[2], 0).await;
    for server in &world.servers {
        server.assert_verified();
    }
    // Those that were counted elsewhere while nothing was announced, a server learns of by asking.
    let client = &mut world.clients[0];
    until("each of the ten has counted once", PATIENCE, async || {
        let page = client.get("/api/scoreboard").await.ok()?.expect(200);
        (page["entries"][0]["score"] == 10).then_some(())
    })
    .await;
}
