//! Boards, standings and histories.

use axum::body::Body;
use axum::http::Request;
use scoreboard_core::accounts::{Role, UserStore};
use serde_json::{Value, json};

use crate::incidents::with_factor;
use crate::support::World;

#[tokio::test]
async fn a_page_says_at_which_version_it_is_true() {
    let world = World::new().await;
    let (ada, bob) = (world.player("ada").await, world.player("bob").await);
    world.tap(&ada).await;
    let receipt = world.tap(&bob).await;
    let answer = world.get("/api/scoreboard").await;
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(answer.header("cache-control"), "no-cache");
    let page = &answer.body;
    assert_eq!((&page["board"], &page["season"], &page["total"]), (&json!("main"), &json!(1), &json!(2)));
    assert_eq!((&page["version"], &page["epoch"]), (&receipt["version"], &receipt["epoch"]));
    assert_eq!(answer.header("etag"), format!("\"{}.2\"", page["epoch"]));
    let entry = &page["entries"][0];
    assert_eq!((&entry["rank"], &entry["userId"], &entry["score"]), (&json!(1), &json!(ada.id), &json!(1)));
    assert_eq!(page["entries"][1]["rank"], 2);
    let competition = world.get("/api/scoreboard?style=competition").await;
    assert_eq!(competition.body["entries"][1]["rank"], 1);
}

#[tokio::test]
async fn a_client_that_has_the_version_gets_304() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    world.tap(&ada).await;
    let user = ada.id;
    for path in [
        "/api/scoreboard".to_owned(),
        "/api/scoreboard/rank?score=3".to_owned(),
        format!("/api/scoreboard/users/{user}"),
        format!("/api/scoreboard/users/{user}/around"),
        format!("/api/scoreboard/users/{user}/history"),
        "/api/scoreboard/me".to_owned(),
    ] {
        let get = async |tag: Option<&str>| {
            let mut request = Request::get(&path).header("authorization", format!("Bearer {}", ada.token));
            if let Some(tag) = tag {
                request = request.header("if-none-match", tag);
            }
            world.send(request.body(Body::empty()).unwrap()).await
        };
        let first = get(None).await;
        assert_eq!(first.status, 200, "{path}: {}", first.text);
        let tag = first.header("etag");
        // What only she is told there, another tag than others'.
        let mark = if path.ends_with(&user.to_string()) { ".own" } else { "" };
        assert_eq!(tag, format!("\"{}.{}{mark}\"", first.body["epoch"], first.body["version"]));
        if !mark.is_empty() {
            let others = world.get(&path).await;
            assert!(others.header("vary").contains("authorization") && others.header("etag") != tag, "{path}");
        }
        for held in [tag, "*", &format!("W/{tag}"), &format!("\"0.0\", {tag}")] {
            let again = get(Some(held)).await;
            assert_eq!((again.status.as_u16(), again.text.as_str(), again.header("etag")), (304, "", tag), "{path}");
            assert_eq!(again.header("cache-control"), first.header("cache-control"));
        }
        assert_eq!(get(Some("\"0.0\"")).await.status, 200);
    }
    let tag = world.get("/api/scoreboard").await.header("etag").to_owned();
    world.tap(&ada).await;
    let request = Request::get("/api/scoreboard").header("if-none-match", tag).body(Body::empty()).unwrap();
    assert_eq!(world.send(request).await.status, 200);
}

#[tokio::test]
async fn head_is_get_without_a_body() {
    let world = World::new().await;
    let get = world.get("/api/scoreboard").await;
    let head = world.send(Request::head("/api/scoreboard").body(Body::empty()).unwrap()).await;
    assert_eq!((head.status, head.text.as_str(), head.header("etag")), (get.status, "", get.header("etag")));
    assert_eq!(head.header("content-length"), get.text.len().to_string());
}

#[tokio::test]
async fn cursors_walk_the_whole_board_both_ways() {
    let world = World::new().await;
    let mut players = Vec::new();
    for n in 0..7 {
        let player = world.player(&format!("p{n}")).await;
        for _ in 0..=n % 3 {
            world.tap(&player).await;
        }
        players.push(player);
    }
    let users = |page: &Value| -> Vec<String> {
        page["entries"].as_array().unwrap().iter().map(|entry| entry["userId"].as_str().unwrap().to_owned()).collect()
    };
    let all = users(&world.get("/api/scoreboard?limit=100").await.body);
    let (mut forth, mut pages) = (Vec::new(), Vec::new());
    let mut page = world.get("/api/scoreboard?limit=3").await.body;
    loop {
        forth.extend(users(&page));
        pages.push(users(&page));
        let Some(cursor) = page["nextCursor"].as_str() else { break };
        page = world.get(&format!("/api/scoreboard?limit=3&cursor={cursor}")).await.body;
    }
    assert_eq!(forth, all);
    let cursor = page["previousCursor"].as_str().unwrap();
    let back = world.get(&format!("/api/scoreboard?limit=3&cursor={cursor}")).await.body;
    assert_eq!(users(&back), pages[1]);
    world.get(&format!("/api/scoreboard?board=other&cursor={cursor}")).await.assert_invalid("/query/cursor");
}

