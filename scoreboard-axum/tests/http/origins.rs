//! Pages of which origins may read answers, send what changes something, and open live connections.

use axum::body::Body;
use axum::http::{HeaderValue, Request};

use crate::support::{Answer, Setup, World};

const HOST: &str = "scores.example.org";
const LISTED: [&str; 2] = ["https://play.example.org", "http://localhost:3000"];

/// Origins that are not on the list, whatever they look like.
const STRANGE: &[&str] = &[
    "null",
    "",
    "*",
    "https://play.example.org.evil.org",
    "https://evil-play.example.org",
    "https://evil.org/https://play.example.org",
    "https://play.example.org.",
    "https://play.example.orgx",
    "https://xplay.example.org",
    "https://sub.play.example.org",
    "https://example.org",
    "https://play.example.org:443",
    "https://play.example.org:444",
    "https://play.example.org:",
    "http://play.example.org",
    "ws://play.example.org",
    "wss://play.example.org",
    "ftp://play.example.org",
    "file://",
    "HTTPS://play.example.org",
    "https://PLAY.example.org",
    "https://play.example.org/",
    "https://play.example.org/x",
    "https://play.example.org?x",
    "https://play.example.org#x",
    "https://user@play.example.org",
    "https://play.example.org, http://localhost:3000",
    "https://play.example.org http://localhost:3000",
    "http://localhost",
    "http://localhost:3001",
    "https://localhost:3000",
    "http://127.0.0.1:3000",
    "http://[::1]:3000",
    "play.example.org",
    "//play.example.org",
    "https://pl\u{e4}y.example.org",
];

/// The server's own pages.
const OWN: [&str; 2] = ["https://scores.example.org", "http://scores.example.org"];

async fn world() -> World {
    let mut setup = Setup::default();
    for origin in LISTED {
        setup.http.allowed_origins.push(origin.parse().unwrap());
    }
    World::with(setup).await
}

fn request(method: &str, path: &str, origins: &[&str]) -> Request<Body> {
    let mut request = Request::builder().method(method).uri(path).header("host", HOST);
    for origin in origins {
        request = request.header("origin", HeaderValue::from_bytes(origin.as_bytes()).unwrap());
    }
    request = request.header("access-control-request-method", "POST").header("content-type", "application/json");
    request.body(Body::empty()).unwrap()
}

fn granted(answer: &Answer) -> Vec<&str> {
    answer.headers.get_all("access-control-allow-origin").iter().map(|value| value.to_str().unwrap()).collect()
}

#[tokio::test]
async fn only_listed_origins_are_granted_anything_and_by_name() {
    let world = world().await;
    for (method, path) in
        [("GET", "/api/scoreboard"), ("OPTIONS", "/api/scoreboard/update"), ("POST", "/api/auth/login")]
    {
        for origin in LISTED {
            let answer = world.send(request(method, path, &[origin])).await;
            assert_eq!(granted(&answer), [origin], "{method} {path}");
            assert!(answer.header("vary").to_ascii_lowercase().contains("origin"), "a cache tells them apart");
            assert_eq!(answer.header("access-control-allow-credentials"), "", "there are no cookies");
        }
        for origin in STRANGE.iter().chain(&OWN) {
            let answer = world.send(request(method, path, &[origin])).await;
            assert!(granted(&answer).is_empty(), "{method} {path}: `{origin}` is granted");
        }
        let without = world.send(request(method, path, &[])).await;
        assert!(granted(&without).is_empty(), "{method} {path}");
    }
    assert!(STRANGE.len() >= 30);
}

#[tokio::test]
async fn only_listed_origins_and_the_servers_own_open_live_connections() {
    let world = world().await;
    let status = async |origins: &[&str]| {
        // What opens is never whole, so its head alone is waited for.
        let mut asked = request("GET", "/api/scoreboard/events?board=nowhere", origins);
        asked.headers_mut().remove("access-control-request-method");
        world.send(asked).await.status.as_u16()
    };
    // There is no such board: whoever is let in is told so.
    for origin in LISTED.iter().chain(&OWN) {
        assert_eq!(status(&[origin]).await, 404, "{origin}");
    }
    assert_eq!(status(&[]).await, 404, "what is no browser");
    for origin in STRANGE {
        assert_eq!(status(&[origin]).await, 403, "`{origin}`");
    }
    assert_eq!(status(&[LISTED[0], LISTED[0]]).await, 403, "one origin, once");
}
