//! Each line of the contract's table of errors, provoked.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use scoreboard_core::ErrorKind;
use serde_json::json;

use crate::support::{NamesFail, PASSWORD, Setup, World};

#[tokio::test]
async fn a_request_that_is_not_valid_is_400() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let answer = world.post("/api/scoreboard/generate-action", Some(&ada), &json!({ "kind": "nothing-known" })).await;
    answer.assert_invalid("/kind");
    let answer =
        world.post("/api/scoreboard/generate-action", Some(&ada), &json!({ "kind": "tap", "points": 5 })).await;
    answer.assert_invalid("/points");
    let answer =
        world.post("/api/scoreboard/generate-action", Some(&ada), &json!({ "kind": "boss", "points": 151 })).await;
    answer.assert_invalid("/points");
    let answer = world.post("/api/scoreboard/generate-action", Some(&ada), &json!({ "kind": "boss" })).await;
    answer.assert_invalid("/points");
}

#[tokio::test]
async fn a_signature_that_does_not_match_is_400() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let action = world.action(&ada, "tap").await;
    for (field, value) in [
        ("points", json!(2)),
        ("kind", json!("quest")),
        ("keyId", json!("unknown")),
        ("season", json!(2)),
        ("board", json!("other")),
        ("hash", json!("0".repeat(64))),
    ] {
        let mut forged = action.clone();
        forged[field] = value;
        world.update(&ada, &forged).await.assert_problem(400, "action_signature_invalid");
    }
    assert_eq!(world.get("/api/scoreboard").await.body["total"], 0);
}

#[tokio::test]
async fn an_action_outside_its_time_is_400() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let action = world.action(&ada, "quest").await;
    world.update(&ada, &action).await.assert_problem(400, "action_not_yet_valid");
    world.clock.advance(Duration::from_secs(599));
    let late = world.action(&ada, "quest").await;
    world.clock.advance(Duration::from_secs(1));
    world.update(&ada, &action).await.assert_problem(400, "action_expired");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(world.update(&ada, &late).await.status, 200);
}

#[tokio::test]
async fn an_action_of_another_user_is_400() {
    let world = World::new().await;
    let (ada, bob) = (world.player("ada").await, world.player("bob").await);
    let action = world.action(&ada, "tap").await;
    world.update(&bob, &action).await.assert_problem(400, "action_mismatch");
}

#[tokio::test]
async fn a_score_that_would_leave_its_range_is_400() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let action = world.action(&ada, "most").await;
    let answer = world.update(&ada, &action).await;
    assert_eq!(answer.body["receipt"]["score"], 9_007_199_254_740_991_i64);
    let action = world.action(&ada, "tap").await;
    world.update(&ada, &action).await.assert_problem(400, "score_out_of_range");
}

#[tokio::test]
async fn nobody_is_401_in_one_wording() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let mut seen = Vec::new();
    for token in ["", "x", "a.b.c", &format!("{}x", ada.token), &"x".repeat(5000), &ada.refresh_token] {
        let answer = world.post_raw("/api/scoreboard/update", Some(token), "{}").await;
        answer.assert_problem(401, "unauthorized");
        seen.push(answer.body["detail"].clone());
    }
    let answer = world.post_raw("/api/scoreboard/update", None, "{}").await;
    answer.assert_problem(401, "unauthorized");
    seen.push(answer.body["detail"].clone());
    for (email, password) in [("ada@example.org", "wrong"), ("nobody@example.org", PASSWORD), ("no address", "")] {
        let answer = world.post("/api/auth/login", None, &json!({ "email": email, "password": password })).await;
        answer.assert_problem(401, "unauthorized");
        seen.push(answer.body["detail"].clone());
    }
    seen.dedup();
    assert_eq!(seen.len(), 1, "{seen:?}");

    world.clock.advance(Duration::from_secs(3600));
    world.get_as("/api/auth/me", &ada).await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn anothers_history_is_403() {
    let world = World::new().await;
    let (ada, bob) = (world.player("ada").await, world.player("bob").await);
    let path = format!("/api/scoreboard/users/{}/history", ada.id);
    world.get_as(&path, &bob).await.assert_problem(403, "forbidden");
    world.get(&path).await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn what_the_rules_block_is_403_and_names_an_incident_but_no_rule() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let (first, second) = (world.action(&ada, "rare").await, world.action(&ada, "rare").await);
    assert_eq!(world.update(&ada, &first).await.status, 200);
    let answer = world.update(&ada, &second).await;
    answer.assert_problem(403, "action_blocked");
    let incident = answer.body["incident"].as_str().unwrap();
    assert_eq!(incident.len(), 36);
    assert!(!answer.text.contains("daily") && !answer.text.contains("day"), "{}", answer.text);
    // The same try is the same incident.
    assert_eq!(world.update(&ada, &second).await.body["incident"], incident);
}

