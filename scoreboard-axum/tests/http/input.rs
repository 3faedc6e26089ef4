//! Strict input: what is not exactly as described is refused, and the answer points at it.

use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};

use crate::support::World;

#[tokio::test]
async fn bodies_are_one_object_with_exactly_its_fields() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    for (body, pointer) in [
        ("", ""),
        ("{", ""),
        ("null", ""),
        ("1", ""),
        ("\"tap\"", ""),
        ("[\"main\",\"tap\"]", ""),
        ("{\"kind\":\"tap\"}{}", ""),
        ("{\"kind\":\"tap\"} x", ""),
        ("\u{feff}{\"kind\":\"tap\"}", ""),
        ("{}", ""),
        ("{\"kind\":\"tap\",\"kind\":\"tap\"}", ""),
        ("{\"kind\":\"tap\",\"extra\":1}", "/extra"),
        ("{\"kind\":\"tap\",\"a/b~c\":1}", "/a~1b~0c"),
        ("{\"kind\":1}", "/kind"),
        ("{\"kind\":null}", "/kind"),
        ("{\"kind\":\"Not A Slug\"}", "/kind"),
        ("{\"kind\":{\"a\":1}}", "/kind"),
        ("{\"board\":\"\",\"kind\":\"tap\"}", "/board"),
        ("{\"kind\":\"boss\",\"points\":\"50\"}", "/points"),
        ("{\"kind\":\"boss\",\"points\":50.0}", "/points"),
        ("{\"kind\":\"boss\",\"points\":5e1}", "/points"),
        ("{\"kind\":\"boss\",\"points\":9007199254740992}", "/points"),
        ("{\"kind\":\"boss\",\"points\":-9007199254740992}", "/points"),
        ("{\"kind\":\"boss\",\"points\":99999999999999999999}", "/points"),
        ("{\"kind\":\"boss\",\"points\":NaN}", "/points"),
        ("{\"kind\":\"boss\",\"points\":Infinity}", "/points"),
        ("{\"kind\":\"boss\",\"points\":1e999}", "/points"),
    ] {
        let answer = world.post_raw("/api/scoreboard/generate-action", Some(&ada.token), body).await;
        answer.assert_problem(400, "invalid_request");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{body}: {}", answer.text);
    }
}

#[tokio::test]
async fn bytes_that_are_no_text_are_refused() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    for body in [&b"{\"kind\":\"\xff\"}"[..], b"\xff\xfe{\x00}\x00", b"\x00", b"{\"kind\":\"\\ud800\"}"] {
        let answer = world.post_raw("/api/scoreboard/generate-action", Some(&ada.token), body).await;
        answer.assert_problem(400, "invalid_request");
    }
}

#[tokio::test]
async fn depth_is_bounded() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    for body in ["[".repeat(16_000), "{\"kind\":".repeat(2_000), format!("{{\"kind\":{}", "[".repeat(10_000))] {
        let answer = world.post_raw("/api/scoreboard/generate-action", Some(&ada.token), body).await;
        answer.assert_problem(400, "invalid_request");
        assert!(answer.text.len() < 2_000);
    }
}

#[tokio::test]
async fn what_is_repeated_from_a_request_is_bounded() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let body = format!("{{\"kind\":\"tap\",\"{}\":1}}", "ä".repeat(7_000));
    let answer = world.post_raw("/api/scoreboard/generate-action", Some(&ada.token), body).await;
    answer.assert_problem(400, "invalid_request");
    assert!(answer.text.len() < 3_000, "{}", answer.text.len());
}

#[tokio::test]
async fn an_action_is_taken_only_as_it_was_given() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let action = world.action(&ada, "tap").await;
    for field in action.as_object().unwrap().keys() {
        let mut broken = action.clone();
        broken.as_object_mut().unwrap().remove(field);
        world.update(&ada, &broken).await.assert_invalid("/action");
        broken[field] = Value::Null;
        world.update(&ada, &broken).await.assert_invalid(&format!("/action/{field}"));
    }
    let mut more = action.clone();
    more["extra"] = json!(1);
    world.update(&ada, &more).await.assert_invalid("/action/extra");
    // In the order in which they are declared, so that only the missing names are wrong.
    let names =
        ["id", "board", "season", "kind", "userId", "points", "issuedAt", "notBefore", "expiresAt", "keyId", "hash"];
    let values = names.map(|name| action[name].clone());
    world.update(&ada, &json!(values)).await.assert_invalid("/action");
    let hash = action["hash"].as_str().unwrap().to_uppercase();
    let mut upper = action.clone();
    upper["hash"] = json!(hash);
    if upper != action {
        world.update(&ada, &upper).await.assert_invalid("/action/hash");
    }
    assert_eq!(world.update(&ada, &action).await.status, 200);
}

