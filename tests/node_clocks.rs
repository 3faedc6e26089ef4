//! Servers of one database whose machines show another time: all go by the database's clock, so none of them counts what was done too soon, and
//! each takes what another has signed.

mod support;

use std::time::Duration;

use scoreboard::{Clock, SystemClock, Timestamp};
use serde_json::{Value, json};
use support::client::Client;
use support::moved_clock::MovedClocks;
use support::place::Place;
use support::server::Server;
use support::user::{User, update};
use support::wait::until;

const FIVE_MINUTES: Duration = Duration::from_secs(5 * 60);
const PATIENCE: Duration = Duration::from_secs(10);

/// Hands an action in at a server; the code of the refusal, or `counted`.
async fn hand_in(server: &Server, token: &str, action: &Value) -> Value {
    let answer = update(&mut Client::new(server.address()), token, action).await.expect("an update is answered");
    if answer.status != 200 {
        return answer.body["code"].clone();
    }
    let at = answer.body["receipt"]["appliedAt"].as_str().expect("a time").parse::<Timestamp>().expect("a time");
    let off = at.since(SystemClock.now()).max(SystemClock.now().since(at));
    assert!(off < FIVE_MINUTES / 5, "what it counts has the database's time, not {at}");
    json!("counted")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_whose_clocks_are_wrong_go_by_the_databases() {
    let clocks = MovedClocks::compile();
    let now = SystemClock.now();
    let right = Server::start_on(Place::postgres().await).await;
    let [ahead, behind] = [("ahead", now.plus(FIVE_MINUTES)), ("behind", now.minus(FIVE_MINUTES))];
    let ahead = right.start_beside_behind(&clocks.at(ahead.0, ahead.1)).await;
    let behind = right.start_beside_behind(&clocks.at(behind.0, behind.1)).await;
    let servers = [&right, &ahead, &behind];
    for server in [&ahead, &behind] {
        assert!(server.log().contains("clock is not the database's"), "it says so: {}", server.log());
    }
    for (number, from) in servers.iter().enumerate() {
        let mut user = User::register(from.address(), &format!("user-{number}")).await;
        for to in servers {
            // What one has signed, all take: a token, and an action once it is done.
            let me = Client::new(to.address()).send("GET", "/api/auth/me", Some(&user.token), None).await;
            assert_eq!(me.expect("it answers").status, 200, "a token of server {number}");
            let quest = user.issue("quest").await.expect("it answers").expect(201)["action"].take();
            assert_eq!(hand_in(to, &user.token, &quest).await, "action_not_yet_valid", "two seconds are not over");
            let tap = user.issue("tap").await.expect("it answers").expect(201)["action"].take();
            assert_eq!(hand_in(to, &user.token, &tap).await, "counted", "an action of server {number}");
            until("the quest took as long as it must", PATIENCE, async || {
                let said = hand_in(to, &user.token, &quest).await;
                assert!(said == "counted" || said == "action_not_yet_valid", "{said}");
                (said == "counted").then_some(())
            })
            .await;
        }
    }
    right.assert_verified();
}

/// Further than a key verifies after the next one signs.
const TWO_DAYS: Duration = Duration::from_secs(2 * 86_400);

/// What a command prints that is run on a machine whose clock shows this moment.
fn told(server: &Server, clock: &[String], words: &[&str]) -> String {
    let output = server.command_behind(clock, words);
    let [out, err] = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    assert!(output.status.success(), "{words:?}: {}\n{out}{err}", output.status);
    out
}

/// Whether a server takes this token.
async fn takes(server: &Server, token: &str) -> bool {
    let me = Client::new(server.address()).send("GET", "/api/auth/me", Some(token), None).await;
    match me.expect("it answers").status {
        200 => true,
        401 => false,
        other => panic!("{other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commands_on_machines_whose_clocks_are_wrong_go_by_the_databases() {
    let clocks = MovedClocks::compile();
    let now = SystemClock.now();
    let server = Server::start_on(Place::postgres().await).await;
    let wrong = [clocks.at("ahead", now.plus(TWO_DAYS)), clocks.at("behind", now.minus(TWO_DAYS))];
    let user = User::register(server.address(), "ada").await;

    // A key begins to sign when it is to, as the servers have it.
    for clock in &wrong {
        told(&server, clock, &["admin", "rotate-keys", "--after", "0"]);
        let listed = told(&server, &[], &["admin", "list-keys"]);
        for clock in &wrong {
            assert_eq!(told(&server, clock, &["admin", "list-keys"]), listed, "what each is good for");
        }
        let says: Vec<_> = listed.lines().filter_map(|line| line.split_once(' ')).map(|(_, says)| says).collect();
        let newest = std::fs::read_to_string(server.folder().join("scoreboard.keys")).expect("it is there");
        let newest: Value = serde_json::from_str(&newest).expect("JSON");
        let newest = newest["keys"][0]["id"].as_str().expect("an id");
        assert!(listed.starts_with(&format!("{newest} signs\n")), "{listed}");
        assert!(says[1..].iter().all(|says| *says == "verifies"), "those before it are not over: {listed}");
    }
    until("the server signs by the new key", PATIENCE, async || {
        (server.log().matches("the keys have changed").count() >= 1).then_some(())
    })
    .await;

    // And so do servers: what the key of before has signed is good for a day yet.
    for clock in &wrong {
        let beside = server.start_beside_behind(clock).await;
        assert!(takes(&beside, &user.token).await, "its key has just been followed by another");
        let fresh = User::register(beside.address(), &format!("user-{}", beside.pid())).await;
        until("all know the keys", PATIENCE, async || takes(&server, &fresh.token).await.then_some(())).await;
    }

    // What is decided has the database's time.
    for clock in &wrong {
        told(&server, clock, &["admin", "hold", &user.id, "--reason", "a clock"]);
        told(&server, clock, &["admin", "release", &user.id, "--reason", "a clock"]);
    }
    let listed = told(&server, &[], &["admin", "moderations"]);
    let times: Vec<Timestamp> = listed
        .lines()
        .map(|line| serde_json::from_str::<Value>(line).expect("JSON"))
        .map(|decision| decision["at"].as_str().expect("a time").parse().expect("a time"))
        .collect();
    assert_eq!(times.len(), 4, "{listed}");
    for at in times {
        let off = at.since(SystemClock.now()).max(SystemClock.now().since(at));
        assert!(off < FIVE_MINUTES, "{at}");
    }

    // Revoked by whichever machine, it is refused everywhere.
    let keys = told(&server, &[], &["admin", "list-keys"]);
    let oldest = keys.lines().last().and_then(|line| line.split_once(' ')).expect("a key").0;
    told(&server, &wrong[1], &["admin", "revoke-key", oldest]);
    until("what it has signed is refused", PATIENCE, async || (!takes(&server, &user.token).await).then_some(())).await;
}
