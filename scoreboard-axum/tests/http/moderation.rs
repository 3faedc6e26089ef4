//! Who may decide about whom, and about how much at once; and what a history says of what was decided.

use std::convert::Infallible;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::http::Request;
use futures_util::stream;
use scoreboard_core::accounts::Role;
use scoreboard_core::{ActionId, BoardId, BoardSpec, KeyId, Operator, RecordRequest, UserId};
use serde_json::{Value, json};

use crate::incidents::{about, reviewer};
use crate::support::{Answer, PASSWORD, Player, Setup, World};

async fn ban(world: &World, by: &Player, whom: &Player) -> Answer {
    let request = Request::put(format!("/api/admin/users/{}/restriction", whom.id))
        .header("authorization", format!("Bearer {}", by.token))
        .header("content-type", "application/json");
    let body = json!({ "restriction": "banned", "reason": "a test" }).to_string();
    world.send(request.body(Body::from(body)).expect("a request")).await
}

#[tokio::test]
async fn who_is_banned_does_not_let_themselves_in_again() {
    let world = World::new().await;
    let mona = reviewer(&world, "mona", Role::Moderator).await;
    let root = reviewer(&world, "root", Role::Admin).await;
    assert_eq!(ban(&world, &root, &mona).await.status, 200);
    let path = format!("/api/admin/users/{}/restriction", mona.id);
    let body = json!({ "reason": "it was not me" });
    world.delete(&path, &mona, &body).await.assert_problem(403, "forbidden");
    assert_eq!(world.get_as(&path, &root).await.body["restriction"]["restriction"], "banned");
    ban(&world, &mona, &mona).await.assert_problem(403, "forbidden");
    assert_eq!(world.delete(&path, &root, &body).await.status, 200);
}

