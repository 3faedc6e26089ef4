//! A game server in Python, made from the document alone, records results at a real server by signed requests.

mod support;

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::server::Server;
use support::user::User;

/// Runs the script with these lines to read, and gives the lines that it writes.
fn python(arguments: &[&str], lines: &[Value]) -> Vec<String> {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/python/signed_requests.py");
    let mut child = Command::new("python3")
        .arg("-B")
        .arg(script)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads to the end");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{arguments:?}: {}", output.status);
    String::from_utf8(output.stdout).expect("it writes text").lines().map(str::to_owned).collect()
}

#[test]
fn the_vectors_of_requests_hold_in_python_too() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/signed-requests.json");
    let told = python(&["vectors", file.to_str().expect("text")], &[]);
    assert_eq!(told, ["3 requests"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_game_server_in_python_records_what_it_has_signed_and_nothing_else() {
    let server = Server::start().await;
    let ada = User::register(server.address(), "ada").await;
    let made = server.command(&["admin", "create-server-key", "arena_1", "--signing"]);
    assert!(made.status.success(), "{made:?}");
    let key = String::from_utf8(made.stdout).expect("text");
    let body = json!({ "userId": ada.id, "kind": "boss", "points": 120 });
    let other = json!({ "userId": ada.id, "kind": "boss", "points": 150 });
    let cases = [
        (200, json!({ "idempotencyKey": "match-1", "body": body })),
        (200, json!({ "idempotencyKey": "match-1", "body": body })),
        (200, json!({ "idempotencyKey": "match-2", "body": body, "shift": -290 })),
        (200, json!({ "idempotencyKey": "match-3", "body": body, "shift": 290 })),
        (422, json!({ "idempotencyKey": "match-1", "body": other })),
        (401, json!({ "idempotencyKey": "match-4", "body": body, "shift": -310 })),
        (401, json!({ "idempotencyKey": "match-4", "body": body, "shift": 310 })),
        (401, json!({ "idempotencyKey": "match-4", "body": body, "sent": { "idempotencyKey": "match-5" } })),
        (401, json!({ "idempotencyKey": "match-4", "body": body, "sent": { "body": other } })),
        (401, json!({ "idempotencyKey": "match-4", "body": body, "sent": { "time": 1 } })),
        (401, json!({ "idempotencyKey": "match-4", "body": body, "sent": { "key": "arena_2" } })),
        (401, json!({ "idempotencyKey": "match-4", "body": body, "sent": { "path": "/api/scoreboard/record?x=1" } })),
    ];
    let lines: Vec<Value> = cases.iter().map(|(_, case)| case.clone()).collect();
    let answers = python(&["record", &server.url(), key.trim()], &lines);
    assert_eq!(answers.len(), cases.len());
    for ((status, case), answer) in cases.iter().zip(&answers) {
        let answer: Value = serde_json::from_str(answer).expect("JSON");
        assert_eq!(answer["status"], *status, "{case}: {answer}");
    }
    let second: Value = serde_json::from_str(&answers[1]).expect("JSON");
    assert_eq!(second["answer"]["receipt"]["replayed"], true, "a repeat counts nothing");
    let fourth: Value = serde_json::from_str(&answers[3]).expect("JSON");
    assert_eq!(fourth["answer"]["receipt"]["score"], 360, "three results");

    let removed = server.command(&["admin", "remove-server-key", "arena_1"]);
    assert!(removed.status.success(), "{removed:?}");
    let refused = python(&["record", &server.url(), key.trim()], &lines[..1]);
    assert!(refused[0].contains("401"), "{refused:?}");
    server.assert_verified();
}
