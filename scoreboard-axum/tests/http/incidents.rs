//! Incidents over HTTP: listed, filtered, given to somebody, decided by one of those who look at once.

use axum::body::Body;
use axum::http::Request;
use scoreboard_core::accounts::{AccountError, Factor, FactorStore, Role, UserStore};
use scoreboard_core::{
    ActionId, BoardId, Case, Clock, Incident, IncidentFilter, IncidentId, IncidentStatus, Measure, UserId,
};
use serde_json::{Value, json};

use crate::support::{Answer, Player, World};

/// Writes down an incident about a user; each number gives another.
pub(crate) async fn about(world: &World, user: UserId, number: u8) -> IncidentId {
    let incident = Incident {
        id: IncidentId::from_bytes([number; 16]),
        at: world.clock.now(),
        board: BoardId::main(),
        user_id: user,
        action_id: ActionId::from_bytes([number; 16]),
        rule: if number.is_multiple_of(2) { "velocity" } else { "too_fast" }.to_owned(),
        evidence: "took 3 ms, minimum 2000 ms".to_owned(),
        measure: if number.is_multiple_of(2) { Measure::Flag } else { Measure::Block },
        finding: None,
        case: Case::default(),
    };
    world.scoreboard.incidents().record_incident(&incident).await.unwrap().id()
}

pub(crate) async fn reviewer(world: &World, name: &str, role: Role) -> Player {
    let player = world.player(name).await;
    assert!(world.users.set_roles(player.id, &[Role::User], &[Role::User, role]).await.unwrap());
    with_factor(world, player.id).await;
    player
}

/// Gives who needs one a second factor, whatever it may be.
pub(crate) async fn with_factor(world: &World, user: UserId) {
    if let Err(AccountError::FactorRequired) = world.accounts.roles(user).await {
        let factor = Factor {
            user_id: user,
            stamp: user.as_uuid(),
            secret: Vec::new(),
            confirmed_at: Some(world.clock.now()),
            last_step: None,
            recovery_codes: Vec::new(),
            wrong_at: Vec::new(),
        };
        assert!(world.users.replace_factor(user, None, Some(&factor)).await.unwrap());
    }
}

#[tokio::test]
async fn a_role_without_a_second_factor_decides_nothing() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, world.player("mona").await);
    let id = about(&world, ada.id, 1).await;
    let looks = async || world.get_as("/api/admin/incidents", &mona).await;
    looks().await.assert_problem(403, "forbidden");
    // Her token is older than the role, and says nothing of a factor.
    assert!(world.users.set_roles(mona.id, &[Role::User], &[Role::User, Role::Moderator]).await.unwrap());
    looks().await.assert_problem(403, "forbidden");
    let confirm = json!({ "revision": 0, "status": "confirmed" });
    act(&world, &mona, id, "decide", confirm).await.assert_problem(403, "forbidden");
    let root = reviewer(&world, "root", Role::Admin).await;
    let given = act(&world, &root, id, "assign", json!({ "revision": 0, "assignee": mona.id })).await;
    given.assert_invalid("/assignee");
    let history = world.get_as(&format!("/api/scoreboard/users/{}/history", ada.id), &mona).await;
    history.assert_problem(403, "forbidden");
}

async fn act(world: &World, by: &Player, id: IncidentId, deed: &str, body: Value) -> Answer {
    world.post(&format!("/api/admin/incidents/{id}/{deed}"), Some(by), &body).await
}

#[tokio::test]
async fn an_incident_is_given_to_somebody_and_decided_and_all_of_it_is_kept() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    let root = reviewer(&world, "root", Role::Admin).await;
    let id = about(&world, ada.id, 1).await;

    let given = act(&world, &root, id, "assign", json!({ "revision": 0, "assignee": mona.id, "note": "please" })).await;
    assert_eq!((given.status.as_u16(), &given.body["incident"]["revision"]), (200, &json!(1)), "{}", given.text);
    assert_eq!(given.body["incident"]["assignee"], mona.id.to_string());
    let note = "seen it\nwith Äda";
    let decided = act(&world, &mona, id, "decide", json!({ "revision": 1, "status": "confirmed", "note": note })).await;
    assert_eq!(decided.status, 200, "{}", decided.text);

    let file = world.get_as(&format!("/api/admin/incidents/{id}"), &root).await;
    let incident = &file.body["incident"];
    assert_eq!((&incident["status"], &incident["note"]), (&json!("confirmed"), &json!(note)), "{}", file.text);
    assert_eq!(incident["decidedBy"], mona.id.to_string());
    assert_eq!(incident["decidedAt"], world.clock.now().to_string());
    assert_eq!((&incident["rule"], &incident["measure"]), (&json!("too_fast"), &json!("block")));
    assert_eq!(file.header("cache-control"), "no-store");
    let steps = file.body["steps"].as_array().unwrap();
    let told: Vec<_> =
        steps.iter().map(|step| (step["by"].clone(), step["deed"].clone(), step["note"].clone())).collect();
    assert_eq!(
        told,
        [
            (json!(root.id), json!({ "assign": mona.id }), json!("please")),
            (json!(mona.id), json!({ "decide": "confirmed" }), json!(note)),
        ]
    );
}

#[tokio::test]
async fn of_two_who_decide_what_they_saw_one_is_told_to_look_again() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    let root = reviewer(&world, "root", Role::Admin).await;
    let id = about(&world, ada.id, 1).await;
    let confirm = json!({ "revision": 0, "status": "confirmed" });
    assert_eq!(act(&world, &mona, id, "decide", confirm).await.status, 200);
    let dismiss = json!({ "revision": 0, "status": "dismissed" });
    act(&world, &root, id, "decide", dismiss).await.assert_problem(409, "conflict");
    let kept = world.scoreboard.incidents().incident(id).await.unwrap().unwrap();
    assert_eq!((kept.incident.case.status, kept.steps.len()), (IncidentStatus::Confirmed, 1));
}

