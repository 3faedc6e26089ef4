//! Whoever follows the log while many write it, and while many of them fail, sees every version once, in order.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use futures_util::future::join_all;
use scoreboard::{
    ActionId, BoardId, BoardSpec, Change, Fingerprint, Origin, Points, ScoreStore, Season, Timestamp, UserId, Version,
};
use scoreboard_postgres::PostgresStore;
use scoreboard_postgres::sqlx::{Connection, PgConnection, query, query_scalar};
use support::postgres::{Schema, run};
use support::seed::Seeded;
use tokio::time::{Instant, sleep, timeout};

const BATCHES: u64 = 200;
const READERS: usize = 3;
/// Servers with a pool each.
const STORES: usize = 3;
/// Within so many microseconds all begin.
const STARTS: u64 = 20_000;

fn change(board: &BoardId, batch: u64, number: u64) -> Change {
    let mut id = [5; 16];
    id[..8].copy_from_slice(&batch.to_be_bytes());
    id[8] = u8::try_from(number).expect("small batches");
    Change {
        action_id: ActionId::from_bytes(id),
        fingerprint: Fingerprint::from_bytes([1; 16]),
        board: board.clone(),
        season: Season::FIRST,
        user_id: UserId::for_name("log-order", &(batch % 11).to_string()),
        kind: "win".parse().expect("a kind"),
        points: Points::new(1).expect("points"),
        origin: Origin::Action,
        at: Timestamp::from_millis(1_700_000_000_000),
        at_most: None,
        admitted: None,
    }
}

/// What comes next in a log of which so much was seen: the version that comes next, and no other. Tells up to where it was seen then.
fn seen_in_order(seen: Version, told: impl IntoIterator<Item = Version>) -> Result<Version, String> {
    told.into_iter().try_fold(seen, |seen, version| {
        let is_next = version == seen.next();
        is_next.then_some(version).ok_or_else(|| format!("{version} came behind {seen}: one is missing, or came twice"))
    })
}

/// Follows a board's log until `done`, and then to its end; gives the last version.
async fn follow(store: PostgresStore, board: BoardId, done: Arc<AtomicBool>) -> Version {
    let mut seen = Version::ZERO;
    loop {
        let ends = done.load(Ordering::SeqCst);
        // Its connection may be cut, too.
        let Ok(rows) = store.log(&board, seen, 50).await else { continue };
        seen = seen_in_order(seen, rows.iter().map(|row| row.position.version)).expect("no gap, no reorder");
        if ends && rows.is_empty() {
            return seen;
        }
    }
}

