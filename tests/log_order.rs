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
use support::postgres::{Schema, run};
use support::seed::Seeded;
use tokio::time::{sleep, timeout};

const BATCHES: u64 = 200;
const READERS: usize = 3;

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
    }
}

/// Follows a board's log until `done`, and then to its end; gives the last version.
async fn follow(store: PostgresStore, board: BoardId, done: Arc<AtomicBool>) -> Version {
    let mut seen = Version::ZERO;
    loop {
        let ends = done.load(Ordering::SeqCst);
        // Its connection may be cut, too.
        let Ok(rows) = store.log(&board, seen, 50).await else { continue };
        for row in &rows {
            assert_eq!(row.position.version, seen.next(), "a version is missing behind {seen}, or came twice");
            seen = row.position.version;
        }
        if ends && rows.is_empty() {
            return seen;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn readers_of_the_log_see_no_gap_and_no_reorder_while_batches_fail() {
    let mut seeded = Seeded::new();
    let schema = Schema::create().await;
    let store = schema.store().await;
    let boards = ["one", "two"].map(|name| BoardId::new(name).expect("a slug"));
    for board in &boards {
        let _ = store.create_board(&BoardSpec::new(board.clone())).await.expect("it is made");
    }
    let done = Arc::new(AtomicBool::new(false));
    let readers = boards.iter().flat_map(|board| (0..READERS).map(move |_| board.clone()));
    let reading: Vec<_> = readers.map(|board| tokio::spawn(follow(store.clone(), board, done.clone()))).collect();

    // Each batch on one board or both; some are given up somewhere on the way.
    let plans = Vec::from_iter((0..BATCHES).map(|batch| {
        let changes = (0..1 + seeded.within(0..4)).map(|number| {
            let board = &boards[usize::from(seeded.within(0..2) == 1)];
            change(board, batch, number)
        });
        let changes = Vec::from_iter(changes);
        let starts = Duration::from_micros(seeded.within(0..1_500_000));
        let patience = (seeded.within(0..3) == 0).then(|| Duration::from_micros(seeded.within(0..20_000)));
        (changes, starts, patience)
    }));
    let writing = plans.iter().map(|(changes, starts, patience)| {
        let store = store.clone();
        async move {
            sleep(*starts).await;
            match patience {
                Some(patience) => timeout(*patience, store.apply(changes)).await.is_ok_and(|applied| applied.is_ok()),
                None => store.apply(changes).await.is_ok(),
            }
        }
    });
    let cutting = async {
        for _ in 0..20 {
            sleep(Duration::from_millis(70)).await;
            let cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity
                       WHERE application_name = current_setting('application_name') AND pid <> pg_backend_pid()
                       ORDER BY random() LIMIT 2";
            run(schema.url(), cut).await;
        }
    };
    let (answered, ()) = tokio::join!(join_all(writing), cutting);
    let failed = answered.iter().filter(|answered| !**answered).count();
    assert!(failed > 0, "no batch failed: nothing is shown");
    // Those that failed are settled, so that it is known what there must be.
    for (changes, ..) in &plans {
        while store.apply(changes).await.is_err() {}
    }
    done.store(true, Ordering::SeqCst);
    let ends = join_all(reading).await.into_iter().map(|end| end.expect("no gap, no reorder"));
    let total: u64 = ends.map(Version::get).sum();
    let changes: usize = plans.iter().map(|(changes, ..)| changes.len()).sum();
    assert_eq!(total, (changes * READERS) as u64, "each reader has seen each change once");
    println!(
        "{changes} changes in {BATCHES} batches, {failed} of which failed at first: {READERS} readers a board saw no gap"
    );
}
