//! Servers of one database whose machines show another time: all go by the database's clock, so none of them counts what was done too soon, and
//! each takes what another has signed. Nor do they count more updates than a quota has.

mod support;

use std::time::Duration;

use futures_util::future::join_all;
use scoreboard::{Clock, SystemClock, Timestamp};
use serde_json::{Value, json};
use support::client::Client;
use support::metrics::counted;
use support::moved_clock::MovedClocks;
use support::place::Place;
use support::redis::Process;
use support::scale::scaled;
use support::server::{Server, UNLIMITED};
use support::user::{User, update};
use support::wait::until;
use tokio::time::{Instant, sleep};

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

const TEN_MINUTES: Duration = Duration::from_secs(10 * 60);
const MINUTE: Duration = Duration::from_secs(60);
/// At each server, all at the same moment: more than the quota many times over.
const AT_ONCE: usize = 200;
/// In a minute: what servers go by unless they are told otherwise.
const QUOTA: usize = 10;

/// As many updates of one user as there are clients of so many servers in turn, all at once, each of an action of its own that its server has
/// issued. Gives how many counted at each server; those that did not were refused for the quota of updates.
async fn burst(user: &User, clients: &mut [Client], servers: usize) -> Vec<usize> {
    let tap = json!({ "kind": "tap" });
    let issued = clients.iter_mut().map(async |client| {
        let answer = client.send("POST", "/api/scoreboard/generate-action", Some(&user.token), Some(&tap)).await;
        answer.expect("it answers").expect(201)["action"].take()
    });
    let actions = join_all(issued).await;
    let mut ids: Vec<_> = actions.iter().map(|action| action["id"].as_str().expect("an id")).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), actions.len(), "each is another action");

    let began = Instant::now();
    let sent = clients.iter_mut().zip(&actions).map(|(client, action)| update(client, &user.token, action));
    let answers = join_all(sent).await;
    assert!(began.elapsed() < MINUTE, "all came in one minute: {:?}", began.elapsed());
    let counted = answers.into_iter().map(|answer| {
        let answer = answer.expect("an update is answered");
        if answer.status != 200 {
            assert_eq!(answer.status, 429, "{}", answer.body);
            assert_eq!(answer.headers["ratelimit-policy"], "\"update\";q=10;w=60", "{}", answer.body);
        }
        answer.status == 200
    });
    let counted: Vec<bool> = counted.collect();
    (0..servers).map(|at| counted.iter().skip(at).step_by(servers).filter(|counted| **counted).count()).collect()
}

/// Redis counts by its own clock, and all else goes by the database's. With `SCOREBOARD_TEST_SCALE=100` and more they come again a minute later,
/// and as many count again; that minute is not waited for otherwise.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_six_hundred_updates_at_once_at_servers_whose_clocks_are_ten_minutes_off_ten_count() {
    let redis = Process::start(&[]);
    let clocks = MovedClocks::compile();
    let now = SystemClock.now();
    let url = redis.url();
    let unlimited = UNLIMITED.into_iter().filter(|(name, _)| *name != "SCOREBOARD_LIMITS__UPDATE");
    let settings = [
        ("SCOREBOARD_REDIS__URL", url.as_str()),
        ("SCOREBOARD_REDIS__NODES", "3"),
        // A server that does not hear from Redis in time goes by its own count, and so many at once on a small machine take their time.
        ("SCOREBOARD_REDIS__TIMEOUT_MS", "10000"),
        ("SCOREBOARD_FRAUD__MAX_OUTSTANDING", "2000"),
    ];
    let settings: Vec<_> = unlimited.chain(settings).collect();
    let right = Server::start_as(Place::postgres().await, &settings, &[]).await;
    let [ahead, behind] = [("ahead", now.plus(TEN_MINUTES)), ("behind", now.minus(TEN_MINUTES))];
    let ahead = right.start_beside_behind(&clocks.at(ahead.0, ahead.1)).await;
    let behind = right.start_beside_behind(&clocks.at(behind.0, behind.1)).await;
    let servers = [&right, &ahead, &behind];
    for server in [&ahead, &behind] {
        assert!(server.log().contains("clock is not the database's"), "it says so: {}", server.log());
    }

    let mut user = User::register(right.address(), "ada").await;
    let in_turn = servers.iter().map(|server| server.address()).cycle();
    let mut clients: Vec<Client> = in_turn.take(AT_ONCE * servers.len()).map(Client::new).collect();
    let bursts = if scaled(100) < 100 { 1 } else { 2 };
    for number in 1..=bursts {
        if number > 1 {
            // What was admitted counts for a minute, and no longer.
            sleep(MINUTE).await;
        }
        let counted = burst(&user, &mut clients, servers.len()).await;
        let all: usize = counted.iter().sum();
        println!(
            "burst {number}: of {} updates at once at clocks of 0, +10 and -10 minutes {all} counted, {counted:?}; {} refused",
            clients.len(),
            clients.len() - all
        );
        assert_eq!(all, QUOTA, "burst {number}: {counted:?}");
        assert_eq!(user.standing().await["score"], QUOTA * number, "each is worth one point");
    }
    for server in servers {
        let fallbacks = counted(&mut Client::new(server.address()), "scoreboard_ratelimit_fallbacks_total").await;
        assert_eq!(fallbacks, 0, "Redis has decided each");
    }
    let verified = right.assert_verified();
    assert!(verified.contains(&format!("version {} (1 scores)", QUOTA * bursts)), "{verified}");
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
