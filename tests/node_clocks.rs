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
