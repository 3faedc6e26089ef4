//! Watching over a WebSocket, on a real one.

use std::time::Duration;

use futures_util::SinkExt;
use scoreboard_core::{BoardId, RecordRequest, UserId};
use serde_json::json;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::serving::Served;
use crate::support::{Setup, World};
use crate::watcher::{Copy, PATIENCE, Watcher};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_snapshot_then_every_change() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let (ada, bob) = (world.player("ada").await, world.player("bob").await);
    world.tap(&ada).await;
    let mut watcher = Watcher::connect(&served).await;
    watcher.say(json!({ "type": "subscribe", "board": "main", "limit": 10 })).await;
    let snapshot = watcher.next().await;
    assert_eq!(
        (&snapshot["type"], &snapshot["board"], &snapshot["total"]),
        (&json!("snapshot"), &json!("main"), &json!(1))
    );
    let mut copy = Copy::default();
    copy.apply(&snapshot);
    for _ in 0..5 {
        world.tap(&bob).await;
        world.tap(&ada).await;
    }
    world.tap(&bob).await;
    while copy.version < 12 {
        copy.apply(&watcher.next().await);
    }
    let page = world.get("/api/scoreboard").await.body;
    let mut expected = Copy::default();
    expected.apply(&json!({ "type": "snapshot", "entries": page["entries"], "version": page["version"] }));
    assert_eq!(copy.rows, expected.rows);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_resumes_where_it_was() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let ada = world.player("ada").await;
    world.tap(&ada).await;
    let mut watcher = Watcher::connect(&served).await;
    watcher.say(json!({ "type": "subscribe" })).await;
    let mut copy = Copy::default();
    let snapshot = watcher.next().await;
    copy.apply(&snapshot);
    drop(watcher);
    world.tap(&ada).await;
    world.tap(&ada).await;
    let mut watcher = Watcher::connect(&served).await;
    let since = json!({ "epoch": snapshot["epoch"], "version": snapshot["version"] });
    watcher.say(json!({ "type": "subscribe", "since": since })).await;
    let missed = watcher.next().await;
    copy.apply(&missed);
    assert_eq!((copy.version, copy.rows[0].2), (3, 3), "{missed}");
    // From another life of the board, nothing can be resumed.
    watcher.say(json!({ "type": "subscribe", "since": { "epoch": 99, "version": 1 } })).await;
    assert_eq!(watcher.next().await["type"], "snapshot");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn several_boards_up_to_eight() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let mut watcher = Watcher::connect(&served).await;
    for board in ["main", "other"] {
        watcher.say(json!({ "type": "subscribe", "board": board })).await;
        assert_eq!(watcher.next().await["board"], board);
    }
    watcher.say(json!({ "type": "subscribe", "board": "nothing" })).await;
    let error = watcher.next().await;
    assert_eq!(
        (&error["type"], &error["code"], &error["board"]),
        (&json!("error"), &json!("not_found"), &json!("nothing"))
    );
    watcher.say(json!({ "type": "unsubscribe", "board": "main" })).await;
    watcher.say(json!({ "type": "ping" })).await;
    assert_eq!(watcher.next().await, json!({ "type": "pong" }));
    let ada = world.player("ada").await;
    world.tap(&ada).await;
    // Nothing comes of `main` any more: the next message is the pong.
    tokio::time::sleep(Duration::from_millis(300)).await;
    watcher.say(json!({ "type": "ping" })).await;
    assert_eq!(watcher.next().await["type"], "pong");
    watcher.say(json!({ "type": "authenticate", "ticket": "x" })).await;
    assert_eq!(watcher.next().await["code"], "unauthorized");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_boards_is_bounded() {
    let mut setup = Setup::default();
    setup.http.live.max_boards = 1;
    let world = World::with(setup).await;
    let served = Served::start(&world).await;
    let mut watcher = Watcher::connect(&served).await;
    watcher.say(json!({ "type": "subscribe", "board": "main" })).await;
    assert_eq!(watcher.next().await["type"], "snapshot");
    watcher.say(json!({ "type": "subscribe", "board": "other" })).await;
    assert_eq!(watcher.next().await["code"], "invalid_request");
    watcher.say(json!({ "type": "subscribe", "board": "main", "limit": 1 })).await;
    assert_eq!(watcher.next().await["type"], "snapshot");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_message_closes_for_good() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let texts = [
        "",
        "x",
        "{}",
        "[\"ping\"]",
        "{\"type\":\"dance\"}",
        "{\"type\":\"ping\",\"x\":1}",
        "{\"type\":\"subscribe\",\"limit\":101}",
    ];
    let long = format!("{{\"type\":\"ping\"{}}}", " ".repeat(9_000));
    let bad = texts
        .into_iter()
        .chain([long.as_str()])
        .map(Message::text)
        .chain([Message::binary(&b"{\"type\":\"ping\"}"[..])]);
    for message in bad {
        let mut watcher = Watcher::connect(&served).await;
        watcher.0.send(message.clone()).await.unwrap();
        let (messages, code) = watcher.closed().await;
        assert_eq!((messages[0]["code"].as_str(), code), (Some("invalid_request"), 4501), "{message:?}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_sends_too_many_messages_is_to_come_again() {
    let mut setup = Setup::default();
    setup.http.live.messages_per_minute = 5;
    let world = World::with(setup).await;
    let served = Served::start(&world).await;
    let mut watcher = Watcher::connect(&served).await;
    for _ in 0..6 {
        watcher.say(json!({ "type": "ping" })).await;
    }
    let (messages, code) = watcher.closed().await;
    assert_eq!((messages.iter().filter(|message| message["type"] == "pong").count(), code), (5, 4008));
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_does_not_answer_a_heartbeat_is_closed() {
    let mut setup = Setup::default();
    setup.http.live.heartbeat = Duration::from_millis(200);
    setup.http.live.heartbeat_answer = Duration::from_millis(200);
    let world = World::with(setup).await;
    let served = Served::start(&world).await;
    // A client that reads answers by itself.
    let mut watcher = Watcher::try_connect(&served, &[]).await.unwrap();
    let _ = timeout(Duration::from_millis(900), watcher.closed()).await.expect_err("it stays open");
    // One that does not read does not.
    tokio::time::sleep(Duration::from_millis(900)).await;
    assert_eq!(watcher.closed().await.1, 4008);
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_asks_for_nothing_is_closed() {
    let mut setup = Setup::default();
    setup.http.live.first_message = Duration::from_millis(400);
    let world = World::with(setup).await;
    let served = Served::start(&world).await;
    let (mut watching, mut known) = (Watcher::connect(&served).await, Watcher::connect(&served).await);
    watching.say(json!({ "type": "subscribe" })).await;
    assert_eq!(watching.next().await["type"], "snapshot");
    let ticket = world.ticket(&world.player("ada").await).await;
    known.say(json!({ "type": "authenticate", "ticket": ticket })).await;
    assert_eq!(known.next().await["type"], "authenticated");
    let (mut silent, mut alive) = (Watcher::connect(&served).await, Watcher::connect(&served).await);
    // To be alive is not to ask for anything.
    alive.say(json!({ "type": "ping" })).await;
    alive.say(json!({ "type": "unsubscribe" })).await;
    assert_eq!(silent.closed().await, (vec![], 4008));
    assert_eq!(alive.closed().await, (vec![json!({ "type": "pong" })], 4008));
    tokio::time::sleep(Duration::from_millis(600)).await;
    for watcher in [&mut watching, &mut known] {
        watcher.say(json!({ "type": "ping" })).await;
        assert_eq!(watcher.next().await["type"], "pong");
    }
    // Nor is it to ask for what there is not, or to leave what was asked for.
    let (mut stranger, mut astray) = (Watcher::connect(&served).await, Watcher::connect(&served).await);
    stranger.say(json!({ "type": "authenticate", "ticket": "x" })).await;
    assert_eq!(stranger.next().await["code"], "unauthorized");
    astray.say(json!({ "type": "subscribe", "board": "nothing" })).await;
    assert_eq!(astray.next().await["code"], "not_found");
    for board in ["main", "other"] {
        watching.say(json!({ "type": "subscribe", "board": board })).await;
    }
    watching.say(json!({ "type": "unsubscribe", "board": "main" })).await;
    let _ = timeout(Duration::from_millis(900), watching.closed()).await.expect_err("it watches the other board");
    watching.say(json!({ "type": "unsubscribe", "board": "other" })).await;
    for (what, watcher) in [("stranger", &mut stranger), ("astray", &mut astray), ("watching", &mut watching)] {
        let (_, code) = timeout(Duration::from_secs(5), watcher.closed()).await.expect(what);
        assert_eq!(code, 4008, "{what}");
    }
    known.say(json!({ "type": "ping" })).await;
    assert_eq!(known.next().await["type"], "pong");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_allowed_origins_open_a_socket() {
    let mut setup = Setup::default();
    setup.http.allowed_origins.push("https://play.example.org".parse().unwrap());
    let world = World::with(setup).await;
    let served = Served::start(&world).await;
    let own = format!("http://{}", served.address);
    for (origins, allowed) in [
        (&[][..], true),
        (&[own.as_str()], true),
        (&["https://play.example.org"], true),
        (&["https://evil.example.org"], false),
        (&["null"], false),
        (&["https://play.example.org", own.as_str()], false),
    ] {
        let headers: Vec<_> = origins.iter().map(|origin| ("origin", *origin)).collect();
        match Watcher::try_connect(&served, &headers).await {
            Ok(_) => assert!(allowed, "{origins:?}"),
            Err(Error::Http(response)) => {
                assert_eq!((allowed, response.status().as_u16()), (false, 403), "{origins:?}");
            }
            Err(error) => panic!("{error}"),
        }
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_subprotocol_is_ours() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let watcher = Watcher::try_connect(&served, &[("sec-websocket-protocol", "other, scoreboard.v1")]).await;
    assert!(watcher.is_ok());
    let watcher = Watcher::try_connect(&served, &[("sec-websocket-protocol", "other")]).await;
    assert!(matches!(watcher, Err(Error::Http(response)) if response.status().as_u16() == 400));
    world.get("/api/scoreboard/ws").await.assert_problem(400, "invalid_request");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_number_of_connections_is_bounded() {
    let mut setup = Setup::default();
    setup.http.live.max_connections_per_address = 2;
    let world = World::with(setup).await;
    let served = Served::start(&world).await;
    let first = Watcher::connect(&served).await;
    let _second = Watcher::connect(&served).await;
    let third = Watcher::try_connect(&served, &[]).await;
    assert!(matches!(third, Err(Error::Http(response)) if response.status().as_u16() == 503));
    drop(first);
    let again = async {
        while Watcher::try_connect(&served, &[]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, again).await.expect("the place is free again");
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_store_that_fails_closes_nobody() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    let ada = world.player("ada").await;
    let mut watcher = Watcher::connect(&served).await;
    watcher.say(json!({ "type": "subscribe" })).await;
    assert_eq!(watcher.next().await["version"], 0);
    let action = world.action(&ada, "tap").await;
    world.break_store(true);
    watcher.say(json!({ "type": "subscribe", "board": "other" })).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    watcher.say(json!({ "type": "ping" })).await;
    assert_eq!(watcher.next().await["type"], "pong");
    world.break_store(false);
    assert_eq!(world.update(&ada, &action).await.status, 200);
    let (mut boards, mut version) = (Vec::new(), 0);
    while boards.len() < 2 || version < 1 {
        let message = watcher.next().await;
        assert_ne!(message["type"], "error", "{message}");
        version = version.max(message["version"].as_u64().unwrap());
        boards.push(message["board"].clone());
        boards.dedup();
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_takes_nothing_is_closed_and_the_others_do_not_notice() {
    let mut setup = Setup::default();
    setup.http.live.write_timeout = Duration::from_millis(500);
    setup.http.live.max_connections_per_address = 2;
    setup.http.live.messages_per_minute = 10_000;
    let world = World::with(setup).await;
    let served = Served::start(&world).await;
    for number in 0..100_u8 {
        let request = RecordRequest {
            board: BoardId::main(),
            user_id: UserId::from_bytes([number; 16]),
            kind: "tap".parse().unwrap(),
            points: None,
        };
        world.scoreboard.record(&"game".parse().unwrap(), &number.to_string(), request).await.unwrap();
    }
    let mut watcher = Watcher::connect(&served).await;
    watcher.say(json!({ "type": "subscribe", "limit": 100 })).await;
    let mut copy = Copy::default();
    copy.apply(&watcher.next().await);
    // A system keeps some megabytes on the way to it; it asks for more.
    let socket = tokio::net::TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4 * 1024).unwrap();
    let stream = socket.connect(served.address).await.unwrap();
    let url = format!("ws://{}/api/scoreboard/ws", served.address);
    let (mut deaf, _) = tokio_tungstenite::client_async(url, stream).await.unwrap();
    assert!(Watcher::try_connect(&served, &[]).await.is_err(), "all places are taken");
    for _ in 0..2_000 {
        deaf.send(Message::text(json!({ "type": "subscribe", "limit": 100 }).to_string())).await.unwrap();
    }
    let ada = world.player("ada").await;
    for version in 101..=105 {
        let asked = tokio::time::Instant::now();
        world.tap(&ada).await;
        while copy.version < version {
            copy.apply(&watcher.next().await);
        }
        assert!(asked.elapsed() < Duration::from_secs(5), "{:?}", asked.elapsed());
    }
    let free = async {
        while Watcher::try_connect(&served, &[]).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    timeout(PATIENCE, free).await.expect("its place is free, though it never closed anything");
    drop(deaf);
    served.stop().await;
}
