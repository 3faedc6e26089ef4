//! Tokens of another login, as they should be and as they should not.

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::connect_async;
use tokio_tungstenite::tungstenite::Message;

use crate::caller::{Call, Caller};
use crate::secrets::Secrets;
use crate::support::server::{Server, UNLIMITED};
use crate::support::user::User;
use crate::{seen_in, stored};

/// Another server is the other login: it signs by Ed25519 and publishes its keys.
async fn other_login() -> Server {
    let mut settings = UNLIMITED.to_vec();
    settings.extend([
        ("SCOREBOARD_ACCOUNTS__TOKEN_ALGORITHM", "eddsa"),
        ("SCOREBOARD_ACCOUNTS__ISSUER", "https://login.example"),
    ]);
    Server::start_with(&settings, &[]).await
}

/// With another letter where the signature begins.
fn forged(token: &str) -> String {
    let (said, signature) = token.rsplit_once('.').expect("three parts");
    let first = if signature.starts_with('A') { 'B' } else { 'A' };
    format!("{said}.{first}{}", &signature[1..])
}

/// All that a server does with such tokens, and all that it says; nothing of it bears one.
pub(crate) async fn tokens_are_not_seen(secrets: &mut Secrets) {
    let login = other_login().await;
    let mut at_login = Caller::new(login.address());
    let keys = at_login.get("/.well-known/jwks.json", None).await.expect(200).json();
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("cargo's folder for tests takes files");
    let file = folder.path().join("keys.json");
    std::fs::write(&file, keys.to_string()).expect("the folder takes files");
    let file = file.to_str().expect("text").to_owned();
    let mut settings = UNLIMITED.to_vec();
    settings.extend([
        ("RUST_LOG", "trace"),
        ("SCOREBOARD_LOG", "json"),
        ("SCOREBOARD_OUTSIDE__ISSUER", "https://login.example"),
        ("SCOREBOARD_OUTSIDE__AUDIENCE", "https://login.example"),
        ("SCOREBOARD_OUTSIDE__JWKS_FILE", file.as_str()),
    ]);
    let mut server = Server::start_with(&settings, &[]).await;
    let mut caller = Caller::new(server.address());

    let token = secrets.plant("an outside user's token", User::register(login.address(), "ada").await.token);
    let altered = secrets.plant("an outside user's token with another signature", forged(&token));
    let misplaced =
        secrets.plant("an outside user's token in a query", User::register(login.address(), "bob").await.token);
    let unknown = secrets.plant("a token of an issuer that is unknown", {
        let stranger = Server::start_with(&UNLIMITED, &[]).await;
        User::register(stranger.address(), "eve").await.token
    });
    let begun = caller.take("/api/scoreboard/generate-action", Some(&token), &json!({ "kind": "tap" })).await;
    let action = begun.json()["action"].clone();
    secrets.plant("an outside user's action", begun.text("/action/hash"));
    caller.post("/api/scoreboard/update", Some(&token), &json!({ "action": action })).await.expect(200);
    caller.get("/api/scoreboard/me", Some(&token)).await.expect(200);
    // There is no account.
    caller.get("/api/auth/me", Some(&token)).await.expect(401);
    for refused in [&altered, &unknown] {
        caller.get("/api/scoreboard/me", Some(refused)).await.expect(401);
        caller.post("/api/scoreboard/generate-action", Some(refused), &json!({ "kind": "tap" })).await.expect(401);
    }
    caller.get(&format!("/api/scoreboard?access_token={misplaced}"), None).await.expect(400);
    let refresh = json!({ "refreshToken": misplaced });
    caller.post("/api/auth/refresh", None, &refresh).await.expect(401);
    let ticket = caller.take("/api/auth/ws-ticket", Some(&token), &Value::Null).await.expect(201).text("/ticket");
    secrets.plant("an outside user's ticket", ticket.clone());
    let url = format!("ws://{}/api/scoreboard/ws", server.address());
    let (mut socket, _) = connect_async(url).await.expect("it takes connections");
    // The token itself is no ticket.
    for shown in [&ticket, &token] {
        let message = json!({ "type": "authenticate", "ticket": shown }).to_string();
        socket.send(Message::text(message)).await.expect("it is open");
    }
    for _ in 0..3 {
        let answer = socket.next().await.expect("an answer").expect("whole").into_data();
        caller.kept.push(("a message of the WebSocket".to_owned(), answer.to_vec()));
    }
    let names = [
        "an outside user's token",
        "an outside user's token with another signature",
        "an outside user's token in a query",
        "a token of an issuer that is unknown",
        "an outside user's action",
        "an outside user's ticket",
    ];
    secrets.used(&names);

    let metrics = Call { method: "GET", path: "/metrics", headers: &[], body: String::new() };
    caller.call(metrics).await.expect(200);
    let mut said = std::mem::take(&mut caller.kept);
    for words in [&["export"][..], &["verify"], &["config"]] {
        let output = server.command(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        said.push((format!("`{}`", words.join(" ")), [output.stdout, output.stderr].concat()));
    }
    assert!(server.terminate().await.success());
    said.extend(stored(&server, None));
    said.push(("the log".to_owned(), server.log().into_bytes()));
    seen_in("a server that takes another login's tokens", secrets, &said);
}
