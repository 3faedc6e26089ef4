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
    ActionKind, BoardId, BoardSpec, EntryChange, KeyId, KeyRing, Points, PointsRule, RandomIds, RecordRequest,
    Scoreboard, UserId,
};
use scoreboard_axum::{App, Lifecycle, ServeConfig};
use scoreboard_client::{Client, Event, State, View};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// What the game draws on: here, one line.
struct Screen(watch::Sender<String>);

impl Screen {
    fn draw(&self, view: &View, changes: &[EntryChange]) {
        let rows = view.entries.iter().map(|entry| format!("{}. {}", entry.rank, entry.score));
        // A game would let each changed row glide from its previous rank to its rank.
        println!("at version {}, {} rows changed", view.position.version, changes.len());
        self.0.send_replace(rows.collect::<Vec<_>>().join(", "));
    }

    /// What is drawn stays; the user is told that it may be old.
    fn notice(&self, state: Option<State>) {
        println!("{}", state.map_or_else(|| "live".to_owned(), |state| format!("{state:?}")));
    }
}

async fn show(url: &str, screen: &Screen) -> Result<(), Box<dyn std::error::Error>> {
    // In the README from here …
    let client = Client::connect(url)?;
    let mut main = client.subscribe(&BoardId::main(), 3)?;
    while let Some(event) = main.next().await {
        match event {
            Event::Moved(moved) => screen.draw(&moved.view, &moved.changes), // the whole top, and what became of it
            Event::State(State::Live) => screen.notice(None),
            Event::State(state) => screen.notice(Some(state)), // connecting, catching up, offline since …, refused
        }
    }
    // … to here.
    Ok(())
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

    let (line, mut drawn) = watch::channel(String::new());
    let screen = Screen(line);
    let play = async {
        for (round, name) in ["ada", "ben", "ada"].into_iter().enumerate() {
            let user_id = UserId::for_name("my-game", name);
            let request = RecordRequest { board: BoardId::main(), user_id, kind: "quest".parse()?, points: None };
            scoreboard.record(&KeyId::new("my-game")?, &format!("round-{round}"), request).await?;
        }
        drawn.wait_for(|drawn| drawn == "1. 20, 2. 10").await?;
        Ok::<_, Box<dyn std::error::Error>>(())
    };
    tokio::select! {
        shown = show(&url, &screen) => return shown,
        played = play => played?,
    }
    println!("The game shows what the server has: 1. 20, 2. 10.");
    Ok(())
}
