//! Boards that are followed over a connection that a test has in its hands.

mod support;

use futures_util::StreamExt;
use scoreboard_client::{Client, Event, State, SubscribeError};
use scoreboard_core::{BoardId, ChangeOp, LiveWindow, WindowKind};
use serde_json::json;
use std::pin::pin;
use support::{Server, hasty, moved, next, snapshot, state, update};

#[tokio::test]
async fn a_board_is_followed_by_a_snapshot_and_its_updates() {
    let server = Server::start().await;
    let client = Client::connect(&server.url()).expect("a URL");
    let mut main = client.subscribe(&BoardId::main(), 3).expect("it is followed");
    assert_eq!((main.state(), main.view(), main.window()), (State::Connecting, None, &LiveWindow::top(3)));
    let mut peer = server.accept().await;
    peer.hears_subscribe("main", None).await;
    assert_eq!(next(&mut main).await, Some(Event::State(State::CatchingUp)));
    peer.says(snapshot("main", 7, &[1, 2])).await;
    let first = moved(&mut main).await;
    assert!(first.previous.is_none());
    let ranks: Vec<_> = first.changes.iter().map(|change| (change.op, change.rank)).collect();
    assert_eq!(ranks, [(ChangeOp::Upsert, Some(1)), (ChangeOp::Upsert, Some(2))]);
    assert_eq!(next(&mut main).await, Some(Event::State(State::Live)));
    peer.says(update("main", 7, 8, 1, 2)).await;
    let second = moved(&mut main).await;
    assert_eq!((second.view.entries[0].score.get(), second.changes.len()), (108, 1));
    assert_eq!(second.previous.as_ref(), Some(&first.view));

    // As a stream, the same goes on.
    let mut stream = pin!(main.into_stream());
    peer.says(update("main", 8, 9, 1, 2)).await;
    let Some(Event::Moved(third)) = stream.next().await else { panic!("a view") };
    assert_eq!(third.view.position.version.get(), 9);
}

#[tokio::test]
async fn what_does_not_join_on_is_asked_for_anew_and_not_shown() {
    let server = Server::start().await;
    let client = Client::connect(&server.url()).expect("a URL");
    let mut main = client.subscribe(&BoardId::main(), 3).expect("it is followed");
    let mut peer = server.accept().await;
    peer.hears_subscribe("main", None).await;
    peer.says(snapshot("main", 7, &[1, 2])).await;
    moved(&mut main).await;
    // 8 is lost.
    peer.says(update("main", 8, 9, 1, 2)).await;
    peer.hears_subscribe("main", None).await;
    assert_eq!(main.state(), State::CatchingUp);
    assert_eq!(main.view().map(|view| view.position.version.get()), Some(7));
    // Of the subscription before, still on its way.
    peer.says(update("main", 7, 8, 1, 2)).await;
    peer.says(snapshot("main", 10, &[2, 1])).await;
    let view = moved(&mut main).await.view;
    assert_eq!(view.position.version.get(), 10);
    state(&mut main, |state| *state == State::Live).await;
}

#[tokio::test]
async fn who_is_slow_is_given_the_newest_and_what_lies_between() {
    let server = Server::start().await;
    let client = Client::connect(&server.url()).expect("a URL");
    let mut main = client.subscribe(&BoardId::main(), 3).expect("it is followed");
    let mut peer = server.accept().await;
    peer.hears_subscribe("main", None).await;
    peer.says(snapshot("main", 0, &[1, 2, 3])).await;
    let first = moved(&mut main).await;
    for version in 1..=500 {
        peer.says(update("main", version - 1, version, 1, 3)).await;
    }
    peer.says(json!({"type": "error", "code": "not_found", "detail": "the end", "board": "main"})).await;
    while main.state() == State::Live {
        tokio::task::yield_now().await;
    }
    let Some(Event::Moved(newest)) = next(&mut main).await else { panic!("a view") };
    assert_eq!(newest.view.position.version.get(), 500);
    assert_eq!(newest.previous, Some(first.view));
    assert_eq!(newest.changes.len(), 1, "{:?}", newest.changes);
    assert!(matches!(next(&mut main).await, Some(Event::State(State::Refused(_)))), "then how it is");
    assert_eq!(next(&mut main).await, None);
}