#[tokio::test]
async fn queries_name_known_parameters_once_and_within_bounds() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let (user, path) = (ada.id, "/api/scoreboard");
    for (path, pointer) in [
        (format!("{path}?nothing=1"), "/query/nothing"),
        (format!("{path}?limit=0"), "/query/limit"),
        (format!("{path}?limit=101"), "/query/limit"),
        (format!("{path}?limit=-1"), "/query/limit"),
        (format!("{path}?limit=%2B5"), "/query/limit"),
        (format!("{path}?limit=1.5"), "/query/limit"),
        (format!("{path}?limit=ten"), "/query/limit"),
        (format!("{path}?limit="), "/query/limit"),
        (format!("{path}?limit"), "/query/limit"),
        (format!("{path}?limit=99999999999999999999"), "/query/limit"),
        (format!("{path}?limit=5&limit=5"), "/query"),
        (format!("{path}?board=Not%20A%20Slug"), "/query/board"),
        (format!("{path}?board="), "/query/board"),
        (format!("{path}?board=%ff"), "/query/board"),
        (format!("{path}?season=0"), "/query/season"),
        (format!("{path}?season=4294967296"), "/query/season"),
        (format!("{path}?style=fancy"), "/query/style"),
        (format!("{path}?style=Dense"), "/query/style"),
        (format!("{path}?cursor=nonsense"), "/query/cursor"),
        (format!("{path}?minVersion=-1"), "/query/minVersion"),
        (format!("{path}?minVersion=9007199254740992"), "/query/minVersion"),
        (format!("{path}?minVersion=1"), "/query/minVersion"),
        (format!("{path}?min_version=1"), "/query/min_version"),
        (format!("{path}/rank"), "/query"),
        (format!("{path}/rank?score=x"), "/query/score"),
        (format!("{path}/rank?score=9007199254740992"), "/query/score"),
        (format!("{path}/users/{user}/around?radius=0"), "/query/radius"),
        (format!("{path}/users/{user}/around?radius=51"), "/query/radius"),
        (format!("{path}/users/{user}?limit=5"), "/query/limit"),
        (format!("{path}/users/nobody"), "/path/userId"),
        (format!("{path}/users/%ff"), "/path/userId"),
        (format!("{path}/users/nobody/around"), "/path/userId"),
        (format!("{path}/events?limit=0"), "/query/limit"),
        (format!("{path}/events?token=x"), "/query/token"),
    ] {
        let answer = world.get(&path).await;
        answer.assert_problem(400, "invalid_request");
        assert_eq!(answer.body["errors"][0]["pointer"], pointer, "{path}: {}", answer.text);
    }
    for path in ["?limit=100", "?", "?limit=1&board=main&style=dense&season=1&minVersion=0", "/rank?score=-5"] {
        assert_eq!(world.get(&format!("/api/scoreboard{path}")).await.status, 200, "{path}");
    }
    let history = format!("/api/scoreboard/users/{user}/history?limit=0");
    world.get_as(&history, &ada).await.assert_invalid("/query/limit");
}

#[tokio::test]
async fn a_bad_token_is_refused_even_where_none_is_needed() {
    let world = World::new().await;
    for value in ["Bearer forged", "Basic YTpi", "Bearer", "forged", ""] {
        let request = Request::get("/api/scoreboard").header("authorization", value).body(Body::empty()).unwrap();
        world.send(request).await.assert_problem(401, "unauthorized");
    }
    let ada = world.player("ada").await;
    let request = Request::get("/api/scoreboard").header("authorization", format!("bearer {}", ada.token));
    assert_eq!(world.send(request.body(Body::empty()).unwrap()).await.status, 200);
    let twice = Request::get("/api/scoreboard")
        .header("authorization", format!("Bearer {}", ada.token))
        .header("authorization", format!("Bearer {}", ada.token));
    world.send(twice.body(Body::empty()).unwrap()).await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn at_most_a_hundred_standings_at_once() {
    let world = World::new().await;
    let ids = |n: usize| json!({ "userIds": vec!["0190a000-0000-7000-8000-000000000000"; n] });
    let answer = world.post("/api/scoreboard/standings", None, &ids(100)).await;
    assert_eq!(answer.body["standings"].as_array().unwrap().len(), 100);
    world.post("/api/scoreboard/standings", None, &ids(101)).await.assert_invalid("/userIds");
    world.post("/api/scoreboard/standings", None, &json!({ "userIds": ["x"] })).await.assert_invalid("/userIds/0");
}

#[tokio::test]
async fn what_takes_no_parameters_takes_none() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    for path in ["/api/scoreboard/boards", "/api/auth/me", "/api/scoreboard/ws"] {
        let answer = world.get_as(&format!("{path}?token=x"), &ada).await;
        answer.assert_invalid("/query/token");
    }
    for path in ["/api/scoreboard/boards?", "/api/auth/me?"] {
        assert_eq!(world.get_as(path, &ada).await.status, 200, "{path}");
    }
    // Who is nobody learns nothing of the query.
    world.get("/api/auth/me?token=x").await.assert_problem(401, "unauthorized");
    // Probes and scrapers add what keeps caches away.
    for path in ["/health?_=1", "/health/live?_=1"] {
        assert_eq!(world.get(path).await.status, 200, "{path}");
    }
}
