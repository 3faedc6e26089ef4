//! Secrets planted in all that the real server is told, on each of its places: none of them stands in its logs at the most verbose level, in its
//! metrics, in answers that are not to bear them, in its errors, its exports, its database or what its commands print, in whatever writing.
//!
//! That the search finds what is there, a canary shows: the id of a request is logged on purpose.

mod archived;
mod caller;
mod flows;
mod interrupted;
mod mail;
mod midst;
mod outside;
mod secrets;
mod starts;
#[path = "../support/mod.rs"]
mod support;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use caller::{Call, Caller};
use flows::Flows;
use interrupted::{Mortal, interrupted};
use mail::Mail;
use secrets::Secrets;
use serde_json::{Value, json};
use support::place::Place;
use support::redis;
use support::server::{Server, UNLIMITED};
use support::user::User;
use support::wait::until;

/// As many as were promised.
const PLANTED: usize = 50;
const PATIENCE: Duration = Duration::from_secs(60);
const APP: &str = "
import base64, hashlib, hmac, struct, sys, time
key, step = base64.b32decode(sys.argv[1].replace(' ', '')), int(time.time()) // 30
mac = hmac.new(key, struct.pack('>Q', step), hashlib.sha1).digest()
at = mac[-1] & 15
print('%06d' % ((struct.unpack('>I', mac[at:at + 4])[0] & 0x7fffffff) % 10**6))
";

/// What an authenticator app shows now.
async fn app(secret: &str) -> String {
    let shown = tokio::process::Command::new("python3").args(["-c", APP, secret]).output().await.expect("Python runs");
    String::from_utf8(shown.stdout).expect("digits").trim().to_owned()
}

/// A game server that signs its requests; gives the statuses of the answers.
fn python(arguments: &[&str], lines: &[Value]) -> Vec<Value> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/signed_requests.py");
    let mut command = Command::new("python3");
    command.arg("-B").arg(script).args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().expect("python3 is installed");
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads to the end");
    let output = child.wait_with_output().expect("it ends");
    let lines = String::from_utf8(output.stdout).expect("it writes text");
    lines.lines().map(|line| serde_json::from_str::<Value>(line).expect("JSON")["status"].take()).collect()
}

