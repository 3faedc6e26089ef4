//! A game that shows a live board: it follows the server, redraws when the board moves, and says so when it is offline.
//!
//! The server is in the same process here, on a free port, so that the example ends by itself; a game would name its server's URL and
//! leave out everything else.
//!
//! Run with `cargo run --example watch_board`.

use std::sync::Arc;

use scoreboard::accounts::Accounts;
use scoreboard::memory::{MemoryAccountStore, MemoryScoreStore};
use scoreboard::{
    ActionKind, BoardId, BoardSpec, ChangeOp, KeyId, KeyRing, Points, PointsRule, RandomIds, RecordRequest, Scoreboard,
    UserId,
};
use scoreboard_axum::{App, Lifecycle, ServeConfig};
use scoreboard_client::{Client, Event, State};
use tokio::net::TcpListener;

/// What the game draws, in the place of a screen.
async fn show(url: &str, until_version: u64) -> Result<Vec<String>, Box<dyn std::error::Error>> {
    let client = Client::connect(url)?;
    let mut main = client.subscribe(&BoardId::main(), 3)?;
    let mut drawn = Vec::new();
    while let Some(event) = main.next().await {
        match event {
            Event::Moved(moved) => {
                let rows = moved.view.entries.iter().map(|entry| format!("{}. {}", entry.rank, entry.score));
                drawn.push(rows.collect::<Vec<_>>().join(", "));
                for change in moved.changes.iter().filter(|change| change.op == ChangeOp::Upsert) {
                    // Here a row would glide from where it was to where it is.
                    let (_from, _to) = (change.previous_rank, change.rank);
                }
                if moved.view.position.version.get() >= until_version {
                    return Ok(drawn);
                }
            }
            // What was drawn stays; the user is told that it may be old.
            Event::State(State::Offline(offline)) => println!("offline: {}", offline.cause),
            Event::State(State::Refused(refusal)) => return Err(refusal.into()),
            Event::State(_) => {}
        }
    }
    Ok(drawn)
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let keys = KeyRing::random(&RandomIds);
    let users = Arc::new(MemoryAccountStore::default());
    let accounts = Accounts::builder(users, &keys).build();
    let scoreboard = Scoreboard::builder(Arc::new(MemoryScoreStore::default())).with_keys(keys).build();
    let points = PointsRule::Fixed(Points::new(10)?);
    let quest =
        ActionKind { kind: "quest".parse()?, points, min_duration_seconds: 0, lifetime_seconds: 600, per_day: None };
    scoreboard.create_board(BoardSpec { kinds: vec![quest], ..BoardSpec::new(BoardId::main()) }).await?;

    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let url = format!("http://{}", listener.local_addr()?);
    let service = scoreboard_axum::service(App::new(scoreboard.clone(), accounts));
    let lifecycle = Lifecycle::default();
    tokio::spawn(scoreboard_axum::serve(listener, service, ServeConfig::default(), lifecycle, std::future::pending()));

    let record = async {
        for (round, name) in ["ada", "ben", "ada"].into_iter().enumerate() {
            let user_id = UserId::for_name("my-game", name);
            let request = RecordRequest { board: BoardId::main(), user_id, kind: "quest".parse()?, points: None };
            scoreboard.record(&KeyId::new("my-game")?, &format!("round-{round}"), request).await?;
        }
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    let (drawn, recorded) = tokio::join!(show(&url, 3), record);
    recorded?;
    let drawn = drawn?;
    assert_eq!(drawn.last().map(String::as_str), Some("1. 20, 2. 10"));
    println!("The board was drawn {} times; the last time it was: {}", drawn.len(), drawn[drawn.len() - 1]);
    Ok(())
}
