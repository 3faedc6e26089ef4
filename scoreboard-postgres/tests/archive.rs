//! Parts of the log that are archived and dropped: what is refused, what is answered, what is proven then, and ends at any moment.

mod support;

use std::future::poll_fn;
use std::path::Path;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, LazyLock};
use std::task::Poll;
use std::time::Duration;

use scoreboard_core::testing::ManualClock;
use scoreboard_core::{
    ActionKind, Audit, BoardId, BoardSpec, Chain, Change, Clock, CreateBoard, Error, ErrorKind, Head, HistoryQuery,
    IssueRequest, KeptHead, LiveEvent, Origin, Outcome, Points, PointsRule, Position, Refusal, Rejection, ScoreStore,
    Scoreboard, SystemClock, Timestamp, UserId, Version, compare_head, verify,
};
use scoreboard_postgres::sqlx::{self, Connection, PgConnection};
use scoreboard_postgres::{Archive, ArchiveStep, PostgresStore};
use support::changes::{change, main_board};
use support::{Schema, run};

const DAY: Duration = Duration::from_secs(86_400);
/// When the tests' actions were: before any part but the first.
const THEN: Timestamp = Timestamp::from_millis(1_600_000_000_000);

/// A change in the first part.
fn old(number: u64) -> Change {
    change(number, THEN)
}

/// A change in the second part, which is there from the beginning.
fn new(number: u64) -> Change {
    static SOON: LazyLock<Timestamp> = LazyLock::new(|| SystemClock.now().plus(DAY * 10));
    change(number, *SOON)
}

/// As the user of another change.
fn of(user: u64, change: Change) -> Change {
    Change { user_id: UserId::for_name("test", &user.to_string()), ..change }
}

fn record(number: u64) -> Change {
    Change { origin: Origin::Record, ..old(number) }
}

/// What is asked when the first part is spent, and the second is not.
fn archive(folder: &Path) -> Archive {
    let now = SystemClock.now().plus(DAY * 20);
    Archive { now, older_than: DAY * 3, folder: folder.to_owned() }
}

struct Opened {
    store: PostgresStore,
    schema: Schema,
    folder: tempfile::TempDir,
}

async fn open() -> Opened {
    let schema = Schema::create().await;
    let store = schema.store().await;
    main_board(&store).await;
    Opened { store, schema, folder: tempfile::tempdir().expect("a folder") }
}

impl Opened {
    /// The server notices with some delay that whoever archived is gone.
    async fn until_nobody_archives(&self) {
        let held = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 'log_parts'::regclass";
        let mut beside = PgConnection::connect(self.schema.url()).await.expect("it connects");
        while sqlx::query_scalar::<_, i64>(held).fetch_one(&mut beside).await.expect("a number") > 0 {}
    }

    /// So many rows, and no fewer, are in the database, or in a whole file.
    async fn assert_in_one_place(&self, rows: usize, when: &str) {
        let file = self.folder.path().join("scoreboard-log-1.jsonl");
        if file.exists() {
            assert_eq!(self.lines().len(), rows + 2, "{when}: what has the name is whole");
        }
        let there = self.store.log(&BoardId::main(), Version::ZERO, 100).await.expect("a log").len();
        assert!(there == 100 || (there == 0 && file.exists()), "{when}: {there} rows");
    }

    async fn count(&self, changes: &[Change]) {
        for outcome in self.store.apply(changes).await.expect("a working store") {
            assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
        }
    }

    async fn archive(&self) -> u64 {
        let archived = self.store.archive(&archive(self.folder.path()), |_, _| {}).await.expect("it is archived");
        archived.iter().map(|part| part.rows).sum()
    }

    async fn outcome(&self, change: &Change) -> Outcome {
        self.store.apply(std::slice::from_ref(change)).await.expect("a working store").remove(0)
    }

    async fn versions(&self, after: u64) -> Vec<u64> {
        let rows = self.store.log(&BoardId::main(), Version::new(after), 1_000).await.expect("a working store");
        rows.iter().map(|row| row.position.version.get()).collect()
    }

    async fn audit(&self) -> Audit {
        verify(&self.store, &BoardId::main(), |_, _| {}).await.expect("a working store")
    }

    fn lines(&self) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.folder.path().join("scoreboard-log-1.jsonl")).expect("the archive");
        text.lines().map(|line| serde_json::from_str(line).expect("a line of JSON")).collect()
    }
}

