//! Who may do what: every route that the description names, asked by everyone there is.
//!
//! A route that is added without a row here fails, and so does a row whose answers are not what the description promises of it.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::http::{Method, Request};
use scoreboard_core::accounts::{Login, MessageKind, Registration, Role, UserStore};
use scoreboard_core::{Clock, IncidentId, Moderation, ModerationAct, ModerationId, Restriction};
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::incidents;
use crate::second_factor::{app, enrol};
use crate::support::{PASSWORD, Player, World};

const NEW_PASSWORD: &str = "another horse battery staple";

/// Who asks. What is asked is about Ada and what is hers.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Caller {
    Nobody,
    Ada,
    AnotherUser,
    /// Ada, once she is banned.
    Banned,
    Moderator,
    Admin,
    /// Ada, with a token that has expired.
    Expired,
    /// Ada, with a token of a session that she has ended.
    Ended,
    /// A trusted game server, with its key.
    GameServer,
}

use Caller::{Ada, Admin, AnotherUser, Banned, Ended, Expired, GameServer, Moderator, Nobody};

/// In the order of the columns below.
const CALLERS: [Caller; 9] = [Nobody, Ada, AnotherUser, Banned, Moderator, Admin, Expired, Ended, GameServer];

type Row = [u16; 9];

/// Everyone, and whatever token they send: it is not looked at.
const fn everyone(status: u16) -> Row {
    [status; 9]
}

/// Everyone, but who sends a token must send a good one.
const fn readers(status: u16) -> Row {
    [status, status, status, status, status, status, 401, 401, 401]
}

/// Whoever is signed in, for themselves.
const fn users(status: u16) -> Row {
    [401, status, status, status, status, status, 401, 401, 401]
}

/// Who looks into what the fraud rules found, and decides.
const fn reviewers(status: u16) -> Row {
    [401, 403, 403, 403, status, status, 401, 401, 401]
}

