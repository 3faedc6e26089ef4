use std::net::TcpListener;

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, SqliteConnection};

use crate::folder::Folder;
use crate::served::Served;
use crate::transfer::EXPORT;

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

async fn open(folder: &Folder) -> SqliteConnection {
    SqliteConnectOptions::new().filename(folder.path("scoreboard.db")).connect().await.expect("a database")
}

/// Changes the database behind the program's back.
pub(crate) fn alter(folder: &Folder, statements: &'static [&'static str]) {
    wait(async {
        let mut connection = open(folder).await;
        for statement in statements {
            sqlx::query(AssertSqlSafe(*statement)).execute(&mut connection).await.expect("altered");
        }
    });
}

fn database() -> Folder {
    let folder = Folder::new();
    folder.write("in.jsonl", EXPORT);
    folder.ok(&["import", "in.jsonl"]);
    folder
}

#[test]
fn a_port_that_is_taken_is_told() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let refusal = folder.refused(&["--listen", &address]);
    assert!(refusal.contains(&format!("cannot listen on {address}: another program listens there")), "{refusal}");
    assert_eq!(std::fs::read_dir(folder.path(".")).unwrap().count(), 0, "nothing was made");
    assert!(folder.refused(&["--listen", "192.0.2.1:80"]).contains("cannot listen on 192.0.2.1:80"));
}

#[test]
fn a_folder_that_is_missing_is_told() {
    let folder = Folder::new();
    let refusal = folder.refused(&["--listen", "127.0.0.1:0", "--database-url", "sqlite://no/such/board.db"]);
    assert_eq!(refusal, "error: cannot open the database no/such/board.db: there is no folder no/such");
}

#[test]
fn a_database_of_a_newer_version_is_left_alone() {
    let folder = database();
    alter(
        &folder,
        &[
            "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time) VALUES (9999, 'later', 1, x'00', 0)",
        ],
    );
    for args in [["serve", "--listen=127.0.0.1:0"].as_slice(), &["export"], &["admin", "list-boards"]] {
        let refusal = folder.refused(args);
        assert!(refusal.contains("cannot open the database scoreboard.db: "), "{refusal}");
        assert!(refusal.contains("written by a newer version"), "{refusal}");
    }
    assert!(folder.run(&["verify"]).one_line(2).contains("newer version"));
}

#[test]
fn a_database_that_another_program_has_locked_is_told() {
    let folder = database();
    wait(async {
        let mut connection = open(&folder).await;
        for statement in
            ["PRAGMA locking_mode = EXCLUSIVE", "BEGIN EXCLUSIVE", "UPDATE boards SET name = 'x'", "COMMIT"]
        {
            sqlx::query(statement).execute(&mut connection).await.expect("locked");
        }
        let refusal = folder.refused(&["serve", "--listen", "127.0.0.1:0"]);
        assert_eq!(refusal, "error: cannot open the database scoreboard.db: it is locked by another program");
    });
}

#[test]
fn what_is_no_database_of_ours_is_left_alone() {
    let folder = Folder::new();
    folder.write("scoreboard.db", &"this is a letter to my aunt, and no database at all\n".repeat(200));
    let refusal = folder.refused(&["serve", "--listen", "127.0.0.1:0"]);
    assert!(refusal.contains("cannot open the database scoreboard.db"), "{refusal}");
    assert!(folder.read("scoreboard.db").starts_with("this is a letter"));
    assert!(!folder.path("scoreboard.keys").exists(), "nothing of ours is put beside it");
}

#[cfg(unix)]
#[test]
fn a_key_file_that_others_can_read_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new();
    folder.ok(&["admin", "rotate-keys"]);
    std::fs::set_permissions(folder.path("scoreboard.keys"), std::fs::Permissions::from_mode(0o644)).unwrap();
    let refusal = folder.refused(&["--listen", "127.0.0.1:0"]);
    assert!(refusal.contains("others can read the key file") && refusal.contains("chmod 600"), "{refusal}");
    let broken = "{\"format\":\"scoreboard-keys\",\"version\":1,\"keys\":[]}";
    folder.write("scoreboard.keys", broken);
    std::fs::set_permissions(folder.path("scoreboard.keys"), std::fs::Permissions::from_mode(0o600)).unwrap();
    assert!(folder.refused(&["--listen", "127.0.0.1:0"]).contains("key ring must hold at least one key"));
    assert_eq!(folder.read("scoreboard.keys"), broken, "it is never written over");
}

#[test]
fn a_second_server_on_one_database_is_refused_and_commands_are_not() {
    let folder = Folder::new();
    let server = Served::start(&folder, &[]);
    let refusal = folder.refused(&["--listen", "127.0.0.1:0"]);
    let expected = format!("error: another server (process {}) has scoreboard.db open", server.number());
    assert_eq!(refusal, expected);
    folder.write("in.jsonl", EXPORT);
    assert_eq!(folder.refused(&["import", "in.jsonl"]), expected);
    assert_eq!(folder.ok(&["verify"]), "main: clean up to version 0 (0 scores)\n");
    assert!(folder.ok(&["export"]).contains("\"type\":\"end\""));
    assert!(folder.ok(&["admin", "list-boards"]).starts_with("main "));
    assert_eq!(server.stop(), Some(0));
    folder.ok(&["import", "in.jsonl"]);
}
