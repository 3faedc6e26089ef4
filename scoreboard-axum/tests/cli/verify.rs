use crate::folder::Folder;
use crate::refusals::alter;
use crate::transfer::EXPORT;

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
