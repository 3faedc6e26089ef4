//! Passwords that are guessed, and users who sign in meanwhile.

use std::time::Duration;

use axum::http::Request;
use scoreboard_core::accounts::MessageKind;
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Setup, World};

async fn world(login: &str) -> World {
    let mut setup = Setup::default();
    setup.http.limits.login = Some(login.parse().unwrap());
    World::with(setup).await
}

/// From an address that nobody has used before.
async fn login(world: &World, body: &Value) -> Answer {
    let request = Request::post("/api/auth/login").header("content-type", "application/json");
    world.send_from_elsewhere(request.body(body.to_string().into()).unwrap()).await
}

fn guess(email: &str) -> Value {
    json!({ "email": email, "password": "a guess" })
}

fn right() -> Value {
    json!({ "email": "ada@example.org", "password": PASSWORD })
}

/// All that a stranger sees, but for the request's own id.
fn seen(answer: &Answer) -> (u16, Value, Vec<String>) {
    let mut body = answer.body.clone();
    body["requestId"].take();
    let fields = answer.headers.iter().filter(|(name, _)| *name != "x-request-id");
    let mut fields: Vec<_> = fields.map(|(name, value)| format!("{name}: {}", value.to_str().unwrap())).collect();
    fields.sort();
    (answer.status.as_u16(), body, fields)
}

#[tokio::test]
async fn who_guesses_waits_ever_longer_and_the_owner_does_not() {
    let world = world("1000/s").await;
    world.player("ada").await;
    let first = login(&world, &right()).await;
    let device = first.body["deviceToken"].as_str().expect("a device token").to_owned();
    // Three tries are free, of which that login was one.
    for _ in 0..2 {
        login(&world, &guess("Ada@example.org")).await.assert_problem(401, "unauthorized");
    }
    let mut wait = 1;
    for guesses in 0..8 {
        world.clock.advance(Duration::from_millis(wait * 1000 - 1));
        login(&world, &guess("ADA@example.org")).await.assert_problem(429, "rate_limited");
        world.clock.advance(Duration::from_millis(1));
        login(&world, &guess("Ada@example.org")).await.assert_problem(401, "unauthorized");
        let refused = login(&world, &right()).await;
        refused.assert_problem(429, "rate_limited");
        wait *= 2;
        assert_eq!(refused.header("retry-after"), wait.to_string(), "after {} guesses", guesses + 1);
        assert!(refused.header("ratelimit-policy").starts_with("\"login_account\";"), "one name for all of them");
    }
    let on_her_device = json!({ "email": "ada@example.org", "password": PASSWORD, "deviceToken": device });
    let second = login(&world, &on_her_device).await;
    assert_eq!(second.status, 200, "her own device waits for nobody");
    assert_ne!(second.body["deviceToken"].as_str(), Some(device.as_str()), "each login begins a new count");

    // A device token that was stolen is counted for itself, and opens nothing.
    let stolen = |password: &str| json!({ "email": "ada@example.org", "password": password, "deviceToken": device });
    for _ in 0..2 {
        login(&world, &stolen("a guess")).await.assert_problem(401, "unauthorized");
    }
    login(&world, &stolen("a guess")).await.assert_problem(429, "rate_limited");
    for (email, token) in [("bob@example.org", device.as_str()), ("ada@example.org", "forged"), ("ada@example.org", "")]
    {
        let body = json!({ "email": email, "password": PASSWORD, "deviceToken": token });
        let answer = login(&world, &body).await;
        assert_ne!(answer.status, 200, "{email}, {token}");
    }

    world.clock.advance(Duration::from_secs(15 * 60));
    assert_eq!(login(&world, &right()).await.status, 200, "anywhere else a quarter of an hour is enough");
}

#[tokio::test]
async fn guesses_tell_nothing_of_who_exists() {
    let world = world("1000/s").await;
    world.player("ada").await;
    for _ in 0..14 {
        let [known, unknown] = [guess("ada@example.org"), guess("nobody@example.org")];
        let [known, unknown] = [login(&world, &known).await, login(&world, &unknown).await];
        assert_eq!(seen(&known), seen(&unknown));
        world.clock.advance(Duration::from_secs(1));
    }
    for bad in ["no address", "", "ä@example.org"] {
        for _ in 0..3 {
            login(&world, &guess(bad)).await.assert_problem(401, "unauthorized");
        }
        login(&world, &guess(bad)).await.assert_problem(429, "rate_limited");
    }
}

#[tokio::test]
async fn a_network_has_ten_times_the_quota_of_an_address() {
    let world = world("1/min").await;
    for guesses in 0..10 {
        login(&world, &guess(&format!("user{guesses}@example.org"))).await.assert_problem(401, "unauthorized");
    }
    let refused = login(&world, &guess("another@example.org")).await;
    refused.assert_problem(429, "rate_limited");
    assert_eq!(refused.header("ratelimit-policy"), "\"login_network\";q=10;w=60");
}

#[tokio::test]
async fn a_token_that_was_found_is_no_quicker_way_to_guess_the_password() {
    let world = world("1000/s").await;
    let ada = world.player("ada").await;
    let change = async |password: &str| {
        let body = json!({ "password": password, "newPassword": "another horse battery staple" });
        world.post("/api/auth/password", Some(&ada), &body).await
    };
    let enrol =
        async |password: &str| world.post("/api/auth/mfa/totp", Some(&ada), &json!({ "password": password })).await;
    change("a guess").await.assert_invalid("/password");
    enrol("a guess").await.assert_invalid("/password");
    change("a guess").await.assert_invalid("/password");
    let refused = change(PASSWORD).await;
    refused.assert_problem(429, "rate_limited");
    assert!(refused.header("ratelimit-policy").starts_with("\"login_account\";"));
    enrol(PASSWORD).await.assert_problem(429, "rate_limited");
    let fresh = world.post_raw("/api/auth/mfa/totp", Some(&ada.token), "").await;
    assert_eq!(fresh.status, 201, "who shows none is not counted: {}", fresh.text);
    assert_eq!(login(&world, &right()).await.status, 200, "and its user signs in as before");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(change(PASSWORD).await.status, 204);
}

#[tokio::test]
async fn who_guesses_without_end_shuts_nobody_out_who_reads_their_mail() {
    let world = world("1000/s").await;
    world.player("ada").await;
    // Somebody takes each try as soon as there is one.
    let taken = async || while login(&world, &guess("ada@example.org")).await.status == 401 {};
    for _ in 0..20 {
        taken().await;
        login(&world, &right()).await.assert_problem(429, "rate_limited");
        world.clock.advance(Duration::from_secs(60));
    }
    let forgot = json!({ "email": "ada@example.org" });
    assert_eq!(world.post("/api/auth/password/forgot", None, &forgot).await.status, 202);
    let text = world.mail.of(MessageKind::PasswordReset).pop().unwrap().text;
    let mailed = text.split("#reset=").nth(1).and_then(|rest| rest.split_whitespace().next()).unwrap();
    let new = "another horse battery staple";
    let reset = json!({ "token": mailed, "password": new });
    assert_eq!(world.post("/api/auth/password/reset", None, &reset).await.status, 204);
    taken().await;
    let body = json!({ "email": "ada@example.org", "password": new });
    login(&world, &body).await.assert_problem(429, "rate_limited");
    let device = mailed.split('.').nth(1).unwrap();
    let body = json!({ "email": "ada@example.org", "password": new, "deviceToken": device });
    assert_eq!(login(&world, &body).await.status, 200);
}
