//! Who may decide about whom.

use axum::body::Body;
use axum::http::Request;
use scoreboard_core::accounts::Role;
use serde_json::json;

use crate::incidents::reviewer;
use crate::support::{Answer, Player, World};

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
