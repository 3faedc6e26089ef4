//! The second factor over HTTP. The codes are computed by Python's own hmac: nothing of ours is on both sides.

use std::process::Command;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use scoreboard_core::Clock;
use scoreboard_core::accounts::{MessageKind, Role, UserStore};
use serde_json::{Value, json};

use crate::support::{Answer, PASSWORD, Player, Setup, World};

const STEP: Duration = Duration::from_secs(30);

/// What an authenticator app shows (RFC 6238).
const APP: &str = "
import base64, hashlib, hmac, struct, sys
key = base64.b32decode(sys.argv[1])
mac = hmac.new(key, struct.pack('>Q', int(sys.argv[2]) // 30), hashlib.sha1).digest()
at = mac[-1] & 15
print('%06d' % ((struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 10**6))
";

pub(crate) fn app(world: &World, secret: &str) -> String {
    let now = world.clock.now().as_secs().to_string();
    let shown = Command::new("python3").args(["-c", APP, secret, &now]).output().expect("Python runs");
    assert!(shown.status.success(), "{}", String::from_utf8_lossy(&shown.stderr));
    String::from_utf8(shown.stdout).unwrap().trim().to_owned()
}

async fn login(world: &World) -> Answer {
    let answer =
        world.post("/api/auth/login", None, &json!({ "email": "ada@example.org", "password": PASSWORD })).await;
    assert_eq!((answer.status.as_u16(), answer.header("cache-control")), (200, "no-store"), "{}", answer.text);
    answer
}

async fn verify(world: &World, waiting: &Answer, method: &str, code: &str) -> Answer {
    let body = json!({ "challengeId": waiting.body["challengeId"], "method": method, "code": code });
    world.post("/api/auth/mfa/verify", None, &body).await
}

/// Sets up an app: its secret, and the recovery codes.
pub(crate) async fn enrol(world: &World, player: &Player) -> (String, Vec<Value>) {
    let begun = world.post_raw("/api/auth/mfa/totp", Some(&player.token), "").await;
    assert_eq!((begun.status.as_u16(), begun.header("cache-control")), (201, "no-store"), "{}", begun.text);
    let secret = begun.body["secret"].as_str().unwrap().to_owned();
    let uri = begun.body["otpauthUri"].as_str().unwrap();
    assert!(uri.starts_with("otpauth://totp/scoreboard:ada%40example.org?secret=") && uri.contains(&secret), "{uri}");
    assert!(begun.body["qrSvg"].as_str().unwrap().starts_with("<svg"));
    let confirmed =
        world.post("/api/auth/mfa/totp/confirm", Some(player), &json!({ "code": app(world, &secret) })).await;
    assert_eq!((confirmed.status.as_u16(), confirmed.header("cache-control")), (200, "no-store"), "{}", confirmed.text);
    let codes = confirmed.body["recoveryCodes"].as_array().unwrap().clone();
    assert_eq!(codes.len(), 10);
    world.clock.advance(STEP);
    (secret, codes)
}

#[tokio::test]
async fn a_login_takes_two_steps_once_there_is_an_app() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let (secret, codes) = enrol(&world, &ada).await;
    let waiting = login(&world).await;
    assert_eq!(waiting.body["mfaRequired"], true);
    assert_eq!(
        (&waiting.body["methods"], &waiting.body["expiresIn"]),
        (&json!(["totp", "recovery_code"]), &json!(600))
    );
    assert_eq!(waiting.body["weakerMethods"], json!([]));
    for secret in ["token", "refreshToken", "user"] {
        assert!(waiting.body.get(secret).is_none(), "{secret}: {}", waiting.text);
    }
    let code = app(&world, &secret);
    let signed_in = verify(&world, &waiting, "totp", &code).await;
    assert_eq!((signed_in.status.as_u16(), &signed_in.body["user"]["email"]), (200, &json!("ada@example.org")));
    assert!(signed_in.body.get("mfaEnrolmentRequired").is_none());
    let token = signed_in.body["token"].as_str().unwrap();
    assert_eq!(world.post_raw("/api/auth/logout", Some(token), "").await.status, 204);
    verify(&world, &login(&world).await, "totp", &code).await.assert_problem(401, "unauthorized");
    let code = codes[0].as_str().unwrap();
    assert_eq!(verify(&world, &login(&world).await, "recovery_code", code).await.status, 200);
    verify(&world, &login(&world).await, "recovery_code", code).await.assert_problem(401, "unauthorized");
    let status = world.get_as("/api/auth/mfa", &ada).await.body;
    assert_eq!(
        (&status["totp"], &status["required"], &status["recoveryCodesLeft"]),
        (&json!(true), &json!(false), &json!(9))
    );
    assert_eq!(world.mail.of(MessageKind::RecoveryCodeUsed).len(), 1);
}

#[tokio::test]
async fn what_is_wrong_with_a_login_is_never_said() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let (secret, _) = enrol(&world, &ada).await;
    let shown = |answer: &Answer| {
        answer.assert_problem(401, "unauthorized");
        let mut body = answer.body.clone();
        body["requestId"] = Value::Null;
        (body, answer.headers.keys().map(|name| name.to_string()).collect::<Vec<_>>())
    };
    let waiting = login(&world).await;
    let wrong = shown(&verify(&world, &waiting, "totp", "000000").await);
    for id in ["", "unknown", "01990000-0000-7000-8000-000000000001", &"A".repeat(43)] {
        let body = json!({ "challengeId": id, "method": "totp", "code": "000000" });
        assert_eq!(shown(&world.post("/api/auth/mfa/verify", None, &body).await), wrong, "unknown: {id}");
        let body = json!({ "challengeId": id, "method": "email" });
        assert_eq!(shown(&world.post("/api/auth/mfa/challenge", None, &body).await), wrong, "unknown: {id}");
    }
    assert_eq!(shown(&verify(&world, &waiting, "email", "00000000").await), wrong, "none was sent");
    for _ in 0..3 {
        verify(&world, &waiting, "totp", "000000").await.assert_problem(401, "unauthorized");
    }
    assert_eq!(shown(&verify(&world, &waiting, "totp", &app(&world, &secret)).await), wrong, "tried five times");
}

#[tokio::test]
async fn who_guesses_is_told_to_wait() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let (secret, _) = enrol(&world, &ada).await;
    for _ in 0..2 {
        let waiting = login(&world).await;
        for _ in 0..5 {
            verify(&world, &waiting, "totp", "000000").await.assert_problem(401, "unauthorized");
        }
    }
    let right = verify(&world, &login(&world).await, "totp", &app(&world, &secret)).await;
    right.assert_problem(429, "rate_limited");
    assert_eq!(
        (right.header("retry-after"), right.header("ratelimit-policy")),
        ("86400", "\"wrong_codes\";q=10;w=86400")
    );
    world.delete("/api/auth/mfa/totp", &ada, &json!({ "code": "000000" })).await.assert_problem(429, "rate_limited");
    world.clock.advance(Duration::from_secs(86_400));
    assert_eq!(verify(&world, &login(&world).await, "totp", &app(&world, &secret)).await.status, 200);
}