#[tokio::test]
async fn several_boards_share_a_connection_which_ends_with_the_last() {
    let server = Server::start().await;
    let client = Client::builder(&server.url()).with_config(hasty()).connect().expect("a URL");
    let side = BoardId::new("side").expect("a slug");
    let mut main = client.subscribe(&BoardId::main(), 3).expect("it is followed");
    assert_eq!(
        client.subscribe(&BoardId::main(), 3).unwrap_err(),
        SubscribeError::Followed(BoardId::main(), WindowKind::Top)
    );
    assert_eq!(client.subscribe(&side, 0).unwrap_err(), SubscribeError::Limit);
    let mut peer = server.accept().await;
    peer.hears_subscribe("main", None).await;
    peer.says(snapshot("main", 1, &[1])).await;
    moved(&mut main).await;
    let mut other = client.subscribe(&side, 3).expect("it is followed");
    peer.hears_subscribe("side", None).await;
    peer.says(snapshot("side", 5, &[2, 3])).await;
    assert_eq!(moved(&mut other).await.view.board, side);
    assert!(server.is_left_alone().await, "one connection is enough");

    drop(main);
    assert_eq!(peer.hears().await, Some(json!({"type": "unsubscribe", "board": "main"})));
    drop(other);
    assert_eq!(peer.hears().await, None, "nothing is followed");
    assert!(server.is_left_alone().await);

    let mut main = client.subscribe(&BoardId::main(), 3).expect("it is free again");
    let mut peer = server.accept().await;
    peer.hears_subscribe("main", None).await;
    drop(client);
    peer.says(snapshot("main", 9, &[1])).await;
    assert_eq!(moved(&mut main).await.view.position.version.get(), 9, "a subscription keeps its connection");
    drop(main);
    assert_eq!(peer.hears().await, None);
    assert!(server.is_left_alone().await);
}

#[tokio::test]
async fn a_client_that_is_closed_leaves_nobody_waiting() {
    let server = Server::start().await;
    let client = Client::connect(&server.url()).expect("a URL");
    let mut main = client.subscribe(&BoardId::main(), 3).expect("it is followed");
    let mut messages = client.private_messages();
    let mut peer = server.accept().await;
    peer.hears_subscribe("main", None).await;
    peer.says(snapshot("main", 1, &[1])).await;
    moved(&mut main).await;
    client.close();
    assert_eq!(peer.hears().await, None);
    while next(&mut main).await.is_some() {}
    assert_eq!(messages.next().await, None);
    assert_eq!(client.private_messages().next().await, None);
    assert_eq!(client.subscribe(&BoardId::main(), 3).unwrap_err(), SubscribeError::Closed);
}

#[tokio::test]
async fn a_board_that_is_not_there_is_refused_and_the_others_go_on() {
    let server = Server::start().await;
    let client = Client::connect(&server.url()).expect("a URL");
    let mut main = client.subscribe(&BoardId::main(), 3).expect("it is followed");
    let mut peer = server.accept().await;
    peer.hears_subscribe("main", None).await;
    let nothing = BoardId::new("nothing").expect("a slug");
    let mut refused = client.subscribe(&nothing, 3).expect("it is asked for");
    peer.hears_subscribe("nothing", None).await;
    peer.says(
        json!({"type": "error", "code": "not_found", "detail": "there is no board `nothing`", "board": "nothing"}),
    )
    .await;
    let State::Refused(why) = state(&mut refused, |state| matches!(state, State::Refused(_))).await else { panic!() };
    assert_eq!(why.to_string(), "there is no board `nothing` (not_found)");
    assert_eq!(next(&mut refused).await, None);
    peer.says(snapshot("main", 1, &[1])).await;
    moved(&mut main).await;
    // It may have been made meanwhile.
    let mut again = client.subscribe(&nothing, 3).expect("it is asked for again");
    drop(refused);
    peer.hears_subscribe("nothing", None).await;
    peer.says(snapshot("nothing", 0, &[])).await;
    assert_eq!(moved(&mut again).await.view.total, 0);
}
