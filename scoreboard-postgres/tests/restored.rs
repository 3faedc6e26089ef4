//! A dump that is loaded where the database was: what was counted since is gone, and its versions are given out again.

mod support;

use std::path::Path;
use std::process::{Command, Stdio};

use scoreboard_core::{BoardId, Clock, ScoreStore, SystemClock};
use scoreboard_postgres::PostgresStore;
use support::changes::{change, main_board};
use support::{Server, program, run};

/// Runs a program of the database's on the server, by this file.
fn on(server: &Server, name: &str, arguments: &[&str], file: &Path, reads: bool) {
    let mut command = Command::new(program(name));
    command.arg("--host").arg(server.folder()).args(["--username", "postgres", "--dbname", "postgres"]).args(arguments);
    if reads {
        command.stdin(std::fs::File::open(file).expect("the file is there"));
    } else {
        command.stdout(std::fs::File::create(file).expect("a file"));
    }
    let ended = command.stderr(Stdio::inherit()).status().expect("it runs");
    assert!(ended.success(), "{name}: {ended}");
}

async fn position(store: &PostgresStore) -> (u64, u64) {
    let board = store.board(&BoardId::main()).await.expect("a working store").expect("the board is there");
    (board.epoch.get(), board.version.get())
}

#[tokio::test]
async fn a_dump_that_is_loaded_on_the_same_server_begins_the_next_epoch() {
    let (server, folder) = (Server::start(&[]), tempfile::tempdir().expect("a folder"));
    let dump = folder.path().join("dump.sql");
    let open = async || PostgresStore::from_url(server.url()).await.expect("it opens");
    let store = open().await;
    main_board(&store).await;
    let _ = store.apply(&[change(1, SystemClock.now())]).await.expect("it counts");
    on(&server, "pg_dump", &[], &dump, false);
    let _ = store.apply(&[change(2, SystemClock.now())]).await.expect("it counts");
    assert_eq!(position(&store).await, (1, 2));
    store.close().await;
    // Nothing happened: nothing begins.
    let store = open().await;
    assert_eq!(position(&store).await, (1, 2));
    store.close().await;

    run(server.url(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
    on(&server, "psql", &["--quiet", "--set=ON_ERROR_STOP=1"], &dump, true);
    for _ in 0..2 {
        let store = open().await;
        assert_eq!(position(&store).await, (2, 1), "once, however often it is opened");
        store.close().await;
    }
    let store = open().await;
    let outcome = store.apply(&[change(3, SystemClock.now())]).await.expect("it counts").remove(0);
    let receipt = outcome.receipt().expect("it counts");
    assert_eq!((receipt.epoch.get(), receipt.version.get()), (2, 2), "the version that was lost, in another epoch");
    store.close().await;

    // A dump of a release that did not write down of which tables it was.
    run(server.url(), "UPDATE meta SET tables = NULL").await;
    for _ in 0..2 {
        let store = open().await;
        assert_eq!(position(&store).await, (3, 2), "once, for it may be of any age");
        store.close().await;
    }
}

#[tokio::test]
async fn tables_that_were_made_anew_are_another_store() {
    let (server, folder) = (Server::start(&[]), tempfile::tempdir().expect("a folder"));
    let dump = folder.path().join("dump.sql");
    let name = async || {
        let store = PostgresStore::from_url(server.url()).await.expect("it opens");
        let name = store.identity().await.expect("it answers");
        store.close().await;
        name
    };
    let first = name().await;
    assert_eq!(name().await, first, "however often it is opened");
    on(&server, "pg_dump", &["--clean"], &dump, false);
    on(&server, "psql", &["--quiet", "--set=ON_ERROR_STOP=1"], &dump, true);
    let loaded = name().await;
    assert_ne!(loaded, first, "a dump was loaded over it");
    run(server.url(), "DROP SCHEMA public CASCADE; CREATE SCHEMA public").await;
    let anew = name().await;
    assert!(anew != first && anew != loaded);
    run(server.url(), "VACUUM FULL boards").await;
    assert_eq!(name().await, anew, "rows that lie elsewhere are the same");
}
