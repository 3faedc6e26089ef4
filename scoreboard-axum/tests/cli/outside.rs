//! Users of another login: their tokens are taken by the keys that the other login publishes.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use crate::folder::Folder;
use crate::keys::until;
use crate::served::Served;

/// Publishes a set of keys, or fails.
struct Publisher {
    url: String,
    set: Arc<Mutex<String>>,
    fails: Arc<AtomicBool>,
}

impl Publisher {
    fn start(set: &Value) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let url = format!("http://{}/keys", listener.local_addr().expect("an address"));
        let (set, fails) = (Arc::new(Mutex::new(set.to_string())), Arc::new(AtomicBool::new(false)));
        let (shown, broken) = (set.clone(), fails.clone());
        // Ends with the process.
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(mut stream) = stream else { continue };
                let mut head = [0; 1024];
                let _ = stream.read(&mut head);
                let body = shown.lock().expect("no panic").clone();
                let status = if broken.load(Ordering::Acquire) { "500 Oops" } else { "200 OK" };
                let length = body.len();
                let _ =
                    write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}");
            }
        });
        Self { url, set, fails }
    }
}

/// Another server is the other login: it signs with Ed25519 and publishes its keys.
fn other_login() -> (Folder, Served) {
    let folder = Folder::new();
    let args = ["--set", "accounts.token_algorithm=eddsa", "--set", "accounts.issuer=https://login.example"];
    let server = Served::start(&folder, &args);
    (folder, server)
}

fn status(server: &Served, method: &str, path: &str, token: &str) -> u16 {
    Served::answer(server.send(method, path, Some(token), None)).0
}

#[test]
fn users_of_another_login_score_by_the_keys_that_it_publishes() {
    let (_kept, login) = other_login();
    login.register("ada@example.org");
    let token = login.log_in("ada@example.org");
    let (_, set) = login.get("/.well-known/jwks.json");
    let publisher = Publisher::start(&set);

    let folder = Folder::new();
    let url = format!("outside.jwks_url={}", publisher.url);
    let args = [
        "--set",
        "outside.issuer=https://login.example",
        "--set",
        "outside.audience=https://login.example",
        "--set",
        &url,
    ];
    let server = Served::start(&folder, &args);
    let action = server.action(&token, "tap");
    assert_eq!(server.update(&token, &action)["score"], 1);
    assert_eq!(status(&server, "GET", "/api/scoreboard/me", &token), 200);
    assert_eq!(status(&server, "POST", "/api/auth/ws-ticket", &token), 201);
    // Nothing of accounts: there is none.
    for (method, path) in [
        ("GET", "/api/auth/me"),
        ("POST", "/api/auth/logout"),
        ("GET", "/api/auth/sessions"),
        ("DELETE", "/api/auth/sessions"),
        ("GET", "/api/auth/mfa"),
        ("POST", "/api/auth/mfa/totp"),
        ("POST", "/api/auth/password"),
        ("POST", "/api/auth/email/confirmation"),
    ] {
        assert_eq!(status(&server, method, path, &token), 401, "{method} {path}");
    }
    let user = action["action"]["userId"].as_str().expect("an id").to_owned();
    assert_eq!(status(&server, "GET", &format!("/api/scoreboard/users/{user}/history"), &token), 200);
    let another = "00000000-0000-0000-0000-000000000001";
    assert_eq!(status(&server, "GET", &format!("/api/scoreboard/users/{another}/history"), &token), 403);

    // The other login goes on with another key: it is fetched once a token names it.
    let said = _kept.ok(&["admin", "rotate-keys", "--after", "0"]);
    let new = said.split(' ').next().unwrap_or_default().to_owned();
    let set = until("the new key signs", || {
        let (_, set) = login.get("/.well-known/jwks.json");
        (set["keys"][0]["kid"] == json!(new)).then_some(set)
    });
    let renewed = login.log_in("ada@example.org");
    assert_eq!(status(&server, "GET", "/api/scoreboard/me", &renewed), 401, "not known yet");
    *publisher.set.lock().expect("no panic") = set.to_string();
    until("the key is fetched", || (status(&server, "GET", "/api/scoreboard/me", &renewed) == 200).then_some(()));
    let action = server.action(&renewed, "tap");
    assert_eq!(action["action"]["userId"], json!(user), "the same user");

    // Where the other login is away, its keys are still known.
    publisher.fails.store(true, Ordering::Release);
    assert_eq!(status(&server, "GET", "/api/scoreboard/me", "e30.e30.e30"), 401);
    assert_eq!(status(&server, "GET", "/api/scoreboard/me", &renewed), 200);
    assert_eq!((server.stop(), login.stop()), (Some(0), Some(0)));
}

#[test]
fn what_is_no_set_of_keys_is_refused_at_the_start() {
    let folder = Folder::new();
    folder.write("keys.json", r#"{"keys":[]}"#);
    let issuer = ["--set", "outside.issuer=x"];
    let refused = |more: &[&str]| folder.refused(&[&issuer[..], more].concat());
    assert!(refused(&[]).contains("outside.audience"));
    let audience = ["--set", "outside.audience=y"];
    assert!(refused(&audience).contains("outside.jwks_url"));
    let file = refused(&[&audience[..], &["--set", "outside.jwks_file=keys.json"]].concat());
    assert!(file.contains("outside.jwks_file") && file.contains("a key with a name"), "{file}");
    let url = refused(&[&audience[..], &["--set", "outside.jwks_url=http://keys.example/"]].concat());
    assert!(url.contains("outside.jwks_url") && url.contains("https://"), "{url}");
    assert!(folder.refused(&["--set", "outside.jwks_file=keys.json"]).contains("needs `outside.issuer`"));
}
