//! Decisions of moderators go where the changes go that they are about: by `copy`, `export` and `import`.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use scoreboard_core::{Clock, Moderated, Moderation, ModerationAct, ModerationStore, ScoreStore, SystemClock};
use scoreboard_sqlite::sqlx::{self, Connection, SqliteConnection};
use scoreboard_sqlite::{Config, SqliteStore};
use serde_json::{Value, json};

use crate::copy::{rows, schema, without_epochs};
use crate::folder::Folder;
use crate::served::Served;
use crate::transfer::EXPORT;

const ADA: &str = "01990000-0000-7000-8000-000000000001";
const BOB: &str = "01990000-0000-7000-8000-000000000002";
const CAROL: &str = "01990000-0000-7000-8000-000000000003";
const DAN: &str = "01990000-0000-7000-8000-000000000004";
const EVE: &str = "01990000-0000-7000-8000-000000000005";

/// The id of an action, or of a decision.
fn id(number: usize) -> String {
    format!("01990000-0000-7000-8000-{number:012x}")
}

/// An export of taps on `main` by these users, one after the other, the first with this number.
fn taps(first: usize, users: &[&str]) -> String {
    let mut scores = BTreeMap::new();
    let lines = users.iter().enumerate().map(|(number, user)| {
        let score = scores.entry(*user).and_modify(|score| *score += 1).or_insert(1);
        let (version, action) = (number + 1, id(first + number));
        format!(
            r#"{{"type":"row","board":"main","version":{version},"id":"{action}","fingerprint":"AAAAAAAAAAAAAAAAAAAAAA==","season":1,"userId":"{user}","kind":"tap","points":1,"origin":"action","at":"2026-01-04T00:00:00.000Z","score":{score}}}"#
        )
    });
    let rows = lines.collect::<Vec<_>>().join("\n");
    let board = EXPORT.lines().nth(2).expect("main").replace("\"version\":3", &format!("\"version\":{}", users.len()));
    format!(
        "{{\"type\":\"header\",\"format\":\"scoreboard-export\",\"version\":1,\"users\":false}}\n{board}\n{rows}\n{{\"type\":\"end\",\"boards\":1,\"users\":0,\"rows\":{}}}\n",
        users.len()
    )
}

/// An export of a lap.
fn lap(action: usize, user: &str, seconds: i64) -> String {
    let board = EXPORT.lines().nth(1).expect("laps").replace("\"version\":2", "\"version\":1");
    let action = id(action);
    format!(
        r#"{{"type":"header","format":"scoreboard-export","version":1,"users":false}}
{board}
{{"type":"row","board":"laps","version":1,"id":"{action}","fingerprint":"AAAAAAAAAAAAAAAAAAAAAA==","season":1,"userId":"{user}","kind":"lap","points":{seconds},"origin":"record","at":"2026-01-04T00:00:00.000Z","score":{seconds}}}
{{"type":"end","boards":1,"users":0,"rows":1}}
"#
    )
}

impl Folder {
    fn imported(&self, export: &str) {
        let imported = self.run_with(&["import", "-"], export);
        assert_eq!(imported.code, 0, "{imported:?}");
    }

    fn decide(&self, words: &[&str], decision: usize) {
        let id = id(decision);
        let given = ["--reason", "a 'test' of \"ä\"", "--by", "mona", "--id", &id];
        self.ok(&[&["admin"], words, &given].concat());
    }

    /// What no command does: a rule, or people who end its case.
    fn carried_out(&self, act: impl AsyncFnOnce(&SqliteStore) -> ModerationAct, decision: usize) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async {
            let store = SqliteStore::open(&Config::new(self.path("scoreboard.db"))).await.expect("it opens");
            let decision = Moderation {
                id: id(decision).parse().expect("an id"),
                at: SystemClock.now(),
                by: "a rule".to_owned(),
                reason: "a finding".to_owned(),
                act: act(&store).await,
            };
            let moderated = store.moderate(&decision).await.expect("it answers");
            assert!(matches!(moderated, Moderated::Done(_)), "{moderated:?}");
            store.close().await;
        });
    }

    /// Holds a user from an action of theirs on `main` on.
    fn held_since(&self, user: &str, action: usize, decision: usize) {
        let user_id = user.parse().expect("an id");
        let act = async |store: &SqliteStore| {
            let found = store.action(id(action).parse().expect("an id")).await.expect("it answers");
            let (board, row) = found.expect("it counted");
            ModerationAct::Hold { user_id, board, since: row.position.version }
        };
        self.carried_out(act, decision);
    }

    fn decisions(&self, url: &str) -> String {
        self.ok(&["admin", "moderations", "--limit", "1000", "--database-url", url])
    }
}

