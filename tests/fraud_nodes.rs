//! Two nodes of one database look for the same: whichever is killed, and when, the other or the next one finds what was done, and once.

mod support;

use std::time::Duration;

use scoreboard::{Incident, IncidentFilter, IncidentStore};
use scoreboard_postgres::{Config, PostgresStore};
use support::client::Client;
use support::place::Place;
use support::postgres;
use support::server::{Server, UNLIMITED};
use support::user::User;
use support::wait::until;
use tokio::time::Instant;

const PATIENCE: Duration = Duration::from_secs(30);
/// In each part of the test, so many do more than is believed of a person.
const USERS: usize = 10;
/// As many actions of one user in an hour are believed.
const BELIEVED: usize = 5;

const SETTINGS: [(&str, &str); 4] = [
    ("SCOREBOARD_FRAUD__ACTIONS_PER_HOUR", "5"),
    // They all play from here.
    ("SCOREBOARD_FRAUD__SHARED_SOURCE", "off"),
    ("SCOREBOARD_ACCOUNTS__ARGON2_MEMORY_KIB", "1024"),
    ("SCOREBOARD_ACCOUNTS__ARGON2_ITERATIONS", "1"),
];

async fn tap(user: &mut User) {
    let action = user.issue("tap").await.expect("it answers").expect(201)["action"].take();
    user.update(&action).await.expect("it answers").expect(200);
}

/// All that was written down: there is nothing else that anybody could find.
async fn found(store: &PostgresStore) -> Vec<Incident> {
    let found = store.incidents(&IncidentFilter::default(), None, 1_000).await.expect("the database answers");
    assert!(found.iter().all(|incident| incident.rule == "velocity"));
    found
}

/// Waits until each of these was found, which is once; gives how long that took.
async fn all_found(store: &PostgresStore, users: &[User]) -> Duration {
    let began = Instant::now();
    let what = format!("{} users are found", users.len());
    until(what, PATIENCE, async || (found(store).await.len() >= users.len()).then_some(())).await;
    let took = began.elapsed();
    each_once(store, users).await;
    took
}

async fn each_once(store: &PostgresStore, users: &[User]) {
    let mut found: Vec<_> = found(store).await.iter().map(|incident| incident.user_id.to_string()).collect();
    let mut expected: Vec<_> = users.iter().map(|user| user.id.clone()).collect();
    found.sort();
    expected.sort();
    assert_eq!(found, expected);
}

/// How many changes a node has looked at since it was started.
async fn looked_at(node: &Server) -> f64 {
    let metrics = Client::new(node.address()).get("/metrics").await.expect("it answers");
    let text = metrics.body.as_str().expect("text").to_owned();
    let value = text.lines().find_map(|line| line.strip_prefix("scoreboard_fraud_watch_changes_total "));
    value.map_or(0.0, |value| value.parse().expect("a number"))
}

/// Some who do more than is believed, at this node.
async fn bots(node: &Server, name: &str) -> Vec<User> {
    let mut users = User::register_many(node.address(), name, USERS).await;
    for user in &mut users {
        for _ in 0..=BELIEVED {
            tap(user).await;
        }
    }
    users
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whichever_node_dies_what_was_done_is_found_once() {
    let database = postgres::Server::start(&[]);
    let settings: Vec<_> = UNLIMITED.into_iter().chain(SETTINGS).collect();
    let mut first = Server::start_as(Place::At(database.url().to_owned()), &settings, &[]).await;
    let mut second = first.start_beside().await;
    let config = Config::from_url(database.url()).expect("a URL");
    let store = PostgresStore::open(&config).await.expect("the database opens");

    // The node at which it was done dies at once: the other one has found it soon.
    let mut users = bots(&first, "one").await;
    first.kill9();
    let by_other = all_found(&store, &users).await;

    // All nodes die: the next one begins where the log was looked at for good.
    users.extend(bots(&second, "other").await);
    second.kill9();
    first.restart().await;
    let by_next = all_found(&store, &users).await;
    println!("found {by_other:?} after a node's death by the other, {by_next:?} after the start of the next");

    // All of them go on, and both nodes look: nobody is found again.
    second.restart().await;
    let nodes = [&first, &second];
    let before = [looked_at(nodes[0]).await, looked_at(nodes[1]).await];
    for user in &mut users {
        user.client = Client::new(second.address());
        tap(user).await;
    }
    for (node, before) in nodes.into_iter().zip(before) {
        let enough = before + users.len() as f64;
        until("both look", PATIENCE, async || (looked_at(node).await >= enough).then_some(())).await;
    }
    each_once(&store, &users).await;
    assert!(first.terminate().await.success() && second.terminate().await.success());
}
