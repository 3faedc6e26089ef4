//! Probes.

use std::time::Duration;

use futures_util::StreamExt;
use scoreboard_core::{CacheStep, CacheTrouble};

use crate::support::{Setup, World};

#[tokio::test(start_paused = true)]
async fn health_names_each_part() {
    let world = World::new().await;
    let answer = world.get("/health").await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (200, &"up".into()), "{}", answer.text);
    for part in ["api", "database", "cache", "realtime", "external"] {
        assert_eq!(answer.body["parts"][part]["status"], "up", "{part}");
        assert!(answer.body["parts"][part]["latencyMs"].is_number());
    }
}

#[tokio::test(start_paused = true)]
async fn a_database_that_is_down_is_503_but_no_reason_to_be_restarted() {
    let world = World::new().await;
    world.lifecycle.ready();
    assert_eq!(world.get("/health").await.status, 200);
    world.break_store(true);
    assert_eq!(world.get("/health").await.status, 200, "a report holds for a second");
    tokio::time::advance(Duration::from_millis(1001)).await;
    let answer = world.get("/health").await;
    assert_eq!(
        (answer.status.as_u16(), &answer.body["parts"]["database"]["status"]),
        (503, &"down".into()),
        "{}",
        answer.text
    );
    assert_eq!(answer.headers["retry-after"], "1");
    assert_eq!(world.get("/health/live").await.status, 200);
    assert_eq!(world.get("/health/ready").await.status, 200);
    world.break_store(false);
    tokio::time::advance(Duration::from_millis(1001)).await;
    assert_eq!(world.get("/health").await.status, 200);
}

#[tokio::test]
async fn ready_is_between_starting_and_draining() {
    let world = World::new().await;
    world.get("/health/ready").await.assert_problem(503, "unavailable");
    world.lifecycle.ready();
    assert_eq!(world.get("/health/ready").await.status, 200);
    world.lifecycle.drain(Duration::from_secs(10));
    world.get("/health/ready").await.assert_problem(503, "unavailable");
    assert_eq!(world.get("/health/live").await.status, 200);
    assert_eq!(world.get("/api/scoreboard").await.status, 200);
}

#[tokio::test]
async fn a_page_that_may_be_old_says_so() {
    let world = World::new().await;
    world.lifecycle.ready();
    let fresh = world.get("/api/scoreboard").await;
    assert!(!fresh.headers.contains_key("age") && !fresh.headers.contains_key("cache-status"));
    world.break_store(true);
    world.clock.advance(Duration::from_secs(42));
    let stale = world.get("/api/scoreboard").await;
    assert_eq!((stale.status.as_u16(), &stale.text), (200, &fresh.text));
    assert_eq!((&stale.headers["etag"], &stale.headers["age"]), (&fresh.headers["etag"], &"42".parse().unwrap()));
    assert_eq!(stale.headers["cache-status"], "scoreboard; hit; ttl=-12; detail=store-unavailable");
    assert_eq!(world.get("/health").await.body["parts"]["cache"]["status"], "degraded");
    world.get("/api/scoreboard?minVersion=1").await.assert_problem(503, "unavailable");
    world.break_store(false);
    assert!(!world.get("/api/scoreboard").await.headers.contains_key("age"));
}

#[tokio::test]
async fn what_is_wrong_with_the_cache_is_told() {
    let mut setup = Setup::default();
    setup.core.cache_monitor.period = Duration::from_millis(20);
    // Nothing is quick enough.
    setup.core.cache_monitor.max_answer_time = Duration::ZERO;
    let world = World::with(setup).await;
    let mut events = world.scoreboard.cache_events();
    let monitor = tokio::spawn(world.scoreboard.clone().monitor_cache());
    tokio::task::yield_now().await;
    let cache = &world.get("/health").await.body["parts"]["cache"];
    assert_eq!((&cache["status"], cache.get("troubles")), (&"up".into(), None));
    for limit in 1..=30 {
        assert_eq!(world.get(&format!("/api/scoreboard?limit={limit}")).await.status, 200);
    }
    let event = tokio::time::timeout(Duration::from_secs(10), events.next()).await.unwrap().unwrap();
    assert_eq!((event.trouble, event.step), (CacheTrouble::SlowAnswers, CacheStep::Raised));
    tokio::time::sleep(Duration::from_millis(1001)).await;
    let answer = world.get("/health").await;
    assert_eq!((answer.status.as_u16(), &answer.body["status"]), (200, &"degraded".into()));
    assert_eq!(answer.body["parts"]["cache"]["troubles"], serde_json::json!(["slow_answers"]));
    monitor.abort();
}
