//! `archive`: what an operator sees of it, and that it can be killed at any moment.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};

use crate::database::{Schema, run};
use crate::folder::Folder;

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// So many changes of long ago on the board `main`, in a part that has ended long ago.
fn place(changes: u32) -> (Folder, Schema) {
    let (folder, schema) = (Folder::new(), wait(Schema::create()));
    folder.ok(&["admin", "rotate-keys", "--keys", "my.keys", "--database-url", schema.url()]);
    folder.ok(&["admin", "create-board", "main", "--database-url", schema.url()]);
    // As if the database was a year old: its first part ends in 2001.
    let rows = format!(
        "ALTER TABLE log_actions DETACH PARTITION log_actions_1;
         ALTER TABLE log_actions ATTACH PARTITION log_actions_1
             FOR VALUES FROM (MINVALUE) TO ('00e00000-0000-0000-0000-000000000000');
         UPDATE log_parts SET below = '00e00000-0000-0000-0000-000000000000' WHERE no = 1;
         INSERT INTO log SELECT boards.no, n, 1, lpad(to_hex(n), 32, '0')::uuid, lpad(to_hex(n), 32, '0')::uuid, 1,
             lpad(to_hex(n), 32, '0')::uuid, 'win', 1, 'action', NULL, NULL, NULL, 1, 0
             FROM boards, generate_series(1, {changes}) AS n;
         INSERT INTO scores SELECT board, season, user_id, score, version, at, -score, version FROM log;
         UPDATE seasons SET total = {changes}; UPDATE boards SET version = {changes}; ANALYZE log_actions_1"
    );
    wait(run(schema.url(), &rows));
    (folder, schema)
}

const ARCHIVE: [&str; 5] = ["archive", "--older-than", "90d", "--to", "."];

#[test]
fn it_says_what_would_go_and_then_what_went() {
    let (folder, schema) = place(1_500);
    let on = |args: &[&str]| folder.ok(&[args, &["--database-url", schema.url()]].concat());
    let would = on(&[&ARCHIVE[..], &["--dry-run"]].concat());
    assert!(would.starts_with("part 1, actions until 2000-") && would.contains("about 1500 changes, "), "{would}");
    for flag in [&["--dry-run"][..], &[]] {
        let young = ["archive", "--older-than", "2d", "--to", ".", "--database-url", schema.url()];
        let refused = folder.refused(&[&young[..], flag].concat());
        assert!(refused.contains("at least 3 days"), "{flag:?}: {refused}");
    }
    assert!(on(&["export"]).contains("\"rows\":1500"), "nothing went");
    let went = on(&ARCHIVE);
    assert!(went.starts_with("part 1: 1500 changes are in /") && went.contains("scoreboard-log-1.jsonl, "), "{went}");
    assert_eq!(folder.read("scoreboard-log-1.jsonl").lines().count(), 1_502);
    // As the README looks into it.
    let grep = ["-h", "\"userId\":\"00000000-0000-0000-0000-00000000000a\"", "scoreboard-log-1.jsonl"];
    let found = Command::new("grep").args(grep).current_dir(folder.path("")).output().expect("grep runs").stdout;
    let found: Value = serde_json::from_slice(&found).expect("one line");
    assert_eq!((&found["type"], &found["board"], &found["version"]), (&json!("row"), &json!("main"), &json!(10)));
    assert_eq!(on(&ARCHIVE), "no part of the log is as old\n");
    assert_eq!(on(&["verify"]), "main: clean from version 1500 up to version 1500 (1500 scores)\n");
    let verify = ["verify", "--archive", ".", "--database-url", schema.url()];
    assert!(folder.ok(&verify).ends_with("\nthe archive is clean\n"));
    folder.write(
        "scoreboard-log-1.jsonl",
        &folder.read("scoreboard-log-1.jsonl").replace("\"score\":1}", "\"score\":2}"),
    );
    let differs = folder.run(&verify);
    assert!(
        differs.code == 1 && differs.out.contains("the archive differs: ./scoreboard-log-1.jsonl: is not"),
        "{differs:?}"
    );
    let refused = folder.refused(&["export", "--database-url", schema.url()]);
    assert!(refused.contains("the log of `main` begins behind version 1500"), "{refused}");
    let young = ["archive", "--older-than", "2d", "--to", ".", "--database-url", schema.url()];
    assert!(folder.refused(&young).contains("the age must be at least 3 days"));
    folder.ok(&["admin", "create-board", "main"]);
    assert!(folder.refused(&ARCHIVE).contains("only a log on PostgreSQL"));
}

/// Killed a little later each time, it goes on where it was: everything is in the database, or in one whole file.
#[test]
fn killed_again_and_again_it_archives_each_change_once() {
    const CHANGES: u32 = 10_000;
    let (folder, schema) = place(CHANGES);
    let mut kills = 0;
    for after in (0..).map(|round| Duration::from_millis(25 * round)) {
        let mut command = folder.command(&[&ARCHIVE[..], &["--database-url", schema.url()]].concat());
        let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
        std::thread::sleep(after);
        child.kill().expect("it is killed, or was done");
        let ended = child.wait_with_output().expect("it ends");
        if ended.status.success() {
            break;
        }
        let told = String::from_utf8_lossy(&ended.stderr);
        // The database has not noticed yet that the one before was killed.
        assert!(ended.status.code().is_none() || told.contains("somebody else archives"), "{told}");
        kills += 1;
    }
    assert!(kills > 5, "{kills} kills");
    let text = folder.read("scoreboard-log-1.jsonl");
    let rows: Vec<_> = text.lines().filter(|line| line.starts_with("{\"type\":\"row\"")).collect();
    assert_eq!(rows.len(), CHANGES as usize);
    for (row, version) in rows.iter().zip(1..) {
        assert!(row.contains(&format!("\"version\":{version},\"id\":\"{:08x}-", 0)), "{row}");
    }
    assert!(!folder.path("scoreboard-log-1.jsonl.partial").exists());
    let verified = folder.ok(&["verify", "--database-url", schema.url()]);
    assert_eq!(verified, format!("main: clean from version {CHANGES} up to version {CHANGES} ({CHANGES} scores)\n"));
}
