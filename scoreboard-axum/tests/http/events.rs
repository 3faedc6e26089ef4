//! Watching by server-sent events.

use std::time::Duration;

use axum::body::{Body, BodyDataStream};
use axum::http::Request;
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::time::timeout;
use tower::ServiceExt;

use crate::support::{Setup, World};

struct Events {
    body: BodyDataStream,
    text: String,
}

impl Events {
    async fn open(world: &World, query: &str, last: Option<&str>) -> Self {
        let mut request = Request::get(format!("/api/scoreboard/events{query}"));
        if let Some(last) = last {
            request = request.header("last-event-id", last);
        }
        let response = world.router.clone().oneshot(request.body(Body::empty()).unwrap()).await.unwrap();
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self { body: response.into_body().into_data_stream(), text: String::new() }
    }

    /// The id and the data of the next event; `None` at the end.
    async fn next(&mut self) -> Option<(String, Value)> {
        loop {
            if let Some((event, rest)) = self.text.split_once("\n\n") {
                let line = |name: &str| event.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
                let found = line("data:")
                    .map(|data| (line("id:").unwrap_or_default().to_owned(), serde_json::from_str(data).unwrap()));
                self.text = rest.to_owned();
                if found.is_some() {
                    return found;
                }
                continue;
            }
            let chunk = timeout(Duration::from_secs(10), self.body.next()).await.expect("an event comes")?;
            self.text.push_str(std::str::from_utf8(&chunk.unwrap()).unwrap());
        }
    }
}

#[tokio::test]
async fn a_snapshot_then_every_change_each_with_its_position() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    world.tap(&ada).await;
    let mut events = Events::open(&world, "?board=main&limit=5", None).await;
    let (id, snapshot) = events.next().await.unwrap();
    assert_eq!((&snapshot["type"], &snapshot["total"]), (&json!("snapshot"), &json!(1)));
    assert_eq!(id, format!("{}.1", snapshot["epoch"]));
    world.tap(&ada).await;
    let (id, update) = events.next().await.unwrap();
    assert_eq!((&update["type"], &update["from"], &update["version"]), (&json!("update"), &json!(1), &json!(2)));
    assert_eq!(id, format!("{}.2", snapshot["epoch"]));
}

#[tokio::test]
async fn the_last_event_id_resumes() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    world.tap(&ada).await;
    let (id, _) = Events::open(&world, "", None).await.next().await.unwrap();
    world.tap(&ada).await;
    world.tap(&ada).await;
    let (_, missed) = Events::open(&world, "", Some(&id)).await.next().await.unwrap();
    assert_eq!((&missed["type"], &missed["from"], &missed["version"]), (&json!("update"), &json!(1), &json!(3)));
    assert_eq!(missed["changes"][0]["score"], 3);
    let (_, other) = Events::open(&world, "", Some("99.1")).await.next().await.unwrap();
    assert_eq!(other["type"], "snapshot");
    for bad in ["1", "x.y", "1.2.3", "", "-1.2", "+1.0", "1.+0", "01.0", "1.9007199254740992"] {
        let request = Request::get("/api/scoreboard/events").header("last-event-id", bad).body(Body::empty()).unwrap();
        // A stream would have no end.
        let answer = timeout(Duration::from_secs(10), world.send(request)).await.unwrap_or_else(|_| panic!("{bad}"));
        answer.assert_invalid("/header/Last-Event-ID");
    }
}

#[tokio::test]
async fn a_drain_ends_the_stream() {
    let world = World::new().await;
    let mut events = Events::open(&world, "", None).await;
    assert!(events.next().await.is_some());
    world.lifecycle.drain(Duration::from_millis(200));
    assert!(events.next().await.is_none());
}

#[tokio::test]
async fn only_allowed_origins_open_a_stream() {
    let world = World::new().await;
    let request = Request::get("/api/scoreboard/events").header("host", "a.org").header("origin", "https://b.org");
    world.send(request.body(Body::empty()).unwrap()).await.assert_problem(403, "forbidden");
}

#[tokio::test]
async fn streams_share_the_places_of_sockets() {
    let mut setup = Setup::default();
    setup.http.live.max_connections = 1;
    let world = World::with(setup).await;
    let held = Events::open(&world, "", None).await;
    world.get("/api/scoreboard/events").await.assert_problem(503, "unavailable");
    drop(held);
    Events::open(&world, "", None).await;
}
