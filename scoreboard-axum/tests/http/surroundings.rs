//! What every answer bears, whatever the route.

use axum::body::Body;
use axum::http::Request;

use crate::support::{Setup, World};

#[tokio::test]
async fn every_answer_has_a_request_id() {
    let world = World::new().await;
    for path in ["/", "/api/scoreboard", "/nothing", "/health", "/docs/", "/openapi.json"] {
        let (first, second) = (world.get(path).await, world.get(path).await);
        assert_ne!(first.header("x-request-id"), second.header("x-request-id"));
        assert_eq!(first.header("x-content-type-options"), "nosniff");
        for (sent, kept) in [("my-id_1.2", true), ("not sane", false), (&"x".repeat(65), false)] {
            let request = Request::get(path).header("x-request-id", sent).body(Body::empty()).unwrap();
            assert_eq!(world.send(request).await.header("x-request-id") == sent, kept, "{path}");
        }
    }
}

#[tokio::test]
async fn only_listed_origins_may_read_across() {
    let mut setup = Setup::default();
    setup.http.allowed_origins.push("https://play.example.org".parse().unwrap());
    let world = World::with(setup).await;
    let get = async |origin: &str| {
        let request = Request::get("/api/scoreboard").header("origin", origin).body(Body::empty()).unwrap();
        world.send(request).await
    };
    let listed = get("https://play.example.org").await;
    assert_eq!(listed.header("access-control-allow-origin"), "https://play.example.org");
    assert_eq!(listed.header("access-control-allow-credentials"), "");
    for exposed in ["etag", "ratelimit", "ratelimit-policy", "retry-after", "x-request-id"] {
        assert!(listed.header("access-control-expose-headers").contains(exposed), "{exposed}");
    }
    for other in ["https://evil.example.org", "null", "http://play.example.org", "https://play.example.org.evil.org"] {
        assert_eq!(get(other).await.header("access-control-allow-origin"), "", "{other}");
    }
    let unlisted = World::new().await;
    let request =
        Request::get("/api/scoreboard").header("origin", "https://play.example.org").body(Body::empty()).unwrap();
    assert_eq!(unlisted.send(request).await.header("access-control-allow-origin"), "");
}

fn options(path: &str, headers: &[(&'static str, &str)]) -> Request<Body> {
    let request = headers.iter().fold(Request::options(path), |request, (name, value)| request.header(*name, *value));
    request.body(Body::empty()).unwrap()
}

#[tokio::test]
async fn a_preflight_is_answered_and_named_like_any_other() {
    let mut setup = Setup::default();
    setup.http.allowed_origins.push("https://play.example.org".parse().unwrap());
    let world = World::with(setup).await;
    for (origin, allowed) in
        [("https://play.example.org", "https://play.example.org"), ("https://evil.example.org", "")]
    {
        let headers = [("origin", origin), ("access-control-request-method", "POST"), ("x-request-id", "mine")];
        let answer = world.send(options("/api/scoreboard/update", &headers)).await;
        assert_eq!((answer.status.as_u16(), answer.header("access-control-allow-origin")), (200, allowed));
        assert_eq!((answer.header("x-request-id"), answer.header("x-content-type-options")), ("mine", "nosniff"));
    }
}

#[tokio::test]
async fn options_that_are_no_preflight_are_a_method_like_others() {
    let mut setup = Setup::default();
    setup.http.allowed_origins.push("https://play.example.org".parse().unwrap());
    for world in [World::new().await, World::with(setup).await] {
        for headers in [&[][..], &[("origin", "https://play.example.org")], &[("access-control-request-method", "GET")]]
        {
            let answer = world.send(options("/api/scoreboard/update", headers)).await;
            answer.assert_problem(405, "method_not_allowed");
            assert_eq!(answer.header("allow"), "POST");
        }
        world.send(options("/nothing", &[])).await.assert_problem(404, "not_found");
    }
}

#[tokio::test]
async fn every_refusal_is_readable_for_a_listed_page() {
    let mut setup = Setup::default();
    setup.http.allowed_origins.push("https://play.example.org".parse().unwrap());
    let world = World::with(setup).await;
    let large = Request::post("/api/scoreboard/update").header("content-length", "20000");
    for (request, status, code) in [
        (Request::get("/nothing"), 404, "not_found"),
        (Request::get("/api/auth/me"), 401, "unauthorized"),
        (large, 413, "payload_too_large"),
    ] {
        let request = request.header("origin", "https://play.example.org").body(Body::empty()).unwrap();
        let answer = world.send(request).await;
        answer.assert_problem(status, code);
        assert_eq!(answer.header("access-control-allow-origin"), "https://play.example.org");
    }
}

#[tokio::test]
async fn it_mounts_beside_ones_own_routes() {
    use axum::routing::get;
    use tower::ServiceExt;
    let mut setup = Setup::default();
    setup.http.page = false;
    setup.http.docs = false;
    let world = World::with(setup).await;
    let own = axum::Router::new().route("/", get(|| async { "mine" })).route("/docs", get(|| async { "mine" }));
    let own = own.fallback(|| async { "my fallback" }).merge(world.router.clone());
    for (path, text) in
        [("/", "mine"), ("/docs", "mine"), ("/x", "my fallback"), ("/api/scoreboard/boards", "{\"boards\"")]
    {
        let response = own.clone().oneshot(Request::get(path).body(Body::empty()).unwrap()).await.unwrap();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        assert!(body.starts_with(text.as_bytes()), "{path}");
    }
}