/// A file in which moderators have decided of everything a bit, between changes.
fn decided() -> Folder {
    let folder = Folder::new();
    folder.imported(EXPORT);
    // A lap that made no difference, so that no row says when it was void.
    folder.imported(&lap(0x60, ADA, 70));
    folder.decide(&["void", "--action", &id(0x60)], 0xff);
    // The better of two laps; then what somebody does who is held, and what of it is void; somebody who is nowhere, and goes on; somebody who
    // has done nothing yet; and what is void and is not again.
    folder.decide(&["void", "--action", &id(0xa)], 0x100);
    folder.decide(&["hold", BOB], 0x101);
    // The first that he does there, where no row says that he is held.
    folder.imported(&lap(0x61, BOB, 99));
    folder.imported(&taps(0x20, &[BOB, ADA, BOB]));
    folder.decide(&["void", "--action", &id(0x20), "--action", &id(0xd)], 0x102);
    folder.decide(&["shadow", ADA], 0x103);
    folder.imported(&taps(0x30, &[ADA, BOB, ADA]));
    folder.decide(&["ban", CAROL], 0x104);
    folder.decide(&["void", "--action", &id(0xb)], 0x105);
    folder.decide(&["unvoid", "--action", &id(0xb)], 0x106);
    folder.imported(&taps(0x40, &[ADA]));
    // Two whom a rule holds with what they had done before; of one it is decided.
    folder.imported(&taps(0x70, &[DAN, EVE, DAN, EVE, DAN]));
    folder.held_since(DAN, 0x72, 0x107);
    folder.held_since(EVE, 0x73, 0x108);
    folder.imported(&taps(0x80, &[DAN, EVE]));
    let concluded = async |_: &SqliteStore| ModerationAct::Conclude {
        incident: id(0x999).parse().expect("an id"),
        confirmed: true,
        user_id: DAN.parse().expect("an id"),
        actions: vec![id(0x72).parse().expect("an id")],
        release: true,
    };
    folder.carried_out(concluded, 0x109);
    folder
}

/// What everybody is shown.
fn shown(folder: &Folder, url: &str) -> Value {
    let keys = format!("{}.keys", url.len());
    folder.ok(&["admin", "rotate-keys", "--keys", &keys, "--database-url", url]);
    let server = Served::start(folder, &["--keys", &keys, "--database-url", url]);
    let boards = ["laps", "main"].map(|board| {
        let (status, page) = server.get(&format!("/api/scoreboard?board={board}"));
        assert_eq!(status, 200, "{page}");
        json!([page["version"], page["total"], page["entries"]])
    });
    assert_eq!(server.stop(), Some(0));
    json!(boards)
}

#[test]
fn decisions_go_along_and_can_be_taken_back_there() {
    let (folder, first, second) = (decided(), schema(), schema());
    let stations = ["sqlite://scoreboard.db", first.url(), second.url(), "sqlite://other.db"];
    let (verified, list) = (folder.ok(&["verify"]), folder.decisions(stations[0]));
    assert_eq!(list.lines().count(), 11);
    for way in stations.windows(2) {
        let [from, to] = way else { unreachable!("pairs") };
        for new in ["new: 2 boards, 2 users, 34 changes, 11 decisions\n", "new: 0 boards, 0 users, 0 changes\n"] {
            let copied = folder.run(&["copy", "--from", from, "--to", to]);
            assert_eq!(copied.code, 0, "{copied:?}");
            assert!(copied.err.contains(new), "{from} {to}: {copied:?}");
            assert!(copied.err.contains("main: clean and the same where it comes from"), "{copied:?}");
        }
        assert_eq!(folder.ok(&["verify", "--database-url", to]), verified, "with the same heads");
        assert_eq!(folder.decisions(to), list);
    }
    let [origin, .., end] = stations;
    let export = folder.ok(&["export"]);
    assert_eq!(without_epochs(&folder.ok(&["export", "--database-url", end])), without_epochs(&export));
    assert!(export.starts_with("{\"type\":\"header\",\"format\":\"scoreboard-export\",\"version\":2,"), "{export}");
    assert_eq!(shown(&folder, end), shown(&folder, origin));

    // A ban holds there too, of whom no row says that they are banned.
    let banned = folder.run_with(&["import", "-", "--database-url", end], &taps(0x50, &[CAROL])).one_line(1);
    assert!(banned.contains("its user is banned here"), "{banned}");
    // What is taken back brings the same back on either side.
    for url in [origin, end] {
        for (number, words) in [
            ["unvoid", "--action", &id(0xa)].to_vec(),
            ["unvoid", "--action", &id(0x20), "--action", &id(0xd)].to_vec(),
            ["release", BOB].to_vec(),
            // Of who is still held, from where on follows from the decision by which they are.
            ["void", "--action", &id(0x71)].to_vec(),
            ["unban", ADA].to_vec(),
        ]
        .iter()
        .enumerate()
        {
            folder.decide(&[&words[..], &["--database-url", url]].concat(), 0x200 + number);
        }
        folder.ok(&["verify", "--database-url", url]);
    }
    let (there, here) = (shown(&folder, end), shown(&folder, origin));
    assert_eq!(there, here);
    assert_eq!((&here[0][2][0]["score"], &here[1][2][0]["score"]), (&json!(61), &json!(6)), "{here}");
}

