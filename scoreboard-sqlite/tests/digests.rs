//! The hash chain of a log that somebody alters behind the store's back, and of one that begins without digests.

use scoreboard_core::{
    ActionId, Audit, BoardId, BoardSpec, Change, CreateBoard, Difference, Fingerprint, Head, Origin, Outcome, Points,
    ScoreStore, Season, Timestamp, UserId, Version, verify,
};
use scoreboard_sqlite::sqlx::{self, AssertSqlSafe, Connection, SqliteConnection};
use scoreboard_sqlite::{Config, SqliteStore};

struct Opened {
    store: SqliteStore,
    folder: tempfile::TempDir,
}

async fn open() -> Opened {
    let folder = tempfile::tempdir().expect("a folder");
    let store = SqliteStore::open(&Config::new(folder.path().join("scoreboard.db"))).await.expect("it opens");
    let created = store.create_board(&BoardSpec::new(BoardId::main())).await.expect("a working store");
    assert_eq!(created, CreateBoard::Created);
    Opened { store, folder }
}

impl Opened {
    /// The changes of these numbers, by two users.
    async fn count(&self, numbers: impl IntoIterator<Item = u64>) {
        let change = |number: u64| Change {
            action_id: ActionId::from_bytes(u128::from(number).to_be_bytes()),
            fingerprint: Fingerprint::from_bytes([1; 16]),
            board: BoardId::main(),
            season: Season::FIRST,
            user_id: UserId::for_name("test", if number.is_multiple_of(2) { "even" } else { "odd" }),
            kind: "win".parse().expect("a kind"),
            points: Points::new(1).expect("points"),
            origin: Origin::Action,
            at: Timestamp::from_millis(1_700_000_000_000),
            at_most: None,
            admitted: None,
        };
        let changes: Vec<_> = numbers.into_iter().map(change).collect();
        let outcomes = self.store.apply(&changes).await.expect("a working store");
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Applied(_))), "{outcomes:?}");
    }

    async fn run(&self, sql: &str) {
        let url = format!("sqlite://{}", self.folder.path().join("scoreboard.db").display());
        let mut connection = SqliteConnection::connect(&url).await.expect("it connects");
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("it runs");
        connection.close().await.expect("it closes");
    }

    async fn audit(&self) -> Audit {
        verify(&self.store, &BoardId::main(), |_, _| {}).await.expect("a working store")
    }

    async fn difference(&self, alteration: &str) -> Difference {
        match self.audit().await {
            Audit::Differs(difference) => difference,
            other @ (Audit::Clean { .. } | Audit::UnknownBoard) => panic!("{alteration}: {other:?}"),
        }
    }

    /// From where on the digests are, and the newest.
    async fn digests(&self) -> (Option<u64>, Option<Head>) {
        match self.audit().await {
            Audit::Clean { head, digests_from, .. } => (digests_from.map(Version::get), head),
            other @ (Audit::Differs(_) | Audit::UnknownBoard) => panic!("{other:?}"),
        }
    }
}

const DIGEST: &str = "does not come to its digest";

#[tokio::test]
async fn what_is_altered_behind_the_stores_back_is_named() {
    let opened = open().await;
    opened.count(1..=4).await;
    opened.count(5..=8).await;
    opened.run("CREATE TABLE kept AS SELECT * FROM log; CREATE TABLE kept_boards AS SELECT * FROM boards").await;
    for (alteration, version, what) in [
        ("UPDATE log SET kind = 'other' WHERE version = 5", 5, DIGEST),
        ("UPDATE log SET fingerprint = action_id WHERE version = 1", 1, DIGEST),
        ("UPDATE log SET action_id = fingerprint WHERE version = 8", 8, DIGEST),
        ("UPDATE log SET origin = 'record' WHERE version = 4", 4, DIGEST),
        ("UPDATE log SET digest = zeroblob(32) WHERE version = 6", 6, DIGEST),
        ("UPDATE log SET kind = 'other', digest = NULL WHERE version = 6", 7, DIGEST),
        ("DELETE FROM log WHERE version = 3", 2, "the next row has version 4, expected 3"),
        ("DELETE FROM log WHERE version = 8", 7, "the log ends here"),
        ("DELETE FROM log WHERE version = 8; UPDATE boards SET version = 7", 7, "the log ends with digest"),
        (
            "UPDATE log SET version = 100 WHERE version = 4;
             UPDATE log SET version = 4 WHERE version = 5; UPDATE log SET version = 5 WHERE version = 100",
            4,
            DIGEST,
        ),
        ("UPDATE boards SET head = zeroblob(32)", 8, "the log ends with digest"),
        ("UPDATE boards SET head = NULL", 8, "the board's head is none"),
    ] {
        let begin = opened.digests().await;
        assert!(begin.0 == Some(1) && begin.1.is_some(), "before {alteration}: {begin:?}");
        opened.run(alteration).await;
        let found = opened.difference(alteration).await;
        assert_eq!(found.version.get(), version, "{alteration}: {found}");
        assert!(found.what.contains(what), "{alteration}: {found}");
        opened
            .run(
                "DELETE FROM log; INSERT INTO log SELECT * FROM kept;
                 UPDATE boards SET version = (SELECT version FROM kept_boards), head = (SELECT head FROM kept_boards)",
            )
            .await;
    }
}

/// As in a file of a release that knew of none.
#[tokio::test]
async fn the_chain_begins_behind_the_rows_that_have_no_digest() {
    let opened = open().await;
    opened.count(1..=3).await;
    opened.run("UPDATE log SET digest = NULL; UPDATE boards SET head = NULL").await;
    assert_eq!(opened.digests().await, (None, None));
    opened.count(4..=6).await;
    let (from, head) = opened.digests().await;
    assert_eq!((from, head.map(|head| head.version.get())), (Some(4), Some(6)));
    opened.run("UPDATE log SET kind = 'other' WHERE version = 4").await;
    assert_eq!(opened.difference("the first of them").await.version.get(), 4);
}
