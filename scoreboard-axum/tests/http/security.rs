//! Passwords, addresses and sessions over HTTP.

use scoreboard_core::accounts::MessageKind;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Player, Setup, World};

const NEW: &str = "another horse battery staple";

async fn login(world: &World, password: &str) -> Answer {
    world.post("/api/auth/login", None, &json!({ "email": "ada@example.org", "password": password })).await
}

fn player(ada: &Player, signed_in: &Answer) -> Player {
    let text = |name: &str| signed_in.body[name].as_str().unwrap().to_owned();
    Player { id: ada.id, token: text("token"), refresh_token: text("refreshToken") }
}

#[tokio::test]
async fn a_password_is_changed_by_who_knows_it() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let there = player(&ada, &login(&world, PASSWORD).await);
    let change = async |password: &str, new: &str| {
        world.post("/api/auth/password", Some(&ada), &json!({ "password": password, "newPassword": new })).await
    };
    change("wrong", NEW).await.assert_invalid("/password");
    change(PASSWORD, "short").await.assert_invalid("/newPassword");
    assert_eq!(change(PASSWORD, NEW).await.status, 204);
    world.get_as("/api/auth/me", &there).await.assert_problem(401, "unauthorized");
    assert_eq!(world.get_as("/api/auth/me", &ada).await.status, 200, "the session that asked goes on");
    login(&world, PASSWORD).await.assert_problem(401, "unauthorized");
    assert_eq!(login(&world, NEW).await.status, 200);
    assert_eq!(world.mail.of(MessageKind::PasswordChanged).len(), 1);
}

#[tokio::test]
async fn a_forgotten_password_tells_nothing_of_who_exists() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let forgot = async |email: &str| {
        let answer = world.post("/api/auth/password/forgot", None, &json!({ "email": email })).await;
        let names: Vec<_> = answer.headers.keys().map(|name| name.to_string()).collect();
        (answer.status.as_u16(), answer.text, names)
    };
    let known = forgot("Ada@example.org").await;
    assert_eq!((known.0, known.1.as_str()), (202, ""));
    for unknown in ["bob@example.org", "no address", ""] {
        assert_eq!(forgot(unknown).await, known, "{unknown}");
    }
    assert_eq!(world.mail.of(MessageKind::PasswordReset).len(), 1, "one was sent");

    let token = world.mail.behind(MessageKind::PasswordReset, "#reset=");
    let reset = async |token: &str, password: &str| {
        world.post("/api/auth/password/reset", None, &json!({ "token": token, "password": password })).await
    };
    reset("forged", NEW).await.assert_problem(401, "unauthorized");
    reset(&token, "short").await.assert_invalid("/password");
    assert_eq!(reset(&token, NEW).await.status, 204);
    reset(&token, NEW).await.assert_problem(401, "unauthorized");
    world.get_as("/api/auth/me", &ada).await.assert_problem(401, "unauthorized");
    assert_eq!(login(&world, NEW).await.status, 200);
}

#[tokio::test]
async fn mails_to_one_recipient_are_limited_whether_there_is_one_or_not() {
    let mut setup = Setup::default();
    setup.http.limits.mail = Some("3/h".parse().unwrap());
    let world = World::with(setup).await;
    world.player("ada").await;
    for email in ["ada@example.org", "nobody@example.org"] {
        let world = &world;
        let forgot = async || {
            // Each from an address of its own.
            let body = json!({ "email": email }).to_string();
            let recipient = axum::http::Request::post("/api/auth/password/forgot");
            world
                .send_from_elsewhere(recipient.header("content-type", "application/json").body(body.into()).unwrap())
                .await
        };
        for _ in 0..3 {
            assert_eq!(forgot().await.status, 202, "{email}");
        }
        forgot().await.assert_problem(429, "rate_limited");
    }
}

