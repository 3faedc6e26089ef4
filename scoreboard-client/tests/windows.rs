//! A board that is followed in several ways at once over one connection.

mod support;

use scoreboard_client::{Client, Event, State, SubscribeError};
use scoreboard_core::{BoardId, LiveWindow, UserId, WindowKind};
use serde_json::{Value, json};
use support::{Server, hasty, moved, next, snapshot, state, update, user};

fn id(number: u8) -> UserId {
    user(number).parse().expect("an id")
}

/// Of another part than the top.
fn of(window: &str, around: Option<u8>, mut message: Value) -> Value {
    message["window"] = json!(window);
    if let Some(number) = around {
        message["userId"] = json!(user(number));
    }
    message
}

fn version(moved: &scoreboard_client::Moved) -> u64 {
    moved.view.position.version.get()
}

#[tokio::test]
async fn each_way_has_its_own_view_and_its_own_place_to_go_on_from() {
    let server = Server::start().await;
    let client = Client::builder(&server.url()).with_config(hasty()).connect().expect("a URL");
    let board = BoardId::main();
    let mut top = client.subscribe(&board, 3).expect("it is followed");
    let mut near = client.subscribe_around(&board, id(2), 1).expect("in another way");
    let mut some = client.subscribe_users(&board, [id(3), id(1), id(3)]).expect("and in a third");
    assert_eq!(*near.window(), LiveWindow::around(id(2), 1));
    assert_eq!(
        client.subscribe_around(&board, id(7), 5).unwrap_err(),
        SubscribeError::Followed(board.clone(), WindowKind::Around)
    );
    assert_eq!(
        client.subscribe_users(&board, [id(7)]).unwrap_err(),
        SubscribeError::Followed(board.clone(), WindowKind::Users)
    );
    for radius in [0, 51] {
        assert_eq!(client.subscribe_around(&board, id(7), radius).unwrap_err(), SubscribeError::Radius);
    }
    assert!(matches!(client.subscribe_users(&board, []), Err(SubscribeError::Users(_))));
    assert!(matches!(
        client.subscribe_users(&board, (0..=100).map(|number| UserId::for_name("test", &number.to_string()))),
        Err(SubscribeError::Users(_))
    ));

    let mut peer = server.accept().await;
    let mut heard =
        [peer.hears().await, peer.hears().await, peer.hears().await].map(|heard| heard.expect("a question"));
    heard.sort_by_key(|heard| heard["window"].to_string());
    let around = json!({"type": "subscribe", "board": "main", "window": "around", "userId": user(2), "radius": 1});
    let users = json!({"type": "subscribe", "board": "main", "window": "users", "userIds": [user(1), user(3)]});
    assert_eq!(heard, [around.clone(), users.clone(), json!({"type": "subscribe", "board": "main", "limit": 3})]);
    peer.says(snapshot("main", 5, &[1, 2, 3])).await;
    peer.says(of("around", Some(2), snapshot("main", 6, &[1, 2, 3]))).await;
    let mut listed = snapshot("main", 7, &[1, 2, 3]);
    listed["entries"].as_array_mut().expect("entries").remove(1);
    peer.says(of("users", None, listed)).await;
    assert_eq!([version(&moved(&mut top).await), version(&moved(&mut near).await)], [5, 6]);
    let third = moved(&mut some).await;
    assert_eq!(third.view.entries.iter().map(|entry| entry.rank).collect::<Vec<_>>(), [1, 3], "wherever they stand");
    peer.says(of("around", Some(2), update("main", 6, 8, 1, 3))).await;
    assert_eq!(version(&moved(&mut near).await), 8);
    assert_eq!(top.view().map(|view| view.position.version.get()), Some(5), "another's update is none of its own");

    // One of them is refused by name, and the others go on.
    peer.says(of("users", None, json!({"type": "error", "code": "not_found", "detail": "no", "board": "main"}))).await;
    state(&mut some, |state| matches!(state, State::Refused(_))).await;
    assert_eq!(next(&mut some).await, None);

    drop(peer);
    let mut peer = server.accept().await;
    let mut heard = [peer.hears().await, peer.hears().await].map(|heard| heard.expect("a question"));
    heard.sort_by_key(|heard| heard["window"].to_string());
    assert_eq!(heard[0]["since"], json!({"epoch": 1, "version": 8}));
    assert_eq!(heard[1]["since"], json!({"epoch": 1, "version": 5}));
    drop(near);
    assert_eq!(peer.hears().await, Some(json!({"type": "unsubscribe", "board": "main", "window": "around"})));
    drop(top);
    assert_eq!(peer.hears().await, None, "nothing is followed");
}

