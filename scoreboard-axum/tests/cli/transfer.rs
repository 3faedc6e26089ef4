use crate::folder::Folder;

/// Two boards, three users and their changes, as an export holds them.
pub(crate) const EXPORT: &str = r#"{"type":"header","format":"scoreboard-export","version":1,"users":true}
{"type":"board","spec":{"id":"laps","name":"Laps","direction":"ascending","operator":"best","tieBreak":"earliest","kinds":[]},"season":1,"version":2,"epoch":1}
{"type":"board","spec":{"id":"main","name":"Main","direction":"descending","operator":"increment","tieBreak":"earliest","kinds":[{"kind":"tap","points":1,"minDurationSeconds":0,"lifetimeSeconds":60,"perDay":null}]},"season":1,"version":3,"epoch":1}
{"type":"user","id":"01990000-0000-7000-8000-000000000001","email":"ada@example.org","displayName":"Ada","roles":["user","admin"],"createdAt":"2026-01-01T00:00:00.000Z","password":"$2b$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"}
{"type":"user","id":"01990000-0000-7000-8000-000000000002","email":"bob@example.org","displayName":"Bob","roles":["user"],"createdAt":"2026-01-02T00:00:00.000Z","password":"$2b$10$abcdefghijklmnopqrstuuABCDEFGHIJKLMNOPQRSTUVWXYZabcde"}
{"type":"row","board":"laps","version":1,"id":"01990000-0000-7000-8000-00000000000a","fingerprint":"AAAAAAAAAAAAAAAAAAAAAA==","season":1,"userId":"01990000-0000-7000-8000-000000000001","kind":"lap","points":61,"origin":"record","at":"2026-01-03T00:00:00.000Z","score":61,"digest":"e585086c65fd617baec9a7a0f43af5d7108b77a07c0b22ec27724b636bcade22"}
{"type":"row","board":"laps","version":2,"id":"01990000-0000-7000-8000-00000000000b","fingerprint":"AAAAAAAAAAAAAAAAAAAAAA==","season":1,"userId":"01990000-0000-7000-8000-000000000001","kind":"lap","points":64,"origin":"record","at":"2026-01-03T00:00:01.000Z","score":61,"digest":"f4bf014189fba68d1a1fcf0a7619ec63201d638384dbdd06afab21ff80553faf"}
{"type":"row","board":"main","version":1,"id":"01990000-0000-7000-8000-00000000000c","fingerprint":"AAAAAAAAAAAAAAAAAAAAAA==","season":1,"userId":"01990000-0000-7000-8000-000000000001","kind":"tap","points":1,"origin":"action","at":"2026-01-03T00:00:00.000Z","score":1,"digest":"671b7111250244c36ec9862d96c2f1127e90b2f9621b8c4c187fc35a51733004"}
{"type":"row","board":"main","version":2,"id":"01990000-0000-7000-8000-00000000000d","fingerprint":"AAAAAAAAAAAAAAAAAAAAAA==","season":1,"userId":"01990000-0000-7000-8000-000000000002","kind":"tap","points":1,"origin":"action","at":"2026-01-03T00:00:01.000Z","score":1,"digest":"dfb7da814ffb06008776de6584e6df0d73296bc19350e25b2b04cf9f2af08981"}
{"type":"row","board":"main","version":3,"id":"01990000-0000-7000-8000-00000000000e","fingerprint":"AAAAAAAAAAAAAAAAAAAAAA==","season":1,"userId":"01990000-0000-7000-8000-000000000001","kind":"tap","points":1,"origin":"action","at":"2026-01-03T00:00:02.000Z","score":2,"digest":"6f63e66d975fc6a94e9e13dcbaa7c94174c5e9185f418a6cc39c228a36c49f2c"}
{"type":"end","boards":2,"users":2,"rows":5}
"#;

/// The digests of their newest rows. They were computed by a program in Python.
pub(crate) const LAPS: &str = "f4bf014189fba68d1a1fcf0a7619ec63201d638384dbdd06afab21ff80553faf";
pub(crate) const MAIN: &str = "6f63e66d975fc6a94e9e13dcbaa7c94174c5e9185f418a6cc39c228a36c49f2c";

/// Lines as a release has written them that knew of no digests.
pub(crate) fn without_digests(lines: &str) -> String {
    let mut text = String::new();
    for (i, piece) in lines.split(",\"digest\":\"").enumerate() {
        text.push_str(if i == 0 { piece } else { &piece[65..] });
    }
    text
}

/// The export of what was imported: the same in a later epoch, byte for byte.
fn exported() -> String {
    EXPORT.replace("\"epoch\":1", "\"epoch\":2")
}