#[tokio::test]
async fn what_is_not_there_is_404() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    for path in [
        "/nothing",
        "/api/scoreboard/nothing",
        "/api/scoreboard/",
        "/assets/nothing.js",
        "/api/scoreboard?board=nothing",
        "/api/scoreboard?season=9",
        "/api/scoreboard/rank?board=nothing&score=1",
        "/api/scoreboard/events?board=nothing",
        &format!("/api/scoreboard/users/{}?board=nothing", ada.id),
        &format!("/api/scoreboard/users/{}?season=2", ada.id),
        &format!("/api/scoreboard/users/{}/around?board=nothing", ada.id),
    ] {
        world.get(path).await.assert_problem(404, "not_found");
    }
    world.get_as("/api/scoreboard/me?board=nothing", &ada).await.assert_problem(404, "not_found");
    world.get("/metrics").await.assert_problem(404, "not_found");
    let body = json!({ "board": "nothing", "kind": "tap" });
    world.post("/api/scoreboard/generate-action", Some(&ada), &body).await.assert_problem(404, "not_found");
    let body = json!({ "board": "nothing", "userIds": [] });
    world.post("/api/scoreboard/standings", None, &body).await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn a_method_that_is_not_there_is_405() {
    let world = World::new().await;
    for (method, path, allowed) in [
        ("GET", "/api/scoreboard/update", "POST"),
        ("DELETE", "/api/scoreboard", "GET,HEAD"),
        ("BREW", "/", "GET,HEAD"),
    ] {
        let answer = world.send(Request::builder().method(method).uri(path).body(Body::empty()).unwrap()).await;
        answer.assert_problem(405, "method_not_allowed");
        assert_eq!(answer.header("allow"), allowed);
    }
}

#[tokio::test]
async fn a_body_that_is_too_large_is_413() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let large = format!("{{\"kind\":\"{}\"}}", "x".repeat(16 * 1024));
    let path = "/api/scoreboard/generate-action";
    world.post_raw(path, Some(&ada.token), large.clone()).await.assert_problem(413, "payload_too_large");
    // In pieces, without saying how many.
    let pieces =
        large.into_bytes().chunks(1000).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect::<Vec<_>>();
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    world.post_raw(path, Some(&ada.token), body).await.assert_problem(413, "payload_too_large");
    // The largest that fits is looked at.
    let space = " ".repeat(16 * 1024 - "{\"kind\":\"tap\"}".len());
    assert_eq!(world.post_raw(path, Some(&ada.token), format!("{{\"kind\":\"tap\"{space}}}")).await.status, 201);
}

#[tokio::test]
async fn another_media_type_is_415() {
    let world = World::new().await;
    for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/json; charset=utf-16", ""] {
        let request = Request::post("/api/auth/login").header("content-type", content_type);
        let answer = world.send(request.body(Body::from("{\"email\":\"a\",\"password\":\"b\"}")).unwrap()).await;
        answer.assert_problem(415, "unsupported_media_type");
    }
}

#[tokio::test]
async fn a_taken_address_is_409() {
    let world = World::new().await;
    world.player("ada").await;
    let body = json!({ "email": "ADA@example.org", "password": PASSWORD, "displayName": "Ada" });
    world.post("/api/auth/register", None, &body).await.assert_problem(409, "conflict");
}

#[tokio::test]
async fn an_idempotency_key_for_something_else_is_422() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let key = world.accounts.create_server_key(&"arena".parse().unwrap()).await.unwrap();
    let record = async |kind: &str| {
        let request = Request::post("/api/scoreboard/record")
            .header("authorization", format!("Bearer {key}"))
            .header("content-type", "application/json")
            .header("idempotency-key", "match-1");
        let body = json!({ "userId": ada.id, "kind": kind }).to_string();
        world.send(request.body(Body::from(body)).unwrap()).await
    };
    assert_eq!(record("tap").await.status, 200);
    record("quest").await.assert_problem(422, "idempotency_mismatch");
}

#[tokio::test]
async fn over_a_quota_is_429() {
    let mut setup = Setup::default();
    setup.core.update_quota = Some("1/min".parse().unwrap());
    let world = World::with(setup).await;
    let ada = world.player("ada").await;
    world.tap(&ada).await;
    let action = world.action(&ada, "tap").await;
    let answer = world.update(&ada, &action).await;
    answer.assert_problem(429, "rate_limited");
    assert_eq!(answer.header("retry-after"), "60");
}

#[tokio::test]
async fn a_defect_is_500_and_says_nothing() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    world.tap(&ada).await;
    for fail in [NamesFail::With(ErrorKind::Corrupt), NamesFail::With(ErrorKind::Refused), NamesFail::Panic] {
        world.break_names(Some(fail));
        let answer = world.get("/api/scoreboard?limit=7").await;
        answer.assert_problem(500, "internal");
        assert!(!answer.text.contains("secret") && !answer.text.contains("names"), "{}", answer.text);
    }
    world.break_names(None);
    assert_eq!(world.get("/api/scoreboard?limit=7").await.status, 200);
}

#[tokio::test]
async fn a_store_that_is_down_is_503() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let action = world.action(&ada, "tap").await;
    world.break_store(true);
    world.update(&ada, &action).await.assert_problem(503, "unavailable");
    world.get_as("/api/scoreboard/me", &ada).await.assert_problem(503, "unavailable");
    world.break_store(false);
    let answer = world.update(&ada, &action).await;
    assert_eq!((answer.status.as_u16(), &answer.body["receipt"]["score"]), (200, &json!(1)), "{}", answer.text);
}