/// What each of [`CALLERS`] is answered.
const MATRIX: [(&str, &str, Row); 56] = [
    ("post", "/api/auth/register", everyone(201)),
    ("post", "/api/auth/register/confirm", everyone(201)),
    ("post", "/api/auth/login", everyone(200)),
    ("post", "/api/auth/refresh", everyone(200)),
    ("post", "/api/auth/logout", users(204)),
    ("post", "/api/auth/ws-ticket", users(201)),
    ("get", "/api/auth/me", users(200)),
    ("post", "/api/auth/mfa/verify", everyone(200)),
    ("post", "/api/auth/mfa/challenge", everyone(202)),
    ("get", "/api/auth/mfa", users(200)),
    // Who decides about others has one already.
    ("post", "/api/auth/mfa/totp", [401, 201, 201, 201, 409, 409, 401, 401, 401]),
    // Her own app, with her own codes: others have none, or have others.
    ("delete", "/api/auth/mfa/totp", [401, 204, 409, 204, 400, 400, 401, 401, 401]),
    ("post", "/api/auth/mfa/totp/confirm", [401, 200, 409, 200, 409, 409, 401, 401, 401]),
    ("post", "/api/auth/mfa/recovery-codes", [401, 200, 409, 200, 400, 400, 401, 401, 401]),
    ("post", "/api/auth/password", users(204)),
    ("post", "/api/auth/password/forgot", everyone(202)),
    ("post", "/api/auth/password/reset", everyone(204)),
    ("post", "/api/auth/email/confirmation", users(202)),
    ("post", "/api/auth/email/confirm", everyone(204)),
    ("post", "/api/auth/email", users(202)),
    ("post", "/api/auth/email/change", everyone(204)),
    ("get", "/api/auth/sessions", users(200)),
    ("delete", "/api/auth/sessions", users(204)),
    // Hers alone: to no other is it there.
    ("delete", "/api/auth/sessions/{sessionId}", [401, 204, 404, 204, 404, 404, 401, 401, 401]),
    ("post", "/api/scoreboard/generate-action", users(201)),
    // Hers alone: no role hands in another's action (400, `action_mismatch`). Once she is banned it is refused (403, `banned`).
    ("post", "/api/scoreboard/update", [401, 200, 400, 403, 400, 400, 401, 401, 401]),
    ("get", "/api/scoreboard", readers(200)),
    ("get", "/api/scoreboard/users/{userId}", readers(200)),
    ("get", "/api/scoreboard/users/{userId}/around", readers(200)),
    // Hers, and reviewers'.
    ("get", "/api/scoreboard/users/{userId}/history", [401, 200, 403, 200, 200, 200, 401, 401, 401]),
    ("get", "/api/scoreboard/me", users(200)),
    ("get", "/api/scoreboard/boards", readers(200)),
    ("get", "/api/scoreboard/rank", readers(200)),
    ("post", "/api/scoreboard/standings", readers(200)),
    ("post", "/api/scoreboard/record", [401, 401, 401, 401, 401, 401, 401, 401, 200]),
    // Of moderators and admins: not even of her whom it is about.
    ("get", "/api/admin/incidents", reviewers(200)),
    ("get", "/api/admin/incidents/{incidentId}", reviewers(200)),
    ("post", "/api/admin/incidents/{incidentId}/assign", reviewers(200)),
    ("post", "/api/admin/incidents/{incidentId}/decide", reviewers(200)),
    ("post", "/api/admin/voids", reviewers(200)),
    ("post", "/api/admin/unvoids", reviewers(200)),
    ("get", "/api/admin/users/{userId}/restriction", reviewers(200)),
    ("put", "/api/admin/users/{userId}/restriction", reviewers(200)),
    ("delete", "/api/admin/users/{userId}/restriction", reviewers(200)),
    ("get", "/api/admin/moderations", reviewers(200)),
    ("get", "/api/admin/users/{userId}", reviewers(200)),
    ("get", "/api/admin/users/{userId}/actions", reviewers(200)),
    // Of admins alone.
    ("get", "/api/admin/keys", [401, 403, 403, 403, 403, 200, 401, 401, 401]),
    // As far as one gets without a socket. Who is there, a ticket says: see `tickets`.
    ("get", "/api/scoreboard/ws", everyone(400)),
    ("get", "/api/scoreboard/events", everyone(200)),
    ("get", "/.well-known/jwks.json", readers(200)),
    ("get", "/health", everyone(200)),
    ("get", "/health/live", everyone(200)),
    ("get", "/health/ready", everyone(200)),
    // None are kept here.
    ("get", "/metrics", everyone(404)),
    ("get", "/openapi.json", everyone(200)),
];

/// A server on which Ada has a standing, and a caller's credential.
struct Asked {
    world: World,
    ada: Player,
    credential: Option<String>,
    /// About Ada.
    incident: IncidentId,
}

impl Asked {
    async fn by(caller: Caller) -> Self {
        let world = World::new().await;
        world.lifecycle.ready();
        let ada = world.player("ada").await;
        world.tap(&ada).await;
        let credential = match caller {
            Nobody => None,
            Ada => Some(ada.token.clone()),
            AnotherUser => Some(world.player("eve").await.token),
            Banned => {
                ban(&world, &ada).await;
                Some(ada.token.clone())
            }
            Moderator => Some(with_role(&world, Role::Moderator).await),
            Admin => Some(with_role(&world, Role::Admin).await),
            Expired => {
                world.clock.advance(Duration::from_secs(606));
                Some(ada.token.clone())
            }
            Ended => {
                let principal = world.accounts.authenticate(&ada.token).unwrap();
                world.accounts.logout(&principal).await.unwrap();
                Some(ada.token.clone())
            }
            GameServer => Some(world.accounts.create_server_key(&"arena".parse().unwrap()).await.unwrap()),
        };
        let incident = incidents::about(&world, ada.id, 1).await;
        Self { world, ada, credential, incident }
    }