#[test]
fn a_file_with_decisions_is_read_again_and_a_wrong_one_is_named() {
    let folder = decided();
    let (export, verified) = (folder.ok(&["export"]), folder.ok(&["verify"]));
    let other = Folder::new();
    for new in ["34 changes, 11 decisions", "0 boards, 0 users, 0 changes\n"] {
        let imported = other.run_with(&["import", "-"], &export);
        assert_eq!(imported.code, 0, "{imported:?}");
        assert!(imported.err.contains(new), "{imported:?}");
    }
    assert_eq!(
        (other.ok(&["verify"]), other.decisions("sqlite://scoreboard.db")),
        (verified, folder.decisions("sqlite://scoreboard.db"))
    );

    let number = |part: &str| export.lines().position(|line| line.contains(part)).expect("there is such a line");
    let altered = |at: usize, change: &dyn Fn(&str) -> Option<String>| -> String {
        let lines = export.lines().enumerate();
        let lines = lines.filter_map(|(i, line)| if i == at { change(line) } else { Some(line.to_owned()) });
        lines.map(|line| line + "\n").collect()
    };
    let replaced = |at: usize, from: &'static str, to: &'static str| {
        altered(at, &move |line| {
            assert!(line.contains(from), "{line}");
            Some(line.replace(from, to))
        })
    };
    let left_out = |at: usize| altered(at, &|_| None);
    let decision = |of: usize| number(&format!("\"decision\":{{\"id\":\"{}\"", id(of)));
    // Of the two by which it is put right what others are shown of Bob, and what he has.
    let correction = decision(0x102) + 2;
    for (text, part) in [
        (
            replaced(0, "\"version\":2", "\"version\":3"),
            "line 1: is an export of format 3, this program knows 1 to 2: a newer release",
        ),
        (replaced(0, "\"users\"", "\"news\":1,\"users\""), ""),
        (replaced(decision(0x100), "00000a", "00000b"), "turns 1 actions by 0 corrections, the file says 1 by 1"),
        (replaced(decision(0x102), "000020", "000099"), "1 of the actions never counted here"),
        (replaced(correction, "\"visibility\":\"asBefore\",", ""), "does not come to its digest"),
        (replaced(correction, "\"correction\"", "\"record\""), "by the lines before it"),
        (left_out(correction), "has version"),
        (left_out(decision(0x100)), "comes to version"),
        (left_out(decision(0x104)), "the trailer says"),
    ] {
        let folder = Folder::new();
        let imported = folder.run_with(&["import", "-"], &text);
        if part.is_empty() {
            assert_eq!(imported.code, 0, "what a header says more is not looked at: {imported:?}");
            continue;
        }
        let refusal = imported.one_line(1);
        assert!(refusal.contains(part), "expected {part}: {refusal}");
    }
}

#[test]
fn what_reaches_back_to_a_version_is_not_carried_out_where_that_is_another() {
    let (folder, other) = (decided(), Folder::new());
    other.imported(&taps(0x90, &[CAROL]));
    let refusal = other.run_with(&["import", "-"], &folder.ok(&["export"])).one_line(1);
    assert!(refusal.contains(&id(0x107)) && refusal.contains("the board had a log of its own"), "{refusal}");
    other.ok(&["verify"]);
}

/// How many log rows a file has, if it is there yet.
fn rows_of_file(folder: &Folder, name: &str) -> i64 {
    let url = format!("sqlite://{}?mode=ro", folder.path(name).display());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let Ok(mut connection) = SqliteConnection::connect(&url).await else { return 0 };
        sqlx::query_scalar("SELECT count(*) FROM log").fetch_one(&mut connection).await.unwrap_or(0)
    })
}

