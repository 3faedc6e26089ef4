//! Bots on the real server: held by the rules themselves, seen by themselves alone, and judged by people in one step. A person beside them is not.

mod support;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use serde_json::{Value, json};
use support::server::{Server, UNLIMITED};
use support::user::User;
use support::wait::until;
use support::watcher::{Held, Socket, open};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

const PATIENCE: Duration = Duration::from_secs(60);
/// As slow as an action that takes its time, and as even as no person.
const BEAT: Duration = Duration::from_secs(3);
const ENOUGH: usize = 30;
/// How long the person takes for each, in milliseconds.
const PERSON: [u64; 12] = [700, 4_200, 1_300, 7_100, 2_600, 900, 5_300, 3_100, 1_900, 6_400, 1_100, 2_200];

async fn tap(user: &mut User) {
    let action = user.issue("tap").await.expect("it answers").expect(201)["action"].take();
    user.update(&action).await.expect("it answers").expect(200);
}

async fn own(user: &mut User) -> Value {
    let answer = user.client.send("GET", "/api/scoreboard/me", Some(&user.token), None).await;
    answer.expect("it answers").expect(200)
}

/// Acts like a clock until held; gives after how many actions that was.
async fn bot(mut user: User) -> (User, usize) {
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 1..=ENOUGH {
        beats.tick().await;
        tap(&mut user).await;
        if own(&mut user).await["provisional"] == true {
            return (user, number);
        }
    }
    // The last of them may not have been looked at yet.
    let held = until("the bot is held", PATIENCE, async || (own(&mut user).await["provisional"] == true).then_some(()));
    held.await;
    (user, ENOUGH)
}

/// Acts as people do until told to stop; gives how often.
async fn person(mut user: User, stop: &AtomicBool) -> (User, i64) {
    let mut done = 0;
    for wait in PERSON.into_iter().cycle() {
        if stop.load(Ordering::Relaxed) {
            break;
        }
        sleep(Duration::from_millis(wait)).await;
        tap(&mut user).await;
        done += 1;
    }
    (user, done)
}

