use serde_json::{Value, json};

use crate::folder::Folder;
use crate::served::Served;

#[test]
fn a_first_start_makes_keys_a_board_and_says_where_the_page_is() {
    let folder = Folder::new();
    let server = Served::start(&folder, &[]);
    let (status, answer) = server.get("/api/scoreboard/boards");
    assert_eq!(status, 200);
    let board = &answer["boards"][0];
    assert_eq!(answer["boards"].as_array().map(Vec::len), Some(1));
    assert_eq!(
        (&board["id"], &board["direction"], &board["operator"]),
        (&json!("main"), &json!("descending"), &json!("increment"))
    );
    let kind = |kind: &str, key: &str, points: Value, min: u32, lifetime: u32| json!({"kind": kind, key: points, "minDurationSeconds": min, "lifetimeSeconds": lifetime, "perDay": null});
    let sample = json!([
        kind("tap", "points", json!(1), 0, 60),
        kind("quest", "points", json!(10), 2, 600),
        kind("boss", "pointsRange", json!([50, 150]), 5, 600),
    ]);
    assert_eq!(board["kinds"], sample);
    assert_eq!(server.get("/health/ready").0, 200);
    let (status, page) = Served::answer(server.send("GET", "/", None, None));
    assert!(status == 200 && page.contains("<html"), "{page}");
    let (status, metrics) = Served::answer(server.send("GET", "/metrics", None, None));
    assert!(status == 200 && metrics.contains("# TYPE"), "{metrics}");
    assert!(metrics.contains("# HELP scoreboard_db_pool_wait_seconds How long"), "{metrics}");
    for pool in ["writer", "readers"] {
        let series = format!("scoreboard_db_pool_wait_seconds_count{{pool=\"{pool}\"}}");
        assert!(metrics.contains(&series), "{series}: {metrics}");
    }
    let keys = folder.read("scoreboard.keys");
    #[cfg(unix)]
    for name in ["scoreboard.keys", "scoreboard.db", "scoreboard.db-lock"] {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.path(name)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{name}");
    }
    assert_eq!(server.stop(), Some(0));

    let secret = serde_json::from_str::<Value>(&keys).unwrap()["keys"][0]["secret"].as_str().unwrap().to_owned();
    let log = folder.read("server.log");
    assert!(!log.contains(&secret));
    for line in log.lines() {
        assert!(serde_json::from_str::<Value>(line).is_ok(), "no terminal, so JSON: {line}");
    }
    assert!(!folder.path("scoreboard.db-wal").exists(), "the database was closed");

    let server = Served::start(&folder, &[]);
    assert_eq!(folder.read("scoreboard.keys"), keys);
    assert_eq!(server.get("/api/scoreboard/boards").1["boards"].as_array().map(Vec::len), Some(1));
}

#[test]
fn a_board_that_is_there_is_left_as_it_is() {
    let folder = Folder::new();
    folder.ok(&["admin", "create-board", "laps", "--direction", "ascending", "--operator", "best"]);
    let server = Served::start(&folder, &[]);
    let boards = server.get("/api/scoreboard/boards").1;
    assert_eq!(boards["boards"].as_array().map(Vec::len), Some(1));
    assert_eq!(boards["boards"][0]["id"], "laps");
}

#[test]
fn in_memory_nothing_is_written_and_logs_are_text_if_asked_for() {
    let folder = Folder::new();
    let server = Served::start(&folder, &["--database-url", "memory:", "--log", "text"]);
    server.register("ada@example.org");
    let token = server.log_in("ada@example.org");
    assert_eq!(server.update(&token, &server.action(&token, "tap"))["score"], 1);
    assert_eq!(server.stop(), Some(0));
    let names: Vec<_> = std::fs::read_dir(folder.path(".")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["server.log"]);
    let log = folder.read("server.log");
    assert!(log.contains("kept in memory") && log.contains("INFO"), "{log}");
}

#[test]
fn a_limit_from_the_settings_counts() {
    let folder = Folder::new();
    let server = Served::start(&folder, &["--set", "limits.update=2/min"]);
    server.register("ada@example.org");
    let token = server.log_in("ada@example.org");
    let actions = [(); 3].map(|()| server.action(&token, "tap"));
    server.update(&token, &actions[0]);
    server.update(&token, &actions[1]);
    assert_eq!(server.post("/api/scoreboard/update", Some(&token), &actions[2]).0, 429);
}
