//! Who is shadowed, held or banned, as they and others see it.

use serde_json::{Value, json};

use crate::moderator::{Moderator, PATIENCE};
use crate::support::server::Server;
use crate::support::user::User;
use crate::support::wait::until;

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