    /// A request that is good in all but who sends it.
    async fn request(&self, method: &str, template: &str) -> Request<Body> {
        let login = self.world.accounts.login("ada@example.org", PASSWORD.to_owned()).await.unwrap();
        let signed_in = login.signed_in().unwrap();
        let session = self.world.accounts.authenticate(&signed_in.token).unwrap().session_id;
        let ada = Player { token: signed_in.token, refresh_token: signed_in.refresh_token, ..self.ada.clone() };
        let query = if template.ends_with("/rank") { "?score=1" } else { "" };
        let body = match template {
            "/api/auth/register" => {
                json!({ "email": "new@example.org", "password": PASSWORD, "displayName": "New" })
            }
            "/api/auth/login" => json!({ "email": "ada@example.org", "password": PASSWORD }),
            "/api/auth/refresh" => json!({ "refreshToken": ada.refresh_token }),
            "/api/scoreboard/generate-action" => json!({ "kind": "tap" }),
            "/api/scoreboard/update" => json!({ "action": self.world.action(&ada, "tap").await }),
            "/api/scoreboard/standings" => json!({ "userIds": [ada.id] }),
            "/api/scoreboard/record" => json!({ "userId": ada.id, "kind": "tap" }),
            "/api/admin/incidents/{incidentId}/assign" => json!({ "revision": 0, "assignee": null }),
            "/api/admin/incidents/{incidentId}/decide" => json!({ "revision": 0, "status": "confirmed" }),
            "/api/admin/voids" | "/api/admin/unvoids" => {
                json!({ "select": { "userId": ada.id }, "reason": "a test" })
            }
            "/api/admin/users/{userId}/restriction" if method == "put" => {
                json!({ "restriction": "held", "reason": "a test" })
            }
            "/api/admin/users/{userId}/restriction" if method == "delete" => json!({ "reason": "a test" }),
            _ => self.security_body(method, template, &ada).await,
        };
        let path = template.replace("{userId}", &ada.id.to_string()).replace("{sessionId}", &session.to_string());
        let path = path.replace("{incidentId}", &self.incident.to_string());
        let mut request = Request::builder().method(method.to_uppercase().as_str()).uri(format!("{path}{query}"));
        if let Some(credential) = &self.credential {
            request = request.header("authorization", format!("Bearer {credential}"));
        }
        if template == "/api/scoreboard/record" {
            request = request.header("idempotency-key", "match-1");
        }
        if body.is_null() {
            return request.body(Body::empty()).unwrap();
        }
        request.header("content-type", "application/json").body(Body::from(body.to_string())).unwrap()
    }