#[tokio::test]
async fn who_may_not_or_asks_for_what_is_not_there_changes_nothing() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    let id = about(&world, ada.id, 1).await;
    let own = about(&world, mona.id, 2).await;
    let confirm = || json!({ "revision": 0, "status": "confirmed" });
    act(&world, &ada, id, "decide", confirm()).await.assert_problem(403, "forbidden");
    act(&world, &mona, own, "decide", confirm()).await.assert_problem(403, "forbidden");
    act(&world, &mona, IncidentId::MAX, "decide", confirm()).await.assert_problem(404, "not_found");
    world.get_as(&format!("/api/admin/incidents/{}", IncidentId::MAX), &mona).await.assert_problem(404, "not_found");
    world.get_as("/api/admin/incidents/1", &mona).await.assert_invalid("/path/incidentId");
    let to_ada = json!({ "revision": 0, "assignee": ada.id });
    act(&world, &mona, id, "assign", to_ada).await.assert_invalid("/assignee");
    let to_nobody_known = json!({ "revision": 0, "assignee": UserId::MAX });
    act(&world, &mona, id, "assign", to_nobody_known).await.assert_invalid("/assignee");
    act(&world, &mona, id, "assign", json!({ "revision": 0 })).await.assert_problem(400, "invalid_request");
    let long = json!({ "revision": 0, "status": "open", "note": "x".repeat(1001) });
    act(&world, &mona, id, "decide", long).await.assert_invalid("/note");
    let control = json!({ "revision": 0, "status": "open", "note": "a\u{0}b" });
    act(&world, &mona, id, "decide", control).await.assert_invalid("/note");
    act(&world, &mona, id, "decide", json!({ "revision": -1, "status": "open" })).await.assert_invalid("/revision");
    act(&world, &mona, id, "decide", json!({ "revision": 0, "status": "guilty" })).await.assert_invalid("/status");
    // A role that was taken away is gone at once.
    assert!(world.users.set_roles(mona.id, &[Role::User, Role::Moderator], &[Role::User]).await.unwrap());
    act(&world, &mona, id, "decide", confirm()).await.assert_problem(403, "forbidden");
    for id in [id, own] {
        let kept = world.scoreboard.incidents().incident(id).await.unwrap().unwrap();
        assert_eq!((kept.incident.case, kept.steps), (Case::default(), Vec::new()));
    }
}

#[tokio::test]
async fn incidents_are_filtered_and_paged() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    for number in 1..=25 {
        about(&world, if number % 3 == 0 { mona.id } else { ada.id }, number).await;
    }
    for number in [3, 4] {
        let id = IncidentId::from_bytes([number; 16]);
        assert_eq!(act(&world, &mona, id, "assign", json!({ "revision": 0, "assignee": mona.id })).await.status, 200);
    }
    let list = async |query: &str| {
        let answer = world.get_as(&format!("/api/admin/incidents{query}"), &mona).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let ids = answer.body["incidents"].as_array().unwrap().iter();
        let numbers: Vec<u8> =
            ids.map(|one| one["id"].as_str().unwrap().parse::<IncidentId>().unwrap().as_bytes()[0]).collect();
        (numbers, answer.body["next"].as_str().map(str::to_owned))
    };
    let (first, next) = list("").await;
    assert_eq!(first, (6..=25).rev().collect::<Vec<_>>());
    let (rest, next) = list(&format!("?before={}", next.unwrap())).await;
    assert_eq!((rest, next), ((1..=5).rev().collect(), None));
    assert_eq!(list(&format!("?user={}&rule=velocity&limit=3", mona.id)).await.0, [24, 18, 12]);
    assert_eq!(list("?measure=flag&limit=2").await.0, [24, 22]);
    assert_eq!(list(&format!("?assignee={}", mona.id)).await, (vec![4, 3], None));
    assert_eq!(list("?status=dismissed").await, (vec![], None));
    assert_eq!(list("?board=other").await, (vec![], None));
    for (query, pointer) in [
        ("?status=guilty", "/query/status"),
        ("?user=me", "/query/user"),
        ("?limit=101", "/query/limit"),
        ("?rule=%00", "/query/rule"),
        ("?page=1", "/query/page"),
    ] {
        world.get_as(&format!("/api/admin/incidents{query}"), &mona).await.assert_invalid(pointer);
    }
}

#[tokio::test]
async fn a_blocked_action_is_an_incident_that_a_moderator_finds_by_the_id_that_the_user_was_told() {
    let world = World::new().await;
    let (ada, mona) = (world.player("ada").await, reviewer(&world, "mona", Role::Moderator).await);
    for status in [200, 403] {
        let action = world.action(&ada, "rare").await;
        let answer = world.update(&ada, &action).await;
        assert_eq!(answer.status, status);
        if status == 403 {
            let id = answer.body["incident"].as_str().unwrap();
            let file = world.get_as(&format!("/api/admin/incidents/{id}"), &mona).await;
            assert_eq!(file.body["incident"]["rule"], "above_daily_number", "{}", file.text);
            assert_eq!(file.body["incident"]["userId"], ada.id.to_string());
        }
    }
    let all = world.scoreboard.incidents().incidents(&IncidentFilter::default(), None, 10).await.unwrap();
    assert_eq!(all.len(), 1);
    // Where users play from was seen with the action that counted.
    assert_eq!(world.scoreboard.sightings().neighbours(ada.id, world.clock.now()).at_address(), [ada.id]);
    let bare = Request::get("/api/admin/incidents").body(Body::empty()).unwrap();
    world.send(bare).await.assert_problem(401, "unauthorized");
}
