use serde_json::json;

use crate::folder::Folder;
use crate::served::{PASSWORD, Served};

fn create(folder: &Folder, args: &[&str], password: &str) -> crate::folder::Ended {
    folder.run_with(&[&["admin", "create-user", "--display-name", "Ada", "--email"], args].concat(), password)
}

#[test]
fn users_are_made_and_get_roles_beside_a_running_server() {
    let folder = Folder::new();
    let created = create(&folder, &["ada@example.org", "--role", "admin"], &format!("{PASSWORD}\n"));
    assert_eq!(created.code, 0, "{created:?}");
    assert!(created.out.starts_with("created user "), "{created:?}");
    let server = Served::start(&folder, &[]);
    let roles = |email: &str| {
        let body = json!({"email": email, "password": PASSWORD});
        server.post("/api/auth/login", None, &body).1["user"]["roles"].clone()
    };
    assert_eq!(roles("ada@example.org"), json!(["user", "admin"]));
    server.register("bob@example.org");
    let granted = folder.ok(&["admin", "grant-role", "bob@example.org", "moderator"]);
    assert!(granted.ends_with("has the roles user, moderator\n"), "{granted}");
    assert_eq!(roles("bob@example.org"), json!(["user", "moderator"]));
    folder.ok(&["admin", "revoke-role", "bob@example.org", "moderator"]);
    assert_eq!(roles("bob@example.org"), json!(["user"]));
    assert!(folder.refused(&["admin", "revoke-role", "bob@example.org", "user"]).contains("cannot be revoked"));
    assert!(
        folder
            .refused(&["admin", "grant-role", "eve@example.org", "admin"])
            .contains("there is no user eve@example.org")
    );
}

#[test]
fn a_user_that_breaks_a_rule_is_refused_in_one_line() {
    let folder = Folder::new();
    for (args, password, part) in [
        (["ada@example.org"].as_slice(), "short\n", "password: must have 15 to 128 characters"),
        (&["ada@example.org"], "", "first line of standard input"),
        (&["nobody"], "short", "email: "),
    ] {
        let refusal = create(&folder, args, password).one_line(1);
        assert!(refusal.contains(part), "{refusal}");
    }
    assert_eq!(create(&folder, &["ada@example.org"], PASSWORD).code, 0, "without an end of line too");
    assert!(create(&folder, &["ADA@example.org"], PASSWORD).one_line(1).contains("taken"));
    let usage = folder.run(&["admin", "create-user", "--email", "a@b", "--display-name", "A", "--password", "x"]);
    assert_eq!(usage.code, 2, "never from the command line: {usage:?}");
}

#[test]
fn boards_and_kinds_are_made_and_changed() {
    let folder = Folder::new();
    let laps =
        ["admin", "create-board", "laps", "--name", "Best laps", "--direction", "ascending", "--operator", "best"];
    folder.ok(&laps);
    assert!(folder.refused(&laps).contains("there is already a board `laps`"));
    folder.ok(&[
        "admin",
        "set-kind",
        "laps",
        "lap",
        "--points",
        "1..600000",
        "--min-duration",
        "20",
        "--lifetime",
        "900",
    ]);
    folder.ok(&["admin", "set-kind", "laps", "bonus", "--points", "-5", "--per-day", "3"]);
    folder.ok(&["admin", "change-board", "laps", "--name", "Laps", "--tie-break", "latest"]);
    assert_eq!(
        folder.ok(&["admin", "list-boards"]),
        "laps \"Laps\": ascending, best, latest first among equals; season 1, version 0, 0 entries
  lap: 1..600000 points, takes 20 s at least, can be handed in for 900 s
  bonus: -5 points, takes 0 s at least, can be handed in for 600 s, at most 3 a day\n"
    );
    let changed = folder.ok(&["admin", "set-kind", "laps", "bonus", "--points", "7"]);
    assert!(changed.contains("bonus: 7 points") && !changed.contains("a day"), "{changed}");
    assert!(!folder.ok(&["admin", "remove-kind", "laps", "bonus"]).contains("bonus"));
    for (args, part) in [
        (["admin", "remove-kind", "laps", "bonus"].as_slice(), "the board `laps` has no kind `bonus`"),
        (&["admin", "remove-kind", "main", "tap"], "there is no board `main`"),
        (&["admin", "change-board", "main"], "there is no board `main`"),
        (&["admin", "set-kind", "laps", "lap", "--points", "ten"], "points must be"),
        (&["admin", "set-kind", "laps", "lap", "--points", "9..1"], "points range"),
        (&["admin", "set-kind", "laps", "lap", "--points", "1", "--lifetime", "0"], "lifetime"),
        (&["admin", "create-board", "x", "--name", ""], "board name"),
    ] {
        let refusal = folder.refused(args);
        assert!(refusal.contains(part), "{refusal}");
    }
    assert_eq!(folder.run(&["admin", "create-board", "Not A Slug"]).code, 2);
    assert_eq!(folder.run(&["admin", "create-board", "x", "--operator", "multiply"]).code, 2);
}

