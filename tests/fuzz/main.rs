//! What strangers send is read by code that is fed almost good input, on any toolchain and from a seed that a failure prints.
//!
//! A few seconds each, so that every `cargo test` does it; `FUZZ_SECONDS` makes it longer. The same readers are open to
//! coverage-guided fuzzing with `cargo fuzz`: see `fuzz/`, whose corpus is the one used here.

mod mutator;
#[path = "../support/seed.rs"]
mod seed;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::http::StatusCode;
use futures_util::{SinkExt, StreamExt};
use mutator::Mutator;
use scoreboard::accounts::Accounts;
use scoreboard::memory::{MemoryAccountStore, MemoryScoreStore};
use scoreboard::{
    ActionId, ActionVerifier, BoardId, BoardSpec, Claims, HmacVerifier, KeyId, KeyRing, Points, RandomIds, Scoreboard,
    Season, Secret, SignedAction, Timestamp, UserId,
};
use scoreboard_axum::{App, HttpConfig, Lifecycle, ServeConfig, router, serve};
use serde_json::Value;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

fn seconds() -> Duration {
    let text = std::env::var("FUZZ_SECONDS").unwrap_or_else(|_| "3".to_owned());
    Duration::from_secs(text.parse().expect("FUZZ_SECONDS is a number of seconds"))
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(folder).expect("the corpus is there");
    files.map(|file| std::fs::read(file.expect("it is listed").path()).expect("it can be read")).collect()
}

fn ring() -> KeyRing {
    let key = |id: &str, byte| (KeyId::new(id).expect("a slug"), Secret::from_bytes([byte; 32]));
    KeyRing::new(vec![key("k2", 2), key("k1", 1)]).expect("two keys")
}

/// A few actions as they would be handed out.
fn signed(verifier: &HmacVerifier) -> Vec<SignedAction> {
    let claims = |n: u8| Claims {
        id: ActionId::from_bytes([n; 16]),
        board: BoardId::main(),
        season: Season::new(u32::from(n)),
        kind: "quest".parse().expect("a slug"),
        user_id: UserId::for_name("fuzz", "ada"),
        points: Points::new(i64::from(n) - 2).expect("small"),
        issued_at: Timestamp::from_millis(1_700_000_000_000),
        not_before: Timestamp::from_millis(1_700_000_002_000),
        expires_at: Timestamp::from_millis(1_700_000_600_000),
    };
    (1..5).map(|n| verifier.sign(claims(n))).collect()
}

/// Nothing that is read makes the reader panic; what is read and written again is read as the same; and only what was signed,
/// to the letter, verifies.
#[test]
fn signed_actions() {
    let verifier = HmacVerifier::new(&ring());
    let genuine = signed(&verifier);
    let mut inputs = corpus("signed_action");
    inputs.extend(genuine.iter().map(|action| serde_json::to_vec(action).expect("it encodes")));
    let mut mutator = Mutator::new(inputs);
    let deadline = Instant::now() + seconds();
    let (mut tried, mut read, mut verified) = (0_u64, 0_u64, 0_u64);
    while Instant::now() < deadline {
        tried += 1;
        let input = mutator.next();
        let action: SignedAction = match serde_json::from_slice(&input) {
            Ok(action) => action,
            Err(error) => {
                // Up to what it repeats of the input.
                let text = error.to_string();
                let shape = text.split(['`', '"', '(']).next().unwrap_or_default();
                mutator.keep_if_new(&input, shape.chars().filter(|c| !c.is_ascii_digit()).collect());
                continue;
            }
        };
        read += 1;
        let again = serde_json::to_vec(&action).expect("what was read can be written");
        assert_eq!(serde_json::from_slice::<SignedAction>(&again).expect("and read"), action);
        if verifier.verify(&action).is_ok() {
            verified += 1;
            assert!(genuine.contains(&action), "verified, though never signed: {action:?}");
        }
    }
    println!("signed actions: {tried} inputs, {read} read, {verified} genuine, {} kinds of refusal", mutator.seen());
    assert!(read > 0 && verified > 0, "the mutations leave some input whole");
}

