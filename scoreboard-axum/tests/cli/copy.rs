//! `copy`: from one database into another.

use std::process::Stdio;
use std::time::Duration;

use serde_json::json;

use crate::database::{Schema, run};
use crate::folder::Folder;
use crate::served::{PASSWORD, Served};
use crate::transfer::EXPORT;

pub(crate) fn schema() -> Schema {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(Schema::create())
}

/// An export in whatever epoch.
pub(crate) fn without_epochs(export: &str) -> String {
    let mut text = export.to_owned();
    for epoch in 1..9 {
        text = text.replace(&format!("\"epoch\":{epoch}"), "\"epoch\":_");
    }
    text
}

#[test]
fn all_of_a_database_is_in_the_other_and_again_adds_nothing() {
    let (folder, first, second) = (Folder::new(), schema(), schema());
    assert_eq!(folder.run_with(&["import", "-"], EXPORT).code, 0);
    let stations = ["sqlite://scoreboard.db", first.url(), second.url(), "sqlite://other.db"];
    for way in stations.windows(2) {
        let [from, to] = way else { unreachable!("pairs") };
        for new in ["2 boards, 2 users, 5 changes", "0 boards, 0 users, 0 changes"] {
            let copied = folder.run(&["copy", "--from", from, "--to", to]);
            assert_eq!(copied.code, 0, "{copied:?}");
            assert!(copied.err.contains(&format!("new: {new}")), "{from} {to}: {copied:?}");
            assert!(copied.err.contains("main: clean up to version 3 (2 scores)"), "{copied:?}");
            assert!(copied.err.contains("main: clean and the same where it comes from"), "{copied:?}");
        }
    }
    let end = folder.ok(&["export", "--database-url", stations[3]]);
    assert_eq!(without_epochs(&end), without_epochs(EXPORT), "byte for byte");
}

#[test]
fn a_second_factor_goes_where_its_user_goes() {
    let (folder, schema) = (Folder::new(), schema());
    let factor = r#"{"type":"factor","userId":"01990000-0000-7000-8000-000000000001","stamp":"01990000-0000-7000-8000-0000000000ff","secret":"AmsxAQID","confirmedAt":"2026-01-02T00:00:00.000Z","lastStep":58000000,"recoveryCodes":["AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=","AQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQE="],"wrongAt":["2026-01-03T00:00:00.000Z"]}"#;
    let (users, logs) = EXPORT.split_at(EXPORT.find(r#"{"type":"row""#).expect("there are rows"));
    let secured = format!("{users}{factor}\n{logs}");
    assert_eq!(folder.run_with(&["import", "-"], &secured).code, 0);
    for (from, to) in [("sqlite://scoreboard.db", schema.url()), (schema.url(), "sqlite://other.db")] {
        folder.ok(&["copy", "--from", from, "--to", to]);
    }
    let end = folder.ok(&["export", "--database-url", "sqlite://other.db"]);
    assert_eq!(without_epochs(&end), without_epochs(&secured), "byte for byte");

    let removed =
        folder.ok(&["admin", "remove-second-factor", "ada@example.org", "--database-url", "sqlite://other.db"]);
    assert!(removed.contains("has no second factor any more"), "{removed}");
    let end = folder.ok(&["export", "--database-url", "sqlite://other.db"]);
    assert_eq!(without_epochs(&end), without_epochs(EXPORT));
    let bad = secured.replace("AmsxAQID", "?");
    assert!(folder.run_with(&["import", "-"], &bad).one_line(1).contains("line 6: the secret is not base64"));
}

#[test]
fn a_copy_that_is_killed_is_gone_on_with() {
    const CHANGES: usize = 6_000;
    let (folder, schema) = (Folder::new(), schema());
    folder.write("in.jsonl", &many(CHANGES));
    folder.ok(&["import", "in.jsonl"]);
    let args = ["copy", "--from", "sqlite://scoreboard.db", "--to", schema.url()];
    // Killed while it has copied some of the changes and not all: the next goes on where it was.
    let mut among = 0;
    for more_than in [0, 1_500, 3_000, 4_500] {
        let mut child = folder.command(&args).stderr(Stdio::null()).spawn().expect("it starts");
        while rows(&schema) <= more_than && child.try_wait().expect("its state").is_none() {
            std::thread::sleep(Duration::from_millis(5));
        }
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
        let rows = rows(&schema);
        among += usize::from(0 < rows && rows < CHANGES as i64);
    }
    assert!(among > 1, "it was killed among the changes {among} times");
    assert_eq!(folder.run(&args).code, 0, "it comes to its end");
    let copied = folder.run(&args);
    assert_eq!(copied.code, 0, "{copied:?}");
    assert!(copied.err.contains("new: 0 boards, 0 users, 0 changes"), "{copied:?}");
    assert!(copied.err.contains("main: clean up to version 6000 (3000 scores)"), "{copied:?}");
    assert_eq!(
        without_epochs(&folder.ok(&["export", "--database-url", schema.url()])),
        without_epochs(&folder.ok(&["export"]))
    );
}

#[test]
fn what_cannot_be_copied_is_said_in_one_line() {
    let folder = Folder::new();
    let refused = |from: &str, to: &str| folder.refused(&["copy", "--from", from, "--to", to]);
    assert!(refused("sqlite://a.db", "sqlite://a.db").contains("the same database"));
    assert!(refused("sqlite://none.db", "sqlite://b.db").contains("none.db"));
    assert!(!folder.path("b.db").exists(), "nothing is made for nothing");
    assert!(refused("mysql://host/a", "sqlite://b.db").contains("postgres://"));
    assert_eq!(folder.run_with(&["import", "-"], EXPORT).code, 0);
    assert!(refused("sqlite://scoreboard.db", "memory:").contains("memory:"));
    let server = Served::start(&folder, &["--database-url", "sqlite://served.db"]);
    assert!(refused("sqlite://scoreboard.db", "sqlite://served.db").contains("served.db"), "a server has it open");
    let copied = folder.run(&["copy", "--from", "sqlite://served.db", "--to", "sqlite://read.db"]);
    assert_eq!(copied.code, 0, "what is read may be in use: {copied:?}");
    assert_eq!(server.stop(), Some(0));
}

/// How many changes there are, if there is a log already.
pub(crate) fn rows(schema: &Schema) -> i64 {
    use scoreboard_postgres::sqlx::{Connection, PgConnection, query_scalar};
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut connection = PgConnection::connect(schema.url()).await.expect("it connects");
        query_scalar("SELECT count(*) FROM log").fetch_one(&mut connection).await.unwrap_or(0)
    })
}

