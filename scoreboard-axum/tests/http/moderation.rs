//! Who may decide about whom.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use scoreboard_core::BoardId;
use scoreboard_core::accounts::Role;
use serde_json::json;

use crate::incidents::{about, reviewer};
use crate::support::{Answer, PASSWORD, Player, World};

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
    let world = World::new().await;
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