#[test]
fn the_order_of_a_board_with_a_log_is_fixed() {
    let folder = Folder::new();
    folder.write("in.jsonl", crate::transfer::EXPORT);
    folder.ok(&["import", "in.jsonl"]);
    let refusal = folder.refused(&["admin", "change-board", "main", "--operator", "best"]);
    assert!(refusal.contains("its operator, direction and tie-break are fixed"), "{refusal}");
    assert!(folder.ok(&["admin", "change-board", "main", "--name", "Other"]).contains("\"Other\""));
}

#[test]
fn a_server_key_is_shown_once_and_records_until_it_is_removed() {
    let folder = Folder::new();
    let created = folder.run(&["admin", "create-server-key", "arena-1"]);
    let key = created.out.trim().to_owned();
    assert!(created.code == 0 && key.contains("arena-1") && !key.contains(char::is_whitespace), "{created:?}");
    assert!(folder.refused(&["admin", "create-server-key", "arena-1"]).contains("there is already a key `arena-1`"));
    let server = Served::start(&folder, &[]);
    let body = json!({"board": "main", "userId": "01990000-0000-7000-8000-000000000001", "kind": "tap"});
    let record = |idempotency: &str| {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(server.url().trim_start_matches("http://")).unwrap();
        let text = body.to_string();
        let head = format!(
            "POST /api/scoreboard/record HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {key}\r\nIdempotency-Key: {idempotency}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{text}",
            text.len()
        );
        stream.write_all(head.as_bytes()).unwrap();
        Served::answer(stream)
    };
    let (status, answer) = record("match-1");
    assert_eq!(status, 200, "{answer}");
    folder.ok(&["admin", "remove-server-key", "arena-1"]);
    assert!(folder.refused(&["admin", "remove-server-key", "arena-1"]).contains("there is no key `arena-1`"));
    assert_eq!(record("match-2").0, 401);
}

#[test]
fn rotation_puts_a_new_key_in_front() {
    let folder = Folder::new();
    let first = folder.ok(&["admin", "rotate-keys"]);
    assert!(first.ends_with("older keys that still verify: none\n"), "{first}");
    let id = first.split(' ').next().unwrap_or_default().to_owned();
    let second = folder.ok(&["admin", "rotate-keys"]);
    assert!(second.ends_with(&format!("older keys that still verify: {id}\n")), "{second}");
    assert!(folder.ok(&["admin", "rotate-keys", "--keep", "0"]).ends_with("none\n"));
}

#[test]
fn incidents_are_listed() {
    let folder = Folder::new();
    let server = Served::start(&folder, &[]);
    assert_eq!(folder.ok(&["admin", "incidents"]), "no incidents\n");
    server.register("ada@example.org");
    let token = server.log_in("ada@example.org");
    // The kind's minimum is raised while the action is under way.
    let action = server.action(&token, "tap");
    folder.ok(&["admin", "set-kind", "main", "tap", "--points", "1", "--min-duration", "50", "--lifetime", "60"]);
    // A running server follows within two seconds: once it knows this kind, it knows the change before it too.
    folder.ok(&["admin", "set-kind", "main", "newer", "--points", "1"]);
    let generate = || server.post("/api/scoreboard/generate-action", Some(&token), &json!({"kind": "newer"})).0;
    let known = (0..100).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(100));
        generate() == 201
    });
    assert!(known, "the server has not followed");
    let blocked = server.post("/api/scoreboard/update", Some(&token), &action);
    assert_eq!((blocked.0, &blocked.1["code"]), (403, &json!("action_blocked")), "{blocked:?}");
    let listed = folder.ok(&["admin", "incidents", "--limit", "1"]);
    assert!(
        listed.contains("too_fast") && listed.contains(action["action"]["id"].as_str().expect("an id")),
        "{listed}"
    );
}

#[test]
fn an_epoch_is_begun_after_a_restore() {
    let folder = Folder::new();
    assert!(folder.refused(&["admin", "raise-epoch"]).contains("there is none"), "nothing to restore");
    folder.ok(&["admin", "create-board", "laps"]);
    assert_eq!(folder.ok(&["admin", "raise-epoch"]), "epoch 2 has begun; it was 1\n");
    assert_eq!(folder.ok(&["admin", "raise-epoch"]), "epoch 3 has begun; it was 2\n");
    assert!(folder.ok(&["export"]).contains("\"epoch\":3"));
}