/// Takes alerts.
async fn receiver() -> (String, tokio::sync::mpsc::UnboundedReceiver<String>) {
    let (sender, requests) = tokio::sync::mpsc::unbounded_channel();
    let take = move |body: String| {
        sender.send(body).expect("the test waits for it");
        std::future::ready(())
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/alerts", listener.local_addr().expect("it listens"));
    tokio::spawn(async move { axum::serve(listener, Router::new().route("/alerts", post(take))).await });
    (url, requests)
}

/// All that is done with the server, and all that it says.
async fn drive(
    place: Place,
    redis_url: Option<String>,
    mortal: Option<Mortal<'_>>,
    secrets: &mut Secrets,
) -> Vec<(String, Vec<u8>)> {
    let (mut mail, (alerts, mut told)) = (Mail::start().await, receiver().await);
    let smtp = format!("smtp://127.0.0.1:{}", mail.port);
    let alerts = format!("{alerts}?token={}", secrets.make("a token in the alerts' URL"));
    let alert_secret = secrets.plant("the alerts' secret", format!("{:032x}", rand::random::<u128>()));
    let mut settings = UNLIMITED.to_vec();
    let redis_url = redis_url.unwrap_or_default();
    settings.extend([
        ("RUST_LOG", "trace"),
        ("SCOREBOARD_LOG", "json"),
        ("SCOREBOARD_LIMITS__MAIL", "off"),
        ("SCOREBOARD_FRAUD__ACTIONS_PER_HOUR", "5"),
        ("SCOREBOARD_ALERTS__WEBHOOK_URL", alerts.as_str()),
        ("SCOREBOARD_ALERTS__SECRET", alert_secret.as_str()),
        ("SCOREBOARD_MAIL__SMTP_URL", smtp.as_str()),
        ("SCOREBOARD_MAIL__FROM", "scores@example.org"),
        ("SCOREBOARD_REDIS__URL", redis_url.as_str()),
    ]);
    let database = if let Place::At(url) = &place { Some(url.clone()) } else { None };
    let mut server = Server::start_as(place, &settings, &[]).await;
    let keys = std::fs::read(server.folder().join("scoreboard.keys")).expect("it has keys");
    let keys: Value = serde_json::from_slice(&keys).expect("JSON");
    secrets.plant("the key that signs", keys["keys"][0]["secret"].as_str().expect("a key"));

    let mut caller = Caller::new(server.address());
    let (token, user) = {
        let mut flows = Flows { server: &server, caller: &mut caller, secrets, mail: &mut mail };
        let token = flows.accounts().await;
        let user = flows.caller.get("/api/auth/me", Some(&token)).await.text("/user/id");
        flows.playing(&token, &user).await;
        flows.misplaced(&token).await;
        (token, user)
    };
    if let Some(mortal) = mortal {
        interrupted(&mut caller, secrets, &token, mortal).await;
    }
    // Enough actions for an alert.
    for _ in 0..6 {
        let begun = caller.take("/api/scoreboard/generate-action", Some(&token), &json!({ "kind": "tap" })).await;
        let action = begun.json()["action"].clone();
        caller.post("/api/scoreboard/update", Some(&token), &json!({ "action": action })).await.expect(200);
    }
    tokio::time::timeout(PATIENCE, told.recv()).await.expect("in time").expect("somebody is told");
    secrets.used(&["a token in the alerts' URL", "the alerts' secret", "the key that signs"]);

    let exported = server.command(&["export"]);
    assert!(exported.status.success(), "{}", String::from_utf8_lossy(&exported.stderr));
    let exported = [exported.stdout, exported.stderr].concat();

    // A moderator looks and decides.
    let mut mona = User::register(server.address(), "mona").await;
    mona.becomes("moderator", &server).await;
    secrets.plant("a moderator's token", mona.token.clone());
    secrets.plant("everybody's password", support::user::PASSWORD);
    let found = caller.get("/api/admin/incidents", Some(&mona.token)).await.expect(200);
    let decide = format!("/api/admin/incidents/{}/decide", found.text("/incidents/0/id"));
    caller
        .post(&decide, Some(&mona.token), &json!({ "revision": 0, "status": "confirmed", "void": true }))
        .await
        .expect(200);
    for path in ["/api/admin/moderations", "/api/scoreboard", "/health", "/metrics", "/openapi.json"] {
        caller.get(path, path.starts_with("/api").then_some(mona.token.as_str())).await.expect(200);
    }
    secrets.used(&["a moderator's token", "everybody's password"]);

    // The canary.
    let canary = format!("canary-{:08x}", rand::random::<u32>());
    let call =
        Call { method: "GET", path: "/api/scoreboard", headers: &[("x-request-id", &canary)], body: String::new() };
    caller.call(call).await.expect(200);
    until("the canary is logged", PATIENCE, async || server.log().contains(&canary).then_some(())).await;
    let mut bird = Secrets::default();
    bird.plant("a canary", canary);
    assert_ne!(bird.seen_in("the log", server.log().as_bytes()), [""; 0], "the search finds what is there");

    let mut said = std::mem::take(&mut caller.kept);
    said.push(("the export".to_owned(), exported));
    for words in
        [&["config"][..], &["admin", "list-keys"], &["admin", "incidents"], &["admin", "moderations"], &["verify"]]
    {
        let output = server.command(words);
        assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
        said.push((format!("`{}`", words.join(" ")), [output.stdout, output.stderr].concat()));
    }
    assert!(server.terminate().await.success());
    said.extend(stored(&server, database.as_deref()));
    if let Some(url) = &database {
        said.extend(archived::archived(&server, url, &user).await);
    }
    said.push(("the log".to_owned(), server.log().into_bytes()));
    said
}

/// All bytes of the database.
fn stored(server: &Server, url: Option<&str>) -> Vec<(String, Vec<u8>)> {
    if let Some(url) = url {
        let dump = Command::new("pg_dump").arg(url).output().expect("pg_dump runs");
        assert!(dump.status.success() && dump.stdout.len() > 10_000, "{}", String::from_utf8_lossy(&dump.stderr));
        return vec![("the database".to_owned(), dump.stdout)];
    }
    let files = std::fs::read_dir(server.folder()).expect("it is there").map(|file| file.expect("a file").path());
    let is_database = |path: &std::path::PathBuf| path.to_string_lossy().contains("scoreboard.db");
    let stored: Vec<_> = files
        .filter(is_database)
        .map(|path| (path.display().to_string(), std::fs::read(path).expect("it is read")))
        .collect();
    assert!(stored.iter().map(|(_, bytes)| bytes.len()).sum::<usize>() > 10_000, "there is a database");
    stored
}

fn check(place: &str, secrets: &Secrets, said: &[(String, Vec<u8>)]) {
    let planted = seen_in(place, secrets, said);
    assert!(planted >= PLANTED, "{planted} were planted");
}

/// Fails if any of them is seen; how many there were.
fn seen_in(place: &str, secrets: &Secrets, said: &[(String, Vec<u8>)]) -> usize {
    let planted = secrets.count();
    let seen: Vec<_> = said.iter().flat_map(|(where_, bytes)| secrets.seen_in(where_, bytes)).collect();
    let bytes: usize = said.iter().map(|(_, bytes)| bytes.len()).sum();
    println!("{place}: {planted} secrets planted and used, looked for in {bytes} bytes of {} outputs", said.len());
    assert!(seen.is_empty(), "{} are seen:\n{}", seen.len(), seen.join("\n"));
    planted
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_fifty_planted_secrets_none_is_seen_anywhere() {
    let mut secrets = Secrets::default();
    let said = drive(Place::Sqlite, None, None, &mut secrets).await;
    check("a file", &secrets, &said);

    let mut secrets = Secrets::default();
    let database = support::postgres::Server::start(&[]);
    let proxy =
        support::fault_proxy::FaultProxy::start(support::fault_proxy::Upstream::Socket(database.socket())).await;
    let password = secrets.make("the database's password");
    let url = format!("postgres://postgres:{password}@{}/postgres?sslmode=disable", proxy.address());
    let cache = redis::Process::start(&[]);
    let redis_password = secrets.make("the password of Redis");
    let redis_url = format!("redis://default:{redis_password}@127.0.0.1:{}", cache.port);
    let said =
        drive(Place::At(url), Some(redis_url), Some(Mortal { database: &database, proxy: &proxy }), &mut secrets).await;
    secrets.used(&["the database's password", "the password of Redis"]);
    check("a database server and Redis", &secrets, &said);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn tokens_of_another_login_are_not_seen_anywhere() {
    let mut secrets = Secrets::default();
    outside::tokens_are_not_seen(&mut secrets).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn servers_that_cannot_start_or_are_alone_tell_no_secret() {
    let folder = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("cargo's folder for tests takes files");
    let mut secrets = Secrets::default();
    let mut said = starts::broken(&mut secrets, folder.path());
    let mail = Mail::start().await;
    said.extend(starts::lonely(&mut secrets, folder.path(), &mail.port).await);
    let planted = secrets.count();
    let seen: Vec<_> = said.iter().flat_map(|(where_, bytes)| secrets.seen_in(where_, bytes)).collect();
    assert!(seen.is_empty(), "{} of {planted} are seen:\n{}", seen.len(), seen.join("\n"));
}
