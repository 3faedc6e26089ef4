//! One action, handed in over many connections at the same moment, counts once.

mod support;

use std::collections::HashSet;
use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use support::client::{Answer, Client};
use support::metrics::counted;
use support::place::{Place, on_every_place};
use support::redis::Process;
use support::scale::scaled;
use support::server::{Server, UNLIMITED};
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

/// They share a Redis, so that one of them writes for the others: copies of an action meet in the batches that it writes for all, and at the
/// database. `SCOREBOARD_TEST_SCALE=100` makes it a thousand rounds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_simultaneous_duplicates_at_three_servers_one_counts_and_all_get_its_receipt() {
    let redis = Process::start(&[]);
    let url = redis.url();
    let settings: Vec<_> = UNLIMITED.into_iter().chain([("SCOREBOARD_REDIS__URL", url.as_str())]).collect();
    let first = Server::start_as(Place::postgres().await, &settings, &[]).await;
    let others = [first.start_beside().await, first.start_beside().await];
    let servers = [&first, &others[0], &others[1]];
    let rounds = scaled(1000);
    let [firsts, repeats] = duplicates(&servers, rounds).await;
    verified(&first, rounds);
    let mut for_others = 0;
    for server in servers {
        let name = "scoreboard_one_writer_changes_total{for=\"others\"}";
        for_others += counted(&mut Client::new(server.address()), name).await;
    }
    println!(
        "{rounds} actions, {CONNECTIONS} copies of each at three servers: {firsts} counted, {repeats} repeats; {for_others} of the copies \
         written for another server"
    );
    // A few are over before the servers have seen of each other that they write.
    assert!(for_others > 0 || rounds < 100, "one server has written for the others");
}

fn verified(server: &Server, rounds: usize) {
    let verified = server.assert_verified();
    assert!(verified.contains(&format!("version {rounds} ({USERS} scores)")), "{verified}");
}

/// A whole answer without its mark, and that mark, which alone speaks of the copy. All else is what was kept when the action counted: the same
/// for every copy, whichever server had it and whichever wrote it.
#[track_caller]
fn split_answer(answer: Answer) -> (Value, bool) {
    let mut body = answer.expect(200);
    let mark = body["receipt"].as_object_mut().and_then(|fields| fields.remove("replayed"));
    (body, mark.and_then(|mark| mark.as_bool()).expect("a receipt says whether it is a repeat"))
}

/// The same action over all connections at once, which are spread over the servers. Gives how many counted, and how many repeated one that did.
async fn duplicates(servers: &[&Server], rounds: usize) -> [usize; 2] {
    let mut users = User::register_many(servers[0].address(), "twin", USERS).await;
    let addresses = servers.iter().map(|server| server.address()).cycle();
    let mut connections: Vec<Client> = addresses.take(CONNECTIONS).map(Client::new).collect();

    let (mut versions, mut counts) = (HashSet::new(), [0; 2]);
    for round in 0..rounds {
        let user = &mut users[round % USERS];
        let action = user.issue("tap").await.expect("an action is issued").expect(201)["action"].take();

        let sent = connections.iter_mut().map(|connection| update(connection, &user.token, &action));
        let answers = join_all(sent).await;

        let answers = answers.into_iter().map(|answer| split_answer(answer.expect("every duplicate is answered")));
        let (answers, replayed): (Vec<_>, Vec<_>) = answers.unzip();
        let first = replayed.iter().filter(|replayed| !**replayed).count();
        assert_eq!(first, 1, "round {round}: one of the duplicates counts, the others repeat it");
        assert!(answers.iter().all(|answer| *answer == answers[0]), "round {round}: {answers:?}");
        counts = [counts[0] + first, counts[1] + answers.len() - first];

        let receipt = &answers[0]["receipt"];
        assert_eq!(receipt["actionId"], action["id"]);
        assert_eq!(receipt["userId"], user.id.as_str());
        assert_eq!(receipt["score"], round / USERS + 1, "round {round}: nothing else was counted");
        assert!(versions.insert(receipt["version"].as_u64().expect("a version is a number")));
    }

    assert_eq!(versions, (1..=rounds as u64).collect(), "one version a round");
    for user in &mut users {
        assert_eq!(user.standing().await["score"], rounds / USERS);
    }
    counts
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