    /// What is sent about Ada's app, her password and her address.
    async fn security_body(&self, method: &str, template: &str, ada: &Player) -> Value {
        let world = &self.world;
        let mailed = |kind, before| world.mail.behind(kind, before);
        match (method, template) {
            ("delete", "/api/auth/mfa/totp") | ("post", "/api/auth/mfa/recovery-codes") => {
                // By the session that asks, if it is hers: the others end.
                let is_on = world.accounts.authenticate(&self.ada.token).is_ok();
                json!({ "code": enrol(world, if is_on { &self.ada } else { ada }).await.1[0] })
            }
            ("post", "/api/auth/mfa/totp/confirm") => {
                let begun = world.post("/api/auth/mfa/totp", Some(ada), &json!({})).await;
                json!({ "code": app(world, begun.body["secret"].as_str().unwrap()) })
            }
            ("post", "/api/auth/mfa/verify") => {
                let codes = enrol(world, ada).await.1;
                json!({ "challengeId": self.waiting().await, "method": "recovery_code", "code": codes[0] })
            }
            ("post", "/api/auth/mfa/challenge") => {
                enrol(world, ada).await;
                world.post("/api/auth/email/confirmation", Some(ada), &Value::Null).await;
                let token = mailed(MessageKind::ConfirmAddress, "#confirm=");
                world.accounts.confirm_address(&token).await.unwrap();
                json!({ "challengeId": self.waiting().await, "method": "email" })
            }
            ("post", "/api/auth/password") => json!({ "password": PASSWORD, "newPassword": NEW_PASSWORD }),
            ("post", "/api/auth/password/forgot") => json!({ "email": "ada@example.org" }),
            ("post", "/api/auth/password/reset") => {
                world.accounts.forgot_password("ada@example.org").await.unwrap();
                json!({ "token": mailed(MessageKind::PasswordReset, "#reset="), "password": NEW_PASSWORD })
            }
            ("post", "/api/auth/email/confirm") => {
                json!({ "token": mailed(MessageKind::ConfirmAddress, "#confirm=") })
            }
            ("post", "/api/auth/register/confirm") => {
                let (email, display_name) = ("new@example.org".to_owned(), "New".to_owned());
                let wanted = Registration { email, password: PASSWORD.to_owned(), display_name };
                world.accounts.mail_registration(wanted).await.unwrap();
                json!({ "token": mailed(MessageKind::Registration, "#register=") })
            }
            ("post", "/api/auth/email") => json!({ "email": "ada@elsewhere.example" }),
            ("post", "/api/auth/email/change") => {
                let asking = world.accounts.authenticate(&ada.token).unwrap();
                world.accounts.mail_address_change(&asking, "ada@elsewhere.example").await.unwrap();
                json!({ "token": mailed(MessageKind::ChangeAddress, "#address=") })
            }
            _ => Value::Null,
        }
    }

    /// A login of Ada's that waits for the second factor.
    async fn waiting(&self) -> String {
        match self.world.accounts.login("ada@example.org", PASSWORD.to_owned()).await.unwrap() {
            Login::SecondFactor(waiting) => waiting.challenge_id,
            Login::SignedIn(_) => panic!("she has a second factor"),
        }
    }

    /// The status, and of a refusal its code.
    async fn answer(&self, request: Request<Body>) -> (u16, Value) {
        let response = self.world.router.clone().oneshot(request).await.unwrap();
        let status = response.status();
        // A stream that is granted has no end.
        if !status.is_client_error() {
            return (status.as_u16(), Value::Null);
        }
        let body = to_bytes(response.into_body(), 1 << 16).await.unwrap();
        let body: Value = serde_json::from_slice(&body).unwrap_or_default();
        (status.as_u16(), body["code"].clone())
    }
}

async fn ban(world: &World, player: &Player) {
    let moderation = Moderation {
        id: ModerationId::from_bytes([9; 16]),
        at: world.clock.now(),
        by: "a test".to_owned(),
        reason: "a test".to_owned(),
        act: ModerationAct::Restrict { user_id: player.id, restriction: Restriction::Banned },
    };
    world.scoreboard.moderate(&moderation).await.unwrap();
}

async fn with_role(world: &World, role: Role) -> String {
    incidents::reviewer(world, "mona", role).await.token
}

/// Each operation of the description, with the schemes of which it asks one; an empty name is nobody.
async fn described() -> BTreeMap<(String, String), Vec<String>> {
    let description = World::new().await.get("/openapi.json").await.body;
    let mut operations = BTreeMap::new();
    for (path, item) in description["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let schemes = operation["security"].as_array().map_or_else(Vec::new, |schemes| {
                let name = |scheme: &Value| scheme.as_object().unwrap().keys().next().cloned().unwrap_or_default();
                schemes.iter().map(name).collect()
            });
            operations.insert((method.clone(), path.clone()), schemes);
        }
    }
    operations
}

