//! Quotas, and the fields that tell of them.

use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use serde_json::json;
use tower::ServiceExt;

use crate::support::{PASSWORD, Setup, World};

#[tokio::test]
async fn limited_answers_say_how_much_is_left() {
    let mut setup = Setup::default();
    setup.core.update_quota = Some("10/min".parse().unwrap());
    let world = World::with(setup).await;
    let ada = world.player("ada").await;
    for left in (7..10).rev() {
        let action = world.action(&ada, "tap").await;
        let answer = world.update(&ada, &action).await;
        assert_eq!(answer.header("ratelimit-policy"), "\"update\";q=10;w=60");
        assert_eq!(answer.header("ratelimit"), format!("\"update\";r={left};t=60"));
    }
    world.clock.advance(Duration::from_millis(29_500));
    for _ in 0..7 {
        world.tap(&ada).await;
    }
    let action = world.action(&ada, "tap").await;
    let refused = world.update(&ada, &action).await;
    refused.assert_problem(429, "rate_limited");
    assert_eq!((refused.header("retry-after"), refused.header("ratelimit")), ("31", "\"update\";r=0;t=31"));
    // What is refused is not counted: three are free again when the first three are a minute old.
    world.clock.advance(Duration::from_millis(30_500));
    for _ in 0..3 {
        world.tap(&ada).await;
    }
    let action = world.action(&ada, "tap").await;
    world.update(&ada, &action).await.assert_problem(429, "rate_limited");
}

#[tokio::test]
async fn reads_are_limited_by_user_or_by_address() {
    let mut setup = Setup::default();
    setup.http.limits.read = Some("2/min".parse().unwrap());
    let world = World::with(setup).await;
    let (ada, bob) = (world.player("ada").await, world.player("bob").await);
    let first = world.get("/api/scoreboard").await;
    assert_eq!(first.header("ratelimit-policy"), "\"read\";q=2;w=60");
    world.get("/api/scoreboard/boards").await;
    world.get("/api/scoreboard").await.assert_problem(429, "rate_limited");
    world.get("/api/scoreboard/events").await.assert_problem(429, "rate_limited");
    world.post("/api/scoreboard/standings", None, &json!({ "userIds": [] })).await.assert_problem(429, "rate_limited");
    for player in [&ada, &bob] {
        assert_eq!(world.get_as("/api/scoreboard", player).await.status, 200);
        assert_eq!(world.get_as("/api/scoreboard/me", player).await.status, 200);
        world.get_as("/api/auth/me", player).await.assert_problem(429, "rate_limited");
    }
    // Probes are not.
    assert_eq!(world.get("/health").await.status, 200);
}

#[tokio::test]
async fn registrations_and_logins_are_limited_by_address() {
    let mut setup = Setup::default();
    setup.http.limits.register = Some("1/h".parse().unwrap());
    setup.http.limits.login = Some("2/min".parse().unwrap());
    let world = World::with(setup).await;
    let register = |email: &str| json!({ "email": email, "password": PASSWORD, "displayName": "A" });
    assert_eq!(world.post("/api/auth/register", None, &register("a@b.org")).await.status, 201);
    world.post("/api/auth/register", None, &register("c@d.org")).await.assert_problem(429, "rate_limited");
    let login = json!({ "email": "a@b.org", "password": "wrong" });
    for _ in 0..2 {
        let answer = world.post("/api/auth/login", None, &login).await;
        answer.assert_problem(401, "unauthorized");
        assert_eq!(answer.header("ratelimit-policy"), "\"login\";q=2;w=60");
    }
    world.post("/api/auth/login", None, &login).await.assert_problem(429, "rate_limited");
    world.clock.advance(Duration::from_secs(30));
    world.post("/api/auth/login", None, &login).await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn behind_a_trusted_proxy_each_client_has_its_own_quota() {
    let mut setup = Setup::default();
    setup.http.limits.address = Some("1/min".parse().unwrap());
    setup.http.trusted_proxies.push("10.0.0.0/8".parse().unwrap());
    let world = World::with(setup).await;
    let ask = async |peer: [u8; 4], forwarded: &str| {
        let mut request =
            Request::get("/health/live").header("x-forwarded-for", forwarded).body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 1))));
        world.router.clone().oneshot(request).await.unwrap().status().as_u16()
    };
    assert_eq!(ask([10, 0, 0, 1], "203.0.113.1").await, 200);
    assert_eq!(ask([10, 0, 0, 2], "203.0.113.1").await, 429);
    assert_eq!(ask([10, 0, 0, 1], "203.0.113.2").await, 200);
    assert_eq!(ask([10, 0, 0, 1], "9.9.9.9, 203.0.113.2").await, 429);
    assert_eq!(ask([10, 0, 0, 1], "2001:db8::1").await, 200);
    assert_eq!(ask([10, 0, 0, 1], "2001:db8::2").await, 429);
    // Who is no proxy is not believed.
    assert_eq!(ask([203, 0, 113, 7], "8.8.8.8").await, 200);
    assert_eq!(ask([203, 0, 113, 7], "8.8.4.4").await, 429);
}

