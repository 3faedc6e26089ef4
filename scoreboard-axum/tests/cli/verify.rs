use std::process::Command;

use crate::folder::Folder;
use crate::refusals::alter;
use crate::transfer::{EXPORT, MAIN, without_digests};

#[test]
fn the_first_difference_is_named_and_ends_with_1() {
    let folder = Folder::new();
    folder.write("in.jsonl", EXPORT);
    folder.ok(&["import", "in.jsonl"]);
    alter(&folder, &["UPDATE scores SET score = 9, order_score = -9 WHERE score = 2"]);
    let ended = folder.run(&["verify"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    let user = "01990000-0000-7000-8000-000000000001";
    assert!(ended.out.starts_with("laps: clean"), "{ended:?}");
    assert!(ended.out.contains(&format!("main: differs at version 3: user {user} comes to 2 ")), "{ended:?}");
    assert_eq!(folder.run(&["verify", "--board", "laps"]).code, 0);
}

#[test]
fn an_epoch_that_goes_back_is_named() {
    let folder = Folder::new();
    folder.write("in.jsonl", EXPORT);
    folder.ok(&["import", "in.jsonl"]);
    alter(&folder, &["UPDATE log SET epoch = 9 WHERE board = 2 AND version = 2", "UPDATE meta SET epoch = 9"]);
    let ended = folder.run(&["verify"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended.out.contains("main: differs at version 2: the next row is of epoch 2, after one of epoch 9"),
        "{ended:?}"
    );
}

#[test]
fn what_is_ahead_of_its_board_is_named() {
    let folder = Folder::new();
    folder.write("in.jsonl", EXPORT);
    folder.ok(&["import", "in.jsonl"]);
    let names = |what: &str| {
        let ended = folder.run(&["verify"]);
        assert!(ended.code == 1 && ended.out.contains(what), "{ended:?}");
    };
    alter(&folder, &["UPDATE log SET epoch = 9 WHERE board = 2 AND version = 2"]);
    names("main: differs at version 1: the next row is of epoch 9, the board of epoch 2");
    alter(&folder, &["UPDATE log SET epoch = 2 WHERE board = 2 AND version = 2"]);
    folder.ok(&["verify"]);
    alter(&folder, &["INSERT INTO seasons (board, season, total) VALUES (2, 2, 7)"]);
    names("there are scores of season 2, which has not begun");
}

#[test]
fn what_cannot_be_told_ends_with_2() {
    let folder = Folder::new();
    assert!(folder.run(&["verify"]).one_line(2).contains("there is none"));
    assert!(folder.run(&["verify", "--set", "nonsense=1"]).one_line(2).contains("nonsense"));
    folder.write("in.jsonl", EXPORT);
    folder.ok(&["import", "in.jsonl"]);
    assert!(folder.run(&["verify", "--board", "other"]).one_line(2).contains("there is no board `other`"));
}

fn imported() -> Folder {
    let folder = Folder::new();
    folder.write("in.jsonl", EXPORT);
    folder.ok(&["import", "in.jsonl"]);
    folder
}

#[test]
fn a_row_that_was_altered_is_named_though_no_score_shows_it() {
    let folder = imported();
    alter(
        &folder,
        &[
            "UPDATE log SET at = at + 1, chain_at = chain_at + 1 WHERE board = 2 AND version = 2",
            "UPDATE scores SET updated_at = updated_at + 1 WHERE board = 2 AND reached = 2",
        ],
    );
    let ended = folder.run(&["verify"]);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(ended.out.contains("main: differs at version 2: the row does not come to its digest"), "{ended:?}");
    assert!(ended.out.contains("laps: head 2 ") && !ended.out.contains("main: head"), "{ended:?}");
}

#[test]
fn a_log_without_digests_is_clean_and_it_is_told_from_where_on_it_has_them() {
    let folder = imported();
    alter(&folder, &["UPDATE log SET digest = NULL", "UPDATE boards SET head = NULL"]);
    assert_eq!(folder.ok(&["verify", "--board", "main"]), "main: clean up to version 3 (2 scores)\n");
    let others = without_digests(EXPORT).replace("-00000000000", "-1000000000f").replace("example.org", "example.com");
    folder.write("others.jsonl", &others);
    folder.ok(&["import", "others.jsonl"]);
    let verified = folder.ok(&["verify", "--board", "main"]);
    let expected = "main: clean up to version 6 (4 scores), digests from version 4 on\nmain: head 6 ";
    assert!(verified.starts_with(expected), "{verified}");
    alter(
        &folder,
        &[
            "UPDATE log SET digest = NULL WHERE version = 6",
            "UPDATE boards SET head = (SELECT digest FROM log WHERE board = 2 AND version = 5) WHERE no = 2",
        ],
    );
    let verified = folder.ok(&["verify", "--board", "main"]);
    assert!(
        verified.starts_with("main: clean up to version 6 (4 scores), no digests behind version 5\nmain: head 5 "),
        "{verified}"
    );
}

/// Whoever writes a whole log anew, with its digests, is found by the head that somebody else has.
#[test]
fn a_history_that_was_rewritten_is_named_by_a_head_that_was_kept() {
    let folder = imported();
    folder.write("heads.txt", &folder.ok(&["verify"]));
    let kept = ["verify", "--head", "heads.txt"];
    assert!(folder.ok(&kept).ends_with("main: the same up to version 3 as when its head was kept\n"));
    let more = without_digests(EXPORT).replace("-00000000000", "-1000000000f").replace("example.org", "example.com");
    folder.write("more.jsonl", &more);
    folder.ok(&["import", "more.jsonl"]);
    assert!(
        folder.ok(&kept).ends_with("main: the same up to version 3 as when its head was kept\n"),
        "what came since"
    );

    let rewritten = Folder::new();
    rewritten.write("heads.txt", &folder.read("heads.txt"));
    rewritten.write("in.jsonl", &without_digests(EXPORT).replace("00:00:01.000Z", "00:00:01.500Z"));
    rewritten.ok(&["import", "in.jsonl"]);
    assert_eq!(rewritten.run(&["verify"]).code, 0, "by itself it shows nothing");
    let ended = rewritten.run(&kept);
    assert_eq!(ended.code, 1, "{ended:?}");
    let named = format!("main: differs from the head that was kept at version 3: the digest was {MAIN}, and is ");
    assert!(ended.out.contains(&named), "{ended:?}");

    let shorter = Folder::new();
    shorter.write("heads.txt", &folder.read("heads.txt"));
    shorter.ok(&["admin", "create-board", "main"]);
    let ended = shorter.run(&kept);
    assert_eq!(ended.code, 1, "{ended:?}");
    assert!(
        ended.out.contains("main: differs from the head that was kept at version 3: the log had come to there"),
        "{ended:?}"
    );
    assert!(ended.out.contains("laps: a head was kept of it, and it is gone"), "{ended:?}");
    shorter.write("heads.txt", "nothing\n");
    assert!(shorter.run(&kept).one_line(2).contains("there is no head in heads.txt"));
}

#[test]
fn a_head_is_signed_by_the_key_file_and_openssl_agrees() {
    let folder = imported();
    let refused = folder.run(&["verify", "--sign"]).one_line(2);
    assert!(
        refused.contains("there is no key file ") && refused.ends_with("scoreboard.keys to sign with"),
        "{refused}"
    );
    folder.ok(&["admin", "rotate-keys"]);
    let signed = folder.ok(&["verify", "--sign", "--board", "main"]);
    folder.write("heads.txt", &signed);
    let line = signed.lines().last().expect("a head");
    let words: Vec<&str> = line.split(' ').collect();
    let ["main:", "head", "3", MAIN, "signed", signature, "by", key] = words[..] else { panic!("{line}") };
    assert!(
        folder.ok(&["verify", "--head", "heads.txt", "--public-key", key]).contains("main: the same up to version 3")
    );

    // As the README checks it.
    let readme = include_str!("../../../README.md");
    let begin = readme.find("printf '%s\\n' '-----BEGIN PUBLIC KEY-----'").expect("it says how");
    let script = readme[begin..].split("```").next().expect("a script");
    let openssl = |version: &str| {
        let mut shell = Command::new("sh");
        shell.current_dir(folder.path("")).args(["-e", "-c", script]);
        shell.envs([("KEY", key), ("SIGNATURE", signature), ("BOARD", "main"), ("VERSION", version), ("DIGEST", MAIN)]);
        shell.output().expect("a shell").status.success()
    };
    assert!(openssl("3"));
    assert!(!openssl("4"));

    // Another key signs otherwise, and the one before no more.
    folder.ok(&["admin", "rotate-keys", "--after", "0"]);
    let again = folder.ok(&["verify", "--sign", "--board", "main"]);
    assert!(again.contains(" signed ") && !again.contains(key), "{again}");
    folder.write("heads.txt", &again);
    let refused = folder.run(&["verify", "--head", "heads.txt", "--public-key", key]).one_line(2);
    assert!(refused.contains("heads.txt, line 2: is signed by another key"), "{refused}");
    folder.write("heads.txt", &signed.replace(MAIN, &MAIN.replace('6', "7")));
    assert!(folder.run(&["verify", "--head", "heads.txt"]).one_line(2).contains("line 2: is not what was signed"));
}
