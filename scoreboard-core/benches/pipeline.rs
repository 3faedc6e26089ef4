//! What the hot path costs: verify an action, take from a quota, give a log row its digest, apply in memory, encode a page.
//!
//! `cargo bench -p scoreboard-core --bench pipeline`

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};
use scoreboard_core::memory::{MemoryRateLimiter, MemoryScoreStore};
use scoreboard_core::{
    ActionId, ActionVerifier, BoardId, BoardSpec, Cell, Change, Claims, Fingerprint, HmacVerifier, KeyRing, Origin,
    Points, RandomIds, RateLimiter, RowDigest, ScoreStore, Scoreboard, Season, Timestamp, TopQuery, UserId, Version,
};

const NOW: i64 = 1_700_000_000_000;

fn user(n: u128) -> UserId {
    UserId::from_bytes(n.to_be_bytes())
}

fn change(n: u128) -> Change {
    Change {
        action_id: ActionId::from_bytes(n.to_be_bytes()),
        fingerprint: Fingerprint::from_bytes(n.to_be_bytes()),
        board: BoardId::main(),
        season: Season::FIRST,
        user_id: user(n % 10_000),
        kind: "tap".parse().expect("a slug"),
        points: Points::new(1).expect("small"),
        origin: Origin::Action,
        at: Timestamp::from_millis(NOW),
        at_most: None,
        admitted: None,
    }
}

fn benches(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");

    let verifier = HmacVerifier::new(&KeyRing::random(&RandomIds));
    let at = Timestamp::from_millis(NOW);
    let action = verifier.sign(Claims {
        id: ActionId::from_bytes([1; 16]),
        board: BoardId::main(),
        season: Season::FIRST,
        kind: "tap".parse().expect("a slug"),
        user_id: user(1),
        points: Points::new(1).expect("small"),
        issued_at: at,
        not_before: at,
        expires_at: at.plus(Duration::from_secs(60)),
    });
    let json = serde_json::to_vec(&action).expect("encodes");
    c.bench_function("action/verify", |b| b.iter(|| verifier.verify(black_box(&action))));
    c.bench_function("action/decode", |b| {
        b.iter(|| serde_json::from_slice::<scoreboard_core::SignedAction>(black_box(&json)));
    });

    let limiter = MemoryRateLimiter::default();
    let quota = "10/min".parse().expect("a quota");
    let subjects: Vec<String> = (0..10_000).map(|n| user(n).to_string()).collect();
    let mut n = 0;
    c.bench_function("limit/10-a-minute", |b| {
        b.to_async(&runtime).iter(|| {
            n += 1;
            let subject = &subjects[n % subjects.len()];
            let (limiter, now) = (&limiter, Timestamp::from_millis(NOW + n as i64));
            async move { limiter.take(&[Cell { policy: "update", subject, quota }], now).await }
        });
    });

    let row = runtime.block_on(async {
        let store = MemoryScoreStore::default();
        let _ = store.create_board(&BoardSpec::new(BoardId::main())).await.expect("memory");
        let _ = store.apply(&[change(1), change(10_001)]).await.expect("memory");
        store.log(&BoardId::main(), Version::new(1), 1).await.expect("memory").remove(0)
    });
    let main = BoardId::main();
    c.bench_function("log/digest", |b| b.iter(|| RowDigest::of(black_box(row.digest), &main, black_box(&row))));

    let mut group = c.benchmark_group("apply/memory");
    for size in [1_u128, 256] {
        group.throughput(Throughput::Elements(size as u64));
        let store = MemoryScoreStore::default();
        let _ = runtime.block_on(store.create_board(&BoardSpec::new(BoardId::main()))).expect("memory");
        let mut next = 0;
        let batch = || {
            next += size;
            (next - size..next).map(change).collect::<Vec<_>>()
        };
        let mut batch = batch;
        group.bench_function(format!("batch-{size}"), |b| {
            b.iter_batched(&mut batch, |batch| runtime.block_on(store.apply(&batch)), BatchSize::SmallInput);
        });
    }
    group.finish();

    let store = Arc::new(MemoryScoreStore::default());
    let scoreboard = runtime.block_on(async {
        let _ = store.create_board(&BoardSpec::new(BoardId::main())).await.expect("memory");
        let _ = store.apply(&(0..10_000).map(change).collect::<Vec<_>>()).await.expect("memory");
        Scoreboard::builder(store).build()
    });
    let top = TopQuery::new(BoardId::main());
    c.bench_function("read/encode-top-10", |b| {
        b.to_async(&runtime).iter(|| async {
            let page = scoreboard.top(&top).await.expect("read");
            serde_json::to_vec(&page)
        });
    });
    c.bench_function("read/cached-top-10", |b| b.to_async(&runtime).iter(|| scoreboard.top_encoded(&top)));
}

criterion_group!(pipeline, benches);
criterion_main!(pipeline);