#[tokio::test]
async fn what_is_archived_is_in_its_file_and_counts_no_second_time() {
    let opened = open().await;
    opened.count(&[old(1), old(2), record(3), of(1, old(4)), new(5), of(1, new(6)), record(7)]).await;
    let (scores, before) =
        (scan(&opened.store).await, opened.store.log(&BoardId::main(), Version::ZERO, 10).await.unwrap());
    assert_eq!(opened.archive().await, 3);

    let lines = opened.lines();
    let texts: Vec<_> = lines.iter().map(|line| line["type"].as_str().unwrap()).collect();
    assert_eq!(texts, ["header", "row", "row", "row", "end"]);
    assert_eq!(lines[4]["boards"]["main"], 4, "the highest version in it");
    for (line, row) in lines[1..4].iter().zip([&before[0], &before[1], &before[3]]) {
        assert_eq!(line["id"], row.action_id.to_string());
        assert_eq!(line["version"], row.position.version.get());
        let previous = row.previous.map_or(serde_json::Value::Null, |previous| previous.score.get().into());
        assert_eq!(line["previous"]["score"], previous);
    }

    assert_eq!(scan(&opened.store).await, scores, "the scores stay");
    for change in [old(1), old(2), of(1, old(4))] {
        assert_eq!(opened.outcome(&change).await, Outcome::Refused(Refusal::Archived));
        assert_eq!(opened.store.action(change.action_id).await.unwrap(), None);
    }
    assert_eq!(opened.outcome(&old(77)).await, Outcome::Refused(Refusal::Archived), "nobody knows whether it counted");
    for change in [record(3), new(5), of(1, new(6)), record(7)] {
        assert!(matches!(opened.outcome(&change).await, Outcome::Replayed(_)));
    }
    opened.count(&[record(8), new(9), of(2, new(10))]).await;
    assert!(matches!(opened.audit().await, Audit::Clean { scores: 7, .. }), "{:?}", opened.audit().await);
    assert_eq!(opened.archive().await, 0, "there is no more to archive");
}

async fn scan(store: &PostgresStore) -> impl PartialEq + std::fmt::Debug + use<> {
    store.scan(&BoardId::main(), scoreboard_core::Season::FIRST, None, 100).await.expect("a working store")
}

#[tokio::test]
async fn whoever_reads_the_log_is_told_where_it_begins() {
    let opened = open().await;
    opened.count(&[of(1, old(1)), record(2), of(1, old(3)), of(1, new(4)), of(1, new(5))]).await;
    let main = BoardId::main();
    assert_eq!(opened.archive().await, 2);
    let board = opened.store.board(&main).await.unwrap().unwrap();
    assert_eq!((board.log_after, board.version), (Version::new(3), Version::new(5)));
    assert_eq!(opened.versions(0).await, [4, 5], "never with a gap: the record at version 2 is left out");
    assert_eq!(opened.versions(4).await, [5]);

    let scoreboard = Scoreboard::builder(Arc::new(opened.store.clone())).build();
    for (asked, begins, rows) in [(0, 3, 2), (3, 3, 2), (4, 4, 1), (5, 5, 0)] {
        let changes = scoreboard.changes(&main, Version::new(asked), 10).await.unwrap();
        assert_eq!((changes.after.get(), changes.rows.len()), (begins, rows), "changes after {asked}");
    }
    let history = scoreboard.history(&HistoryQuery::new(main.clone(), of(1, old(1)).user_id)).await.unwrap();
    let versions: Vec<_> = history.entries.iter().map(|entry| entry.version.get()).collect();
    assert_eq!((versions, history.log_after.get(), history.next_cursor), (vec![5, 4], 3, None));

    for (since, is_update) in [(0, false), (2, false), (3, true), (4, true)] {
        let since = Position { epoch: board.epoch, version: Version::new(since) };
        let event = scoreboard.subscribe(&main, 10, Some(since)).await.unwrap().next().await.unwrap();
        assert_eq!(matches!(event, LiveEvent::Update(_)), is_update, "resumed from {since:?}: {event:?}");
    }

    // All of it is archived: nothing is new, and nothing is there.
    run(opened.schema.url(), "UPDATE boards SET log_after = version").await;
    let changes = scoreboard.changes(&main, Version::ZERO, 10).await.unwrap();
    assert_eq!((changes.after.get(), changes.rows.len()), (5, 0));
}

