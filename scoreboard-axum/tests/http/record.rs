//! The way in for trusted game servers.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::{Answer, World};

async fn record(world: &World, credential: &str, keys: &[&str], body: &Value) -> Answer {
    let mut request = Request::post("/api/scoreboard/record").header("content-type", "application/json");
    if !credential.is_empty() {
        request = request.header("authorization", format!("Bearer {credential}"));
    }
    for key in keys {
        request = request.header("idempotency-key", *key);
    }
    world.send(request.body(Body::from(body.to_string())).unwrap()).await
}

#[tokio::test]
async fn a_result_counts_once_under_its_key() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let key = world.accounts.create_server_key(&"arena".parse().unwrap()).await.unwrap();
    let body = json!({ "userId": ada.id, "kind": "boss", "points": 120 });
    let first = record(&world, &key, &["match-1"], &body).await;
    assert_eq!((first.status.as_u16(), &first.body["receipt"]["score"]), (200, &json!(120)), "{}", first.text);
    let again = record(&world, &key, &["match-1"], &body).await;
    assert_eq!((&again.body["receipt"]["version"], &again.body["receipt"]["replayed"]), (&json!(1), &json!(true)));
    assert_eq!(record(&world, &key, &["match-2"], &body).await.body["receipt"]["score"], 240);
}

#[tokio::test]
async fn only_with_a_servers_own_key() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let key = world.accounts.create_server_key(&"arena".parse().unwrap()).await.unwrap();
    let body = json!({ "userId": ada.id, "kind": "tap" });
    for credential in ["", "forged", ada.token.as_str(), &key[..key.len() - 2], &key.replace("arena", "arenb")] {
        record(&world, credential, &["match-1"], &body).await.assert_problem(401, "unauthorized");
    }
    // Nor is it a user's token.
    world.post_raw("/api/scoreboard/update", Some(&key), "{}").await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn the_idempotency_key_is_needed_and_bounded() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let key = world.accounts.create_server_key(&"arena".parse().unwrap()).await.unwrap();
    let body = json!({ "userId": ada.id, "kind": "tap" });
    let (long, longest) = ("k".repeat(256), "k".repeat(255));
    for keys in [&[][..], &[""], &["a b"], &["a\tb"], &["ä"], &[long.as_str()], &["a", "a"]] {
        record(&world, &key, keys, &body).await.assert_invalid("/header/Idempotency-Key");
    }
    assert_eq!(record(&world, &key, &[&longest], &body).await.status, 200);
}

#[tokio::test]
async fn the_catalogue_holds_for_servers_too() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let key = world.accounts.create_server_key(&"arena".parse().unwrap()).await.unwrap();
    let body = json!({ "userId": ada.id, "kind": "boss", "points": 1000 });
    record(&world, &key, &["match-1"], &body).await.assert_invalid("/points");
    let body = json!({ "userId": ada.id, "kind": "dance" });
    record(&world, &key, &["match-1"], &body).await.assert_invalid("/kind");
    let body = json!({ "board": "nothing", "userId": ada.id, "kind": "tap" });
    record(&world, &key, &["match-1"], &body).await.assert_problem(404, "not_found");
}
