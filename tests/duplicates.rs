//! One action, handed in over many connections at the same moment, counts once.

mod support;

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use support::client::Client;
use support::place::{Place, on_every_place};
use support::scale::scaled;
use support::server::Server;
use support::user::{User, split_receipt, update};
use support::wait::until;

const CONNECTIONS: usize = 32;
const ROUNDS: usize = 300;
const USERS: usize = 5;

on_every_place!(
    of_simultaneous_duplicates_one_counts_and_all_get_its_receipt,
    a_repeat_long_after_its_time_is_answered_with_the_first_receipt,
);

async fn of_simultaneous_duplicates_one_counts_and_all_get_its_receipt(place: Place) {
    let mut server = Server::start_on(place).await;
    duplicates(&[&server], ROUNDS).await;
    assert!(server.terminate().await.success());
    verified(&server, ROUNDS);
}

/// `SCOREBOARD_TEST_SCALE=100` makes it a thousand rounds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_simultaneous_duplicates_at_three_servers_one_counts_and_all_get_its_receipt() {
    let first = Server::start_on(Place::postgres().await).await;
    let others = [first.start_beside().await, first.start_beside().await];
    let rounds = scaled(1000);
    duplicates(&[&first, &others[0], &others[1]], rounds).await;
    verified(&first, rounds);
}

fn verified(server: &Server, rounds: usize) {
    let verified = server.assert_verified();
    assert!(verified.contains(&format!("version {rounds} ({USERS} scores)")), "{verified}");
}

/// The same action over all connections at once, which are spread over the servers.
async fn duplicates(servers: &[&Server], rounds: usize) {
    let mut users = User::register_many(servers[0].address(), "twin", USERS).await;
    let addresses = servers.iter().map(|server| server.address()).cycle();
    let mut connections: Vec<Client> = addresses.take(CONNECTIONS).map(Client::new).collect();

    let mut versions = HashSet::new();
    for round in 0..rounds {
        let user = &mut users[round % USERS];
        let action = user.issue("tap").await.expect("an action is issued").expect(201)["action"].take();

        let sent = connections.iter_mut().map(|connection| update(connection, &user.token, &action));
        let answers = join_all(sent).await;

        let receipts = answers.into_iter().map(|answer| split_receipt(answer.expect("every duplicate is answered")));
        let (receipts, replayed): (Vec<_>, Vec<_>) = receipts.unzip();
        let first = receipts.iter().zip(&replayed).filter(|(_, replayed)| !**replayed).count();
        assert_eq!(first, 1, "round {round}: one of the duplicates counts, the others repeat it");
        assert!(receipts.iter().all(|receipt| *receipt == receipts[0]), "round {round}: {receipts:?}");

        let receipt = &receipts[0];
        assert_eq!(receipt["actionId"], action["id"]);
        assert_eq!(receipt["userId"], user.id.as_str());
        assert_eq!(receipt["score"], round / USERS + 1, "round {round}: nothing else was counted");
        assert!(versions.insert(receipt["version"].as_u64().expect("a version is a number")));
    }

    assert_eq!(versions, (1..=rounds as u64).collect(), "one version a round");
    for user in &mut users {
        assert_eq!(user.standing().await["score"], rounds / USERS);
    }
}

async fn a_repeat_long_after_its_time_is_answered_with_the_first_receipt(place: Place) {
    let server = Server::start_on(place).await;
    let mut user = User::register(server.address(), "late").await;
    let action = user.issue("quest").await.expect("an action is issued").expect(201)["action"].take();

    let soon = user.update(&action).await.expect("an update is answered");
    assert_eq!(soon.expect(400)["code"], "action_not_yet_valid");
    let done = async || user.update(&action).await.ok().filter(|answer| answer.status == 200);
    let (receipt, replayed) = split_receipt(until("the quest can be done", Duration::from_secs(10), done).await);
    assert!(!replayed, "what was refused as too soon did not count");
    assert_eq!((&receipt["points"], &receipt["score"]), (&json!(10), &json!(10)));

    let (again, replayed) = split_receipt(user.update(&action).await.expect("an update is answered"));
    assert!(replayed);
    assert_eq!(again, receipt);

    let mut forged = action;
    forged["points"] = json!(1_000_000);
    let refused = user.update(&forged).await.expect("an update is answered");
    assert_eq!(refused.expect(400)["code"], "action_signature_invalid");
    assert_eq!(user.standing().await["score"], 10);
}
