//! Accounts, from registration to logout.

use scoreboard_core::accounts::MessageKind;
use serde_json::json;

use crate::support::{PASSWORD, Setup, World};

#[tokio::test]
async fn register_log_in_refresh_log_out() {
    let world = World::new().await;
    let body = json!({ "email": "Ada@Example.org", "password": PASSWORD, "displayName": "Ada" });
    let registered = world.post("/api/auth/register", None, &body).await;
    assert_eq!(registered.status, 201, "{}", registered.text);
    assert_eq!(registered.header("cache-control"), "no-store");
    let user = &registered.body["user"];
    assert_eq!(
        (&user["email"], &user["displayName"], &user["roles"]),
        (&json!("ada@example.org"), &json!("Ada"), &json!(["user"]))
    );
    assert_eq!(user.as_object().unwrap().len(), 5);

    let credentials = json!({ "email": "ada@example.org", "password": PASSWORD });
    let signed_in = world.post("/api/auth/login", None, &credentials).await;
    assert_eq!((signed_in.status.as_u16(), &signed_in.body["tokenType"]), (200, &json!("Bearer")));
    assert_eq!((&signed_in.body["user"], &signed_in.body["expiresIn"]), (user, &json!(600)));

    let refresh = json!({ "refreshToken": signed_in.body["refreshToken"] });
    let refreshed = world.post("/api/auth/refresh", None, &refresh).await;
    assert_eq!(refreshed.status, 200);
    assert_ne!(refreshed.body["refreshToken"], signed_in.body["refreshToken"]);

    let token = refreshed.body["token"].as_str().unwrap();
    let out = world.post_raw("/api/auth/logout", Some(token), "").await;
    assert_eq!((out.status.as_u16(), out.text.as_str()), (204, ""));
    world.post_raw("/api/auth/logout", Some(token), "").await.assert_problem(401, "unauthorized");
    let refresh = json!({ "refreshToken": refreshed.body["refreshToken"] });
    world.post("/api/auth/refresh", None, &refresh).await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn a_refresh_token_that_is_used_again_ends_the_session() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let old = json!({ "refreshToken": ada.refresh_token });
    let next = world.post("/api/auth/refresh", None, &old).await;
    let again = world.post("/api/auth/refresh", None, &old).await;
    assert_eq!((again.status.as_u16(), &again.body["refreshToken"]), (200, &next.body["refreshToken"]), "just now");
    world.clock.advance(std::time::Duration::from_secs(10));
    world.post("/api/auth/refresh", None, &old).await.assert_problem(401, "unauthorized");
    let next = json!({ "refreshToken": next.body["refreshToken"] });
    world.post("/api/auth/refresh", None, &next).await.assert_problem(401, "unauthorized");
    world.get_as("/api/auth/me", &ada).await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn fields_that_break_rules_are_pointed_at_all_at_once() {
    let world = World::new().await;
    let body = json!({ "email": "no address", "password": "short", "displayName": " " });
    let answer = world.post("/api/auth/register", None, &body).await;
    answer.assert_problem(400, "invalid_request");
    let errors = answer.body["errors"].as_array().unwrap();
    let pointers: Vec<_> = errors.iter().map(|error| error["pointer"].as_str().unwrap()).collect();
    assert_eq!(pointers, ["/email", "/password", "/displayName"]);
    assert!(!answer.text.contains("short\""));
}

#[tokio::test]
async fn others_never_see_an_address() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    world.tap(&ada).await;
    assert_eq!(world.get_as("/api/auth/me", &ada).await.body["user"]["email"], "ada@example.org");
    for path in ["/api/scoreboard", &format!("/api/scoreboard/users/{}", ada.id), "/api/scoreboard/boards"] {
        assert!(!world.get(path).await.text.contains("example.org"), "{path}");
    }
}

#[tokio::test]
async fn where_accounts_are_made_by_mail_nobody_is_told_who_has_one() {
    let mut setup = Setup::default();
    setup.accounts.registers_by_mail = true;
    let world = World::with(setup).await;
    world.player("ada").await;
    let register = async |email: &str| {
        let body = json!({ "email": email, "password": PASSWORD, "displayName": "Somebody" });
        let answer = world.post("/api/auth/register", None, &body).await;
        let names: Vec<_> = answer.headers.keys().map(|name| name.to_string()).collect();
        (answer.status.as_u16(), answer.text, names)
    };
    let (taken, free) = (register("ada@example.org").await, register("bob@example.org").await);
    assert_eq!(taken, free);
    assert_eq!((free.0, free.1.as_str()), (202, ""));
    let log_in = json!({ "email": "bob@example.org", "password": PASSWORD });
    world.post("/api/auth/login", None, &log_in).await.assert_problem(401, "unauthorized");
    let token = world.mail.behind(MessageKind::Registration, "#register=");
    let confirm = async |token: &str| world.post("/api/auth/register/confirm", None, &json!({ "token": token })).await;
    confirm("forged").await.assert_problem(401, "unauthorized");
    let made = confirm(&token).await;
    assert_eq!((made.status.as_u16(), &made.body["user"]["email"]), (201, &json!("bob@example.org")));
    confirm(&token).await.assert_problem(401, "unauthorized");
    assert_eq!(world.post("/api/auth/login", None, &log_in).await.status, 200);
}