/// An export with so many changes, two for each of half as many users.
fn many(changes: usize) -> String {
    let mut lines: Vec<String> =
        EXPORT.lines().filter(|line| !line.contains("\"type\":\"row\"")).map(str::to_owned).collect();
    lines[1] = lines[1].replace("\"version\":2", "\"version\":0");
    lines[2] = lines[2].replace("\"version\":3", &format!("\"version\":{changes}"));
    let end = lines.pop().expect("a trailer").replace("\"rows\":5", &format!("\"rows\":{changes}"));
    let users = changes / 2;
    for version in 1..=changes {
        let (user, score) = ((version - 1) % users, (version - 1) / users + 1);
        lines.push(format!(
            r#"{{"type":"row","board":"main","version":{version},"id":"01990000-0000-7000-8000-{version:012x}","fingerprint":"AAAAAAAAAAAAAAAAAAAAAA==","season":1,"userId":"01990000-0000-7000-8001-{user:012x}","kind":"tap","points":1,"origin":"action","at":"2026-01-03T00:00:00.000Z","score":{score}}}"#
        ));
    }
    lines.push(end);
    lines.join("\n") + "\n"
}

/// What bcrypt makes of the password of these tests.
const BCRYPT: &str = "$2b$10$abcdefghijklmnopqrstuuGGgFFcYeueaAql8Z7U7CnCTRw4DR77W";

/// Another system's database: accounts with bcrypt hashes, and a score for each.
const TABLES: &str = r#"
    CREATE TABLE users (id serial PRIMARY KEY, email text NOT NULL, password text NOT NULL, username text, "createdAt" timestamptz NOT NULL);
    INSERT INTO users (email, password, username, "createdAt") VALUES
        ('ada@example.org', 'HASH', 'Ada', '2020-01-01T00:00:00Z'),
        ('bob@example.org', 'HASH', NULL, '2020-01-02T00:00:00Z'),
        ('eve@example.org', 'HASH', 'Eve', '2020-01-03T00:00:00Z');
    CREATE TABLE scores (user_id int NOT NULL REFERENCES users, score bigint NOT NULL, updated_at timestamptz NOT NULL);
    INSERT INTO scores VALUES (1, 70, '2024-05-05T00:00:02.5Z'), (2, 300, '2024-05-05T00:00:00Z'), (3, 70, '2024-05-05T00:00:01Z');
"#;

fn other_system() -> Schema {
    let schema = schema();
    sql(&schema, &TABLES.replace("HASH", BCRYPT));
    schema
}

fn sql(schema: &Schema, text: &str) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(run(schema.url(), text));
}