#[tokio::test]
async fn an_address_is_confirmed_by_its_mail() {
    let world = World::new().await;
    let registration = json!({ "email": "ada@example.org", "password": PASSWORD, "displayName": "Ada" });
    assert_eq!(world.post("/api/auth/register", None, &registration).await.status, 201);
    assert_eq!(world.mail.of(MessageKind::ConfirmAddress).len(), 1, "asked for at the registration");
    let signed_in = login(&world, PASSWORD).await;
    let token = signed_in.body["token"].as_str().unwrap();
    assert_eq!(world.post_raw("/api/auth/email/confirmation", Some(token), "").await.status, 202);
    let mailed = world.mail.behind(MessageKind::ConfirmAddress, "#confirm=");
    let confirm = async |token: &str| world.post("/api/auth/email/confirm", None, &json!({ "token": token })).await;
    confirm("forged").await.assert_problem(401, "unauthorized");
    for _ in 0..2 {
        assert_eq!(confirm(&mailed).await.status, 204, "a repeat changes nothing");
    }
    world.post_raw("/api/auth/email/confirmation", None, "").await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn an_address_is_changed_after_a_fresh_login_by_the_mail_to_the_new_one() {
    let world = World::new().await;
    let (ada, _bob) = (world.player("ada").await, world.player("bob").await);
    let ask = async |player: &Player, email: &str| {
        world.post("/api/auth/email", Some(player), &json!({ "email": email })).await
    };
    let change = async |token: &str| world.post("/api/auth/email/change", None, &json!({ "token": token })).await;
    ask(&ada, "no address").await.assert_invalid("/email");
    ask(&ada, "ada@example.org").await.assert_invalid("/email");
    let (free, taken) = (ask(&ada, "ada@elsewhere.example").await, ask(&ada, "bob@example.org").await);
    assert_eq!((free.status.as_u16(), free.text.as_str()), (202, ""));
    assert_eq!((taken.status, taken.text), (free.status, free.text), "whether somebody has it is not told");
    assert_eq!(world.mail.of(MessageKind::ChangeAddress).len(), 1, "to who has it nothing is sent");
    let token = world.mail.behind(MessageKind::ChangeAddress, "#address=");
    change("forged").await.assert_problem(401, "unauthorized");
    assert_eq!(change(&token).await.status, 204);
    change(&token).await.assert_problem(401, "unauthorized");
    assert_eq!(world.get_as("/api/auth/me", &ada).await.body["user"]["email"], "ada@elsewhere.example");
    assert_eq!(world.mail.of(MessageKind::AddressChanged)[0].email.as_str(), "ada@example.org", "the old one is told");

    // A session goes on by its refresh tokens; what lets somebody in takes a login.
    world.clock.advance(std::time::Duration::from_secs(16 * 60));
    let refreshed = world.post("/api/auth/refresh", None, &json!({ "refreshToken": ada.refresh_token })).await;
    let stale = player(&ada, &refreshed);
    assert_eq!(world.get_as("/api/auth/me", &stale).await.status, 200);
    ask(&stale, "ada@third.example").await.assert_problem(403, "step_up_required");
    assert_eq!(world.mail.of(MessageKind::ChangeAddress).len(), 1);
}

#[tokio::test]
async fn sessions_are_listed_and_ended() {
    let world = World::new().await;
    let (ada, bob) = (world.player("ada").await, world.player("bob").await);
    world.clock.advance(std::time::Duration::from_secs(1));
    let second = player(&ada, &login(&world, PASSWORD).await);
    let list = async |player: &Player| world.get_as("/api/auth/sessions", player).await.body["sessions"].clone();
    let sessions = list(&ada).await;
    let current: Vec<_> = sessions.as_array().unwrap().iter().map(|session| &session["current"]).collect();
    assert_eq!(current, [false, true], "the newest first: {sessions}");
    let id = |at: usize| sessions[at]["id"].as_str().unwrap().to_owned();
    let path = |id: &str| format!("/api/auth/sessions/{id}");
    world.delete(&path(&id(0)), &bob, &Value::Null).await.assert_problem(404, "not_found");
    world.delete(&path("x"), &ada, &Value::Null).await.assert_invalid("/path/sessionId");
    assert_eq!(world.delete(&path(&id(0)), &ada, &Value::Null).await.status, 204);
    world.delete(&path(&id(0)), &ada, &Value::Null).await.assert_problem(404, "not_found");
    world.get_as("/api/auth/me", &second).await.assert_problem(401, "unauthorized");
    let third = player(&ada, &login(&world, PASSWORD).await);
    assert_eq!(world.delete("/api/auth/sessions", &third, &Value::Null).await.status, 204);
    assert_eq!(list(&third).await.as_array().unwrap().len(), 1);
    world.get_as("/api/auth/me", &ada).await.assert_problem(401, "unauthorized");
    assert_eq!(list(&bob).await.as_array().unwrap().len(), 1, "another's go on");
}
