//! The hash chain of a log that somebody alters behind the store's back, and of one that a release of before writes on.

mod support;

use scoreboard_core::{
    Audit, BoardId, Change, Clock, Difference, Head, KeptHead, Outcome, ScoreStore, SystemClock, UserId, Version,
    compare_head, verify,
};
use scoreboard_postgres::PostgresStore;
use support::changes::{change, main_board};
use support::{Schema, run};

/// The change of this number, by one of two users.
fn of_two(number: u64) -> Change {
    let user_id = UserId::for_name("test", if number.is_multiple_of(2) { "even" } else { "odd" });
    Change { user_id, ..change(number, SystemClock.now()) }
}

async fn count(store: &PostgresStore, numbers: impl IntoIterator<Item = u64>) {
    let changes: Vec<_> = numbers.into_iter().map(of_two).collect();
    let outcomes = store.apply(&changes).await.expect("a working store");
    assert!(outcomes.iter().all(|outcome| matches!(outcome, Outcome::Applied(_))), "{outcomes:?}");
}

async fn audit(store: &PostgresStore) -> Audit {
    verify(store, &BoardId::main(), |_, _| {}).await.expect("a working store")
}

async fn difference(store: &PostgresStore, alteration: &str) -> Difference {
    match audit(store).await {
        Audit::Differs(difference) => difference,
        other @ (Audit::Clean { .. } | Audit::UnknownBoard) => panic!("{alteration}: {other:?}"),
    }
}

/// From where on the digests are, and the newest.
async fn digests(store: &PostgresStore) -> (Option<u64>, Option<Head>) {
    match audit(store).await {
        Audit::Clean { head, digests_from, .. } => (digests_from.map(Version::get), head),
        other @ (Audit::Differs(_) | Audit::UnknownBoard) => panic!("{other:?}"),
    }
}

const DIGEST: &str = "does not come to its digest";

#[tokio::test]
async fn what_is_altered_behind_the_stores_back_is_named() {
    let schema = Schema::create().await;
    let store = schema.store().await;
    main_board(&store).await;
    count(&store, 1..=4).await;
    count(&store, 5..=8).await;
    run(schema.url(), "CREATE TABLE kept AS SELECT * FROM log; CREATE TABLE kept_boards AS SELECT * FROM boards").await;
    for (alteration, version, what) in [
        ("UPDATE log SET kind = 'other' WHERE version = 5", 5, DIGEST),
        ("UPDATE log SET fingerprint = action_id WHERE version = 1", 1, DIGEST),
        ("UPDATE log SET action_id = fingerprint WHERE version = 8", 8, DIGEST),
        ("UPDATE log SET origin = 'record' WHERE version = 4", 4, DIGEST),
        ("UPDATE log SET digest = sha256('') WHERE version = 6", 6, DIGEST),
        // A row that is made to look like one of a release before does not: the next one stands behind it.
        ("UPDATE log SET kind = 'other', digest = NULL WHERE version = 6", 7, DIGEST),
        ("DELETE FROM log WHERE version = 3", 2, "the next row has version 4, expected 3"),
        ("DELETE FROM log WHERE version = 8", 7, "the log ends here"),
        ("DELETE FROM log WHERE version = 8; UPDATE boards SET version = 7", 7, "the log ends with digest"),
        (
            "UPDATE log SET version = 100 WHERE version = 4; UPDATE log SET version = 4 WHERE version = 5;
             UPDATE log SET version = 5 WHERE version = 100",
            4,
            DIGEST,
        ),
        ("UPDATE boards SET head = sha256('')", 8, "the log ends with digest"),
        ("UPDATE boards SET head = NULL", 8, "the board's head is none"),
        ("UPDATE log SET version = 80 WHERE version = 8", 7, "the next row has version 80, expected 8"),
        (
            "CREATE TEMP TABLE stray AS SELECT * FROM log WHERE version = 8;
             UPDATE stray SET version = 80, action_id = fingerprint; INSERT INTO log SELECT * FROM stray; DROP TABLE stray",
            8,
            "the log has a version 80, but the board is at 8",
        ),
    ] {
        let begin = digests(&store).await;
        assert!(begin.0 == Some(1) && begin.1.is_some(), "before {alteration}: {begin:?}");
        run(schema.url(), alteration).await;
        let found = difference(&store, alteration).await;
        assert_eq!(found.version.get(), version, "{alteration}: {found}");
        assert!(found.what.contains(what), "{alteration}: {found}");
        run(
            schema.url(),
            "TRUNCATE log; INSERT INTO log SELECT * FROM kept;
             UPDATE boards SET version = kept.version, head = kept.head FROM kept_boards AS kept",
        )
        .await;
    }
}

/// Servers of the release before go on beside those of this one.
#[tokio::test]
async fn the_chain_goes_on_behind_what_a_release_of_before_writes() {
    let schema = Schema::create().await;
    let store = schema.store().await;
    main_board(&store).await;
    count(&store, 1..=3).await;
    let (from, kept) = digests(&store).await;
    assert_eq!((from, kept.map(|kept| kept.version.get())), (Some(1), Some(3)));
    let before = "INSERT INTO log (board, version, epoch, action_id, fingerprint, season, user_id, kind, points, origin,
                                   previous_score, previous_version, previous_at, score, at)
                  SELECT boards.no, boards.version + 1, 1, gen_random_uuid(), gen_random_uuid(), 1, scores.user_id, 'win', 1,
                         'action', scores.score, scores.reached, scores.updated_at, scores.score + 1, scores.updated_at + 1
                  FROM boards JOIN scores ON scores.board = boards.no ORDER BY scores.user_id LIMIT 1;
                  UPDATE scores SET score = log.score, reached = log.version, updated_at = log.at, order_score = -log.score,
                         order_tie = log.version FROM log, boards WHERE log.version = boards.version + 1 AND log.user_id = scores.user_id;
                  UPDATE boards SET version = version + 1";
    run(schema.url(), before).await;
    assert_eq!(digests(&store).await, (None, kept), "the newest row has none");
    run(schema.url(), before).await;
    count(&store, 6..=7).await;
    let (from, head) = digests(&store).await;
    assert_eq!((from, head.map(|head| head.version.get())), (Some(6), Some(7)));
    let kept = kept.expect("it was there");
    assert_eq!(compare_head(&store, &BoardId::main(), kept).await.unwrap(), KeptHead::Same);
    // What was before is held by what came behind.
    run(schema.url(), "UPDATE log SET digest = NULL WHERE version <= 3").await;
    assert_eq!(difference(&store, "without digests").await.version.get(), 6);
    let other = compare_head(&store, &BoardId::main(), kept).await.unwrap();
    assert!(matches!(&other, KeptHead::Differs(difference) if difference.what.contains("and is none")), "{other:?}");
}
