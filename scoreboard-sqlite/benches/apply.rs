//! What a batch costs by its size, and what a read costs on a board of 100,000 entries.
#![allow(missing_docs, reason = "criterion's macros make public items")]

use std::hint::black_box;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use scoreboard_core::{
    ActionId, BoardId, BoardSpec, Change, Fingerprint, Origin, PageQuery, Points, Range, RankStyle, ScoreStore, Season,
    Timestamp, UserId,
};
use scoreboard_sqlite::{Config, SqliteStore};
use tempfile::TempDir;
use tokio::runtime::Runtime;

/// Changes with ids that follow one another, as those of signed actions do, by users in no order.
struct Changes {
    users: u64,
    next: u64,
}

impl Changes {
    fn take(&mut self, count: usize) -> Vec<Change> {
        (0..count).map(|_| self.one()).collect()
    }

    fn one(&mut self) -> Change {
        self.next += 1;
        let mut id = [0; 16];
        id[..8].copy_from_slice(&self.next.to_be_bytes());
        Change {
            action_id: ActionId::from_bytes(id),
            fingerprint: Fingerprint::from_bytes(id),
            board: BoardId::main(),
            season: Season::FIRST,
            user_id: user(self.next % self.users),
            kind: "defeat-dragon".parse().expect("a slug"),
            points: Points::new((self.next.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 50) as i64).expect("small"),
            origin: Origin::Action,
            at: Timestamp::from_millis(1_700_000_000_000 + self.next as i64),
            at_most: None,
            admitted: None,
        }
    }
}

/// Spread over the space of ids: neighbours by number are none by id.
fn user(number: u64) -> UserId {
    let spread = u128::from(number + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15_f39c_c060_5ced_c835);
    UserId::from_bytes(spread.to_be_bytes())
}

async fn store() -> (SqliteStore, TempDir) {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let store = SqliteStore::open(&Config::new(folder.path().join("bench.db"))).await.expect("it opens");
    let _ = store.create_board(&BoardSpec::new(BoardId::main())).await.expect("a board");
    (store, folder)
}

fn apply(criterion: &mut Criterion) {
    let runtime = Runtime::new().expect("a runtime");
    let mut group = criterion.benchmark_group("apply");
    for size in [1, 64, 256] {
        let (store, _folder) = runtime.block_on(store());
        let mut changes = Changes { users: 1000, next: 0 };
        group.throughput(Throughput::Elements(size as u64));
        group.bench_function(BenchmarkId::from_parameter(size), |bencher| {
            bencher.iter_batched(
                || changes.take(size),
                |batch| runtime.block_on(store.apply(&batch)).expect("it is applied"),
                criterion::BatchSize::PerIteration,
            );
        });
    }
    group.finish();
}

fn read(criterion: &mut Criterion) {
    const USERS: u64 = 100_000;
    let runtime = Runtime::new().expect("a runtime");
    let (store, _folder) = runtime.block_on(store());
    let mut changes = Changes { users: USERS, next: 0 };
    for _ in 0..USERS / 1000 {
        let _ = runtime.block_on(store.apply(&changes.take(1000))).expect("it is applied");
    }
    let board = BoardId::main();
    let mut group = criterion.benchmark_group("read");
    let mut page = |name: &str, range| {
        let query = PageQuery { season: None, range, style: RankStyle::Ordinal };
        group.bench_function(name, |bencher| {
            bencher.iter(|| black_box(runtime.block_on(store.page(&board, query)).expect("a page")));
        });
    };
    page("top 50", Range::Top { limit: 50 });
    page("around 10", Range::Around { user: user(7), radius: 10 });
    group.bench_function("standing", |bencher| {
        let users = [user(7)];
        bencher.iter(|| {
            black_box(runtime.block_on(store.standings(&board, None, RankStyle::Ordinal, &users)).expect("a standing"))
        });
    });
    group.bench_function("history", |bencher| {
        bencher.iter(|| black_box(runtime.block_on(store.history(&board, user(7), None, 20)).expect("a history")));
    });
    group.finish();
}

criterion_group!(benches, apply, read);
criterion_main!(benches);