#[tokio::test]
async fn an_audit_finds_what_is_altered_behind_an_archive() {
    let alterations = [
        "UPDATE log SET points = points + 1 WHERE version = 5",
        "UPDATE log SET previous_score = previous_score + 1, score = score + 1 WHERE version = 6",
        "UPDATE log SET previous_version = 4 WHERE version = 5",
        "UPDATE log SET score = 9 WHERE version = 6",
        "DELETE FROM log WHERE version = 5",
        "DELETE FROM log WHERE version = 6",
        "UPDATE scores SET score = score + 1, order_score = order_score - 1 WHERE reached = 6",
        "UPDATE scores SET reached = 5, order_tie = 5 WHERE reached = 1",
        "DELETE FROM scores WHERE reached = 1",
        "UPDATE seasons SET total = total + 1",
        "UPDATE boards SET log_after = log_after - 1",
    ];
    let opened = open().await;
    opened.count(&[old(1), old(2), of(2, old(3)), record(4), of(2, new(5)), of(2, new(6))]).await;
    assert_eq!(opened.archive().await, 3);
    run(opened.schema.url(), "CREATE TABLE kept AS SELECT * FROM log").await;
    for table in ["scores", "seasons", "boards"] {
        run(opened.schema.url(), &format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await;
    }
    for alteration in alterations {
        assert!(matches!(opened.audit().await, Audit::Clean { .. }), "before {alteration}: {:?}", opened.audit().await);
        run(opened.schema.url(), alteration).await;
        assert!(matches!(opened.audit().await, Audit::Differs(_)), "{alteration}");
        run(
            opened.schema.url(),
            "TRUNCATE log, scores; INSERT INTO log SELECT * FROM kept; INSERT INTO scores SELECT * FROM kept_scores;
             UPDATE seasons SET total = kept.total FROM kept_seasons AS kept;
             UPDATE boards SET log_after = kept.log_after FROM kept_boards AS kept",
        )
        .await;
    }
}

/// What an audit cannot see without it: the scores of those who did nothing since.
#[tokio::test]
async fn with_the_archive_every_score_is_proven() {
    let opened = open().await;
    opened
        .count(&[old(1), old(2), of(2, record(3)), record(4), of(6, old(6)), of(2, new(5)), of(6, new(7)), new(8)])
        .await;
    assert_eq!(opened.archive().await, 3);
    let check = async || opened.store.check_archive(opened.folder.path(), &[]).await.unwrap();
    for alteration in [
        "UPDATE scores SET score = 7, order_score = -7 WHERE reached = 1",
        "UPDATE scores SET updated_at = 1 WHERE reached = 4",
        "DELETE FROM scores WHERE reached = 1",
        "UPDATE log SET previous_score = 5 WHERE version = 7",
        "UPDATE log SET previous_score = NULL, previous_version = NULL, previous_at = NULL WHERE version = 6",
        "UPDATE log SET previous_score = 1, previous_version = 1, previous_at = 1 WHERE version = 8",
        "UPDATE log_parts SET digest = sha256('') WHERE no = 1",
    ] {
        assert_eq!(check().await, None, "before {alteration}");
        run(
            opened.schema.url(),
            &format!(
                "CREATE TABLE kept AS SELECT * FROM log; CREATE TABLE kept_scores AS SELECT * FROM scores;
            CREATE TABLE kept_parts AS SELECT * FROM log_parts; {alteration}"
            ),
        )
        .await;
        assert!(check().await.is_some(), "{alteration}");
        run(
            opened.schema.url(),
            "TRUNCATE log, scores; INSERT INTO log SELECT * FROM kept; INSERT INTO scores SELECT * FROM kept_scores;
            UPDATE log_parts SET digest = kept.digest FROM kept_parts AS kept WHERE log_parts.no = kept.no;
            DROP TABLE kept, kept_scores, kept_parts",
        )
        .await;
    }
    std::fs::remove_file(opened.folder.path().join("scoreboard-log-1.jsonl")).unwrap();
    assert!(check().await.unwrap().contains("scoreboard-log-1.jsonl: No such file"));
}

/// What was archived, what was recorded between, and what came behind are one chain still.
#[tokio::test]
async fn with_the_archive_the_log_is_one_chain() {
    let opened = open().await;
    opened.count(&[old(1), record(2), of(1, old(3))]).await;
    opened.count(&[record(4), of(1, old(5)), of(1, new(6)), new(7)]).await;
    let rows = opened.store.log(&BoardId::main(), Version::ZERO, 10).await.unwrap();
    assert_eq!(opened.archive().await, 3);
    let main = BoardId::main();
    let check = async |kept: &[(BoardId, Head)]| opened.store.check_archive(opened.folder.path(), kept).await.unwrap();
    let heads: Vec<_> = rows
        .iter()
        .map(|row| (main.clone(), Head { version: row.position.version, digest: row.digest.expect("each has one") }))
        .collect();
    assert_eq!(check(&heads).await, None);
    for (head, is_archived) in heads.iter().zip([true, true, true, true, true, false, false]) {
        let found = compare_head(&opened.store, &main, head.1).await.unwrap();
        assert_eq!(found == KeptHead::Archived, is_archived, "{head:?}: {found:?}");
    }
    let other = (main.clone(), Head { digest: heads[0].1.digest, ..heads[2].1 });
    assert!(check(&[other]).await.unwrap().contains("main: at version 3: the digest was"));

    for (alteration, named) in [
        ("UPDATE log SET kind = 'other' WHERE version = 2", "the row of version 2 does not come to its digest"),
        (
            "UPDATE log SET fingerprint = action_id WHERE version = 4",
            "the row of version 4 does not come to its digest",
        ),
        // The first behind the archive, which the audit takes as it is found.
        ("UPDATE log SET kind = 'other' WHERE version = 6", "the row of version 6 does not come to its digest"),
        (
            "DELETE FROM log WHERE version = 4; DELETE FROM scores WHERE reached = 4; UPDATE seasons SET total = total - 1",
            "version 4 is neither archived nor in the database",
        ),
    ] {
        run(opened.schema.url(), &format!("CREATE TABLE kept AS SELECT * FROM log; {alteration}")).await;
        assert!(matches!(opened.audit().await, Audit::Clean { .. }), "{alteration}: {:?}", opened.audit().await);
        let found = check(&[]).await.unwrap_or_default();
        assert!(found.contains(named), "{alteration}: {found}");
        run(opened.schema.url(), "TRUNCATE log; INSERT INTO log SELECT * FROM kept; DROP TABLE kept").await;
    }
}

/// A wrong clock does not make it count again either.
#[tokio::test]
async fn an_archived_action_that_is_handed_in_again_has_expired_whatever_the_clock_says() {
    let opened = open().await;
    let board = BoardId::new("quests").unwrap();
    let quest = ActionKind {
        kind: "quest".parse().unwrap(),
        points: PointsRule::Fixed(Points::new(10).unwrap()),
        min_duration_seconds: 0,
        lifetime_seconds: 86_400,
        per_day: None,
    };
    let spec = BoardSpec { kinds: vec![quest], ..BoardSpec::new(board.clone()) };
    assert_eq!(opened.store.create_board(&spec).await.unwrap(), CreateBoard::Created);
    let clock = ManualClock::default();
    let scoreboard = Scoreboard::builder(Arc::new(opened.store.clone())).with_clock(Arc::new(clock.clone())).build();
    let ada = UserId::for_name("test", "ada");
    let done = scoreboard.issue(ada, IssueRequest::new(board.clone(), "quest".parse().unwrap())).await.unwrap();
    let lost = scoreboard.issue(ada, IssueRequest::new(board.clone(), "quest".parse().unwrap())).await.unwrap();
    let first = scoreboard.submit(ada, done.clone()).await.unwrap();
    clock.advance(DAY * 30);
    assert!(scoreboard.submit(ada, done.clone()).await.unwrap().replayed, "it is late, and counted in time");
    assert_eq!(opened.archive().await, 1);
    for back in [Duration::ZERO, DAY * 30] {
        clock.set(clock.now().minus(back));
        for action in [&done, &lost] {
            let again = scoreboard.submit(ada, action.clone()).await;
            assert!(matches!(again, Err(Error::Rejected(Rejection::Expired))), "{again:?}");
        }
    }
    assert_eq!(opened.store.board(&board).await.unwrap().unwrap().version, first.version);
}

/// Polls a call so often and drops it; what it gave if it was done by then.
async fn dropped_after<T>(polls: u64, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    let mut left = polls;
    poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(None);
        }
        left -= 1;
        match call.as_mut().poll(context) {
            Poll::Ready(done) => Poll::Ready(Some(done)),
            Poll::Pending if left == 0 => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

/// What a call gave, unless there came to be reason to end it: then it is dropped where it next waits.
async fn dropped_when<T>(is_over: impl Fn() -> bool, call: impl Future<Output = T>) -> Option<T> {
    let mut call = pin!(call);
    poll_fn(|context| match call.as_mut().poll(context) {
        Poll::Ready(done) => Poll::Ready(Some(done)),
        Poll::Pending if is_over() => Poll::Ready(None),
        Poll::Pending => Poll::Pending,
    })
    .await
}

/// More rows than are read at once, and more than are written at once.
const MANY: usize = 3_000;

/// A log with so many rows to archive.
async fn long(rows: usize) -> Opened {
    let opened = open().await;
    let changes: Vec<_> = (0..rows as u64).map(old).collect();
    for batch in changes.chunks(500) {
        opened.count(batch).await;
    }
    opened
}

/// Behind each step that it tells of, it is ended where it next waits: while it writes, and while it compares.
#[tokio::test]
async fn an_archive_that_is_ended_behind_any_step_begins_again_or_goes_on() {
    let is_written: fn(&ArchiveStep) -> bool = |step| matches!(step, ArchiveStep::Written(_));
    let is_compared: fn(&ArchiveStep) -> bool = |step| matches!(step, ArchiveStep::Compared(_));
    // Of comparing it tells every ten thousand rows.
    for (is_meant, rows) in [(is_written, MANY), (is_compared, 12_000)] {
        let opened = long(rows).await;
        let archive = archive(opened.folder.path());
        let mut ended = 0;
        loop {
            opened.until_nobody_archives().await;
            let told = AtomicUsize::new(0);
            let progress = |_: &_, step| {
                told.fetch_add(usize::from(is_meant(&step)), Ordering::Relaxed);
            };
            let call = opened.store.archive(&archive, progress);
            if let Some(done) = dropped_when(|| told.load(Ordering::Relaxed) > ended, call).await {
                let _ = done.unwrap();
                break;
            }
            ended += 1;
            opened.assert_in_one_place(rows, &format!("ended for the {ended}. time")).await;
        }
        assert!(ended > 0, "it was never ended");
        assert_eq!(opened.lines().len(), rows + 2);
    }
}

/// Each time it comes a little further before it is ended, so that it is ended everywhere: before and behind each statement, each
/// write, the name, and the commit. How often that is depends on how much is ready at once.
#[tokio::test]
async fn an_archive_that_is_ended_anywhere_is_in_the_database_or_in_its_file() {
    let opened = long(MANY).await;
    let archive = archive(opened.folder.path());
    let mut ended = 0;
    loop {
        opened.until_nobody_archives().await;
        match dropped_after(ended + 1, opened.store.archive(&archive, |_, _| {})).await {
            None => ended += 1,
            Some(done) => {
                let _ = done.unwrap();
                break;
            }
        }
        opened.assert_in_one_place(MANY, &format!("after {ended} polls")).await;
    }
    assert_eq!(opened.lines().len(), 3_002);
    let names: Vec<_> =
        std::fs::read_dir(opened.folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert_eq!(names, ["scoreboard-log-1.jsonl"], "one file, and no other");
    assert!(matches!(opened.audit().await, Audit::Clean { scores: 3_000, .. }));
    assert_eq!(opened.outcome(&old(7)).await, Outcome::Refused(Refusal::Archived));
}

#[tokio::test]
async fn a_part_without_its_true_file_stays() {
    let opened = open().await;
    opened.count(&[old(1), old(2)]).await;
    let refusal = async |archive: Archive| {
        let error = opened.store.archive(&archive, |_, _| {}).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Refused);
        assert_eq!(opened.versions(0).await, [1, 2], "it stays");
        Chain(&error).to_string()
    };
    let here = archive(opened.folder.path());
    assert!(refusal(Archive { older_than: DAY * 2, ..here.clone() }).await.contains("at least 3 days"));
    assert!(
        refusal(Archive { folder: "/no/such/folder".into(), ..here.clone() }).await.contains("cannot find the folder")
    );
    let file = opened.folder.path().join("scoreboard-log-1.jsonl");
    std::fs::write(&file, "{}\n").unwrap();
    assert!(refusal(here.clone()).await.contains("line 1 of"), "it is another's");
    let elsewhere = tempfile::tempdir().unwrap();
    assert!(refusal(archive(elsewhere.path())).await.contains("name that folder"), "it has begun here");
    // What was cut off, has a line too many, or an altered one is noticed.
    std::fs::remove_file(&file).unwrap();
    run(opened.schema.url(), "CREATE VIEW holds AS SELECT * FROM log_actions_1").await;
    let held = opened.store.archive(&here, |_, _| {}).await.unwrap_err();
    assert!(Chain(&held).to_string().contains("depend"), "somebody's view holds the part: {}", Chain(&held));
    let text = std::fs::read_to_string(&file).unwrap();
    for altered in
        [text.replace("\"points\":1", "\"points\":2"), text[..text.len() - 9].to_owned(), text.clone() + "\n"]
    {
        std::fs::write(&file, altered).unwrap();
        assert!(refusal(here.clone()).await.contains("is not what the part has there"));
    }
    std::fs::write(&file, text).unwrap();
    // Its rows are not what they were.
    run(opened.schema.url(), "DROP VIEW holds; UPDATE log SET score = 5 WHERE version = 2").await;
    let altered = opened.store.archive(&here, |_, _| {}).await.unwrap_err();
    assert_eq!(altered.kind(), ErrorKind::Corrupt);
    run(opened.schema.url(), "UPDATE log SET score = 1 WHERE version = 2").await;
    assert_eq!(opened.archive().await, 2);
}

/// One writes, one reads the log without a gap, and one who reads for long holds the drop up.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_writes_and_reads_goes_on_while_a_part_goes() {
    let opened = open().await;
    let changes: Vec<_> = (0..5_000).map(old).collect();
    for batch in changes.chunks(500) {
        opened.count(batch).await;
    }
    let done = Arc::new(AtomicBool::new(false));
    let writer = tokio::spawn({
        let (store, done) = (opened.store.clone(), done.clone());
        async move {
            let mut written = 0;
            while !done.load(Ordering::Relaxed) {
                let outcome = store.apply(&[new(100_000 + written)]).await.expect("nobody is refused").remove(0);
                assert!(matches!(outcome, Outcome::Applied(_)), "{outcome:?}");
                written += 1;
            }
            written
        }
    });
    let reader = tokio::spawn({
        let (store, done) = (opened.store.clone(), done.clone());
        async move {
            while !done.load(Ordering::Relaxed) {
                for after in [0, 2_000, 4_990] {
                    let rows = store.log(&BoardId::main(), Version::new(after), 200).await.expect("it is read");
                    let versions: Vec<_> = rows.iter().map(|row| row.position.version.get()).collect();
                    let begin = if versions.first() == Some(&(after + 1)) { after } else { 5_000 };
                    let whole: Vec<_> = (begin + 1..).take(versions.len()).collect();
                    assert_eq!(versions, whole, "after {after}");
                }
            }
        }
    });
    let mut long = PgConnection::connect(opened.schema.url()).await.unwrap();
    let mut tx = long.begin().await.unwrap();
    sqlx::query("SELECT FROM log LIMIT 1").execute(&mut *tx).await.unwrap();
    let archiver = tokio::spawn({
        let (store, archive) = (opened.store.clone(), archive(opened.folder.path()));
        async move { store.archive(&archive, |_, _| {}).await }
    });
    let named = opened.folder.path().join("scoreboard-log-1.jsonl");
    while !named.exists() {
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert!(!archiver.is_finished(), "it waits for who reads");
    let second = opened.store.archive(&archive(opened.folder.path()), |_, _| {}).await.unwrap_err();
    assert!(Chain(&second).to_string().contains("somebody else archives"));
    tx.rollback().await.unwrap();
    assert_eq!(archiver.await.unwrap().unwrap()[0].rows, 5_000);
    tokio::time::sleep(Duration::from_millis(300)).await;
    done.store(true, Ordering::Relaxed);
    let written = writer.await.unwrap();
    reader.await.unwrap();
    assert_eq!(opened.versions(0).await, (5_001..=5_000 + written).take(1_000).collect::<Vec<_>>());
    assert!(matches!(opened.audit().await, Audit::Clean { .. }), "{:?}", opened.audit().await);
}
