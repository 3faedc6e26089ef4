//! Which files are opened, and how they are left.

use std::error::Error as _;
use std::path::Path;

use scoreboard_core::{BackendError, BoardId, BoardSpec, Chain, CreateBoard, ErrorKind, ScoreStore};
use scoreboard_sqlite::sqlx::{self, AssertSqlSafe, Connection, SqliteConnection};
use scoreboard_sqlite::{Config, SqliteStore};

async fn run(path: &Path, sql: &str) {
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut connection = SqliteConnection::connect(&url).await.expect("it connects");
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("it runs");
    connection.close().await.expect("it closes");
}

async fn refusal(path: &Path) -> BackendError {
    let error = SqliteStore::open(&Config::new(path)).await.expect_err("it is not opened");
    assert!(error.source().is_some(), "the cause is told");
    error
}

async fn create_main(store: &SqliteStore) -> CreateBoard {
    store.create_board(&BoardSpec::new(BoardId::main())).await.expect("a working store")
}

#[tokio::test]
async fn what_was_written_is_there_after_a_reopen() {
    let folder = tempfile::tempdir().unwrap();
    let config = Config::new(folder.path().join("scoreboard.db"));
    let store = SqliteStore::open(&config).await.unwrap();
    assert_eq!(create_main(&store).await, CreateBoard::Created);
    store.close().await;
    let files: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|file| file.unwrap().file_name()).collect();
    assert_eq!(files, ["scoreboard.db"], "a closed file stands alone");

    let store = SqliteStore::open(&config).await.unwrap();
    assert_eq!(create_main(&store).await, CreateBoard::AlreadyExists);
    // Not closed this time: the write-ahead log holds it.
    let other = SqliteStore::open(&config).await.unwrap();
    assert_eq!(other.boards().await.unwrap().len(), 1);
}

#[cfg(unix)]
#[tokio::test]
async fn only_the_owner_may_read_the_files() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempfile::tempdir().unwrap();
    let store = SqliteStore::open(&Config::new(folder.path().join("scoreboard.db"))).await.unwrap();
    let _ = create_main(&store).await;
    for name in ["scoreboard.db", "scoreboard.db-wal", "scoreboard.db-shm"] {
        let rights = std::fs::metadata(folder.path().join(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(rights, 0o600, "{name}");
    }
}

#[tokio::test]
async fn urls_name_files() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("by url.db");
    let store = SqliteStore::from_url(&format!("sqlite://{}", path.display())).await.unwrap();
    assert_eq!(create_main(&store).await, CreateBoard::Created);
    assert!(path.exists());
    assert_eq!(SqliteStore::from_url("postgres://host/db").await.unwrap_err().kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn a_missing_folder_is_refused_and_not_made() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("missing");
    let error = refusal(&missing.join("scoreboard.db")).await;
    assert_eq!(error.kind(), ErrorKind::Refused);
    assert!(Chain(&error).to_string().contains("does not exist"), "{}", Chain(&error));
    assert!(!missing.exists());
}

#[tokio::test]
async fn a_folder_is_no_file() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(refusal(folder.path()).await.kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn what_is_no_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("letter.txt");
    let text = "Dear reader, ".repeat(500);
    std::fs::write(&path, &text).unwrap();
    assert_eq!(refusal(&path).await.kind(), ErrorKind::Corrupt);
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
}

#[tokio::test]
async fn another_programs_database_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("other.db");
    run(&path, "CREATE TABLE boards (name TEXT)").await;
    let error = refusal(&path).await;
    assert_eq!(error.kind(), ErrorKind::Corrupt);
    assert!(Chain(&error).to_string().contains("another program"), "{}", Chain(&error));
}

#[tokio::test]
async fn a_newer_file_is_refused_in_a_sentence() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scoreboard.db");
    SqliteStore::open(&Config::new(&path)).await.unwrap().close().await;
    run(
        &path,
        "INSERT INTO _sqlx_migrations (version, description, success, checksum, execution_time)
         VALUES (9999, 'of the future', TRUE, x'00', 0)",
    )
    .await;
    let error = refusal(&path).await;
    assert_eq!((error.kind(), error.is_retryable()), (ErrorKind::Corrupt, false));
    assert!(Chain(&error).to_string().contains("written by a newer version"), "{}", Chain(&error));
}

#[tokio::test]
async fn an_altered_schema_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scoreboard.db");
    SqliteStore::open(&Config::new(&path)).await.unwrap().close().await;
    run(&path, "UPDATE _sqlx_migrations SET checksum = x'00'").await;
    assert_eq!(refusal(&path).await.kind(), ErrorKind::Corrupt);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_new_file_is_filled_once_though_several_open_it() {
    for _ in 0..20 {
        let folder = tempfile::tempdir().unwrap();
        let config = Config::new(folder.path().join("scoreboard.db"));
        let opens: Vec<_> = (0..4)
            .map(|_| {
                let config = config.clone();
                tokio::spawn(async move { SqliteStore::open(&config).await })
            })
            .collect();
        let mut created = 0;
        for open in opens {
            let store = open.await.unwrap().unwrap();
            created += u32::from(create_main(&store).await == CreateBoard::Created);
        }
        assert_eq!(created, 1);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn a_file_with_two_names_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scoreboard.db");
    SqliteStore::open(&Config::new(&path)).await.unwrap().close().await;
    let other = folder.path().join("other.db");
    std::fs::hard_link(&path, &other).unwrap();
    for name in [&path, &other] {
        let error = refusal(name).await;
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert!(Chain(&error).to_string().contains("2 names"), "{}", Chain(&error));
    }
    std::fs::remove_file(&other).unwrap();
    SqliteStore::open(&Config::new(&path)).await.unwrap().close().await;
}

/// A device without room is not noticed by a write that is rolled back: nothing of it reaches the file.
#[tokio::test]
async fn a_check_writes_to_the_device() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scoreboard.db");
    let store = SqliteStore::open(&Config::new(&path)).await.unwrap();
    let log = || std::fs::metadata(folder.path().join("scoreboard.db-wal")).unwrap().len();
    let before = log();
    store.check().await.unwrap();
    assert!(log() > before);
}
