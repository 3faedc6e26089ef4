//! The scoreboard's API inside one's own axum app: one process, one port, one's own routes beside ours.
//!
//! Here the game's own route decides when a quest is done and records it; who watches or reads the board uses the routes of
//! the library. The requests are made without a socket, so that the example ends by itself; a game would hand the router to
//! `scoreboard_axum::serve`.
//!
//! Run with `cargo run --example mount_in_axum`.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{Request, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use http_body_util::BodyExt;
use scoreboard::accounts::Accounts;
use scoreboard::memory::{MemoryAccountStore, MemoryScoreStore};
use scoreboard::{
    ActionKind, BoardId, BoardSpec, KeyId, KeyRing, Points, PointsRule, RandomIds, Receipt, RecordRequest, Scoreboard,
    UserId,
};
use scoreboard_axum::App;
use tower::ServiceExt;

/// The game's own route: this quest of this user is done. The quest's number is the idempotency key.
async fn quest_done(
    State(scoreboard): State<Scoreboard>,
    Path((name, quest)): Path<(String, u32)>,
) -> Result<Json<Receipt>, StatusCode> {
    let user_id = UserId::for_name("my-game", &name);
    let kind = "quest".parse().expect("a slug");
    let request = RecordRequest { board: BoardId::main(), user_id, kind, points: None };
    let server = KeyId::new("my-game").expect("a slug");
    let recorded = scoreboard.record(&server, &format!("{name}/{quest}"), request).await;
    recorded
        .map(Json)
        .map_err(|error| if error.is_retryable() { StatusCode::SERVICE_UNAVAILABLE } else { StatusCode::BAD_REQUEST })
}

async fn call(
    app: &Router,
    method: &str,
    uri: &str,
) -> Result<(StatusCode, serde_json::Value), Box<dyn std::error::Error>> {
    let request = Request::builder().method(method).uri(uri).body(Body::empty())?;
    let response = app.clone().oneshot(request).await?;
    let status = response.status();
    let bytes = response.into_body().collect().await?.to_bytes();
    Ok((status, serde_json::from_slice(&bytes).unwrap_or_default()))
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = KeyRing::random(&RandomIds);
    let users = Arc::new(MemoryAccountStore::default());
    let accounts = Accounts::builder(users.clone(), &keys).build();
    let store = Arc::new(MemoryScoreStore::default());
    let scoreboard = Scoreboard::builder(store).with_keys(keys).with_names(users).build();
    let points = PointsRule::Fixed(Points::new(10)?);
    let quest =
        ActionKind { kind: "quest".parse()?, points, min_duration_seconds: 0, lifetime_seconds: 600, per_day: None };
    scoreboard.create_board(BoardSpec { kinds: vec![quest], ..BoardSpec::new(BoardId::main()) }).await?;

    let own = Router::new()
        .route("/my-game", get(|| async { "the game's own page" }))
        .route("/my-game/{name}/quests/{quest}", post(quest_done))
        .with_state(scoreboard.clone());
    let app = own.merge(scoreboard_axum::router(App::new(scoreboard, accounts)));

    for (path, replayed) in
        [("/my-game/ada/quests/1", false), ("/my-game/ada/quests/1", true), ("/my-game/ada/quests/2", false)]
    {
        let (status, receipt) = call(&app, "POST", path).await?;
        assert_eq!((status, receipt["replayed"].as_bool()), (StatusCode::OK, Some(replayed)));
    }
    let (status, board) = call(&app, "GET", "/api/scoreboard?board=main").await?;
    assert_eq!((status, &board["entries"][0]["score"]), (StatusCode::OK, &20.into()));
    assert_eq!(call(&app, "GET", "/my-game").await?.0, StatusCode::OK);
    println!(
        "Two quests, one of them reported twice: {} points, read over the mounted API.",
        board["entries"][0]["score"]
    );
    Ok(())
}
