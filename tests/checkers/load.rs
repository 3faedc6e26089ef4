//! What a server acknowledged, and what is there.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use axum::extract::State;
use axum::http::header::AUTHORIZATION;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::failure;
use crate::support::load::{Load, check_all};

/// What a server does wrong, at its third update if nothing else is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fault {
    Nothing,
    /// It is acknowledged and forgotten.
    Forgotten,
    /// It is remembered, but the next one overwrites what it added.
    Overwritten,
    /// It adds two.
    CountsTwice,
    /// Each repeat adds one more, and says that it was a repeat.
    RepeatCounts,
    /// A repeat is answered with another receipt.
    OtherReceipt,
    /// The receipt says more than was added.
    WrongScore,
    /// A version is left out.
    Gap,
    /// Its version is the one of the update before.
    VersionTwice,
    /// Its version is later than the next one's.
    OutOfOrder,
    /// It is said to be a repeat, and was never handed in before.
    FirstIsRepeat,
}

/// A server's memory.
struct Book {
    fault: Fault,
    issued: u64,
    counted: u64,
    scores: HashMap<String, u64>,
    /// Score and version, by action.
    receipts: HashMap<u64, (u64, u64)>,
}

impl Book {
    fn update(&mut self, user: &str, action: u64) -> Value {
        let had = self.scores.entry(user.to_owned()).or_default();
        if let Some(&(score, version)) = self.receipts.get(&action) {
            *had += u64::from(self.fault == Fault::RepeatCounts);
            let score = score + u64::from(self.fault == Fault::OtherReceipt);
            return json!({ "receipt": { "score": score, "version": version, "replayed": true } });
        }
        self.counted += 1;
        let (nth, score) = (self.counted, *had + 1);
        let at_third = |fault| self.fault == fault && nth == 3;
        *had = match self.fault {
            Fault::Forgotten | Fault::Overwritten if nth == 3 => *had,
            Fault::CountsTwice if nth == 3 => score + 1,
            _ => score,
        };
        let version = match self.fault {
            Fault::Gap if nth >= 3 => nth + 1,
            Fault::VersionTwice if nth >= 3 => nth - 1,
            Fault::OutOfOrder if nth == 3 => 4,
            Fault::OutOfOrder if nth == 4 => 3,
            _ => nth,
        };
        let score = score + u64::from(at_third(Fault::WrongScore));
        if !at_third(Fault::Forgotten) {
            self.receipts.insert(action, (score, version));
        }
        json!({ "receipt": { "score": score, "version": version, "replayed": at_third(Fault::FirstIsRepeat) } })
    }
}

type Shared = State<Arc<Mutex<Book>>>;

fn user(headers: &HeaderMap) -> &str {
    headers[AUTHORIZATION].to_str().expect("text")
}

/// Serves what a [`Load`] asks for.
async fn serve(fault: Fault) -> SocketAddr {
    let book = Book { fault, issued: 0, counted: 0, scores: HashMap::new(), receipts: HashMap::new() };
    let login =
        async |Json(login): Json<Value>| Json(json!({ "user": { "id": login["email"] }, "token": login["email"] }));
    let issue = async |State(book): Shared| {
        let mut book = book.lock().expect("nobody panics with it");
        book.issued += 1;
        (StatusCode::CREATED, Json(json!({ "action": book.issued })))
    };
    let update = async |State(book): Shared, headers: HeaderMap, Json(update): Json<Value>| {
        let action = update["action"].as_u64().expect("a number");
        Json(book.lock().expect("nobody panics with it").update(user(&headers), action))
    };
    let standing = async |State(book): Shared, headers: HeaderMap| {
        let score = book.lock().expect("nobody panics with it").scores[user(&headers)];
        Json(json!({ "standing": { "score": score } }))
    };
    let app = Router::new()
        .route("/api/auth/register", post(async || StatusCode::CREATED))
        .route("/api/auth/login", post(login))
        .route("/api/scoreboard/generate-action", post(issue))
        .route("/api/scoreboard/update", post(update))
        .route("/api/scoreboard/me", get(standing))
        .with_state(Arc::new(Mutex::new(book)));
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(async { axum::serve(listener, app).await });
    address
}

/// Plays on such a server, and checks what became of it.
async fn checked(fault: Fault, clients: usize) -> usize {
    let load = Load::start(serve(fault).await, clients).await;
    load.reach(10).await;
    let (users, _) = load.stop().await;
    check_all(users).await
}

#[tokio::test]
async fn a_right_load_passes() {
    assert!(checked(Fault::Nothing, 3).await >= 10);
}

#[tokio::test]
async fn each_fault_under_load_is_caught() {
    for (fault, what) in [
        (Fault::Forgotten, "it was acknowledged, and lost"),
        (Fault::Overwritten, "each acknowledged tap is worth one point"),
        (Fault::CountsTwice, "each acknowledged tap is worth one point"),
        (Fault::RepeatCounts, "each acknowledged tap is worth one point"),
        (Fault::OtherReceipt, "a repeat answers the first receipt"),
        (Fault::WrongScore, "each tap added one"),
        (Fault::Gap, "the log has a gap or a double"),
        (Fault::VersionTwice, "a version was given out twice"),
        (Fault::OutOfOrder, "scores grow with versions"),
        (Fault::FirstIsRepeat, "a player has failed"),
    ] {
        // One client, so that the third and the fourth update are of the same user.
        let said = failure(checked(fault, 1)).await.unwrap_or_else(|| "nothing".to_owned());
        assert!(said.contains(what), "{fault:?}: {said}");
    }
}