/// Whatever the watcher is told until it holds this.
async fn watched(socket: &mut Socket, held: &mut Held, scores: &BTreeMap<String, i64>) {
    let holds =
        |held: &Held| held.rows.iter().map(|(user, (_, score))| (user.clone(), *score)).collect::<BTreeMap<_, _>>();
    while holds(held) != *scores {
        let message = timeout(PATIENCE, socket.next()).await.unwrap_or_else(|_| panic!("it holds {:?}", held.rows));
        let Ok(text) = message.expect("it is open").expect("it is whole").into_text() else { continue };
        let Ok(message) = serde_json::from_str::<Value>(&text) else { continue };
        if matches!(message["type"].as_str(), Some("snapshot" | "update")) {
            held.apply(&message);
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bots_are_held_within_thirty_actions_and_a_person_is_not() {
    let mut settings = UNLIMITED.to_vec();
    settings.push(("SCOREBOARD_FRAUD__INTERVAL_VARIATION", "hold"));
    let mut server = Server::start_with(&settings, &[]).await;
    let address = server.address();
    let (ada, eve) = (User::register(address, "ada").await, User::register(address, "eve").await);
    let (bob, mut mona) = (User::register(address, "bob").await, User::register(address, "mona").await);
    mona.becomes("moderator", &server).await;

    let stop = AtomicBool::new(false);
    let bots = async {
        let held = tokio::join!(bot(eve), bot(bob));
        stop.store(true, Ordering::Relaxed);
        held
    };
    let (((mut eve, of_eve), (bob, of_bob)), (mut ada, honest)) = tokio::join!(bots, person(ada, &stop));
    println!("held after {of_eve} and {of_bob} actions; the person did {honest}");
    assert!(of_eve <= ENOUGH && of_bob <= ENOUGH && honest > 5);

    // They see all of it, and that it is provisional; others see nothing of them, in whatever way they look.
    let provisional = own(&mut eve).await;
    assert_eq!((&provisional["provisional"], &provisional["standing"]["score"]), (&json!(true), &json!(of_eve)));
    let top = mona.client.get("/api/scoreboard").await.expect("it answers").expect(200);
    assert_eq!((&top["total"], &top["entries"][0]["userId"]), (&json!(1), &json!(ada.id)), "{top}");
    for path in ["users/{}", "users/{}/around"] {
        let path = format!("/api/scoreboard/{}", path.replace("{}", &eve.id));
        let answer = mona.client.get(&path).await.expect("it answers").expect(200);
        assert!(answer["standing"].is_null() && answer["entries"].as_array().is_none_or(Vec::is_empty), "{answer}");
    }
    let many = json!({ "userIds": [eve.id, ada.id] });
    let many = mona.client.post("/api/scoreboard/standings", &many).await.expect("it answers").expect(200);
    assert_eq!((&many["standings"][0], &many["standings"][1]["rank"]), (&Value::Null, &json!(1)));
    let alone = own(&mut ada).await;
    assert_eq!((alone.get("provisional"), &alone["standing"]["rank"]), (None, &json!(1)));
    let (mut held, mut socket) = (Held::default(), open(address, &Held::default()).await);
    let mut scores = BTreeMap::from([(ada.id.clone(), honest)]);
    watched(&mut socket, &mut held, &scores).await;

    // What is done by a rule says so.
    let list = "/api/admin/moderations";
    let list = mona.client.send("GET", list, Some(&mona.token), None).await.expect("it answers").expect(200);
    let rules: Vec<_> = list["moderations"].as_array().expect("a list").iter().map(|one| one["by"].clone()).collect();
    assert_eq!(rules, ["rule interval_variation", "rule interval_variation"]);

    // One is dismissed: she comes back with all that she has, for all. The other is confirmed, by the command line, twice.
    let open = "/api/admin/incidents?status=open&measure=hold";
    let open = mona.client.send("GET", open, Some(&mona.token), None).await.expect("it answers").expect(200);
    let incidents = open["incidents"].as_array().expect("a list");
    assert_eq!(incidents.len(), 2, "{open}");
    let about = |user: &str| {
        let incident = incidents.iter().find(|one| one["userId"] == user).expect("there is one");
        incident["id"].as_str().expect("an id").to_owned()
    };
    let decide = format!("/api/admin/incidents/{}/decide", about(&eve.id));
    let dismiss = json!({ "revision": 0, "status": "dismissed", "note": "she is a metronome" });
    for _ in 0..2 {
        let decided = mona.client.send("POST", &decide, Some(&mona.token), Some(&dismiss)).await;
        assert_eq!(decided.expect("it answers").expect(200)["incident"]["status"], "dismissed");
    }
    let of_eve = i64::try_from(of_eve).expect("few");
    scores.insert(eve.id.clone(), of_eve);
    watched(&mut socket, &mut held, &scores).await;
    assert_eq!(own(&mut eve).await.get("provisional"), None);
    let of_bob_incident = about(&bob.id);
    let confirm = [
        "admin",
        "confirm-incident",
        &of_bob_incident,
        "--by",
        "mona@example.org",
        "--reason",
        "a bot",
        "--release",
        "true",
    ];
    for _ in 0..2 {
        let confirmed = server.command(&confirm);
        assert!(confirmed.status.success(), "{}", String::from_utf8_lossy(&confirmed.stderr));
        assert_eq!(String::from_utf8_lossy(&confirmed.stdout), format!("incident {of_bob_incident} is confirmed\n"));
    }
    // What he did between what was found and the hold is not void.
    let mut bob = bob;
    until("the server has heard of it", PATIENCE, async || {
        let own = own(&mut bob).await;
        (own.get("provisional").is_none() && own["standing"]["score"].as_i64().unwrap_or(0) < 5).then_some(())
    })
    .await;
    server.assert_verified();

    // Whoever was let go is not held for the same again, and after a restart neither.
    server.kill9();
    server.restart().await;
    tap(&mut eve).await;
    until("what she has done is looked at", PATIENCE, async || {
        let metrics = eve.client.get("/metrics").await.expect("it answers");
        let text = metrics.body.as_str().expect("text").to_owned();
        let of = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        (of("scoreboard_fraud_watch_lag_changes ")? == 0.0 && of("scoreboard_fraud_watch_changes_total ")? >= 1.0)
            .then_some(())
    })
    .await;
    let after = own(&mut eve).await;
    assert_eq!((after.get("provisional"), &after["standing"]["score"]), (None, &json!(of_eve + 1)));
    assert!(server.terminate().await.success());
}
