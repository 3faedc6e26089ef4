//! Says something to a server over a WebSocket. It answers in its protocol or closes with a code of it, and never panics.
#![no_main]

use std::net::SocketAddr;
use std::sync::{Arc, LazyLock};

use futures_util::{SinkExt, StreamExt};
use libfuzzer_sys::fuzz_target;
use scoreboard_axum::{App, HttpConfig, Lifecycle, ServeConfig, router, serve};
use scoreboard_core::accounts::Accounts;
use scoreboard_core::memory::{MemoryAccountStore, MemoryScoreStore};
use scoreboard_core::{BoardId, BoardSpec, KeyRing, RandomIds, Scoreboard};
use tokio::runtime::Runtime;
use tokio_tungstenite::tungstenite::{Message, client::IntoClientRequest};

static SERVER: LazyLock<(Runtime, SocketAddr)> = LazyLock::new(|| {
    let runtime = Runtime::new().expect("a runtime starts");
    let address = runtime.block_on(async {
        let scoreboard = Scoreboard::builder(Arc::new(MemoryScoreStore::default())).build();
        scoreboard.create_board(BoardSpec::new(BoardId::main())).await.expect("a first board");
        let keys = KeyRing::random(&RandomIds);
        let accounts = Accounts::builder(Arc::new(MemoryAccountStore::default()), &keys).build();
        let mut config = HttpConfig::default();
        (config.limits.read, config.limits.address) = (None, None);
        let lifecycle = Lifecycle::default();
        let app = App::new(scoreboard, accounts).with_config(config).with_lifecycle(lifecycle.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("it is bound");
        lifecycle.ready();
        tokio::spawn(serve(listener, router(app), ServeConfig::default(), lifecycle, std::future::pending()));
        address
    });
    (runtime, address)
});

fuzz_target!(|input: &[u8]| {
    let (runtime, address) = &*SERVER;
    runtime.block_on(async {
        let mut request = format!("ws://{address}/api/scoreboard/ws").into_client_request().expect("a URL");
        request.headers_mut().insert("sec-websocket-protocol", "scoreboard.v1".parse().expect("a header"));
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.expect("the server takes connections");
        let message = match std::str::from_utf8(input) {
            Ok(text) => Message::text(text),
            Err(_) => Message::binary(input.to_vec()),
        };
        let _ = socket.feed(message).await;
        let _ = socket.send(Message::text(r#"{"type":"ping"}"#)).await;
        loop {
            match socket.next().await {
                Some(Ok(Message::Text(text))) if text.contains(r#""type":"pong""#) => return,
                Some(Ok(Message::Close(frame))) => {
                    // What is longer than 16 KiB is not read.
                    let expected = if input.len() > 16 * 1024 { 1009 } else { 4501 };
                    assert_eq!(frame.map(|frame| u16::from(frame.code)), Some(expected));
                    return;
                }
                Some(Ok(_)) => {}
                Some(Err(error)) => panic!("the connection broke: {error}"),
                None => panic!("the connection ended without a word"),
            }
        }
    });
});