/// The export with one line changed.
fn altered(number: usize, change: impl Fn(&str) -> String) -> String {
    let lines =
        EXPORT.lines().enumerate().map(|(i, line)| if i + 1 == number { change(line) } else { line.to_owned() });
    lines.map(|line| line + "\n").collect()
}

#[test]
fn what_is_imported_is_exported_again_byte_for_byte_and_is_clean() {
    let folder = Folder::new();
    folder.write("in.jsonl", EXPORT);
    let imported = folder.run(&["import", "in.jsonl"]);
    assert_eq!(imported.code, 0, "{imported:?}");
    assert!(imported.err.contains("new: 2 boards, 2 users, 5 changes"), "{imported:?}");
    assert_eq!(
        folder.ok(&["verify"]),
        format!(
            "laps: clean up to version 2 (1 scores)\nlaps: head 2 {LAPS}\nmain: clean up to version 3 (2 scores)\nmain: head 3 {MAIN}\n"
        )
    );
    assert_eq!(folder.ok(&["export"]), exported());

    folder.ok(&["export", "out.jsonl"]);
    assert_eq!(folder.read("out.jsonl"), exported());
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(folder.path("out.jsonl")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "it holds password hashes");
    }
    assert!(folder.refused(&["export", "out.jsonl"]).contains("out.jsonl"), "nothing is written over");
    let without = folder.ok(&["export", "--without-users"]);
    assert!(!without.contains("example.org") && without.contains("\"users\":false") && without.contains("\"rows\":5"));
}

#[test]
fn importing_again_counts_nothing_twice() {
    let folder = Folder::new();
    for new in ["2 boards, 2 users, 5 changes", "0 boards, 0 users, 0 changes"] {
        let imported = folder.run_with(&["import", "-"], EXPORT);
        assert_eq!(imported.code, 0, "{imported:?}");
        assert!(imported.err.contains(&format!("new: {new}")), "{imported:?}");
    }
    assert_eq!(folder.ok(&["export", "-"]), exported());
}

#[test]
fn a_file_that_was_cut_off_is_noticed_and_the_whole_one_goes_on_from_there() {
    for lines in 1..EXPORT.lines().count() {
        let folder = Folder::new();
        let part: String = EXPORT.lines().take(lines).map(|line| format!("{line}\n")).collect();
        let refusal = folder.run_with(&["import", "-"], &part).one_line(1);
        assert!(refusal.contains(&format!("line {}: the trailer is missing", lines + 1)), "{refusal}");
        if lines % 4 == 3 {
            let imported = folder.run_with(&["import", "-"], EXPORT);
            assert_eq!(imported.code, 0, "{imported:?}");
            assert_eq!(folder.ok(&["export"]), exported());
        }
    }
    let folder = Folder::new();
    let refusal = folder.run_with(&["import", "-"], &EXPORT[..EXPORT.len() - 20]).one_line(1);
    assert!(refusal.contains("line 11: has no end"), "{refusal}");
    assert_eq!(
        folder.ok(&["verify", "--board", "main"]),
        format!("main: clean up to version 3 (2 scores)\nmain: head 3 {MAIN}\n"),
        "the rest is there"
    );
}

#[test]
fn a_line_that_is_wrong_is_named_by_its_number() {
    let replace = |number, from: &'static str, to: &'static str| altered(number, move |line| line.replace(from, to));
    for (text, part) in [
        (String::new(), "line 1: the file is empty"),
        ("hello\n".to_owned(), "line 1: "),
        (replace(1, "scoreboard-export", "other"), "line 1: is no export"),
        (replace(1, "\"version\":1", "\"version\":9"), "line 1: is an export of format 9"),
        (altered(1, |_| EXPORT.lines().nth(1).unwrap_or_default().to_owned()), "line 1: is not the header"),
        (replace(2, "best", "worst"), "line 2: unknown variant"),
        (replace(3, "\"lifetimeSeconds\":60", "\"lifetimeSeconds\":0"), "line 3: lifetime must be"),
        (replace(3, "\"epoch\":1", "\"epoch\":9007199254740992"), "line 3: the epoch is above"),
        (replace(3, "\"season\":1", "\"season\":2"), "line 3: the board `main` is in season 1"),
        (
            replace(4, "$2b$10$", "secret"),
            "line 4: user 01990000-0000-7000-8000-000000000001: password must be an Argon2 or bcrypt hash",
        ),
        (replace(4, "$2b$10$", "$2b$31$"), "line 4: user 01990000-0000-7000-8000-000000000001: password must be"),
        (replace(5, "bob@", "ada@"), "line 5: the e-mail address of user 01990000-0000-7000-8000-000000000002"),
        (replace(6, "AAAA==", "AA=="), "line 6: the fingerprint"),
        (replace(7, "\"laps\"", "\"gone\""), "line 7: the board `gone` is not in the file"),
        (replace(8, "\"points\":1", "\"points\":1e3"), "line 8: "),
        (
            replace(9, "\"score\":1", "\"score\":2"),
            "line 9: action 01990000-0000-7000-8000-00000000000d: comes to 1 by the lines before it, but says score 2",
        ),
        (replace(9, "\"version\":2", "\"version\":4"), "line 9: action"),
        (replace(10, "00000e", "00000d"), "line 10: action"),
        (replace(11, "\"rows\":5", "\"rows\":6"), "line 11: the trailer says"),
        (EXPORT.to_owned() + "{}\n", "line 12: "),
    ] {
        let folder = Folder::new();
        let refusal = folder.run_with(&["import", "-"], &text).one_line(1);
        assert!(refusal.contains(part), "expected {part}: {refusal}");
    }
}