/// A session that began so many seconds ago, with a token that is good: one that was refreshed meanwhile.
async fn signed_in_before(world: &World, email: &str, seconds: u64) -> String {
    let credentials = json!({ "email": email, "password": PASSWORD });
    let mut answer = world.post("/api/auth/login", None, &credentials).await;
    let mut left = seconds;
    while left > 0 {
        let step = left.min(500);
        world.clock.advance(Duration::from_secs(step));
        let refresh = json!({ "refreshToken": answer.body["refreshToken"] });
        answer = world.post("/api/auth/refresh", None, &refresh).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        left -= step;
    }
    answer.body["token"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn what_changes_what_others_see_takes_a_login_of_the_last_quarter_of_an_hour() {
    // Whoever must have a second factor would have to set it up first.
    let mut setup = Setup::default();
    setup.accounts.admins_need_factor = false;
    let world = World::with(setup).await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    world.tap(&ada).await;
    let incident = about(&world, ada.id, 1).await;
    let history = world.scoreboard.store().history(&BoardId::main(), ada.id, None, 1).await.unwrap();
    let actions = json!([history[0].action_id]);
    let restriction = format!("/api/admin/users/{}/restriction", ada.id);
    let decide = format!("/api/admin/incidents/{incident}/decide");
    let calls = |dry_run: bool| {
        let of_actions = json!({ "actions": actions, "reason": "a test", "dryRun": dry_run });
        [
            ("POST", "/api/admin/voids".to_owned(), of_actions.clone()),
            ("POST", "/api/admin/unvoids".to_owned(), of_actions),
            ("PUT", restriction.clone(), json!({ "restriction": "shadowed", "reason": "a test", "dryRun": dry_run })),
            ("DELETE", restriction.clone(), json!({ "reason": "a test", "dryRun": dry_run })),
        ]
    };
    let send = async |token: &str, (method, path, body): (&str, String, serde_json::Value)| {
        let request = Request::builder().method(method).uri(path);
        let request =
            request.header("authorization", format!("Bearer {token}")).header("content-type", "application/json");
        world.send(request.body(Body::from(body.to_string())).unwrap()).await
    };
    let old = signed_in_before(&world, "mona@example.org", 15 * 60 + 1).await;
    for call in calls(false) {
        send(&old, call).await.assert_problem(403, "step_up_required");
    }
    let confirm = || ("POST", decide.clone(), json!({ "revision": 0, "status": "confirmed" }));
    send(&old, confirm()).await.assert_problem(403, "step_up_required");
    assert_eq!(world.scoreboard.moderations(None, 10).await.unwrap(), []);
    // What changes nothing takes none.
    for call in calls(true) {
        assert_eq!(send(&old, call).await.status, 200);
    }
    let look = ("GET", restriction.clone(), json!(null));
    assert_eq!(send(&old, look).await.status, 200);

    let young = signed_in_before(&world, "mona@example.org", 15 * 60).await;
    for call in calls(false) {
        assert_eq!(send(&young, call).await.status, 200);
    }
    assert_eq!(send(&young, confirm()).await.status, 200);
    assert_eq!(mona.id.to_string(), world.scoreboard.moderations(None, 1).await.unwrap()[0].moderation.by);
}

#[tokio::test]
async fn nobody_makes_their_own_actions_count_again_by_their_ids() {
    let world = World::new().await;
    let mona = reviewer(&world, "mona", Role::Moderator).await;
    let root = reviewer(&world, "root", Role::Admin).await;
    world.tap(&mona).await;
    let history = world.scoreboard.store().history(&BoardId::main(), mona.id, None, 1).await.unwrap();
    let body = json!({ "actions": [history[0].action_id], "reason": "a test" });
    assert_eq!(world.post("/api/admin/voids", Some(&root), &body).await.status, 200);
    world.post("/api/admin/unvoids", Some(&mona), &body).await.assert_problem(403, "forbidden");
    assert_eq!(world.post("/api/admin/unvoids", Some(&root), &body).await.status, 200);
}

const VOIDS: &str = "/api/admin/voids";
const UNVOIDS: &str = "/api/admin/unvoids";

#[tokio::test]
async fn a_decision_about_actions_is_taken_back_by_its_name_and_no_other_with_it() {
    let world = World::new().await;
    let mona = reviewer(&world, "mona", Role::Moderator).await;
    let (ada, eve) = (world.player("ada").await, world.player("eve").await);
    for player in [&ada, &ada, &eve] {
        world.tap(player).await;
    }
    let score =
        async |player: &Player| world.get_as("/api/scoreboard/me", player).await.body["standing"]["score"].clone();
    let history = world.scoreboard.store().history(&BoardId::main(), ada.id, None, 1).await.unwrap();
    let before = json!({ "actions": [history[0].action_id], "reason": "a test" });
    assert_eq!(world.post(VOIDS, Some(&mona), &before).await.body["moderation"]["changed"], 1);
    for number in [2, 4] {
        about(&world, if number == 2 { ada.id } else { eve.id }, number).await;
    }
    let by_rule = json!({ "select": { "rule": "velocity" }, "reason": "a test" });
    let voided = world.post(VOIDS, Some(&mona), &by_rule).await;
    let id = &voided.body["moderation"]["id"];
    assert_eq!(voided.body["moderation"]["actions"].as_array().unwrap().len(), 2, "{}", voided.text);
    assert_eq!((score(&ada).await, score(&eve).await), (Value::Null, Value::Null));

    let back = |dry_run: bool| json!({ "moderation": id, "reason": "a test", "dryRun": dry_run });
    let preview = world.post(UNVOIDS, Some(&mona), &back(true)).await;
    assert_eq!(preview.body["preview"]["wouldBe"]["changed"], 2, "{}", preview.text);
    let taken_back = world.post(UNVOIDS, Some(&mona), &back(false)).await;
    assert_eq!(taken_back.body["moderation"]["actions"], voided.body["moderation"]["actions"]);
    assert_eq!((score(&ada).await, score(&eve).await), (json!(1), json!(1)), "what was void before stays so");

    // What is no decision about actions names none; and one says in one way what is meant.
    let banned = ban(&world, &mona, &eve).await;
    for bad in [json!(ActionId::MAX), banned.body["moderation"]["id"].clone()] {
        let body = json!({ "moderation": bad, "reason": "a test" });
        world.post(UNVOIDS, Some(&mona), &body).await.assert_invalid("/moderation");
    }
    let twice = json!({ "moderation": id, "select": { "rule": "velocity" }, "reason": "a test" });
    world.post(UNVOIDS, Some(&mona), &twice).await.assert_invalid("");
}

#[tokio::test]
async fn nobody_uses_up_the_id_of_what_a_rule_or_a_case_is_to_do() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    // Whoever knows the user, the rule and the day knows the incident's id before there is one, and so that of its hold.
    let incident = about(&world, ada.id, 1).await;
    let file = world.scoreboard.incidents().incident(incident).await.unwrap().unwrap();
    let taken = file.incident.hold_id();
    let bob = world.player("bob").await;
    let restriction = format!("/api/admin/users/{}/restriction", bob.id);
    let with = |id: &str| json!({ "id": id, "reason": "harmless" });
    world.delete(&restriction, &mona, &with(&taken.to_string())).await.assert_invalid("/id");
    let mut void = with(&taken.to_string());
    void["actions"] = json!([]);
    world.post(VOIDS, Some(&mona), &void).await.assert_invalid("/id");
    assert_eq!(world.scoreboard.carried_out(taken).await.unwrap(), None);
    for own in ["018bcfe5-6800-7000-8000-000000000001", "018bcfe5-6800-4000-8000-000000000001"] {
        assert_eq!(world.delete(&restriction, &mona, &with(own)).await.status, 200, "{own}");
    }
}

#[tokio::test]
async fn who_was_found_honest_is_not_meant_by_the_rule() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    world.tap(&ada).await;
    let incident = about(&world, ada.id, 1).await;
    let would_be = async || {
        let body = json!({ "select": { "rule": "too_fast" }, "reason": "a test", "dryRun": true });
        world.post(VOIDS, Some(&mona), &body).await.body["preview"]["wouldBe"]["changed"].clone()
    };
    assert_eq!(would_be().await, 1);
    let dismiss = json!({ "revision": 0, "status": "dismissed", "note": "a person" });
    assert_eq!(world.post(&format!("/api/admin/incidents/{incident}/decide"), Some(&mona), &dismiss).await.status, 200);
    assert_eq!(would_be().await, 0);
}

