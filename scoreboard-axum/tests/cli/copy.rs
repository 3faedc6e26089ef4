//! `copy`: from one database into another.

use std::process::Stdio;
use std::time::Duration;

use crate::database::Schema;
use crate::folder::Folder;
use crate::served::Served;
use crate::transfer::EXPORT;

fn schema() -> Schema {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(Schema::create())
}

/// An export in whatever epoch.
fn without_epochs(export: &str) -> String {
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
fn a_copy_that_is_killed_is_gone_on_with() {
    const CHANGES: usize = 6_000;
    let (folder, schema) = (Folder::new(), schema());
    folder.write("in.jsonl", &many(CHANGES));
    folder.ok(&["import", "in.jsonl"]);
    let args = ["copy", "--from", "sqlite://scoreboard.db", "--to", schema.url()];
    let mut whole = false;
    for pause in 1..40 {
        let mut child = folder.command(&args).stderr(Stdio::null()).spawn().expect("it starts");
        std::thread::sleep(Duration::from_millis(60 * pause));
        if child.try_wait().expect("its state").is_some() {
            whole = true;
            break;
        }
        child.kill().expect("it is ours");
        child.wait().expect("it ends");
    }
    assert!(whole, "it comes to its end");
    let copied = folder.run(&args);
    assert_eq!(copied.code, 0, "{copied:?}");
    assert!(copied.err.contains("new: 0 boards, 0 users, 0 changes"), "{copied:?}");
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

/// An export with so many changes of one user.
fn many(changes: usize) -> String {
    let mut lines: Vec<String> =
        EXPORT.lines().filter(|line| !line.contains("\"type\":\"row\"")).map(str::to_owned).collect();
    lines[1] = lines[1].replace("\"version\":2", "\"version\":0");
    lines[2] = lines[2].replace("\"version\":3", &format!("\"version\":{changes}"));
    let end = lines.pop().expect("a trailer").replace("\"rows\":5", &format!("\"rows\":{changes}"));
    for version in 1..=changes {
        lines.push(format!(
            r#"{{"type":"row","board":"main","version":{version},"id":"01990000-0000-7000-8000-{version:012x}","fingerprint":"AAAAAAAAAAAAAAAAAAAAAA==","season":1,"userId":"01990000-0000-7000-8000-000000000001","kind":"tap","points":1,"origin":"action","at":"2026-01-03T00:00:00.000Z","score":{version}}}"#
        ));
    }
    lines.push(end);
    lines.join("\n") + "\n"
}