#[tokio::test]
async fn everyone_may_do_what_the_table_says_and_nothing_else() {
    let mut wrong = Vec::new();
    for (column, caller) in CALLERS.into_iter().enumerate() {
        for (method, template, row) in MATRIX {
            let asked = Asked::by(caller).await;
            let (status, code) = asked.answer(asked.request(method, template).await).await;
            let code_is_right = match status {
                400 if template.ends_with("/update") => code == "action_mismatch",
                401 => code == "unauthorized",
                403 if caller == Banned && template.ends_with("/update") => code == "banned",
                403 => code == "forbidden",
                _ => true,
            };
            if status != row[column] || !code_is_right {
                wrong.push(format!("{caller:?}: {method} {template}: {status} ({code}), not {}", row[column]));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[tokio::test]
async fn every_described_route_has_a_row_that_keeps_what_the_description_says() {
    let described = described().await;
    let rows: BTreeMap<_, _> =
        MATRIX.iter().map(|(method, path, row)| (((*method).to_owned(), (*path).to_owned()), *row)).collect();
    assert_eq!(rows.len(), MATRIX.len(), "a route has two rows");
    assert_eq!(rows.keys().collect::<Vec<_>>(), described.keys().collect::<Vec<_>>(), "rows and routes");
    let refused =
        |row: Row| CALLERS.into_iter().zip(row).filter(|(_, status)| *status == 401).map(|(caller, _)| caller);
    for (route, schemes) in described {
        let refused: Vec<Caller> = refused(rows[&route]).collect();
        let expected: &[Caller] = match schemes.iter().map(String::as_str).collect::<Vec<_>>()[..] {
            [] => &[],
            ["", "user"] => &[Expired, Ended, GameServer],
            ["user"] => &[Nobody, Expired, Ended, GameServer],
            ["gameServer", "gameServerSignature"] => {
                &[Nobody, Ada, AnotherUser, Banned, Moderator, Admin, Expired, Ended]
            }
            ref other => panic!("{route:?}: nobody has said who is refused where {other:?} is asked for"),
        };
        assert_eq!(refused, expected, "{route:?} asks for {schemes:?}");
    }
}

#[tokio::test]
async fn what_is_not_described_is_open_to_nobody() {
    let described = described().await;
    let paths: std::collections::BTreeSet<_> = described.keys().map(|(_, path)| path.as_str()).collect();
    for caller in CALLERS {
        let asked = Asked::by(caller).await;
        for path in &paths {
            for method in [Method::GET, Method::POST, Method::PUT, Method::PATCH, Method::DELETE] {
                if described.contains_key(&(method.as_str().to_lowercase(), (*path).to_owned())) {
                    continue;
                }
                let (status, _) = asked.answer(asked.request(method.as_str(), path).await).await;
                assert_eq!(status, 405, "{caller:?}: {method} {path}");
            }
        }
        for path in [
            "/admin/",
            "/admin/incidents",
            "/api/admin",
            "/api/admin/keys/arena",
            "/api/admin/users",
            "/api/auth",
            "/api/auth/me/roles",
            "/api/auth/users",
            "/api/scoreboard/admin",
            "/api/scoreboard/boards/main",
            "/api/scoreboard/users",
            "/api/scoreboard/users/{userId}/roles",
            "/api/scoreboard/ME",
            "/api/scoreboard/me/",
            "/api//auth/me",
            "/api/auth/%6de",
            "/metrics/all",
        ] {
            for method in ["GET", "POST", "DELETE"] {
                let (status, _) = asked.answer(asked.request(method, path).await).await;
                assert_eq!(status, 404, "{caller:?}: {method} {path}");
            }
        }
    }
}

#[tokio::test]
async fn a_role_that_is_taken_away_is_gone_at_once_whatever_the_token() {
    let asked = Asked::by(Admin).await;
    let template = "/api/scoreboard/users/{userId}/history";
    assert_eq!(asked.answer(asked.request("get", template).await).await.0, 200);
    let admin = asked.world.accounts.authenticate(asked.credential.as_ref().unwrap()).unwrap().user_id;
    let all = [Role::User, Role::Admin];
    assert!(asked.world.users.set_roles(admin, &all, &[Role::User]).await.unwrap());
    assert_eq!(asked.answer(asked.request("get", template).await).await, (403, json!("forbidden")));
}
