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

/// Whoever is answered by an error never comes again.
#[tokio::test]
async fn who_comes_while_the_server_drains_is_told_when_to_come_again() {
    let world = World::new().await;
    world.lifecycle.drain(Duration::from_secs(10));
    let answer = world.get("/api/scoreboard/events").await;
    assert_eq!((answer.status.as_u16(), answer.header("content-type")), (200, "text/event-stream"));
    let wait = answer.text.trim().strip_prefix("retry:").expect("nothing but when to come").trim();
    assert!((1_000..4_000).contains(&wait.parse::<u64>().unwrap()), "{wait}");
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

#[tokio::test]
async fn a_user_is_watched_with_those_next_to_them_and_some_users_wherever_they_stand() {
    let world = World::new().await;
    let mut players = Vec::new();
    for name in ["ada", "ben", "cem", "dan"] {
        players.push(world.player(name).await);
        world.tap(&players[players.len() - 1]).await;
    }
    let [ada, _, cem, dan] = &players[..] else { panic!("four") };
    let ranks = |message: &Value, rows: &str| {
        let rank = |row: &Value| row["rank"].as_u64();
        message[rows].as_array().unwrap().iter().filter_map(rank).collect::<Vec<_>>()
    };
    let (near, some) = (format!("?around={}&radius=1", cem.id), format!("?users={},{},{}", dan.id, ada.id, dan.id));
    let (mut around, mut users) = (Events::open(&world, &near, None).await, Events::open(&world, &some, None).await);
    let (_, snapshot) = around.next().await.unwrap();
    assert_eq!((&snapshot["window"], &snapshot["userId"]), (&json!("around"), &json!(cem.id)), "{snapshot}");
    assert_eq!(ranks(&snapshot, "entries"), [2, 3, 4]);
    let (_, snapshot) = users.next().await.unwrap();
    assert_eq!((&snapshot["window"], snapshot.get("userId")), (&json!("users"), None), "{snapshot}");
    assert_eq!(ranks(&snapshot, "entries"), [1, 4]);
    world.tap(cem).await;
    let (at, update) = around.next().await.unwrap();
    assert_eq!((&update["type"], ranks(&update, "changes")), (&json!("update"), vec![1, 2, 3]), "{update}");
    let (_, update) = users.next().await.unwrap();
    assert_eq!((&update["type"], ranks(&update, "changes")), (&json!("update"), vec![2]), "{update}");

    // Who comes back is told what was missed, or that it is not known.
    drop(around);
    world.tap(dan).await;
    let (_, missed) = Events::open(&world, &near, Some(&at)).await.next().await.unwrap();
    assert_eq!((&missed["type"], &missed["from"], &missed["version"]), (&json!("update"), &json!(5), &json!(6)));
    let (_, whole) = Events::open(&world, &near, Some("99.1")).await.next().await.unwrap();
    assert_eq!((&whole["type"], &whole["recovered"]), (&json!("snapshot"), &json!(false)));
}

#[tokio::test]
async fn what_is_to_be_watched_is_said_in_one_way() {
    let world = World::new().await;
    let id = world.player("ada").await.id.to_string();
    let list = |users: usize| vec![id.as_str(); users].join(",");
    let path = "/api/scoreboard/events";
    for (query, pointer) in [
        (format!("around={id}&limit=5"), "/query/limit"),
        (format!("around={id}&users={id}"), "/query/users"),
        (format!("around={id}&radius=0"), "/query/radius"),
        (format!("around={id}&radius=51"), "/query/radius"),
        (format!("around={id}&around={id}"), "/query"),
        ("around=ada".to_owned(), "/query/around"),
        ("around=".to_owned(), "/query/around"),
        ("radius=5".to_owned(), "/query/radius"),
        (format!("users={id}&limit=5"), "/query/limit"),
        (format!("users={id}&radius=5"), "/query/radius"),
        ("users=".to_owned(), "/query/users"),
        (format!("users={id},"), "/query/users"),
        (format!("users={id};{id}"), "/query/users"),
        (format!("users={}", list(101)), "/query/users"),
        (format!("user={id}"), "/query/user"),
    ] {
        // A stream would have no end.
        let answer = timeout(Duration::from_secs(10), world.get(&format!("{path}?{query}"))).await;
        answer.unwrap_or_else(|_| panic!("{query}")).assert_invalid(pointer);
    }
    let (_, snapshot) = Events::open(&world, &format!("?users={}", list(100)), None).await.next().await.unwrap();
    assert_eq!((&snapshot["window"], &snapshot["total"]), (&json!("users"), &json!(0)));
}