#[test]
fn another_systems_users_sign_in_with_their_passwords_and_have_their_scores() {
    let (folder, other) = (Folder::new(), other_system());
    let args = ["copy", "--tables", "--from", other.url(), "--to", "sqlite://scoreboard.db"];
    for new in ["1 boards, 3 users, 3 changes", "0 boards, 0 users, 0 changes"] {
        let copied = folder.run(&args);
        assert_eq!(copied.code, 0, "{copied:?}");
        assert!(copied.err.contains(&format!("new: {new}")), "{copied:?}");
        assert!(copied.err.contains("main: clean up to version 3 (3 scores)"), "{copied:?}");
    }
    folder.ok(&["admin", "set-kind", "main", "tap", "--points", "1"]);
    let server = Served::start(&folder, &[]);
    let (_, top) = server.get("/api/scoreboard");
    let entries = top["entries"].as_array().expect("a page");
    let shown: Vec<_> = entries.iter().map(|entry| (entry["displayName"].as_str(), entry["score"].as_i64())).collect();
    // Eve had her 70 before Ada.
    assert_eq!(shown, [(Some("bob"), Some(300)), (Some("Eve"), Some(70)), (Some("Ada"), Some(70))], "{top}");
    let (status, signed_in) =
        server.post("/api/auth/login", None, &json!({"email": "ada@example.org", "password": PASSWORD}));
    assert_eq!(status, 200, "{signed_in}");
    let token = signed_in["token"].as_str().expect("a token");
    let action = server.action(token, "tap");
    assert_eq!(server.update(token, &action)["score"], 71, "and she plays on");
    assert_eq!(server.stop(), Some(0));
    assert_eq!(folder.run(&args).code, 0, "also then it changes nothing");
}

#[test]
fn a_table_that_is_otherwise_is_named_with_what_is_wrong() {
    for (change, part) in [
        ("ALTER TABLE scores RENAME score TO total", "table scores, row 1: has nothing in a column of the names score"),
        ("UPDATE users SET password = 'secret' WHERE id = 2", "password must be an Argon2 or bcrypt hash"),
        ("UPDATE users SET email = 'nobody' WHERE id = 3", "table users, user 3: "),
        (
            "ALTER TABLE scores ALTER score TYPE numeric; UPDATE scores SET score = 1.5",
            "the score 1.5 is no whole number",
        ),
        ("UPDATE scores SET score = 9007199254740992 WHERE user_id = 1", "table scores, user 1: "),
        ("INSERT INTO scores VALUES (2, 5, now())", "table scores, user 2: has several rows"),
        ("DROP TABLE scores", "cannot read the table scores"),
    ] {
        let (folder, other) = (Folder::new(), other_system());
        sql(&other, change);
        let said = folder.refused(&["copy", "--tables", "--from", other.url(), "--to", "sqlite://scoreboard.db"]);
        assert!(said.contains(part), "{change}: {said}");
    }
    // A score that the old system has changed since it was copied counts neither twice nor silently not at all.
    let (folder, other) = (Folder::new(), other_system());
    let args = ["copy", "--tables", "--from", other.url(), "--to", "sqlite://scoreboard.db"];
    assert_eq!(folder.run(&args).code, 0);
    sql(&other, "UPDATE scores SET score = 80 WHERE user_id = 1");
    let said = folder.refused(&args);
    assert!(
        said.contains("table scores, user 1: ") && said.contains("another action of this id counted here"),
        "{said}"
    );
    sql(&other, "UPDATE scores SET score = 70 WHERE user_id = 1; ALTER TABLE scores ALTER score TYPE numeric(10, 2)");
    let copied = folder.run(&args);
    assert!(copied.code == 0 && copied.err.contains("new: 0 boards, 0 users, 0 changes"), "70.00 is 70: {copied:?}");
    let said = folder.refused(&["copy", "--tables", "--from", "sqlite://scoreboard.db", "--to", "sqlite://b.db"]);
    assert!(said.contains("postgres:// URL"), "{said}");
    let said = folder.refused(&[&args[..], &["--scores-table", "scores\"; DROP TABLE users; --"]].concat());
    assert!(said.contains("does not exist"), "{said}");
}

#[test]
fn users_that_are_kept_apart_come_along_and_go_where_servers_look() {
    let (folder, other, scores, users) = (Folder::new(), other_system(), schema(), schema());
    let accounts = format!("accounts_url={}", users.url());
    let into = ["copy", "--tables", "--from", other.url(), "--to", scores.url()];
    let said = folder.refused(&[&into[..], &["--database-url", scores.url(), "--set", &accounts]].concat());
    assert!(said.contains("--to-accounts"), "nobody knows which side is meant: {said}");
    let copied = folder.run(&[&into[..], &["--to-accounts", users.url()]].concat());
    assert_eq!(copied.code, 0, "{copied:?}");

    folder.ok(&["admin", "rotate-keys", "--keys", "my.keys", "--database-url", scores.url()]);
    let server = Served::start(&folder, &["--keys", "my.keys", "--database-url", scores.url(), "--set", &accounts]);
    server.log_in("ada@example.org");
    assert_eq!(server.stop(), Some(0));

    let back = ["copy", "--from", scores.url(), "--from-accounts", users.url(), "--to", "sqlite://back.db"];
    let copied = folder.run(&back);
    assert!(copied.code == 0 && copied.err.contains("new: 1 boards, 3 users, 3 changes"), "{copied:?}");
    let said = folder.refused(&["copy", "--from", scores.url(), "--to", "sqlite://b.db", "--to-accounts", users.url()]);
    assert!(said.contains("a file holds its users too"), "{said}");
}
