//! The windows of live boards: whatever happens around them, whoever watches holds what the log says, and many cost as much as one.

mod adversary;
mod copy;
mod guests;
mod private;
mod rigged;
mod sharing;

use std::time::Duration;

use scoreboard_core::{
    ActionKind, BoardId, BoardSpec, KeyId, LiveWindow, Points, PointsRule, RecordRequest, Scoreboard, UserId,
};

fn spec() -> BoardSpec {
    let points = PointsRule::Range(Points::new(-20).expect("small"), Points::new(20).expect("small"));
    let kind = "any".parse().expect("slug");
    let kinds = vec![ActionKind { kind, points, min_duration_seconds: 0, lifetime_seconds: 60, per_day: None }];
    BoardSpec { kinds, ..BoardSpec::new(BoardId::main()) }
}

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

fn list(users: &[u8]) -> LiveWindow {
    LiveWindow::users(users.iter().copied().map(user)).expect("a few")
}

async fn record(scoreboard: &Scoreboard, key: &str, number: u8, points: i64) {
    let request = RecordRequest {
        board: BoardId::main(),
        user_id: user(number),
        kind: "any".parse().expect("slug"),
        points: Some(Points::new(points).expect("small")),
    };
    let server = KeyId::new("test").expect("slug");
    // A store that fails is asked again, with the same key.
    while scoreboard.record(&server, key, request.clone()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}
