//! What becomes of a connection that is lost, closed, silent or talks nonsense.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use scoreboard_client::{
    Cause, Client, ClientConfig, Event, Offline, Private, Refusal, State, SubscribeError, Subscription,
};
use scoreboard_core::BoardId;
use serde_json::json;
use support::{PATIENCE, Peer, Server, hasty, moved, next, snapshot, state, update};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Instant, timeout};

fn follow(server: &Server, config: ClientConfig) -> (Client, Subscription) {
    let client = Client::builder(&server.url()).with_config(config).connect().expect("a URL");
    let main = client.subscribe(&BoardId::main(), 3).expect("it is followed");
    (client, main)
}

async fn offline(main: &mut Subscription) -> Offline {
    match state(main, |state| matches!(state, State::Offline(_))).await {
        State::Offline(offline) => offline,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn it_comes_back_from_where_it_was_after_any_loss() {
    let server = Server::start().await;
    let (_client, mut main) = follow(&server, hasty());
    let mut peer = server.accept().await;
    peer.hears_subscribe("main", None).await;
    peer.says(snapshot("main", 10, &[1, 2])).await;
    moved(&mut main).await;
    for (version, code) in (10..).zip([0, 1000, 1001, 1011, 1012, 4000, 4008, 4499, 3000]) {
        match code {
            0 => drop(peer),
            code => peer.closes(code, "come again").await,
        }
        let Offline { cause, since, retry_at } = offline(&mut main).await;
        let reason = "come again".to_owned();
        assert_eq!(cause, if code == 0 { Cause::Lost } else { Cause::Closed { code, reason } });
        assert!(retry_at >= since);
        assert_eq!(main.view().map(|view| view.position.version.get()), Some(version), "it stays");
        peer = server.accept().await;
        peer.hears_subscribe("main", Some(version)).await;
        peer.says(update("main", version, version + 1, 1, 2)).await;
        let moved = moved(&mut main).await;
        assert_eq!((moved.view.position.version.get(), moved.changes.len()), (version + 1, 1));
        assert_eq!(next(&mut main).await, Some(Event::State(State::Live)));
    }
}

#[tokio::test]
async fn some_codes_are_final() {
    for code in [4500, 4501, 4999] {
        let server = Server::start().await;
        let (client, mut main) = follow(&server, hasty());
        let mut messages = client.private_messages();
        let mut peer = server.accept().await;
        peer.hears_subscribe("main", None).await;
        peer.closes(code, "signed out").await;
        let refused = state(&mut main, |state| matches!(state, State::Refused(_))).await;
        assert_eq!(refused, State::Refused(Refusal::Closed { code, reason: "signed out".to_owned() }));
        assert_eq!(next(&mut main).await, None);
        let (code, detail) = (code.to_string(), "signed out".to_owned());
        assert_eq!(messages.next().await, Some(Private::Refused { code, detail }));
        assert_eq!(messages.next().await, None);
        assert!(server.is_left_alone().await);
        assert_eq!(client.subscribe(&BoardId::main(), 3).unwrap_err(), SubscribeError::Closed);
    }
}

#[tokio::test]
async fn after_a_restart_clients_come_back_over_a_span() {
    let spread = Duration::from_secs(40);
    let mut waits = Vec::new();
    for _ in 0..20 {
        let server = Server::start().await;
        let (_client, mut main) = follow(&server, ClientConfig { restart_spread: spread, ..hasty() });
        server.accept().await.closes(1012, "the server restarts").await;
        let Offline { since, retry_at, .. } = offline(&mut main).await;
        waits.push(retry_at - since);
    }
    // By chance, all of twenty lie in one half once in half a million runs.
    assert!(waits.iter().all(|wait| *wait <= spread), "{waits:?}");
    assert!(waits.iter().any(|wait| *wait > spread / 2) && waits.iter().any(|wait| *wait < spread / 2), "{waits:?}");
}

#[tokio::test]
async fn a_server_that_is_not_there_is_tried_again_and_said_so() {
    let server = Server::start().await;
    let (address, url) = (server.address(), server.url());
    drop(server);
    let config =
        ClientConfig { first_wait: Duration::from_secs(600), longest_wait: Duration::from_secs(600), ..hasty() };
    let client = Client::builder(&url).with_config(config).connect().expect("a URL");
    let mut main = client.subscribe(&BoardId::main(), 3).expect("it is followed");
    let first = offline(&mut main).await;
    assert!(matches!(&first.cause, Cause::Unreachable(text) if text.contains("refused")), "{first:?}");
    // Who comes now is told as well.
    let side = BoardId::new("side").expect("a slug");
    let mut other = client.subscribe(&side, 3).expect("it is followed");
    assert_eq!(offline(&mut other).await, first);
    drop(other);
    // Asked to, it tries at once; since when it is offline stays.
    client.connect_now();
    let second = offline(&mut main).await;
    assert_eq!(second.since, first.since);
    let listener = tokio::net::TcpListener::bind(address).await.expect("it is free again");
    client.connect_now();
    let (stream, _) = timeout(PATIENCE, listener.accept()).await.expect("it comes").expect("accepted");
    let mut peer = Peer::of(stream).await;
    peer.says(json!({"type": "connected", "heartbeatSeconds": 25})).await;
    peer.hears_subscribe("main", None).await;
    peer.says(snapshot("main", 1, &[1])).await;
    moved(&mut main).await;
}

#[tokio::test]
async fn a_server_that_falls_silent_is_given_up() {
    let server = Server::start().await;
    let answer = Duration::from_millis(200);
    let (_client, mut main) = follow(&server, ClientConfig { answer, ..hasty() });
    // Taken, and nothing said: neither to the handshake …
    let silent = server.tcp().await;
    assert_eq!(offline(&mut main).await.cause, Cause::Silent);
    // … nor behind it.
    let never_greeted = Peer::of(server.tcp().await).await;
    assert_eq!(offline(&mut main).await.cause, Cause::Silent);
    // Nor after all was well: its heartbeats, one a second, stay without an answer.
    let mut peer = Peer::of(server.tcp().await).await;
    peer.says(json!({"type": "connected", "heartbeatSeconds": 1})).await;
    peer.hears_subscribe("main", None).await;
    peer.says(snapshot("main", 1, &[1])).await;
    moved(&mut main).await;
    let since = Instant::now();
    assert_eq!(offline(&mut main).await.cause, Cause::Silent);
    assert!(since.elapsed() >= Duration::from_secs(1), "{:?}", since.elapsed());
    drop((silent, never_greeted, peer));
}

#[tokio::test]
async fn a_server_that_answers_heartbeats_is_kept() {
    let server = Server::start().await;
    let answer = Duration::from_millis(500);
    let (_client, mut main) = follow(&server, ClientConfig { answer, ..hasty() });
    let mut peer = Peer::of(server.tcp().await).await;
    peer.says(json!({"type": "connected", "heartbeatSeconds": 1})).await;
    peer.hears_subscribe("main", None).await;
    peer.says(snapshot("main", 1, &[1])).await;
    moved(&mut main).await;
    assert_eq!(next(&mut main).await, Some(Event::State(State::Live)));
    // It is silent besides for longer than a heartbeat and its answer take.
    let heard = timeout(Duration::from_secs(4), peer.hears()).await;
    assert!(heard.is_err(), "nothing but pings: {heard:?}");
    assert!(timeout(Duration::from_millis(1), main.next()).await.is_err());
    assert_eq!(main.state(), State::Live);
}

#[tokio::test]
async fn nonsense_and_floods_end_a_connection() {
    let server = Server::start().await;
    let (_client, mut main) = follow(&server, ClientConfig { max_message: 4096, ..hasty() });
    let long = json!({"type": "later", "text": "x".repeat(5000)});
    for nonsense in [json!(1), json!({"type": "update", "board": "main"}), long] {
        let mut peer = server.accept().await;
        peer.hears_subscribe("main", None).await;
        peer.says(nonsense).await;
        assert_eq!(offline(&mut main).await.cause, Cause::Nonsense);
    }
    let mut peer = server.accept().await;
    peer.hears_subscribe("main", None).await;
    peer.says(json!({"type": "later", "text": "x".repeat(4000)})).await;
    peer.says(snapshot("main", 1, &[1])).await;
    moved(&mut main).await;
}

#[tokio::test]
async fn what_is_no_scoreboard_is_told_apart() {
    for (answer, wanted) in [
        ("HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", Some(404)),
        ("HTTP/1.1 503 Service Unavailable\r\ncontent-length: 0\r\n\r\n", Some(503)),
        ("SSH-2.0-OpenSSH_9.2\r\n\r\n", None),
    ] {
        let server = Server::start().await;
        let (_client, mut main) = follow(&server, ClientConfig { longest_wait: PATIENCE, ..hasty() });
        let mut stream = server.tcp().await;
        let mut head = [0; 16];
        stream.read_exact(&mut head).await.expect("a request");
        stream.write_all(answer.as_bytes()).await.expect("answered");
        let cause = offline(&mut main).await.cause;
        match (&cause, wanted) {
            (Cause::Answered(status), Some(wanted)) => assert_eq!(*status, wanted),
            (Cause::Stranger(_), None) => {}
            _ => panic!("{answer:?}: {cause:?}"),
        }
    }
}

#[tokio::test]
async fn each_connection_has_a_ticket_and_private_messages_are_bounded() {
    let server = Server::start().await;
    let given = Arc::new(AtomicUsize::new(0));
    let count = given.clone();
    let tickets = move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        async move { if number == 0 { Err("not signed in".into()) } else { Ok(format!("ticket-{number}")) } }
    };
    let config = ClientConfig { private_messages: 4, ..hasty() };
    let client = Client::builder(&server.url()).with_config(config).with_tickets(tickets).connect().expect("a URL");
    let mut messages = client.private_messages();
    // Without a board too: its messages are reason enough to connect.
    let peer = server.accept().await;
    let refused = Private::Refused { code: "ticket".to_owned(), detail: "not signed in".to_owned() };
    assert_eq!(messages.next().await, Some(refused));
    drop(peer);
    let mut peer = server.accept().await;
    assert_eq!(peer.hears().await, Some(json!({"type": "authenticate", "ticket": "ticket-1"})));
    peer.says(json!({"type": "authenticated", "userId": "x"})).await;
    let overtaken = json!({"type": "overtaken", "by": "Ada"});
    peer.says(overtaken.clone()).await;
    assert_eq!(messages.next().await, Some(Private::Message(overtaken)));
    for number in 0..10 {
        peer.says(json!({"type": "later", "number": number})).await;
    }
    // A board that is live says that all before it has been read.
    let mut main = client.subscribe(&BoardId::main(), 3).expect("it is followed");
    peer.hears_subscribe("main", None).await;
    peer.says(snapshot("main", 1, &[1])).await;
    moved(&mut main).await;
    assert_eq!(messages.next().await, Some(Private::Missed(6)));
    assert_eq!(messages.next().await, Some(Private::Message(json!({"type": "later", "number": 6}))));
    peer.says(json!({"type": "error", "code": "unauthorized", "detail": "the ticket is used up"})).await;
    for number in 7..10 {
        assert_eq!(messages.next().await, Some(Private::Message(json!({"type": "later", "number": number}))));
    }
    let refused = Private::Refused { code: "unauthorized".to_owned(), detail: "the ticket is used up".to_owned() };
    assert_eq!(messages.next().await, Some(refused));
    drop((main, client));
    while peer.hears().await.is_some_and(|heard| heard["type"] == "unsubscribe") {}
    assert!(server.is_left_alone().await);
}

#[tokio::test]
async fn a_ticket_that_is_refused_for_what_passes_is_followed_by_another() {
    let server = Server::start().await;
    let given = Arc::new(AtomicUsize::new(0));
    let count = given.clone();
    let tickets = move || {
        let number = count.fetch_add(1, Ordering::Relaxed);
        async move { Ok(format!("ticket-{number}")) }
    };
    let client = Client::builder(&server.url()).with_config(hasty()).with_tickets(tickets).connect().expect("a URL");
    let mut messages = client.private_messages();
    let mut peer = server.accept().await;
    let shown = |number: usize| Some(json!({"type": "authenticate", "ticket": format!("ticket-{number}")}));
    let refused = json!({"type": "error", "code": "unavailable", "detail": "ask for another"});
    for number in 0..3 {
        assert_eq!(peer.hears().await, shown(number));
        peer.says(refused.clone()).await;
        let told = Private::Refused { code: "unavailable".to_owned(), detail: "ask for another".to_owned() };
        assert_eq!(messages.next().await, Some(told));
    }
    assert_eq!(peer.hears().await, shown(3));
    peer.says(json!({"type": "authenticated", "userId": "x"})).await;
    // What is refused now is no ticket; and a ticket that is no good is not followed by others.
    peer.says(refused).await;
    assert!(matches!(messages.next().await, Some(Private::Refused { .. })));
    drop(peer);
    let mut peer = server.accept().await;
    assert_eq!(peer.hears().await, shown(4));
    peer.says(json!({"type": "error", "code": "unauthorized", "detail": "no good"})).await;
    assert!(matches!(messages.next().await, Some(Private::Refused { .. })));
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert_eq!(given.load(Ordering::Relaxed), 5);
}