/// So many were under way at one moment, of these that began and ended.
fn most_at_once(times: &[(Instant, Instant)]) -> usize {
    let at_once =
        |(began, _): &(Instant, Instant)| times.iter().filter(|other| other.0 <= *began && *began < other.1).count();
    times.iter().map(at_once).max().unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_the_log_see_no_gap_and_no_reorder_while_batches_fail() {
    let mut seeded = Seeded::new();
    let schema = Schema::create().await;
    let stores = [schema.store().await, schema.store().await, schema.store().await];
    let store = &stores[0];
    let boards = ["one", "two"].map(|name| BoardId::new(name).expect("a slug"));
    for board in &boards {
        let _ = store.create_board(&BoardSpec::new(board.clone())).await.expect("it is made");
    }
    let done = Arc::new(AtomicBool::new(false));
    let readers = boards.iter().flat_map(|board| stores.iter().cycle().take(READERS).map(move |store| (store, board)));
    let reading: Vec<_> =
        readers.map(|(store, board)| tokio::spawn(follow(store.clone(), board.clone(), done.clone()))).collect();

    // Each batch on one board or both; some are given up somewhere on the way.
    let plans = Vec::from_iter((0..BATCHES).map(|batch| {
        let changes = (0..1 + seeded.within(0..4)).map(|number| {
            let board = &boards[usize::from(seeded.within(0..2) == 1)];
            change(board, batch, number)
        });
        let changes = Vec::from_iter(changes);
        let starts = Duration::from_micros(seeded.within(0..STARTS));
        let patience = (seeded.within(0..3) == 0).then(|| Duration::from_micros(seeded.within(0..200_000)));
        (changes, starts, patience)
    }));
    // Each on a task of its own: else what begins at once would be begun one after the other.
    let writing = plans.iter().zip(stores.iter().cycle()).map(|((changes, starts, patience), store)| {
        let (store, changes, starts, patience) = (store.clone(), changes.clone(), *starts, *patience);
        tokio::spawn(async move {
            sleep(starts).await;
            let began = Instant::now();
            let counted = match patience {
                Some(patience) => timeout(patience, store.apply(&changes)).await.is_ok_and(|applied| applied.is_ok()),
                None => store.apply(&changes).await.is_ok(),
            };
            (counted, (began, Instant::now()))
        })
    });
    let writing = join_all(writing.collect::<Vec<_>>());
    let is_written = AtomicBool::new(false);
    let cutting = async {
        let mut cuts = 0;
        while !is_written.load(Ordering::SeqCst) {
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()
                       ORDER BY random() LIMIT 2";
            run(schema.url(), cut).await;
            cuts += 1;
            sleep(Duration::from_millis(40)).await;
        }
        cuts
    };
    let writing = async {
        let written = writing.await;
        is_written.store(true, Ordering::SeqCst);
        written
    };
    let (written, cuts) = tokio::join!(writing, cutting);
    let (answered, times): (Vec<bool>, Vec<_>) = written.into_iter().map(|written| written.expect("no panic")).unzip();
    let failed = answered.iter().filter(|answered| !**answered).count();
    assert!(failed > 0, "no batch failed: nothing is shown");
    let at_once = most_at_once(&times);
    assert!(at_once > STORES * 10, "{at_once} of {BATCHES} at once: nothing is shown");
    // Those that failed are settled, so that it is known what there must be.
    for (changes, ..) in &plans {
        while store.apply(changes).await.is_err() {}
    }
    done.store(true, Ordering::SeqCst);
    let ends = join_all(reading).await.into_iter().map(|end| end.expect("no gap, no reorder"));
    let total: u64 = ends.map(Version::get).sum();
    let changes: usize = plans.iter().map(|(changes, ..)| changes.len()).sum();
    assert_eq!(total, (changes * READERS) as u64, "each reader has seen each change once");
    let first = times.iter().map(|(began, _)| *began).min().expect("some");
    let within = times.iter().map(|(began, _)| began.duration_since(first)).max().expect("some");
    let took = times.iter().map(|(_, ended)| ended.duration_since(first)).max().expect("some");
    println!(
        "{changes} changes in {BATCHES} batches over {STORES} stores, begun within {within:?} and done after {took:?}, \
         up to {at_once} at once; {failed} failed at first, sessions were cut {cuts} times: {READERS} readers a board saw no gap"
    );
}

/// Serials are given out before the commit, and versions are not: who goes by serials passes over what commits late, and is found out.
#[tokio::test]
async fn a_reader_that_goes_by_serials_alone_is_caught() {
    let schema = Schema::create().await;
    run(schema.url(), "CREATE TABLE by_serial (serial bigint GENERATED ALWAYS AS IDENTITY)").await;
    let connect = async || PgConnection::connect(schema.url()).await.expect("it connects");
    let (mut slow, mut quick, mut reader) = (connect().await, connect().await, connect().await);
    let insert = "INSERT INTO by_serial DEFAULT VALUES";
    let mut late = slow.begin().await.expect("it begins");
    query(insert).execute(&mut *late).await.expect("it is inserted");
    query(insert).execute(&mut quick).await.expect("it is inserted");
    let mut told = Vec::new();
    let mut look = async || {
        let behind = told.last().copied().unwrap_or_default();
        let next = "SELECT serial FROM by_serial WHERE serial > $1 ORDER BY serial";
        told.extend(query_scalar::<_, i64>(next).bind(behind).fetch_all(&mut reader).await.expect("it is read"));
    };
    look().await;
    late.commit().await.expect("it commits");
    query(insert).execute(&mut quick).await.expect("it is inserted");
    look().await;
    assert_eq!(told, [2, 3], "one has committed late, and is passed over");
    let versions = |told: &[i64]| told.iter().map(|serial| Version::new(serial.unsigned_abs())).collect::<Vec<_>>();
    assert!(seen_in_order(Version::ZERO, versions(&told)).is_err_and(|said| said.contains("2 came behind 0")));
    for (told, is_right) in [(&[1, 2, 3][..], true), (&[1, 3, 2], false), (&[1, 2, 2, 3], false), (&[1, 3], false)] {
        assert_eq!(seen_in_order(Version::ZERO, versions(told)).is_ok(), is_right, "{told:?}");
    }
}