#[tokio::test]
async fn reasons_and_rules_are_text_that_every_store_keeps_and_every_terminal_shows() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    let path = format!("/api/admin/users/{}/restriction", ada.id);
    for bad in
        ["", " \n ", "nul\0", "a\u{1b}[2Jb", "a\u{9b}31mb", "a\rb", &"x".repeat(501), &format!("x{}", " ".repeat(500))]
    {
        world.delete(&path, &mona, &json!({ "reason": bad })).await.assert_invalid("/reason");
    }
    let good = format!("Ärger,\nseit gestern{}", "x".repeat(480));
    assert_eq!(world.delete(&path, &mona, &json!({ "reason": good })).await.status, 200);
    for bad in ["nul\0", "ä", &"x".repeat(101)] {
        let body = json!({ "select": { "rule": bad }, "reason": "a test" });
        world.post(VOIDS, Some(&mona), &body).await.assert_invalid("/select/rule");
    }
}

impl World {
    /// So many actions of a user.
    async fn recorded(&self, user: UserId, count: usize) -> Vec<ActionId> {
        let mut actions = Vec::with_capacity(count);
        for number in 0..count {
            let request =
                RecordRequest { board: BoardId::main(), user_id: user, kind: "tap".parse().unwrap(), points: None };
            let server = KeyId::new("arena").unwrap();
            let receipt = self.scoreboard.record(&server, &number.to_string(), request).await.unwrap();
            actions.push(receipt.action_id);
        }
        actions
    }
}