#[tokio::test]
async fn an_app_is_set_up_changed_and_given_up_by_codes() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    let (confirm, totp) = ("/api/auth/mfa/totp/confirm", "/api/auth/mfa/totp");
    let wrong = json!({ "code": "000000" });
    world.post(confirm, Some(&ada), &wrong).await.assert_problem(409, "conflict");
    world.post(totp, Some(&ada), &json!({ "code": "1" })).await.assert_invalid("/code");
    world.post_raw(totp, None, "").await.assert_problem(401, "unauthorized");
    assert_eq!(world.post(totp, Some(&ada), &json!({})).await.status, 201);
    world.post(confirm, Some(&ada), &wrong).await.assert_invalid("/code");
    let (secret, codes) = enrol(&world, &ada).await;
    world.post_raw(totp, Some(&ada.token), "").await.assert_problem(409, "conflict");
    world.delete(totp, &ada, &wrong).await.assert_invalid("/code");
    world.delete(totp, &ada, &Value::Null).await.assert_problem(400, "invalid_request");
    let renewed = world.post("/api/auth/mfa/recovery-codes", Some(&ada), &json!({ "code": codes[0] })).await;
    assert_eq!((renewed.status.as_u16(), renewed.body["recoveryCodes"].as_array().unwrap().len()), (200, 10));
    assert_eq!(world.delete(totp, &ada, &json!({ "code": app(&world, &secret) })).await.status, 204);
    assert!(login(&world).await.body["token"].is_string(), "one step again");
    world.clock.advance(Duration::from_secs(550));
    world.clock.advance(Duration::from_secs(551));
    let refreshed = world.post("/api/auth/refresh", None, &json!({ "refreshToken": ada.refresh_token })).await;
    let late = Player { token: refreshed.body["token"].as_str().unwrap().to_owned(), ..ada };
    world.post_raw(totp, Some(&late.token), "").await.assert_problem(403, "forbidden");
    world.post(totp, Some(&late), &json!({ "password": "wrong" })).await.assert_invalid("/password");
    assert_eq!(world.post(totp, Some(&late), &json!({ "password": PASSWORD })).await.status, 201);
}