#[tokio::test]
async fn without_an_address_all_are_limited_together() {
    let mut setup = Setup::default();
    setup.http.limits.address = Some("1/min".parse().unwrap());
    let world = World::with(setup).await;
    for status in [200, 429] {
        let request = Request::get("/health/live").body(Body::empty()).unwrap();
        assert_eq!(world.router.clone().oneshot(request).await.unwrap().status().as_u16(), status);
    }
}

#[tokio::test]
async fn too_many_actions_under_way_are_429() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let mut status = 201;
    for _ in 0..50 {
        let answer = world.post("/api/scoreboard/generate-action", Some(&ada), &json!({ "kind": "tap" })).await;
        status = answer.status.as_u16();
        if status != 201 {
            answer.assert_problem(429, "rate_limited");
            break;
        }
    }
    assert_eq!(status, 429);
}

#[tokio::test]
async fn refreshes_are_limited_like_logins_and_apart_from_them() {
    let mut setup = Setup::default();
    setup.http.limits.login = Some("2/min".parse().unwrap());
    let world = World::with(setup).await;
    let ada = world.player("ada").await;
    let refresh = async |token: &str| world.post("/api/auth/refresh", None, &json!({ "refreshToken": token })).await;
    let next = refresh(&ada.refresh_token).await;
    assert_eq!((next.status.as_u16(), next.header("ratelimit-policy")), (200, "\"refresh\";q=2;w=60"));
    refresh("forged").await.assert_problem(401, "unauthorized");
    // The session is not lost by it: the token was not looked at.
    let token = next.body["refreshToken"].as_str().unwrap();
    refresh(token).await.assert_problem(429, "rate_limited");
    let login = json!({ "email": "ada@example.org", "password": PASSWORD });
    assert_eq!(world.post("/api/auth/login", None, &login).await.status, 200);
    world.clock.advance(Duration::from_secs(30));
    assert_eq!(refresh(token).await.status, 200);
}

#[tokio::test]
async fn no_wait_is_longer_than_its_window() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    world.clock.advance(Duration::from_millis(300));
    for _ in 0..5 {
        world.action(&ada, "tap").await;
    }
    world.clock.advance(Duration::from_millis(300));
    let answer = world.post("/api/scoreboard/generate-action", Some(&ada), &json!({ "kind": "tap" })).await;
    answer.assert_problem(429, "rate_limited");
    let number = |header: &str, key: &str| -> u64 {
        answer.header(header).split(';').find_map(|part| part.strip_prefix(key)).unwrap().parse().unwrap()
    };
    assert_eq!((number("ratelimit-policy", "w="), number("ratelimit", "t=")), (600, 600));
}
