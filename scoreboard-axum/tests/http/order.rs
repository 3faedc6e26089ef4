//! The order of the checks of a protected write.

use axum::body::Body;
use axum::http::Request;
use serde_json::json;

use crate::support::{Setup, World};

const UPDATE: &str = "/api/scoreboard/update";

#[tokio::test]
async fn the_size_comes_before_the_token() {
    let world = World::new().await;
    world.post_raw(UPDATE, None, "x".repeat(20_000)).await.assert_problem(413, "payload_too_large");
    let pieces = (0..20).map(|_| Ok::<_, std::io::Error>("x".repeat(1000)));
    let body = Body::from_stream(futures_util::stream::iter(pieces));
    world.post_raw(UPDATE, None, body).await.assert_problem(413, "payload_too_large");
}

#[tokio::test]
async fn the_token_comes_before_the_body() {
    let world = World::new().await;
    for body in ["", "{", "{\"action\":{}}", "\u{0}"] {
        for path in [UPDATE, "/api/scoreboard/generate-action", "/api/scoreboard/record"] {
            world.post_raw(path, None, body).await.assert_problem(401, "unauthorized");
            world.post_raw(path, Some("forged"), body).await.assert_problem(401, "unauthorized");
        }
    }
    let request = Request::post(UPDATE).header("content-type", "text/plain").body(Body::from("x")).unwrap();
    world.send(request).await.assert_problem(401, "unauthorized");
    let broken = || Body::from_stream(futures_util::stream::iter([Err::<&str, _>(std::io::Error::other("cut"))]));
    world.post_raw(UPDATE, None, broken()).await.assert_problem(401, "unauthorized");
    let ada = world.player("ada").await;
    world.post_raw(UPDATE, Some(&ada.token), broken()).await.assert_invalid("");
}

#[tokio::test]
async fn the_users_quota_comes_before_the_body() {
    let mut setup = Setup::default();
    setup.core.update_quota = Some("1/min".parse().unwrap());
    setup.http.limits.generate_action = Some("1/min".parse().unwrap());
    let world = World::with(setup).await;
    let ada = world.player("ada").await;
    for path in [UPDATE, "/api/scoreboard/generate-action"] {
        // What is not valid counts, too.
        let answer = world.post_raw(path, Some(&ada.token), "{").await;
        answer.assert_problem(400, "invalid_request");
        assert!(answer.header("ratelimit").ends_with(";r=0;t=60"), "{}", answer.header("ratelimit"));
        world.post_raw(path, Some(&ada.token), "{").await.assert_problem(429, "rate_limited");
    }
}

#[tokio::test]
async fn the_body_comes_before_the_signature() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let mut action = world.action(&ada, "tap").await;
    action["points"] = json!("1");
    world.update(&ada, &action).await.assert_invalid("/action/points");
}

#[tokio::test]
async fn the_signature_comes_before_the_owner_and_the_time() {
    let world = World::new().await;
    let (ada, bob) = (world.player("ada").await, world.player("bob").await);
    let mut action = world.action(&ada, "quest").await;
    world.update(&bob, &action).await.assert_problem(400, "action_mismatch");
    action["hash"] = json!("0".repeat(64));
    world.update(&bob, &action).await.assert_problem(400, "action_signature_invalid");
}

#[tokio::test]
async fn the_address_comes_before_everything() {
    let mut setup = Setup::default();
    setup.http.limits.address = Some("2/min".parse().unwrap());
    let world = World::with(setup).await;
    world.post_raw(UPDATE, None, "").await.assert_problem(401, "unauthorized");
    assert_eq!(world.get("/health/live").await.status, 200);
    world.post_raw(UPDATE, None, "x".repeat(20_000)).await.assert_problem(429, "rate_limited");
    world.get("/nothing").await.assert_problem(429, "rate_limited");
}

#[tokio::test]
async fn cors_comes_before_the_address() {
    let mut setup = Setup::default();
    setup.http.limits.address = Some("1/min".parse().unwrap());
    setup.http.allowed_origins.push("https://play.example.org".parse().unwrap());
    let world = World::with(setup).await;
    for _ in 0..3 {
        let request = Request::options(UPDATE)
            .header("origin", "https://play.example.org")
            .header("access-control-request-method", "POST")
            .header("access-control-request-headers", "authorization, content-type");
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("access-control-allow-origin")),
            (200, "https://play.example.org")
        );
        assert!(answer.header("access-control-allow-headers").contains("authorization"));
    }
    // A refusal is readable for the page, too.
    world.get("/health/live").await;
    let request =
        Request::get("/api/scoreboard").header("origin", "https://play.example.org").body(Body::empty()).unwrap();
    let answer = world.send(request).await;
    answer.assert_problem(429, "rate_limited");
    assert_eq!(answer.header("access-control-allow-origin"), "https://play.example.org");
}