#[tokio::test]
async fn a_thousand_actions_are_one_decision_and_too_many_are_refused_clearly() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    let actions = world.recorded(ada.id, 1_000).await;
    let body = json!({ "actions": actions, "reason": "a test" });
    assert!(body.to_string().len() > 2 * 16 * 1024);
    let answer = world.post(VOIDS, Some(&mona), &body).await;
    assert_eq!((answer.status.as_u16(), &answer.body["moderation"]["changed"]), (200, &json!(1000)), "{}", answer.text);
    let answer = world.post("/api/admin/unvoids", Some(&mona), &body).await;
    assert_eq!(answer.body["moderation"]["changed"], 1000);

    let many = |count: usize| {
        let actions: Vec<_> = (0..count).map(|number| UserId::for_name("action", &number.to_string())).collect();
        json!({ "actions": actions, "reason": "a test" })
    };
    world.post(VOIDS, Some(&mona), &many(2_001)).await.assert_invalid("/actions");
    let unknown = world.post(VOIDS, Some(&mona), &many(2_000)).await;
    unknown.assert_invalid("/actions");
    assert!(unknown.text.contains("2000 of the actions never counted here"), "{}", unknown.text);
    let larger = world.post(VOIDS, Some(&mona), &many(4_000)).await;
    larger.assert_problem(413, "payload_too_large");
    assert!(larger.text.contains("131072 bytes"), "{}", larger.text);
    let unsaid = || {
        let chunks = std::iter::repeat_n(Ok::<_, Infallible>(Bytes::from(vec![b' '; 8 * 1024])), 20);
        Body::from_stream(stream::iter(chunks))
    };
    world.post_raw(VOIDS, Some(&mona.token), unsaid()).await.assert_problem(413, "payload_too_large");
    // Who may not decide is told so, however much they send; and elsewhere nobody sends as much.
    world.post(VOIDS, Some(&ada), &body).await.assert_problem(403, "forbidden");
    world.post(VOIDS, None, &body).await.assert_problem(401, "unauthorized");
    world.post("/api/scoreboard/update", Some(&mona), &body).await.assert_problem(413, "payload_too_large");
    assert_eq!(world.get("/api/scoreboard").await.body["entries"][0]["score"], 1000);
}

#[tokio::test]
async fn of_who_may_not_decide_no_more_is_read_than_of_anybody() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    let counted = || {
        let read = Arc::new(AtomicUsize::new(0));
        let count = read.clone();
        let chunks = (0..100).map(move |_| {
            count.fetch_add(1, Ordering::Relaxed);
            Ok::<_, Infallible>(Bytes::from(vec![b' '; 1024]))
        });
        (Body::from_stream(stream::iter(chunks)), read)
    };
    for (token, status, chunks) in [(None, 401, 17), (Some(&ada.token), 403, 17), (Some(&mona.token), 400, 100)] {
        let (body, read) = counted();
        let answer = world.post_raw(VOIDS, token.map(String::as_str), body).await;
        assert_eq!((answer.status.as_u16(), read.load(Ordering::Relaxed)), (status, chunks), "{}", answer.text);
    }
}

