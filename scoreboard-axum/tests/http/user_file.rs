//! What moderators are shown of a user, and admins of keys.

use axum::body::Body;
use axum::http::Request;
use scoreboard_core::ErrorKind;
use scoreboard_core::accounts::Role;
use serde_json::{Value, json};

use crate::incidents::{about, reviewer};
use crate::support::{Answer, NamesFail, Player, World};

async fn restrict(world: &World, by: &Player, whom: &Player, restriction: &str) {
    let request = Request::put(format!("/api/admin/users/{}/restriction", whom.id))
        .header("authorization", format!("Bearer {}", by.token))
        .header("content-type", "application/json");
    let body = json!({ "restriction": restriction, "reason": "too quick" }).to_string();
    assert_eq!(world.send(request.body(Body::from(body)).unwrap()).await.status, 200);
}

#[tokio::test]
async fn what_a_user_did_is_shown_with_what_is_void_page_by_page() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    let mut actions = Vec::new();
    for _ in 0..3 {
        actions.push(world.tap(&ada).await["actionId"].clone());
    }
    let void = json!({ "actions": [actions[1]], "reason": "not theirs" });
    assert_eq!(world.post("/api/admin/voids", Some(&mona), &void).await.status, 200);

    let path = format!("/api/admin/users/{}/actions", ada.id);
    let shown = |answer: &Answer| {
        let rows = answer.body["actions"].as_array().unwrap().iter();
        rows.map(|row| (row["actionId"].clone(), row["voided"].clone())).collect::<Vec<_>>()
    };
    let newest_first: Vec<_> =
        [(2, false), (1, true), (0, false)].map(|(at, void)| (actions[at].clone(), json!(void))).into();
    let all = world.get_as(&path, &mona).await;
    assert_eq!((shown(&all), &all.body["next"]), (newest_first.clone(), &Value::Null), "{}", all.text);
    assert_eq!(all.header("cache-control"), "no-store");
    let first = world.get_as(&format!("{path}?limit=2"), &mona).await;
    assert_eq!(shown(&first), newest_first[..2]);
    let rest = world.get_as(&format!("{path}?limit=2&before={}", first.body["next"]), &mona).await;
    assert_eq!((shown(&rest), &rest.body["next"]), (newest_first[2..].to_vec(), &Value::Null));

    world.get_as(&format!("{path}?board=nothing"), &mona).await.assert_problem(404, "not_found");
    for (query, pointer) in [("?before=0", "/query/before"), ("?limit=101", "/query/limit"), ("?of=me", "/query/of")] {
        world.get_as(&format!("{path}{query}"), &mona).await.assert_invalid(pointer);
    }
    world.get_as("/api/admin/users/ada/actions", &mona).await.assert_invalid("/path/userId");
}

#[tokio::test]
async fn a_user_is_shown_with_what_they_may_not_and_what_they_see_themselves() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    world.tap(&ada).await;
    let path = format!("/api/admin/users/{}", ada.id);
    let file = world.get_as(&path, &mona).await;
    assert_eq!((&file.body["restriction"], &file.body["moderation"]), (&Value::Null, &Value::Null), "{}", file.text);
    let account = &file.body["account"];
    assert_eq!((&account["displayName"], &account["roles"]), (&json!("ada"), &json!(["user"])));
    assert!(!file.text.contains('@'), "an address is its owner's alone: {}", file.text);

    restrict(&world, &mona, &ada, "shadowed").await;
    let file = world.get_as(&path, &mona).await.body;
    assert_eq!(file["restriction"]["restriction"], "shadowed");
    let decision = &file["moderation"];
    assert_eq!((&decision["by"], &decision["reason"]), (&json!(mona.id), &json!("too quick")));
    assert_eq!(file["standing"]["standing"]["score"], 1, "they see themselves");
    let seen = world.get(&format!("/api/scoreboard/users/{}", ada.id)).await;
    assert_eq!(seen.body["standing"], Value::Null, "others do not");

    let nobody = scoreboard_core::UserId::for_name("another", "login");
    let stranger = world.get_as(&format!("/api/admin/users/{nobody}"), &mona).await;
    assert_eq!((stranger.status.as_u16(), &stranger.body["account"]), (200, &Value::Null));
    world.get_as(&format!("{path}?board=nothing"), &mona).await.assert_problem(404, "not_found");
}

#[tokio::test]
async fn where_names_cannot_be_read_moderators_are_answered_all_the_same() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    let incident = about(&world, ada.id, 1).await;
    restrict(&world, &mona, &ada, "held").await;
    world.break_names(Some(NamesFail::With(ErrorKind::Unavailable)));
    for path in [
        "/api/admin/incidents".to_owned(),
        format!("/api/admin/incidents/{incident}"),
        "/api/admin/moderations".to_owned(),
    ] {
        let answer = world.get_as(&path, &mona).await;
        assert_eq!((answer.status.as_u16(), &answer.body["names"]), (200, &json!({})), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn admins_are_shown_which_keys_there_are_and_nothing_secret() {
    let world = World::new().await;
    let root = reviewer(&world, "root", Role::Admin).await;
    let secret = world.accounts.create_server_key(&"arena".parse().unwrap()).await.unwrap();
    let signing = world.accounts.create_signing_server_key(&"signs".parse().unwrap()).await.unwrap();
    let keys = world.get_as("/api/admin/keys", &root).await;
    assert_eq!(keys.body["signing"], json!([{ "id": "random", "state": "signs" }]), "{}", keys.text);
    let servers = keys.body["gameServers"].as_array().unwrap();
    let told: Vec<_> = servers.iter().map(|key| (&key["id"], key["publicKey"].is_string())).collect();
    assert_eq!(told, [(&json!("arena"), false), (&json!("signs"), true)]);
    for text in [&secret, &signing] {
        let hidden = text.rsplit('_').next().unwrap();
        assert!(hidden.len() >= 32 && !keys.text.contains(hidden), "{}", keys.text);
    }
    assert_eq!(keys.header("cache-control"), "no-store");
}
