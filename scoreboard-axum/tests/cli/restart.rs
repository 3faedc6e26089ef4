use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::json;

use crate::folder::Folder;
use crate::served::Served;

#[test]
fn what_was_acknowledged_outlives_a_kill_and_the_same_action_gets_the_same_receipt() {
    let folder = Folder::new();
    let server = Served::start(&folder, &[]);
    server.register("ada@example.org");
    let token = server.log_in("ada@example.org");
    let action = server.action(&token, "tap");
    let first = server.update(&token, &action);
    assert_eq!((&first["score"], &first["replayed"]), (&json!(1), &json!(false)));
    server.kill();

    let server = Served::start(&folder, &[]);
    let top = server.get("/api/scoreboard").1;
    assert_eq!((&top["entries"][0]["score"], &top["entries"][0]["displayName"]), (&json!(1), &json!("Ada")));
    let mut again = server.update(&token, &action);
    assert_eq!(again["replayed"], true);
    for key in ["replayed", "rank"] {
        again[key] = first[key].clone();
    }
    assert_eq!(again, first);
    assert_eq!(server.get("/api/scoreboard").1["entries"][0]["score"], 1);
    assert_eq!(server.stop(), Some(0));
    assert!(folder.ok(&["verify"]).starts_with("main: clean up to version 1 (1 scores)\nmain: head 1 "));
}

#[test]
fn a_stop_finishes_what_is_under_way() {
    let folder = Folder::new();
    let server = Served::start(&folder, &["--set", "limits.update=off", "--set", "fraud.max_outstanding=100"]);
    server.register("ada@example.org");
    let token = server.log_in("ada@example.org");
    let actions: Vec<_> = (0..30).map(|_| server.action(&token, "tap")).collect();
    let sent: Vec<_> = actions
        .iter()
        .map(|action| server.send("POST", "/api/scoreboard/update", Some(&token), Some(action)))
        .collect();
    server.signal("TERM");
    let mut acknowledged = 0;
    for mut stream in sent {
        let mut answer = String::new();
        // One that was not taken yet when the server stopped gets no answer.
        let _ = stream.read_to_string(&mut answer);
        let status = answer.split(' ').nth(1).unwrap_or("none");
        assert!(["200", "503", "none"].contains(&status), "{answer}");
        acknowledged += u64::from(status == "200");
    }
    assert_eq!(server.ended(), Some(0));
    let log = folder.read("server.log");
    assert!(log.contains("SIGTERM") && log.contains("stopped"), "{log}");
    let verified = folder.ok(&["verify"]);
    let version = verified.split(' ').nth(5).and_then(|version| version.parse::<u64>().ok());
    assert!(version.is_some_and(|version| version >= acknowledged), "{acknowledged} acknowledged: {verified}");
}

#[test]
fn old_keys_verify_until_they_are_dropped() {
    let folder = Folder::new();
    let server = Served::start(&folder, &[]);
    server.register("ada@example.org");
    let token = server.log_in("ada@example.org");
    let action = server.action(&token, "tap");
    let said = folder.ok(&["admin", "rotate-keys", "--after", "0"]);
    assert!(said.contains("signs in 0 s"), "{said}");
    assert_eq!(server.stop(), Some(0));

    let server = Served::start(&folder, &[]);
    let old_key = action["action"]["keyId"].clone();
    assert_ne!(server.action(&token, "tap")["action"]["keyId"], old_key, "the new key signs");
    assert_eq!(server.update(&token, &action)["score"], 1, "the old key's action and token are good");
    assert_eq!(server.stop(), Some(0));

    folder.ok(&["admin", "rotate-keys", "--keep", "0"]);
    let server = Served::start(&folder, &[]);
    assert_eq!(server.post("/api/scoreboard/update", Some(&token), &action).0, 401);
    let token = server.log_in("ada@example.org");
    let (status, problem) = server.post("/api/scoreboard/update", Some(&token), &action);
    assert_eq!((status, &problem["code"]), (400, &json!("action_signature_invalid")));
}

#[test]
fn a_second_signal_ends_it_at_once() {
    let folder = Folder::new();
    let server = Served::start(&folder, &["--drain-seconds", "600", "--set", "http.body_timeout_seconds=600"]);
    // A body that never comes keeps the first signal waiting.
    let mut half = TcpStream::connect(server.url().trim_start_matches("http://")).unwrap();
    half.write_all(
        b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 9\r\n\r\n{",
    )
    .unwrap();
    // Its connection was accepted before this one's.
    assert_eq!(server.get("/health/live").0, 200);
    server.signal("INT");
    while !folder.read("server.log").contains("SIGINT") {
        std::thread::sleep(Duration::from_millis(20));
    }
    server.signal("INT");
    assert_eq!(server.ended(), Some(130));
}

#[test]
fn a_key_file_that_is_gone_is_told() {
    let folder = Folder::new();
    for (gone, told) in [(false, false), (false, false), (true, true)] {
        if gone {
            std::fs::remove_file(folder.path("scoreboard.keys")).unwrap();
        }
        assert_eq!(Served::start(&folder, &[]).stop(), Some(0));
        assert_eq!(folder.read("server.log").contains("there was no key file beside the database"), told);
    }
}