#[tokio::test]
async fn an_admin_has_to_set_one_up_first() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    world.users.set_roles(ada.id, &[Role::User], &[Role::User, Role::Admin]).await.unwrap();
    let signed_in = login(&world).await;
    assert_eq!(signed_in.body["mfaEnrolmentRequired"], true);
    let text = |name: &str| signed_in.body[name].as_str().unwrap().to_owned();
    let admin = Player { id: ada.id, token: text("token"), refresh_token: text("refreshToken") };
    for path in ["/api/auth/me", "/api/auth/mfa", "/api/scoreboard"] {
        assert_eq!(world.get_as(path, &admin).await.status, 200, "{path}");
    }
    for path in ["/api/auth/sessions", "/api/scoreboard/me"] {
        world.get_as(path, &admin).await.assert_problem(403, "forbidden");
    }
    for path in
        ["/api/auth/ws-ticket", "/api/scoreboard/generate-action", "/api/scoreboard/update", "/api/auth/password"]
    {
        world.post(path, Some(&admin), &json!({})).await.assert_problem(403, "forbidden");
    }
    world.delete("/api/auth/mfa/totp", &admin, &json!({ "code": "1" })).await.assert_problem(403, "forbidden");
    enrol(&world, &admin).await;
    let refreshed = world.post("/api/auth/refresh", None, &json!({ "refreshToken": admin.refresh_token })).await;
    assert!(refreshed.body.get("mfaEnrolmentRequired").is_none(), "{}", refreshed.text);
    let token = refreshed.body["token"].as_str().unwrap();
    assert_eq!(world.post_raw("/api/auth/ws-ticket", Some(token), "").await.status, 201);
}

#[tokio::test]
async fn a_code_is_mailed_and_marked_as_weaker() {
    let world = World::new().await;
    let ada = world.player("ada").await;
    enrol(&world, &ada).await;
    let token = world.mail.behind(MessageKind::ConfirmAddress, "#confirm=");
    assert_eq!(world.post("/api/auth/email/confirm", None, &json!({ "token": token })).await.status, 204);
    assert!(world.get_as("/api/auth/mfa", &ada).await.body["emailConfirmedAt"].is_string());
    let waiting = login(&world).await;
    assert_eq!(waiting.body["methods"], json!(["totp", "recovery_code", "email"]));
    assert_eq!(waiting.body["weakerMethods"], json!(["email"]));
    let challenge = json!({ "challengeId": waiting.body["challengeId"], "method": "email" });
    let sent = world.post("/api/auth/mfa/challenge", None, &challenge).await;
    assert_eq!((sent.status.as_u16(), sent.text.as_str()), (202, ""));
    let code = world.mail.behind(MessageKind::LoginCode, "sign in is ");
    assert_eq!(code.len(), 8);
    assert_eq!(verify(&world, &waiting, "email", &code).await.status, 200);
    verify(&world, &waiting, "email", &code).await.assert_problem(401, "unauthorized");
}

#[tokio::test]
async fn codes_have_a_quota_and_come_after_it() {
    let mut setup = Setup::default();
    setup.http.limits.login = Some("2/min".parse().unwrap());
    setup.http.limits.mail = Some("1/h".parse().unwrap());
    let world = World::with(setup).await;
    let garbage = async |path: &str| world.post_raw(path, None, "{").await;
    for _ in 0..2 {
        let answer = garbage("/api/auth/mfa/verify").await;
        answer.assert_problem(400, "invalid_request");
        assert_eq!(answer.header("ratelimit-policy"), "\"codes\";q=2;w=60");
    }
    garbage("/api/auth/mfa/verify").await.assert_problem(429, "rate_limited");
    garbage("/api/auth/password/reset").await.assert_problem(429, "rate_limited");
    garbage("/api/auth/mfa/challenge").await.assert_problem(400, "invalid_request");
    garbage("/api/auth/password/forgot").await.assert_problem(429, "rate_limited");
    let large = Request::post("/api/auth/mfa/verify").body(Body::from("x".repeat(20_000))).unwrap();
    world.send(large).await.assert_problem(413, "payload_too_large");
}