#[tokio::test]
async fn standings_and_neighbours() {
    let world = World::new().await;
    let (ada, bob, eve) = (world.player("ada").await, world.player("bob").await, world.player("eve").await);
    world.tap(&ada).await;
    world.tap(&ada).await;
    world.tap(&bob).await;
    let standing = world.get(&format!("/api/scoreboard/users/{}", bob.id)).await.body;
    assert_eq!((&standing["standing"]["rank"], &standing["standing"]["score"]), (&json!(2), &json!(1)));
    assert_eq!((&standing["total"], &standing["percentile"]), (&json!(2), &json!(50.0)));
    let leads = world.get(&format!("/api/scoreboard/users/{}?style=competition", ada.id)).await.body;
    assert_eq!(leads["percentile"], json!(100.0));
    let dense = world.get(&format!("/api/scoreboard/users/{}?style=dense", bob.id)).await.body;
    assert_eq!((&dense["standing"]["rank"], &dense["percentile"]), (&json!(2), &Value::Null));
    assert_eq!(world.get_as("/api/scoreboard/me", &bob).await.body, standing);
    assert_eq!(world.get_as("/api/scoreboard/me", &bob).await.header("cache-control"), "no-store");
    let nowhere = world.get(&format!("/api/scoreboard/users/{}", eve.id)).await;
    assert_eq!((nowhere.status.as_u16(), &nowhere.body["standing"]), (200, &Value::Null));
    assert_eq!((&nowhere.body["total"], &nowhere.body["percentile"]), (&json!(2), &Value::Null));

    let body = json!({ "board": "main", "userIds": [eve.id, bob.id, ada.id, bob.id] });
    let several = world.post("/api/scoreboard/standings", None, &body).await.body;
    let ranks: Vec<_> = several["standings"].as_array().unwrap().iter().map(|entry| entry["rank"].as_u64()).collect();
    assert_eq!((ranks, &several["total"]), (vec![None, Some(2), Some(1), Some(2)], &json!(2)));

    let around = world.get(&format!("/api/scoreboard/users/{}/around?radius=1", bob.id)).await.body;
    assert_eq!(around["entries"].as_array().unwrap().len(), 2);
    let rank = world.get("/api/scoreboard/rank?score=2").await.body;
    assert_eq!((&rank["rank"], &rank["total"], &rank["version"]), (&json!(2), &json!(2), &json!(3)));
    world.get("/api/scoreboard/me").await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn a_history_is_its_users_own_and_the_moderators() {
    let world = World::new().await;
    let (ada, eve) = (world.player("ada").await, world.player("eve").await);
    for _ in 0..3 {
        world.tap(&ada).await;
    }
    let path = format!("/api/scoreboard/users/{}/history", ada.id);
    let first = world.get_as(&format!("{path}?limit=2"), &ada).await;
    assert_eq!(first.header("cache-control"), "no-store");
    let versions = |page: &Value| -> Vec<u64> {
        page["entries"].as_array().unwrap().iter().map(|entry| entry["version"].as_u64().unwrap()).collect()
    };
    assert_eq!(versions(&first.body), [3, 2]);
    let cursor = first.body["nextCursor"].as_str().unwrap();
    let second = world.get_as(&format!("{path}?limit=2&cursor={cursor}"), &ada).await;
    assert_eq!((versions(&second.body), &second.body["nextCursor"]), (vec![1], &Value::Null));

    assert_eq!(world.get_as(&format!("{path}?minVersion=3"), &ada).await.status, 200);
    world.get_as(&format!("{path}?minVersion=4"), &ada).await.assert_invalid("/query/minVersion");

    world.get_as(&path, &eve).await.assert_problem(403, "forbidden");
    world.users.set_roles(eve.id, &[Role::User], &[Role::User, Role::Moderator]).await.unwrap();
    with_factor(&world, eve.id).await;
    assert_eq!(versions(&world.get_as(&path, &eve).await.body), [3, 2, 1]);
    world.users.set_roles(eve.id, &[Role::User, Role::Moderator], &[Role::User, Role::Admin]).await.unwrap();
    assert_eq!(versions(&world.get_as(&path, &eve).await.body), [3, 2, 1]);
    // The token is the same: what counts is what the store says.
    world.users.set_roles(eve.id, &[Role::User, Role::Admin], &[Role::User]).await.unwrap();
    world.get_as(&path, &eve).await.assert_problem(403, "forbidden");
}

#[tokio::test]
async fn a_read_is_as_fresh_as_it_is_asked_to_be() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    for n in 1..=20 {
        let version = world.tap(&ada).await["version"].as_u64().unwrap();
        let page = world.get(&format!("/api/scoreboard?minVersion={version}")).await.body;
        assert_eq!((&page["version"], &page["entries"][0]["score"]), (&json!(version), &json!(n)));
    }
    world.get("/api/scoreboard?minVersion=21").await.assert_invalid("/query/minVersion");
}