/// What no sum shows, its digest does.
#[test]
fn a_line_that_was_altered_is_named_though_its_score_is_right() {
    for (from, to) in [
        ("\"kind\":\"tap\"", "\"kind\":\"top\""),
        ("00:00:01.000Z", "00:00:01.001Z"),
        ("AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAAQ=="),
        ("\"action\"", "\"record\""),
        ("\"digest\":\"dfb7", "\"digest\":\"dfb8"),
    ] {
        let folder = Folder::new();
        let text = altered(9, |line| line.replace(from, to));
        let refusal = folder.run_with(&["import", "-"], &text).one_line(1);
        assert!(refusal.contains("line 9: action") && refusal.contains("does not come to its digest"), "{refusal}");
        assert!(folder.ok(&["verify", "--board", "main"]).contains("main: clean up to version 1 "), "what is before");
    }
}

/// Rows that have no digest get one where they are imported.
#[test]
fn an_export_of_a_release_without_digests_is_taken_and_has_them_then() {
    let folder = Folder::new();
    let imported = folder.run_with(&["import", "-"], &without_digests(EXPORT));
    assert_eq!(imported.code, 0, "{imported:?}");
    assert_eq!(folder.ok(&["export"]), exported());
}

/// A line that does not follow from those before it counts nothing, so the right file can be imported afterwards.
#[test]
fn a_wrong_line_leaves_nothing_behind() {
    let folder = Folder::new();
    let wrong = altered(8, |line| line.replace("\"points\":1", "\"points\":1000"));
    let refusal = folder.run_with(&["import", "-"], &wrong).one_line(1);
    assert!(refusal.contains("line 8: action") && refusal.contains("by the lines before it"), "{refusal}");
    folder.write("in.jsonl", EXPORT);
    folder.ok(&["import", "in.jsonl"]);
    folder.ok(&["verify"]);
    folder.ok(&["export", "out.jsonl"]);
    assert_eq!(folder.read("out.jsonl"), exported());
}

#[test]
fn another_request_of_the_same_id_stops_the_import() {
    let folder = Folder::new();
    folder.write("in.jsonl", EXPORT);
    folder.ok(&["import", "in.jsonl"]);
    let other =
        altered(10, |line| without_digests(line).replace("AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAAQ=="));
    let refusal = folder.run_with(&["import", "-"], &other).one_line(1);
    assert!(refusal.contains("line 10: action 01990000-0000-7000-8000-00000000000e: another action"), "{refusal}");
    assert_eq!(folder.ok(&["export"]), exported());
}

#[test]
fn a_board_with_a_log_of_its_own_takes_the_changes_behind_it() {
    let folder = Folder::new();
    folder.write("in.jsonl", EXPORT);
    folder.ok(&["import", "in.jsonl"]);
    let others = without_digests(EXPORT).replace("-00000000000", "-1000000000f").replace("example.org", "example.com");
    let imported = folder.run_with(&["import", "-"], &others);
    assert_eq!(imported.code, 0, "{imported:?}");
    let verified = folder.ok(&["verify", "--board", "main"]);
    assert!(verified.starts_with("main: clean up to version 6 (4 scores)\nmain: head 6 "), "{verified}");
}

#[test]
fn only_files_can_be_moved() {
    let folder = Folder::new();
    folder.write("in.jsonl", EXPORT);
    for args in [["export", "out.jsonl"], ["import", "in.jsonl"], ["verify", "--board=main"], ["admin", "list-boards"]]
    {
        let refusal = folder.run(&[args.as_slice(), &["--database-url", "memory:"]].concat());
        assert!(refusal.err.contains("`memory:` lives inside one running server"), "{refusal:?}");
    }
    assert!(folder.refused(&["export"]).contains("cannot open the database scoreboard.db: there is none"));
    assert!(folder.refused(&["import", "missing.jsonl"]).contains("missing.jsonl"));
    assert!(!folder.path("scoreboard.db").exists());
}
