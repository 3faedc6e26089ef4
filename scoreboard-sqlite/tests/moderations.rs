//! Decisions of moderators about a file that was written before there were any.

use std::path::Path;

use scoreboard_core::{
    Audit, BoardId, Change, Fingerprint, Moderated, Moderation, ModerationAct, ModerationId, ModerationStore, Origin,
    Outcome, PageQuery, Points, Range, RankStyle, ScoreStore, Season, Timestamp, UserId, verify,
};
use scoreboard_sqlite::sqlx::migrate::{Migrate, Migrator};
use scoreboard_sqlite::sqlx::{self, AssertSqlSafe, Connection, SqliteConnection};
use scoreboard_sqlite::{Config, SqliteStore};

static MIGRATIONS: Migrator = sqlx::migrate!("./migrations");

/// The first release with decisions.
const WITH_DECISIONS: i64 = 8;

/// Writes a file as the release before did: a board, and a row for each of these users with a point.
async fn write_before(path: &Path, users: u8) {
    let url = format!("sqlite://{}?mode=rwc", path.display());
    let mut connection = SqliteConnection::connect(&url).await.expect("it connects");
    connection.ensure_migrations_table("_sqlx_migrations").await.expect("it runs");
    for migration in MIGRATIONS.iter().filter(|migration| migration.version < WITH_DECISIONS) {
        connection.apply("_sqlx_migrations", migration).await.expect("it runs");
    }
    let mut sql = format!(
        "INSERT INTO boards (no, id, name, direction, operator, tie_break, kinds, season, version)
         VALUES (1, 'main', 'main', 'descending', 'increment', 'earliest', '[]', 1, {users});
         INSERT INTO seasons (board, season, total) VALUES (1, 1, {users});"
    );
    for user in 1..=users {
        let id = hex(user);
        sql.push_str(&format!(
            "INSERT INTO log (board, version, epoch, action_id, fingerprint, season, user_id, kind, points, origin, score, at, chain_at)
             VALUES (1, {user}, 1, x'{id}', x'{id}', 1, x'{id}', 'tap', 1, 'action', 1, {user}, {user});
             INSERT INTO scores (board, season, user_id, score, reached, updated_at, order_score, order_tie, chain_end, chain_at)
             VALUES (1, 1, x'{id}', 1, {user}, {user}, -1, {user}, {user}, {user});"
        ));
    }
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await.expect("it runs");
    connection.close().await.expect("it closes");
}

fn hex(user: u8) -> String {
    format!("{user:02x}").repeat(16)
}

#[tokio::test]
async fn a_file_of_before_takes_decisions() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("scoreboard.db");
    write_before(&path, 3).await;
    let store = SqliteStore::open(&Config::new(&path)).await.expect("it opens");
    let user = |number: u8| UserId::from_bytes([number; 16]);
    let moderation = |number, act| Moderation {
        id: ModerationId::from_bytes([number; 16]),
        at: Timestamp::from_millis(100),
        by: "a test".to_owned(),
        reason: "a test".to_owned(),
        act,
    };
    let void = ModerationAct::Void { actions: vec![scoreboard_core::ActionId::from_bytes([1; 16])] };
    let done = store.moderate(&moderation(1, void)).await.unwrap();
    assert!(matches!(done, Moderated::Done(_)), "{done:?}");
    let change = Change {
        action_id: scoreboard_core::ActionId::from_bytes([9; 16]),
        fingerprint: Fingerprint::from_bytes([9; 16]),
        board: BoardId::main(),
        season: Season::FIRST,
        // Who has rows, and nothing that counts.
        user_id: user(1),
        kind: "tap".parse().unwrap(),
        points: Points::new(5).unwrap(),
        origin: Origin::Record,
        at: Timestamp::from_millis(200),
        at_most: None,
        admitted: None,
    };
    let outcome = store.apply(&[change]).await.unwrap().remove(0);
    assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
    let query = PageQuery { season: None, range: Range::Top { limit: 9 }, style: RankStyle::Ordinal };
    let page = store.page(&BoardId::main(), query).await.unwrap().unwrap();
    let entries: Vec<_> = page.entries.iter().map(|entry| (entry.user_id, entry.score.get())).collect();
    assert_eq!(entries, [(user(1), 5), (user(2), 1), (user(3), 1)]);
    let history = store.history(&BoardId::main(), user(1), None, 9).await.unwrap();
    assert_eq!(history.len(), 2, "one chain through all");
    let audit = verify(&store, &BoardId::main(), |_, _| {}).await.unwrap();
    assert!(matches!(audit, Audit::Clean { .. }), "{audit:?}");
    store.close().await;

    let mut connection = SqliteConnection::connect(&format!("sqlite://{}", path.display())).await.unwrap();
    let whole: String = sqlx::query_scalar("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
    assert_eq!(whole, "ok");
    // The checks that stayed still bite.
    let wrong = "INSERT INTO log (board, version, epoch, action_id, fingerprint, season, user_id, kind, points, origin, score, at, chain_at)
                 VALUES (1, 99, 1, randomblob(16), randomblob(16), 1, randomblob(16), 'tap', 1, 'nobody', 1, 1, 1)";
    assert!(sqlx::query(wrong).execute(&mut connection).await.is_err(), "an origin that there is not");
    connection.close().await.unwrap();
}