#[tokio::test]
async fn a_history_says_what_is_void_also_where_no_version_does() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    let main = world.scoreboard.boards().await.unwrap().remove(0);
    let best =
        BoardSpec { operator: Operator::Best, kinds: main.spec.kinds, ..BoardSpec::new("best".parse().unwrap()) };
    world.scoreboard.create_board(best).await.unwrap();
    for key in ["first", "again"] {
        let request = RecordRequest {
            board: "best".parse().unwrap(),
            user_id: ada.id,
            kind: "tap".parse().unwrap(),
            points: None,
        };
        world.scoreboard.record(&KeyId::new("arena").unwrap(), key, request).await.unwrap();
    }
    let path = format!("/api/scoreboard/users/{}/history?board=best", ada.id);
    let look = async |reader: &Player, held: &str| {
        let request = Request::get(&path).header("authorization", format!("Bearer {}", reader.token));
        world.send(request.header("if-none-match", held).body(Body::empty()).unwrap()).await
    };
    let voided = |answer: &Answer| -> Vec<Value> {
        answer.body["entries"].as_array().unwrap().iter().map(|entry| entry["voided"].clone()).collect()
    };
    let first = look(&ada, "\"none\"").await;
    assert_eq!(voided(&first), [json!(false), json!(false)]);
    let newest = first.body["entries"][0]["actionId"].clone();
    for (path, expected) in [(VOIDS, [true, false]), ("/api/admin/unvoids", [false, false])] {
        let before = look(&ada, "\"none\"").await;
        let body = json!({ "actions": [newest], "reason": "a test" });
        let decided = world.post(path, Some(&mona), &body).await;
        let counts = &decided.body["moderation"];
        assert_eq!((&counts["changed"], &counts["corrections"]), (&json!(1), &json!(0)), "{}", decided.text);
        for reader in [&ada, &mona] {
            let after = look(reader, before.header("etag")).await;
            assert_eq!((after.status.as_u16(), voided(&after)), (200, expected.map(Value::Bool).to_vec()), "{path}");
            assert_eq!(after.body["version"], first.body["version"], "nobody's score is another");
            assert_eq!(look(reader, after.header("etag")).await.status, 304);
        }
    }
}

/// That somebody is held need be no change of the board.
#[tokio::test]
async fn who_is_held_is_told_so_whatever_version_they_have() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    world.recorded(ada.id, 1).await;
    let before = world.get_as("/api/scoreboard/me", &ada).await;
    let body = json!({ "restriction": "held", "reason": "a test" }).to_string();
    let request = Request::put(format!("/api/admin/users/{}/restriction", ada.id))
        .header("authorization", format!("Bearer {}", mona.token))
        .header("content-type", "application/json");
    assert_eq!(world.send(request.body(Body::from(body)).unwrap()).await.status, 200);
    let after = world.get_as("/api/scoreboard/me", &ada).await;
    assert_eq!((&before.body["provisional"], &after.body["provisional"]), (&Value::Null, &json!(true)));
    let (version, tag) = (&after.body["version"], format!("\"{}.{}", after.body["epoch"], after.body["version"]));
    assert_eq!(after.header("etag"), format!("{tag}.provisional\""), "at {version}");
}

#[tokio::test]
async fn a_history_tells_what_was_put_right_and_of_no_restriction() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    let actions = world.recorded(ada.id, 3).await;
    let restriction = json!({ "restriction": "shadowed", "reason": "a test" });
    let request = Request::put(format!("/api/admin/users/{}/restriction", ada.id))
        .header("authorization", format!("Bearer {}", mona.token))
        .header("content-type", "application/json");
    assert_eq!(world.send(request.body(Body::from(restriction.to_string())).unwrap()).await.status, 200);
    let decided = world.post(VOIDS, Some(&mona), &json!({ "actions": &actions[1..], "reason": "a test" })).await;
    let path = format!("/api/scoreboard/users/{}/history", ada.id);
    let page = world.get_as(&format!("{path}?limit=2"), &ada).await.body;
    let correction = &page["corrections"][0];
    assert_eq!(page["corrections"].as_array().map(Vec::len), Some(1), "{page}");
    assert_eq!(correction["moderationId"], decided.body["moderation"]["id"]);
    assert_eq!(
        (&correction["kind"], &correction["previousScore"], &correction["score"], &correction["version"]),
        (&json!("void"), &json!(3), &json!(1), &json!(5))
    );
    // Told with the stretch in which it was.
    let cursor = page["nextCursor"].as_str().unwrap();
    let older = world.get_as(&format!("{path}?limit=2&cursor={cursor}"), &ada).await.body;
    assert_eq!((&older["corrections"], &older["entries"][0]["voided"]), (&json!([]), &json!(false)), "{older}");
    world.post(VOIDS, Some(&mona), &json!({ "actions": &actions[..1], "reason": "a test" })).await;
    let page = world.get_as(&path, &ada).await.body;
    assert_eq!(
        (&page["corrections"][0]["score"], page["corrections"].as_array().map(Vec::len)),
        (&Value::Null, Some(2))
    );
}
