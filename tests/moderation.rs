//! A thousand actions of cheats made void under load, each decision handed in twice, by a server that is killed in between: what is left is
//! what a fold from scratch says, who watches follows all of it, and what counts again stands where it stood, rank for rank.

mod support;

use std::collections::{BTreeMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use scoreboard::{
    ActionId, BoardId, ModerationStore, Origin, PageQuery, Range, RankStyle, Reached, ScoreStore, UserId, Version,
};
use scoreboard_sqlite::{Config, SqliteStore};
use serde_json::{Value, json};
use support::arena::Arena;
use support::client::{Answer, Client};
use support::server::Server;
use support::user::User;
use support::wait::until;
use support::watcher::{Held, try_watch};
use tokio::time::{sleep, timeout};

const CHEATS: usize = 100;
const EACH: usize = 10;
/// So many ids fit into a request.
const PART: usize = 250;
const PATIENCE: Duration = Duration::from_secs(60);

fn user(name: &str, number: usize) -> String {
    UserId::for_name(name, &number.to_string()).to_string()
}

/// Lets each cheat beat the boss ten times; gives what they did.
async fn cheat(address: SocketAddr, key: &str) -> Vec<String> {
    let mut client = Client::new(address);
    let mut actions = Vec::new();
    for number in 0..CHEATS * EACH {
        let points = 50 + number % 101;
        let result = json!({ "userId": user("cheat", number % CHEATS), "kind": "boss", "points": points });
        let answer = client.record(key, &format!("cheat-{number}"), &result).await.expect("record answers");
        actions.push(answer.expect(200)["receipt"]["actionId"].as_str().expect("an id").to_owned());
    }
    actions
}

/// Who watches the first hundred, through every loss of the connection, until told to stop; gives what they hold.
async fn watch(address: SocketAddr, stop: Arc<AtomicBool>, reached: Arc<std::sync::atomic::AtomicU64>) -> Held {
    let mut held = Held::default();
    while !stop.load(Ordering::Relaxed) {
        let subscribe = json!({ "type": "subscribe", "board": "main", "limit": 100 });
        let Ok(mut socket) = try_watch(address, &held, subscribe).await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        while !stop.load(Ordering::Relaxed) {
            let Ok(Some(Ok(message))) = timeout(Duration::from_millis(500), socket.next()).await.or_else(|_| {
                // Nothing for a while: whether to stop is looked at.
                Ok::<_, ()>(Some(Ok(tokio_tungstenite::tungstenite::Message::Ping(Default::default()))))
            }) else {
                break;
            };
            let Ok(text) = message.to_text() else { continue };
            let Ok(message) = serde_json::from_str::<Value>(text) else { continue };
            if matches!(message["type"].as_str(), Some("snapshot" | "update")) {
                held.apply(&message);
                reached.store(held.version, Ordering::Relaxed);
            }
        }
    }
    held
}

/// A moderator, and the decisions that they hand in.
struct Moderator {
    user: User,
}

impl Moderator {
    async fn new(server: &Server) -> Self {
        let user = User::register(server.address(), "mona").await;
        let granted = server.command(&["admin", "grant-role", "mona@example.org", "moderator"]);
        assert!(granted.status.success(), "{}", String::from_utf8_lossy(&granted.stderr));
        Self { user }
    }

    async fn decide(&mut self, path: &str, id: &str, actions: &[String]) -> Option<Answer> {
        let body = json!({ "id": id, "actions": actions, "reason": "a boss a second" });
        self.user.client.send("POST", path, Some(&self.user.token), Some(&body)).await.ok()
    }

    /// Hands all parts in, and is not told what became of the one under way when the server is killed; then all of them again. Gives how many
    /// of the second time were no news.
    async fn turn(&mut self, server: &mut Server, path: &str, actions: &[String], ids: &[String]) -> usize {
        let parts: Vec<(&String, &[String])> = ids.iter().zip(actions.chunks(PART)).collect();
        let (last, before) = parts.split_last().expect("parts");
        for (id, part) in before {
            let answer = self.decide(path, id, part).await.expect("an answer");
            assert_eq!(answer.expect(200)["replayed"], false);
        }
        {
            let mut under_way = std::pin::pin!(self.decide(path, last.0, last.1));
            // Somewhere within it.
            let _ = timeout(Duration::from_millis(4), &mut under_way).await;
            server.kill9();
        }
        server.restart().await;
        let mut replayed = 0;
        for (id, part) in parts {
            let answer = until("the decision is answered", PATIENCE, async || {
                self.decide(path, id, part).await.filter(|answer| answer.status != 503)
            })
            .await;
            replayed += usize::from(answer.expect(200)["replayed"] == true);
        }
        replayed
    }
}

/// What users have by a fold of their actions from scratch, without those that are void.
async fn from_scratch(store: &SqliteStore, void: &HashSet<ActionId>) -> BTreeMap<UserId, Reached> {
    let mut scores: BTreeMap<UserId, Reached> = BTreeMap::new();
    let mut after = Version::ZERO;
    loop {
        let rows = store.log(&BoardId::main(), after, 1000).await.expect("the log is there");
        let Some(last) = rows.last() else { return scores };
        after = last.position.version;
        for row in rows.iter().filter(|row| row.origin != Origin::Correction && !void.contains(&row.action_id)) {
            let has = scores.get(&row.user_id).copied();
            let score = has.map_or(0, |has| has.score.get()) + row.points.get();
            let score = scoreboard::Score::new(score).expect("in range");
            scores.insert(row.user_id, Reached::after(has, score, row.position.version, row.at));
        }
    }
}

/// That the board is that fold, rank for rank, and so is `verify`.
async fn is_from_scratch(server: &Server, void: &HashSet<ActionId>) -> Vec<(UserId, Reached)> {
    server.assert_verified();
    let store = SqliteStore::open(&Config::new(server.database())).await.expect("the file opens beside the server");
    let found = store.voided(&void.iter().copied().collect::<Vec<_>>()).await.expect("voided answers");
    assert_eq!(found, *void, "what is void");
    let query = PageQuery { season: None, range: Range::Top { limit: 10_000 }, style: RankStyle::Ordinal };
    let page = store.page(&BoardId::main(), query).await.expect("the page is there").expect("the board is there");
    let mut folded: Vec<_> = from_scratch(&store, void).await.into_iter().collect();
    store.close().await;
    folded.sort_unstable_by_key(|(_, reached)| (std::cmp::Reverse(reached.score), reached.version));
    let shown: Vec<_> = page
        .entries
        .iter()
        .map(|entry| (entry.user_id, Reached { score: entry.score, version: entry.reached, at: entry.updated_at }))
        .collect();
    assert_eq!(shown, folded);
    assert_eq!(page.total, folded.len() as u64);
    shown
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_voids_under_load_and_kills_leave_what_a_fold_from_scratch_says() {
    let mut server = Server::start().await;
    let address = server.address();
    let key = Arena::key(&server);
    let mut moderator = Moderator::new(&server).await;
    let honest: Vec<String> = (0..50).map(|number| user("honest", number)).collect();
    let arena = Arena::play(&server, &key, &["main"], &honest, 60);
    let (stop, reached) = (Arc::new(AtomicBool::new(false)), Arc::default());
    let watcher = tokio::spawn(watch(address, stop.clone(), Arc::clone(&reached)));
    let actions = cheat(address, &key).await;
    let store = SqliteStore::open(&Config::new(server.database())).await.expect("the file opens beside the server");
    let cheats: HashSet<UserId> = (0..CHEATS).map(|n| user("cheat", n).parse().expect("an id")).collect();
    let before: BTreeMap<_, _> = from_scratch(&store, &HashSet::new()).await;
    let before: BTreeMap<_, _> = before.into_iter().filter(|(user, _)| cheats.contains(user)).collect();
    store.close().await;
    assert_eq!(before.len(), CHEATS);

    let ids = |from: usize| -> Vec<String> {
        (from..from + 4).map(|n| UserId::for_name("decision", &n.to_string()).to_string()).collect()
    };
    let replayed = moderator.turn(&mut server, "/api/admin/voids", &actions, &ids(0)).await;
    assert!((3..=4).contains(&replayed), "{replayed} of four were carried out before the server was killed");
    // Each once more: nothing changes.
    for (id, part) in ids(0).iter().zip(actions.chunks(PART)) {
        let again = moderator.decide("/api/admin/voids", id, part).await.expect("an answer").expect(200);
        assert_eq!((&again["replayed"], &again["moderation"]["changed"]), (&json!(true), &json!(PART)));
    }
    drop(arena);
    let void: HashSet<ActionId> = actions.iter().map(|action| action.parse().expect("an id")).collect();
    let left = is_from_scratch(&server, &void).await;
    assert!(!left.is_empty() && left.iter().all(|(user, _)| !cheats.contains(user)), "the cheats are gone");

    let arena = Arena::play(&server, &key, &["main"], &honest, 60);
    let replayed = moderator.turn(&mut server, "/api/admin/unvoids", &actions, &ids(4)).await;
    assert!((3..=4).contains(&replayed), "{replayed} of four");
    drop(arena);
    let back = is_from_scratch(&server, &HashSet::new()).await;
    let back: BTreeMap<_, _> = back.into_iter().filter(|(user, _)| cheats.contains(user)).collect();
    assert_eq!(back, before, "all stands where it stood");

    let top = Client::new(address).get("/api/scoreboard?limit=100").await.expect("the board answers").expect(200);
    let version = top["version"].as_u64().expect("a version");
    until("the watcher is there", PATIENCE, async || (reached.load(Ordering::Relaxed) >= version).then_some(())).await;
    stop.store(true, Ordering::Relaxed);
    let held = watcher.await.expect("the watcher sees no gap");
    let expected: BTreeMap<String, (u64, i64)> = top["entries"]
        .as_array()
        .expect("entries")
        .iter()
        .map(|entry| {
            let user = entry["userId"].as_str().expect("a user").to_owned();
            (user, (entry["rank"].as_u64().expect("a rank"), entry["score"].as_i64().expect("a score")))
        })
        .collect();
    assert_eq!(held.rows, expected, "what was followed is what is there");
    println!("the watcher was told {} times, {} of them the whole view", held.told.len(), held.snapshots);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_shadowed_or_held_sees_themselves_and_who_is_banned_is_refused() {
    let server = Server::start().await;
    let mut moderator = Moderator::new(&server).await;
    let mut ada = User::register(server.address(), "ada").await;
    let mut eve = User::register(server.address(), "eve").await;
    let tap = async |user: &mut User| {
        let action = user.issue("tap").await.expect("an answer").expect(201)["action"].take();
        user.update(&action).await.expect("an answer")
    };
    tap(&mut ada).await.expect(200);
    for _ in 0..2 {
        tap(&mut eve).await.expect(200);
    }
    let path = format!("/api/admin/users/{}/restriction", eve.id);
    let restrict = async |moderator: &mut Moderator, what: &str| {
        let body = json!({ "restriction": what, "reason": "a test" });
        let answer = moderator.user.client.send("PUT", &path, Some(&moderator.user.token), Some(&body)).await;
        answer.expect("an answer").expect(200)
    };
    let seen = async |user: &mut User, of: &str| {
        let own = user.client.send("GET", "/api/scoreboard/me", Some(&user.token), None).await;
        let by_id = format!("/api/scoreboard/users/{of}");
        let answer = user.client.send("GET", &by_id, Some(&user.token), None).await.expect("an answer");
        (own.expect("an answer").expect(200), answer.expect(200)["standing"].clone())
    };

    restrict(&mut moderator, "shadowed").await;
    let receipt = tap(&mut eve).await.expect(200);
    assert_eq!(receipt["receipt"]["score"], 3, "she is told as ever: {receipt}");
    let eve_id = eve.id.clone();
    let (own, by_id) = seen(&mut eve, &eve_id).await;
    assert_eq!(
        (&own["standing"]["rank"], &own["standing"]["score"], own.get("provisional")),
        (&json!(1), &json!(3), None)
    );
    assert_eq!(by_id, own["standing"], "by either path");
    let (_, to_ada) = seen(&mut ada, &eve_id).await;
    assert_eq!(to_ada, Value::Null);
    let top = ada.client.get("/api/scoreboard").await.expect("an answer").expect(200);
    assert_eq!((&top["total"], top["entries"].as_array().map(Vec::len)), (&json!(1), Some(1)), "{top}");

    restrict(&mut moderator, "held").await;
    tap(&mut eve).await.expect(200);
    let (own, _) = seen(&mut eve, &eve_id).await;
    assert_eq!((&own["standing"]["score"], &own["provisional"]), (&json!(4), &json!(true)));
    let (_, to_ada) = seen(&mut ada, &eve_id).await;
    assert_eq!(to_ada["score"], 3);

    restrict(&mut moderator, "banned").await;
    let action = eve.issue("tap").await.expect("an answer").expect(201)["action"].take();
    let refused = eve.update(&action).await.expect("an answer");
    assert_eq!((refused.status, &refused.body["code"]), (403, &json!("banned")));
    let (own, _) = seen(&mut eve, &eve_id).await;
    assert_eq!(own["standing"], Value::Null);

    let lift = json!({ "reason": "a test" });
    let answer = moderator.user.client.send("DELETE", &path, Some(&moderator.user.token), Some(&lift)).await;
    answer.expect("an answer").expect(200);
    let (_, to_ada) = seen(&mut ada, &eve_id).await;
    assert_eq!(to_ada["score"], 4);
    let list = moderator.user.client.send("GET", "/api/admin/moderations", Some(&moderator.user.token), None).await;
    let list = list.expect("an answer").expect(200);
    let kinds: Vec<_> = list["moderations"].as_array().expect("a list").iter().map(|m| m["act"].clone()).collect();
    assert_eq!(kinds, ["lift", "restrict", "restrict", "restrict"]);

    // The command line tells before it does, and a running server shows what it did.
    let told = server.command(&["admin", "void", "--user", &eve.id, "--reason", "a test", "--dry-run"]);
    let told = String::from_utf8_lossy(&told.stdout).into_owned();
    assert!(told.contains("4 actions would count otherwise") && told.contains("then not on the board"), "{told}");
    let done = server.command(&["admin", "void", "--user", &eve.id, "--reason", "a test"]);
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    until("the server has heard of it", PATIENCE, async || {
        let top = ada.client.get("/api/scoreboard").await.expect("an answer").expect(200);
        (top["total"] == 1).then_some(())
    })
    .await;
}
