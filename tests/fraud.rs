//! From an action to a decision, on the real server: a user plays faster than is believed, the log's watch finds it, people are told by mail and by a
//! signed request, and one of them decides.

mod support;

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::post;
use serde_json::{Value, json};
use support::server::{Server, UNLIMITED};
use support::started::started;
use support::user::User;
use support::wait::until;
use tokio::io::{AsyncBufReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::sync::mpsc;

const PATIENCE: Duration = Duration::from_secs(60);

type Requests = mpsc::UnboundedReceiver<(HeaderMap, String)>;

/// Takes signed requests.
async fn receiver() -> (String, Requests) {
    let (sender, requests) = mpsc::unbounded_channel();
    let take = async |State(sender): State<Arc<mpsc::UnboundedSender<_>>>, headers: HeaderMap, body: String| {
        sender.send((headers, body)).expect("the test waits for it");
    };
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let url = format!("http://{}/alerts", listener.local_addr().expect("it listens"));
    let app = Router::new().route("/alerts", post(take)).with_state(Arc::new(sender));
    tokio::spawn(async move { axum::serve(listener, app).await });
    (url, requests)
}

/// A mail server of the test's own. It ends with the test.
async fn mail_server() -> (Lines<BufReader<ChildStdout>>, String, Child) {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scoreboard-notify/tests/mail_server.py");
    // Debian's own Python, for which its package `python3-aiosmtpd` is.
    let mut command = Command::new("/usr/bin/python3");
    command.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut process = command.spawn().expect("scripts/setup installs what is needed");
    let mut lines = BufReader::new(process.stdout.take().expect("it is piped")).lines();
    let port = lines.next_line().await.expect("it speaks").expect("aiosmtpd is installed");
    started("mail server", process.id().expect("it runs"), format_args!("127.0.0.1:{port}"), "");
    (lines, format!("smtp://127.0.0.1:{port}"), process)
}

async fn tap(user: &mut User) {
    let action = user.issue("tap").await.expect("it answers").expect(201)["action"].take();
    user.update(&action).await.expect("it answers").expect(200);
}

async fn as_reviewer(reviewer: &mut User, method: &str, path: &str, body: Option<&Value>) -> Value {
    let path = format!("/api/admin/incidents{path}");
    reviewer.client.send(method, &path, Some(&reviewer.token), body).await.expect("it answers").expect(200)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_plays_faster_than_is_believed_is_found_told_of_and_judged_by_a_person() {
    let (webhook, mut requests) = receiver().await;
    let (mut mails, smtp, _mail) = mail_server().await;
    let mut settings = UNLIMITED.to_vec();
    settings.extend([
        ("SCOREBOARD_FRAUD__ACTIONS_PER_HOUR", "5"),
        ("SCOREBOARD_FRAUD__VELOCITY", "hold"),
        ("SCOREBOARD_ALERTS__WEBHOOK_URL", webhook.as_str()),
        ("SCOREBOARD_ALERTS__SECRET", "0123456789abcdef0123456789abcdef"),
        ("SCOREBOARD_ALERTS__EMAILS", "mona@example.org"),
        ("SCOREBOARD_MAIL__SMTP_URL", smtp.as_str()),
        ("SCOREBOARD_MAIL__FROM", "scores@example.org"),
    ]);
    let mut server = Server::start_with(&settings, &[]).await;
    let (mut ada, mut mona) =
        (User::register(server.address(), "ada").await, User::register(server.address(), "mona").await);
    mona.becomes("moderator", &server).await;

    // If the hour is over meanwhile, the count begins anew.
    let incident = until("she is found", PATIENCE, async || {
        tap(&mut ada).await;
        let mut found = as_reviewer(&mut mona, "GET", "?status=open&rule=velocity", None).await;
        found["incidents"].get_mut(0).map(Value::take)
    })
    .await;
    assert_eq!((&incident["userId"], &incident["measure"]), (&json!(ada.id), &json!("hold")), "{incident}");
    let finding = &incident["finding"];
    assert_eq!((&finding["value"], &finding["threshold"], &finding["unit"]), (&json!(6), &json!(5), &json!("perHour")));
    assert_eq!(finding["actions"].as_array().map(Vec::len), Some(6), "{finding}");

    let id = incident["id"].as_str().expect("an id");
    let (headers, body) = requests.recv().await.expect("it is told by a request");
    let body: Value = serde_json::from_str(&body).expect("JSON");
    assert_eq!((&body["kind"], &body["userId"]), (&json!("incident"), &json!(ada.id)));
    assert!(body["text"].as_str().is_some_and(|text| text.contains(id)), "{body}");
    assert!(headers.contains_key("x-scoreboard-signature"));
    let told = loop {
        let line = mails.next_line().await.expect("it speaks").expect("it is told by mail");
        let mail: Value = serde_json::from_str(&line).expect("JSON");
        if mail["subject"].as_str().is_some_and(|subject| subject.contains("incident: velocity")) {
            break mail;
        }
    };
    assert_eq!(told["to"][0], "mona@example.org");

    let dismiss = json!({ "revision": 0, "status": "dismissed", "note": "she has eight arms" });
    as_reviewer(&mut mona, "POST", &format!("/{id}/decide"), Some(&dismiss)).await;
    // After a restart the watch goes on, knows what it has found, and all of it is there.
    server.kill9();
    server.restart().await;
    for _ in 0..10 {
        tap(&mut ada).await;
    }
    let watched = until("what she has done is looked at", PATIENCE, async || {
        let metrics = ada.client.get("/metrics").await.expect("it answers");
        let text = metrics.body.as_str().expect("text").to_owned();
        let of = |name: &str| text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse::<f64>().ok());
        (of("scoreboard_fraud_watch_lag_changes ")? == 0.0 && of("scoreboard_fraud_watch_changes_total ")? >= 10.0)
            .then_some(text)
    })
    .await;
    assert!(!watched.contains("scoreboard_fraud_findings_total{"), "nothing was found anew: {watched}");
    let file = as_reviewer(&mut mona, "GET", &format!("/{id}"), None).await;
    assert_eq!((&file["incident"]["status"], &file["steps"][0]["by"]), (&json!("dismissed"), &json!(mona.id)));
    assert!(server.terminate().await.success());
}