#[tokio::test]
async fn boards_have_their_catalogues() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    world.tap(&ada).await;
    let answer = world.get("/api/scoreboard/boards").await;
    let board = &answer.body["boards"][0];
    assert_eq!(
        (&board["id"], &board["direction"], &board["operator"]),
        (&json!("main"), &json!("descending"), &json!("increment"))
    );
    assert_eq!((&board["version"], &board["total"], &board["season"]), (&json!(1), &json!(1), &json!(1)));
    assert_eq!(
        board["kinds"][0],
        json!({ "kind": "tap", "points": 1, "minDurationSeconds": 0, "lifetimeSeconds": 600, "perDay": null })
    );
    assert_eq!(
        board["kinds"][2],
        json!({ "kind": "boss", "pointsRange": [50, 150], "minDurationSeconds": 5, "lifetimeSeconds": 600, "perDay": null })
    );
}

#[tokio::test]
async fn the_same_action_again_gets_the_first_receipt() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let action = world.action(&ada, "tap").await;
    let mut first = world.update(&ada, &action).await.body["receipt"].clone();
    world.tap(&ada).await;
    let again = world.update(&ada, &action).await;
    assert_eq!((again.status.as_u16(), &again.body["receipt"]["replayed"]), (200, &json!(true)));
    first["replayed"] = json!(true);
    assert_eq!(again.body["receipt"], first);
    assert_eq!(world.get("/api/scoreboard").await.body["entries"][0]["score"], 2);
}

#[tokio::test]
async fn several_standings_are_numbered_and_as_fresh_as_asked() {
    let world = World::new().await;
    let (ada, bob, eve) = (world.player("ada").await, world.player("bob").await, world.player("eve").await);
    for player in [&ada, &bob, &eve, &ada, &bob] {
        world.tap(player).await;
    }
    let ask = async |more: Value| {
        let mut body = json!({ "userIds": [ada.id, bob.id, eve.id] });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        world.post("/api/scoreboard/standings", None, &body).await
    };
    let ranks = |body: &Value| -> Vec<u64> {
        body["standings"].as_array().unwrap().iter().map(|entry| entry["rank"].as_u64().unwrap()).collect()
    };
    for (style, expected) in [("ordinal", [1, 2, 3]), ("competition", [1, 1, 3]), ("dense", [1, 1, 2])] {
        let answer = ask(json!({ "style": style, "minVersion": 5 })).await;
        assert_eq!((answer.status.as_u16(), ranks(&answer.body)), (200, expected.to_vec()), "{style}");
    }
    assert_eq!(ranks(&ask(json!({})).await.body), [1, 2, 3]);
    for (more, pointer) in [
        (json!({ "style": "fancy" }), "/style"),
        (json!({ "style": null }), "/style"),
        (json!({ "minVersion": -1 }), "/minVersion"),
        (json!({ "minVersion": "5" }), "/minVersion"),
        (json!({ "minVersion": 9_007_199_254_740_992_i64 }), "/minVersion"),
        // Ahead of what there is.
        (json!({ "minVersion": 6 }), "/minVersion"),
    ] {
        ask(more).await.assert_invalid(pointer);
    }
}

#[tokio::test]
async fn the_boards_are_sent_again_only_when_one_has_changed() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let get = async |tag: &str| {
        let request = Request::get("/api/scoreboard/boards").header("if-none-match", tag).body(Body::empty()).unwrap();
        world.send(request).await
    };
    let first = world.get("/api/scoreboard/boards").await;
    let tag = first.header("etag");
    assert!(tag.len() > 2 && tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    let again = get(tag).await;
    assert_eq!((again.status.as_u16(), again.text.as_str(), again.header("etag")), (304, "", tag));
    assert_eq!(again.header("cache-control"), first.header("cache-control"));
    world.tap(&ada).await;
    let changed = get(tag).await;
    assert_eq!((changed.status.as_u16(), &changed.body["boards"][0]["version"]), (200, &json!(1)));
    assert_ne!(changed.header("etag"), tag);
}