#[tokio::test]
async fn it_is_told_whether_the_server_knew_what_was_missed() {
    let server = Server::start().await;
    let client = Client::builder(&server.url()).with_config(hasty()).connect().expect("a URL");
    let mut near = client.subscribe_around(&BoardId::main(), id(1), 1).expect("it is followed");
    let say = |message| of("around", Some(1), message);
    let mut peer = server.accept().await;
    peer.hears_subscribe("main", None).await;
    peer.says(say(snapshot("main", 5, &[1, 2]))).await;
    assert!(moved(&mut near).await.recovered, "nothing was missed");
    drop(peer);
    let mut peer = server.accept().await;
    peer.hears_subscribe("main", Some(5)).await;
    peer.says(say(update("main", 5, 9, 1, 2))).await;
    assert!(moved(&mut near).await.recovered, "it was told");
    drop(peer);
    let mut peer = server.accept().await;
    peer.hears_subscribe("main", Some(9)).await;
    let mut whole = say(snapshot("main", 90, &[2, 1]));
    whole["recovered"] = json!(false);
    peer.says(whole).await;
    // More follows before anybody looks: it is told all the same.
    peer.says(say(update("main", 90, 91, 2, 2))).await;
    while near.view().is_none_or(|view| view.position.version.get() < 91) {
        tokio::task::yield_now().await;
    }
    let late = loop {
        if let Some(Event::Moved(moved)) = next(&mut near).await {
            break moved;
        }
    };
    assert_eq!((version(&late), late.recovered), (91, false));
    peer.says(say(update("main", 91, 92, 2, 2))).await;
    assert!(moved(&mut near).await.recovered, "once");
}

/// Messages name a board and a kind of window. What is still on its way of a list that was followed a moment ago could be taken for the list
/// that is followed now.
#[tokio::test]
async fn what_was_asked_for_before_is_not_taken_for_what_is_asked_for_now() {
    let server = Server::start().await;
    let client = Client::builder(&server.url()).with_config(hasty()).connect().expect("a URL");
    let board = BoardId::main();
    let _top = client.subscribe(&board, 3).expect("it keeps the connection");
    let some = client.subscribe_users(&board, [id(1)]).expect("it is followed");
    let mut peer = server.accept().await;
    // In whichever order.
    for _ in 0..2 {
        assert_eq!(peer.hears().await.expect("it asks for both")["type"], "subscribe");
    }
    drop(some);
    let mut some = client.subscribe_users(&board, [id(1), id(2)]).expect("it is free again");
    let list = |version, users: &[u8]| of("users", None, snapshot("main", version, users));
    assert_eq!(peer.hears_unanswered().await, json!({"type": "unsubscribe", "board": "main", "window": "users"}));
    assert_eq!(peer.hears_unanswered().await, json!({"type": "ping"}));
    assert_eq!(peer.hears_unanswered().await["userIds"], json!([user(1), user(2)]));
    // Of the first list, sent before the server had heard anything of this.
    peer.says(list(5, &[1])).await;
    peer.says(of("users", None, update("main", 5, 6, 1, 1))).await;
    peer.says(of("users", None, json!({"type": "error", "code": "not_found", "detail": "no", "board": "main"}))).await;
    peer.says(json!({"type": "pong"})).await;
    peer.says(list(6, &[1, 2])).await;
    let first = moved(&mut some).await;
    assert_eq!((version(&first), first.view.entries.len()), (6, 2));
}
