//! A store that fails at times, behind group commit: what was acknowledged counts once, what was not is settled by asking again.

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use scoreboard_core::memory::{InProcessBroadcaster, MemoryBoardCache, MemoryScoreStore};
use scoreboard_core::testing::{
    FaultRates, FaultyBoardCache, FaultyBroadcaster, FaultyScoreStore, ManualClock, SeededIds,
};
use scoreboard_core::{
    ActionId, BoardCache, BoardId, BoardSpec, Broadcaster, CacheKey, Cached, Change, ErrorKind, Fingerprint,
    GroupCommit, IdSource, Origin, Outcome, Points, Position, ScoreStore, Season, UserId, Version,
};

const RATES: FaultRates = FaultRates { before: 0.2, lost: 0.2, after: 0.2, delay: 0.3 };

fn change(ids: &SeededIds, user: u8) -> Change {
    let mut id = [0; 16];
    ids.fill(&mut id);
    Change {
        action_id: ActionId::from_bytes(id),
        fingerprint: Fingerprint::from_bytes(id),
        board: BoardId::main(),
        season: Season::FIRST,
        user_id: UserId::from_bytes([user; 16]),
        kind: "tap".parse().expect("a slug"),
        points: Points::new(1).expect("small"),
        origin: Origin::Action,
        at: ManualClock::START,
        at_most: None,
        admitted: None,
    }
}

/// Applies one change until it is settled, and counts the answers that it was applied for the first time.
async fn settle(store: &dyn ScoreStore, change: Change) -> usize {
    loop {
        match store.apply(std::slice::from_ref(&change)).await {
            Ok(outcomes) => return usize::from(matches!(outcomes[..], [Outcome::Applied(_)])),
            Err(error) => assert!(error.is_retryable(), "{error}"),
        }
    }
}

#[tokio::test]
async fn group_commit_over_a_faulty_store_counts_each_once() {
    for seed in 0..5 {
        let truth = Arc::new(MemoryScoreStore::new());
        let _ = truth.create_board(&BoardSpec::new(BoardId::main())).await.unwrap();
        let faulty = Arc::new(FaultyScoreStore::new(truth.clone(), seed, RATES));
        let store = Arc::new(GroupCommit::new(faulty));
        let ids = SeededIds::new(seed);
        let tasks: Vec<_> = (0..60)
            .map(|n| {
                let (store, change) = (store.clone(), change(&ids, n % 3));
                tokio::spawn(async move { settle(&*store, change).await })
            })
            .collect();
        let mut first_times = 0;
        for task in tasks {
            first_times += task.await.unwrap();
        }
        assert!(first_times <= 60, "seed {seed}: a first time is told once at most");
        let board = truth.board(&BoardId::main()).await.unwrap().unwrap();
        assert_eq!(board.version, Version::new(60), "seed {seed}: each change takes one version");
        let scan = truth.scan(&BoardId::main(), Season::FIRST, None, 10).await.unwrap().unwrap();
        let scores: Vec<_> = scan.scores.iter().map(|(_, reached)| reached.score.get()).collect();
        assert_eq!(scores, [20, 20, 20], "seed {seed}: each change counts once");
    }
}

#[tokio::test]
async fn a_faulty_store_fails_in_every_way_it_says() {
    let truth = Arc::new(MemoryScoreStore::new());
    let _ = truth.create_board(&BoardSpec::new(BoardId::main())).await.unwrap();
    let store = FaultyScoreStore::new(truth.clone(), 1, RATES);
    let ids = SeededIds::new(1);
    let (mut lost, mut unheard, mut before) = (0, 0, 0);
    for _ in 0..200 {
        let change = change(&ids, 1);
        let answer = store.apply(std::slice::from_ref(&change)).await;
        let counted = truth.action(change.action_id).await.unwrap().is_some();
        match answer.map_err(|error| error.kind()) {
            Ok(_) => assert!(counted, "an acknowledged change counts"),
            Err(ErrorKind::OutcomeUnknown) if counted => unheard += 1,
            Err(ErrorKind::OutcomeUnknown) => lost += 1,
            Err(_) => {
                assert!(!counted, "a failure before changes nothing");
                before += 1;
            }
        }
    }
    assert!(lost > 10 && unheard > 10 && before > 10, "{lost} lost, {unheard} unheard, {before} before");
    store.set_rates(FaultRates::default());
    store.check().await.unwrap();
}

#[tokio::test]
async fn faulty_caches_forget_and_never_lose_a_floor() {
    let cache = FaultyBoardCache::new(Arc::new(MemoryBoardCache::new(1 << 20)), 1, RATES);
    let position = |version| Position { version: Version::new(version), ..Position::default() };
    let mut hits = 0;
    for version in 1..=100 {
        let key = CacheKey { board: BoardId::main(), view: "top".into() };
        let answer = Cached { position: position(version), bytes: "x".into() };
        cache.put(key.clone(), answer, ManualClock::START, Duration::from_secs(1)).await;
        hits += usize::from(cache.get(&key, ManualClock::START).await.is_some());
        cache.raise_floor(&key.board, position(version + 1)).await;
        assert_eq!(cache.get(&key, ManualClock::START).await, None, "the floor is above");
    }
    assert!(hits > 10 && hits < 90, "{hits} hits of 100");
}

#[tokio::test]
async fn faulty_broadcasters_lose_announcements() {
    let rates = FaultRates { lost: 0.5, ..FaultRates::default() };
    let broadcaster = FaultyBroadcaster::new(Arc::new(InProcessBroadcaster::new()), 1, rates);
    let mut watcher = broadcaster.subscribe(&BoardId::main()).await.unwrap();
    let mut seen = 0;
    for version in 1..=100 {
        let position = Position { version: Version::new(version), ..Position::default() };
        broadcaster.publish(&BoardId::main(), position).await.unwrap();
        seen += usize::from(futures_util::FutureExt::now_or_never(watcher.next()).is_some());
    }
    assert!(seen > 10 && seen < 90, "{seen} of 100 announcements seen");
}