#[test]
fn a_copy_with_decisions_that_is_killed_is_gone_on_with() {
    const STRETCHES: usize = 6;
    const TAPS: usize = 600;
    let (folder, schema) = (Folder::new(), schema());
    let users: Vec<String> = (0..60).map(|number| id(0x1000 + number)).collect();
    let one_after_the_other: Vec<&str> = users.iter().map(String::as_str).cycle().take(TAPS).collect();
    for stretch in 0..STRETCHES {
        let first = 0x10_0000 * (stretch + 1);
        folder.imported(&taps(first, &one_after_the_other));
        // Those of every third user among the first three hundred.
        let void: Vec<String> = (0..TAPS / 2).step_by(3).map(|number| id(first + number)).collect();
        let flags: Vec<&str> = void.iter().flat_map(|action| ["--action", action.as_str()]).collect();
        folder.decide(&[&["void"], &flags[..]].concat(), 0x100 + 10 * stretch);
        let act = ["hold", "shadow"][stretch % 2];
        folder.decide(&[act, &users[stretch]], 0x101 + 10 * stretch);
        folder.decide(&[&["unvoid"], &flags[..20]].concat(), 0x102 + 10 * stretch);
    }
    let (verified, list) = (folder.ok(&["verify"]), folder.decisions("sqlite://scoreboard.db"));
    let all = rows_of_file(&folder, "scoreboard.db");
    assert!(all > (STRETCHES * TAPS) as i64, "there are corrections");
    let ways = [("sqlite://scoreboard.db", schema.url()), (schema.url(), "sqlite://other.db")];
    for (way, (from, to)) in ways.into_iter().enumerate() {
        let args = ["copy", "--from", from, "--to", to];
        let copied = || if way == 0 { rows(&schema) } else { rows_of_file(&folder, "other.db") };
        let mut among = 0;
        for part in 0..5 {
            let mut child = folder.command(&args).stderr(Stdio::null()).spawn().expect("it starts");
            while copied() <= part * all / 5 && child.try_wait().expect("its state").is_none() {
                std::thread::sleep(Duration::from_millis(2));
            }
            child.kill().expect("it is ours");
            child.wait().expect("it ends");
            let rows = copied();
            among += usize::from(0 < rows && rows < all);
        }
        assert!(among > 1, "it was killed among the changes {among} times");
        for _ in 0..2 {
            let copied = folder.run(&args);
            assert_eq!(copied.code, 0, "it comes to its end: {copied:?}");
        }
        assert_eq!(folder.ok(&["verify", "--database-url", to]), verified);
        assert_eq!(folder.decisions(to), list);
    }
    let [here, there] =
        ["sqlite://scoreboard.db", "sqlite://other.db"].map(|url| folder.ok(&["export", "--database-url", url]));
    assert_eq!(without_epochs(&there), without_epochs(&here));
}

/// An export is of one moment of all boards, and of all decisions up to it.
#[test]
fn an_export_beside_moderators_who_decide_is_whole() {
    let folder = decided();
    let server = Served::start(&folder, &["--set", "limits.update=off", "--set", "limits.generate_action=off"]);
    server.register("eve@example.org");
    let token = server.log_in("eve@example.org");
    let (done, made) = (AtomicBool::new(false), AtomicUsize::new(0));
    let exports: Vec<String> = std::thread::scope(|scope| {
        scope.spawn(|| {
            let mut number = 0x300;
            while !done.load(Ordering::Relaxed) {
                for words in [["void", "--action"], ["unvoid", "--action"]] {
                    let (of_main, of_laps) = (id(0xe), id(0xa + number % 2));
                    folder.decide(&[&words[..], &[&of_main, "--action", &of_laps]].concat(), number);
                    number += 1;
                    made.fetch_add(1, Ordering::Relaxed);
                }
            }
        });
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                server.update(&token, &server.action(&token, "tap"));
            }
        });
        let export = |number: usize| {
            while made.load(Ordering::Relaxed) < 2 * number {
                std::thread::sleep(Duration::from_millis(1));
            }
            folder.ok(&["export"])
        };
        let exports = (0..6).map(export).collect();
        done.store(true, Ordering::Relaxed);
        exports
    });
    assert_eq!(server.stop(), Some(0));
    let mut counts = Vec::new();
    for export in exports {
        let other = Folder::new();
        let imported = other.run_with(&["import", "-"], &export);
        assert_eq!(imported.code, 0, "{imported:?}");
        counts.push(other.decisions("sqlite://scoreboard.db").lines().count());
    }
    assert!(counts.is_sorted() && counts.first() < counts.last(), "{counts:?}");
}
