//! A second implementation of signed actions, in Python and from the document alone, agrees with a real server.

mod support;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::{Value, json};
use support::server::Server;
use support::user::User;

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Runs the Python script with these lines to read, and gives the lines that it writes.
fn python(command: &str, file: &Path, lines: &[Value]) -> Vec<String> {
    let mut child = Command::new("python3")
        .arg("-B")
        .arg(root().join("tests/python/signed_actions.py"))
        .args([command.as_ref(), file.as_os_str()])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("python3 is installed");
    let input: String = lines.iter().map(|line| format!("{line}\n")).collect();
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads to the end");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{command}: {}", output.status);
    String::from_utf8(output.stdout).expect("it writes text").lines().map(str::to_owned).collect()
}

fn key_file(server: &Server) -> PathBuf {
    server.database().with_file_name("scoreboard.keys")
}

/// The same action with other members.
fn with(action: &Value, members: &Value) -> Value {
    let mut altered = action.clone();
    altered.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
    altered
}

async fn issued(user: &mut User) -> Value {
    user.issue("tap").await.expect("the server answers").expect(201)["action"].clone()
}

#[test]
fn the_vectors_hold_in_python_too() {
    let told = python("vectors", &root().join("docs/signed-actions.json"), &[]);
    assert!(told[0].ends_with("forged"), "{told:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_the_server_signs_python_verifies_and_what_it_refuses_python_refuses() {
    let server = Server::start().await;
    let mut ada = User::register(server.address(), "ada").await;
    let mut eve = User::register(server.address(), "eve").await;
    let (one, two, eves) = (issued(&mut ada).await, issued(&mut ada).await, issued(&mut eve).await);
    let genuine = [one.clone(), two.clone(), eves.clone()];
    assert_eq!(python("verify", &key_file(&server), &genuine), ["genuine"; 3]);

    let hash = one["hash"].as_str().expect("a text");
    let forged = [
        with(&one, &json!({ "points": 1_000_000 })),
        with(&one, &json!({ "points": one["points"].as_i64().expect("a number") + 1 })),
        with(&one, &json!({ "id": two["id"] })),
        with(&one, &json!({ "hash": two["hash"] })),
        with(&one, &json!({ "userId": eves["userId"] })),
        with(&eves, &json!({ "userId": one["userId"] })),
        with(&one, &json!({ "board": "other" })),
        with(&one, &json!({ "season": 2 })),
        with(&one, &json!({ "kind": "quest" })),
        with(&one, &json!({ "issuedAt": "2020-01-01T00:00:00.000Z" })),
        with(&one, &json!({ "notBefore": "2020-01-01T00:00:00.000Z" })),
        with(&one, &json!({ "expiresAt": "2999-01-01T00:00:00.000Z" })),
        with(&one, &json!({ "keyId": "unknown" })),
        with(&one, &json!({ "hash": hash.to_uppercase().replace(|c: char| c.is_ascii_digit(), "A") })),
        with(&one, &json!({ "hash": "0".repeat(64) })),
        with(&one, &json!({ "hash": &hash[..62] })),
        with(&one, &json!({ "extra": true })),
    ];
    let verdicts = python("verify", &key_file(&server), &forged);
    assert_eq!(verdicts, vec!["forged"; forged.len()]);
    for action in &forged {
        let answer = ada.update(action).await.expect("the server answers");
        assert_eq!(answer.status, 400, "{action}: {}", answer.body);
    }
    // The server has kept nothing of it: what it signed still counts, once.
    let receipt = ada.update(&one).await.expect("the server answers").expect(200)["receipt"].clone();
    assert_eq!((&receipt["score"], &receipt["version"]), (&one["points"], &json!(1)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_python_signs_with_the_servers_key_the_server_takes_and_with_no_other() {
    let server = Server::start().await;
    let stranger = Server::start().await;
    let mut ada = User::register(server.address(), "ada").await;
    let mut action = issued(&mut ada).await;
    let issued_hash = action.as_object_mut().expect("an object").remove("hash").expect("it is signed");
    action.as_object_mut().expect("an object").remove("keyId").expect("by a key");
    let sign = |server: &Server, claims: &Value| -> Value {
        let lines = python("sign", &key_file(server), std::slice::from_ref(claims));
        serde_json::from_str(&lines[0]).expect("it writes JSON")
    };
    assert_eq!(sign(&server, &action)["hash"], issued_hash, "the same claims have the same signature");

    let own = with(&action, &json!({ "id": "018c8c2e-7a00-7abc-8def-0123456789ab" }));
    let signed = sign(&server, &own);
    let strange = sign(&stranger, &own);
    let forged = [
        strange.clone(),
        // Under the name of the server's own key.
        with(&strange, &json!({ "keyId": signed["keyId"] })),
        with(&signed, &json!({ "keyId": strange["keyId"] })),
        with(&signed, &json!({ "points": 1_000_000 })),
        with(&signed, &json!({ "id": "018c8c2e-7a00-7abc-8def-0123456789ac" })),
        with(&own, &json!({ "keyId": signed["keyId"], "hash": issued_hash })),
    ];
    for action in &forged {
        let answer = ada.update(action).await.expect("the server answers");
        assert_eq!((answer.status, &answer.body["code"]), (400, &json!("action_signature_invalid")), "{action}");
    }
    let receipt = ada.update(&signed).await.expect("the server answers").expect(200)["receipt"].clone();
    assert_eq!((&receipt["version"], &receipt["replayed"]), (&json!(1), &json!(false)));
}
