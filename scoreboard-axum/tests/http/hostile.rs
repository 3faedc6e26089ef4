//! Who asks for ranks and watches boards as nobody should: nothing that is answered is wrong, and nobody else is disturbed.

use axum::body::Body;
use axum::http::Request;
use scoreboard_core::{BoardId, MAX_SCORE, RecordRequest, UserId};
use serde_json::{Value, json};

use crate::serving::Served;
use crate::support::{Setup, World};
use crate::watcher::{Copy, Watcher};

fn user(number: u8) -> UserId {
    UserId::from_bytes([number; 16])
}

/// One point for a user of a board.
async fn tap(world: &World, board: &str, key: &str, number: u8) {
    let request = RecordRequest {
        board: BoardId::new(board).unwrap(),
        user_id: user(number),
        kind: "tap".parse().unwrap(),
        points: None,
    };
    world.scoreboard.record(&"game".parse().unwrap(), key, request).await.unwrap();
}

/// Twelve users with one point each, the first in front.
async fn crowd(world: &World, board: &str) {
    for number in 1..=12 {
        tap(world, board, &format!("{board} {number}"), number).await;
    }
}

fn windows() -> [Value; 3] {
    [
        json!({ "type": "subscribe", "limit": 3 }),
        json!({ "type": "subscribe", "window": "around", "userId": user(6), "radius": 2 }),
        json!({ "type": "subscribe", "window": "users", "userIds": [user(2), user(9)] }),
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whoever_says_to_hold_what_never_was_is_sent_the_view() {
    let world = World::new().await;
    let served = Served::start(&world).await;
    crowd(&world, "main").await;
    let epoch = world.get("/api/scoreboard").await.body["epoch"].as_u64().unwrap();
    let far = u64::MAX;
    for (number, (epoch, version)) in
        [(epoch, 1_000), (epoch, far), (epoch + 1, 0), (epoch + 1, 12), (far, far), (far, 0), (0, 12), (0, far)]
            .into_iter()
            .enumerate()
    {
        for mut subscribe in windows() {
            subscribe["since"] = json!({ "epoch": epoch, "version": version });
            let mut watcher = Watcher::connect(&served).await;
            watcher.say(subscribe.clone()).await;
            let snapshot = watcher.next().await;
            assert_eq!((&snapshot["type"], &snapshot["recovered"]), (&json!("snapshot"), &json!(false)), "{subscribe}");
            let mut copy = Copy::default();
            copy.apply(&snapshot);
            tap(&world, "main", &format!("{number} {}", subscribe["window"]), 6).await;
            copy.apply(&watcher.next().await);
        }
    }
    // And what is no position is no message.
    for since in [
        r#"{"epoch":1,"version":18446744073709551616}"#,
        r#"{"epoch":1,"version":1e3}"#,
        r#"{"epoch":1.0,"version":1}"#,
        r#"{"epoch":null,"version":1}"#,
        r#"{"epoch":1,"version":1,"version":1}"#,
        r#""1.1""#,
        "1",
        "[]",
    ] {
        let mut watcher = Watcher::connect(&served).await;
        let text = format!(r#"{{"type":"subscribe","since":{since}}}"#);
        futures_util::SinkExt::send(&mut watcher.0, tokio_tungstenite::tungstenite::Message::text(text)).await.unwrap();
        assert_eq!(watcher.closed().await.1, 4501, "{since}");
    }
    served.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_a_flood_of_subscriptions_the_last_counts_and_the_others_watch_on() {
    let mut setup = Setup::default();
    setup.http.live.messages_per_minute = 10_000;
    let world = World::with(setup).await;
    let served = Served::start(&world).await;
    crowd(&world, "main").await;
    let (mut calm, mut copy) = (Watcher::connect(&served).await, Copy::default());
    calm.say(windows()[1].clone()).await;
    copy.apply(&calm.next().await);
    let mut hostile = Watcher::connect(&served).await;
    for round in 0..1_000_u32 {
        let somebody = UserId::for_name("test", &round.to_string());
        hostile
            .say(json!({ "type": "subscribe", "window": "around", "userId": somebody, "radius": 1 + round % 50 }))
            .await;
        hostile.say(json!({ "type": "subscribe", "window": "users", "userIds": [somebody] })).await;
        hostile.say(json!({ "type": "subscribe", "limit": 1 + round % 100 })).await;
        if round % 3 == 0 {
            hostile.say(json!({ "type": "unsubscribe", "window": "users" })).await;
            hostile.say(json!({ "type": "unsubscribe", "board": "nothing" })).await;
        }
        if round % 100 == 0 {
            tap(&world, "main", &format!("meanwhile {round}"), 6).await;
        }
    }
    for subscribe in windows() {
        hostile.say(subscribe).await;
    }
    hostile.say(json!({ "type": "ping" })).await;
    while hostile.next().await["type"] != "pong" {}
    // What belongs to any of the others was said before.
    let mut copies: [Option<Copy>; 3] = Default::default();
    tap(&world, "main", "last", 6).await;
    let last = world.get("/api/scoreboard").await.body["version"].as_u64().unwrap();
    while copies.iter().any(|copy| copy.as_ref().is_none_or(|copy| copy.version < last)) {
        let message = hostile.next().await;
        let place = match message["window"].as_str() {
            None => 0,
            Some("around") => 1,
            Some(_) => 2,
        };
        if place == 1 {
            assert_eq!(message["userId"], json!(user(6)));
        }
        match &mut copies[place] {
            Some(copy) => copy.apply(&message),
            // The first after the flood: whole, as it was asked for without a `since`; it may have been said before the pong.
            none => {
                let mut copy = Copy::default();
                if message["type"] == "snapshot" {
                    copy.apply(&message);
                } else {
                    copy.version = message["version"].as_u64().unwrap();
                }
                *none = Some(copy);
            }
        }
    }
    while copy.version < last {
        copy.apply(&calm.next().await);
    }
    let around = world.get(&format!("/api/scoreboard/users/{}/around?radius=2", user(6))).await.body;
    let ranks: Vec<_> =
        around["entries"].as_array().unwrap().iter().map(|entry| entry["rank"].as_u64().unwrap()).collect();
    assert_eq!(copy.rows.iter().map(|(rank, ..)| *rank).collect::<Vec<_>>(), ranks);
    served.stop().await;
}

#[tokio::test]
async fn a_cursor_is_of_its_board_and_its_kind_and_whole() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    for _ in 0..3 {
        world.tap(&ada).await;
    }
    crowd(&world, "main").await;
    crowd(&world, "other").await;
    let next = |body: &Value| body["nextCursor"].as_str().unwrap().to_owned();
    let of_main = next(&world.get("/api/scoreboard?limit=2").await.body);
    let path = format!("/api/scoreboard/users/{}/history?limit=1", ada.id);
    let of_history = next(&world.get_as(&path, &ada).await.body);
    assert_eq!(world.get(&format!("/api/scoreboard?cursor={of_main}")).await.status, 200);
    assert_eq!(world.get_as(&format!("{path}&cursor={of_history}"), &ada).await.status, 200);
    for cursor in [
        format!("{of_main}&board=other"),
        format!("{of_main}&season=2"),
        of_history,
        format!("{of_main}A"),
        format!("{of_main}%3D"),
        of_main[1..].to_owned(),
        of_main.chars().rev().collect(),
        of_main.to_lowercase(),
        String::new(),
        "%00".to_owned(),
        "%ff".to_owned(),
        "A".repeat(44),
        "A".repeat(60_000),
    ] {
        let answer = world.get(&format!("/api/scoreboard?cursor={cursor}")).await;
        answer.assert_invalid("/query/cursor");
        assert!(answer.text.len() < 1_000, "what was sent is not sent back");
    }
    world.get_as(&format!("{path}&cursor={of_main}"), &ada).await.assert_invalid("/query/cursor");
    // Of whatever style and length the page before was.
    let page = world.get(&format!("/api/scoreboard?cursor={of_main}&style=dense&limit=100")).await.body;
    assert_eq!((page["entries"].as_array().unwrap().len(), &page["entries"][0]["rank"]), (11, &json!(2)));
}

#[tokio::test]
async fn standings_are_one_each_however_often_one_is_asked_for() {
    let world = World::new().await;
    crowd(&world, "main").await;
    let ask = async |ids: &Value, style: &str| {
        world.post("/api/scoreboard/standings", None, &json!({ "userIds": ids, "style": style })).await
    };
    let many: Vec<_> = (0..100_u8).map(|number| user([3, 77, 12, 3][usize::from(number % 4)])).collect();
    for (style, ranks) in [("ordinal", [3, 12, 3]), ("competition", [1, 1, 1]), ("dense", [1, 1, 1])] {
        let answer = ask(&json!(many), style).await;
        let standings = answer.body["standings"].as_array().unwrap();
        assert_eq!(standings.len(), 100);
        for (asked, standing) in many.iter().zip(standings) {
            let expected = match asked {
                asked if *asked == user(3) => json!(ranks[0]),
                asked if *asked == user(12) => json!(ranks[1]),
                _ => Value::Null,
            };
            assert_eq!(standing["rank"], expected, "{style}: {standing}");
        }
    }
    assert_eq!(ask(&json!([]), "ordinal").await.body["standings"], json!([]));
}

#[tokio::test]
async fn scores_at_the_ends_of_the_range_have_a_rank() {
    let world = World::new().await;
    let rank =
        async |score: &str, style: &str| world.get(&format!("/api/scoreboard/rank?score={score}&style={style}")).await;
    let (least, most) = ((-MAX_SCORE).to_string(), MAX_SCORE.to_string());
    for style in ["ordinal", "competition", "dense"] {
        for score in [&least, &most, "0", "-0", "000"] {
            assert_eq!(rank(score, style).await.body["rank"], 1, "nobody is there: {score}, {style}");
        }
    }
    crowd(&world, "main").await;
    let ada = world.player("ada").await;
    let most_of_all = world.action(&ada, "most").await;
    assert_eq!(world.update(&ada, &most_of_all).await.status, 200);
    // Ada alone has the most there is, twelve have one point, and who reaches a score last stands behind.
    for (score, [ordinal, competition, dense]) in [
        (most.as_str(), [2, 1, 1]),
        ("2", [2, 2, 2]),
        ("1", [14, 2, 2]),
        ("0", [14, 14, 3]),
        (least.as_str(), [14, 14, 3]),
    ] {
        for (style, expected) in [("ordinal", ordinal), ("competition", competition), ("dense", dense)] {
            let answer = rank(score, style).await;
            assert_eq!(answer.body["rank"], expected, "{score}, {style}: {}", answer.text);
        }
    }
    for beyond in
        ["9007199254740992", "-9007199254740992", "99999999999999999999", "1e3", "%2B1", "0x1", "", "--1", "1.0", "%20"]
    {
        rank(beyond, "ordinal").await.assert_invalid("/query/score");
    }
}

#[tokio::test]
async fn a_version_that_is_not_there_is_no_304_and_after_a_change_nothing_is() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    world.tap(&ada).await;
    let user = ada.id;
    for path in [
        "/api/scoreboard?limit=10".to_owned(),
        "/api/scoreboard?limit=10&season=1".to_owned(),
        "/api/scoreboard/rank?score=1".to_owned(),
        format!("/api/scoreboard/users/{user}?style=dense"),
        format!("/api/scoreboard/users/{user}/around?radius=50"),
        format!("/api/scoreboard/users/{user}/history?limit=100"),
        "/api/scoreboard/me?style=competition".to_owned(),
    ] {
        let get = async |path: &str, tag: &str| {
            let request = Request::get(path).header("authorization", format!("Bearer {}", ada.token));
            world.send(request.header("if-none-match", tag).body(Body::empty()).unwrap()).await
        };
        let held = get(&path, "\"0.0\"").await.header("etag").to_owned();
        assert_eq!(get(&path, &held).await.status, 304, "{path}");
        for ahead in ["1000000", "9007199254740991"] {
            for tag in [&held, "*"] {
                get(&format!("{path}&minVersion={ahead}"), tag).await.assert_invalid("/query/minVersion");
            }
        }
        world.tap(&ada).await;
        let now = get(&path, &held).await;
        assert_eq!(now.status, 200, "{path}");
        assert_ne!(now.header("etag"), held, "{path}");
        // A tag that only looks like it, and a list as long as a head may be.
        let etag = now.header("etag").to_owned();
        for tag in [etag.trim_matches('"'), &format!("{etag}0"), &format!("w/{etag}"), &held] {
            assert_eq!(get(&path, tag).await.status, 200, "{path}: {tag}");
        }
        let long = format!("{}{etag}", "\"0.0\", ".repeat(5_000));
        assert_eq!(get(&path, &long).await.status, 304, "{path}");
    }
}