/// A server, on a port of its own, that counts panics wherever they happen.
async fn server() -> (std::net::SocketAddr, Lifecycle) {
    let scoreboard = Scoreboard::builder(Arc::new(MemoryScoreStore::default())).build();
    scoreboard.create_board(BoardSpec::new(BoardId::main())).await.expect("a first board");
    let accounts = Accounts::builder(Arc::new(MemoryAccountStore::default()), &KeyRing::random(&RandomIds)).build();
    let mut config = HttpConfig::default();
    (config.limits.read, config.limits.address) = (None, None);
    config.live.messages_per_minute = u32::MAX;
    let lifecycle = Lifecycle::default();
    let app = App::new(scoreboard, accounts).with_config(config).with_lifecycle(lifecycle.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("it is bound");
    tokio::spawn(serve(listener, router(app), ServeConfig::default(), lifecycle.clone(), std::future::pending()));
    lifecycle.ready();
    (address, lifecycle)
}

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// Whatever is said over a WebSocket, the server answers in its protocol, or closes with a code of it, and never panics.
#[tokio::test]
async fn live_messages() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(panic);
    }));
    let (address, _lifecycle) = server().await;
    let mut mutator = Mutator::new(corpus("live_message"));
    let deadline = Instant::now() + seconds();
    let (mut said, mut closed) = (0_u64, 0_u64);
    while Instant::now() < deadline {
        let mut request = format!("ws://{address}/api/scoreboard/ws").into_client_request().expect("a URL");
        request.headers_mut().insert("sec-websocket-protocol", "scoreboard.v1".parse().expect("a header"));
        let (mut socket, response) =
            tokio_tungstenite::connect_async(request).await.expect("the server takes connections");
        assert_eq!(response.status(), StatusCode::SWITCHING_PROTOCOLS);
        let mut last = Vec::new();
        // Until a message is bad enough to end the connection; the ping behind each is answered, or the close is.
        'connection: loop {
            let input = mutator.next();
            let message = match String::from_utf8(input) {
                Ok(text) if said % 50 != 49 => Message::text(text),
                Ok(text) => Message::binary(text.into_bytes()),
                Err(bytes) => Message::binary(bytes.into_bytes()),
            };
            last.clear();
            last.extend_from_slice(&message.clone().into_data());
            said += 1;
            let ping = Message::text(r#"{"type":"ping"}"#);
            if socket.feed(message).await.is_err() || socket.send(ping).await.is_err() {
                break;
            }
            loop {
                let answer = timeout(Duration::from_secs(10), socket.next()).await.expect("the server answers in time");
                match answer {
                    Some(Ok(Message::Text(text))) => {
                        let answer: Value = serde_json::from_str(&text).expect("the server speaks JSON");
                        let kind = answer["type"].as_str().expect("a message has a type");
                        match kind {
                            "connected" | "snapshot" | "update" => {}
                            "error" => {
                                let shape = format!("{} {}", answer["code"], answer["detail"]);
                                mutator.keep_if_new(&last, shape);
                            }
                            "pong" => break,
                            other => panic!("a message of type {other} is not in the protocol"),
                        }
                    }
                    Some(Ok(Message::Close(frame))) => {
                        let code = frame.map(|frame| u16::from(frame.code));
                        // What is longer than 16 KiB is not read.
                        let expected = if last.len() > 16 * 1024 { 1009 } else { 4501 };
                        assert_eq!(code, Some(expected), "after {:?}", String::from_utf8_lossy(&last));
                        closed += 1;
                        break 'connection;
                    }
                    Some(Ok(_)) => {}
                    Some(Err(error)) => {
                        panic!("the connection broke ({error}) after {:?}", String::from_utf8_lossy(&last))
                    }
                    None => break 'connection,
                }
            }
            if Instant::now() >= deadline {
                break;
            }
        }
    }
    println!("live messages: {said} inputs, {closed} connections closed for them");
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "the server panicked");
}
