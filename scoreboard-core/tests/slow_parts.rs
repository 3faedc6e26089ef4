//! Parts that are slow hold up nobody but who asks for them: a watcher that is put aside, a cache and a broadcaster that are far away.

use std::future::pending;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, stream};
use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::testing::{FaultRates, FaultyScoreStore, ManualClock};
use scoreboard_core::{
    ActionId, BackendError, BoardCache, BoardId, BoardSpec, Broadcaster, CacheKey, Cached, Change, Error, Fingerprint,
    Hit, IssueRequest, Lease, LiveWindow, Origin, Points, Position, Rejection, ScoreStore, Scoreboard, Season,
    Timestamp, TopQuery, UserId,
};
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, timeout};

const FAR: Duration = Duration::from_millis(30);

fn board(n: u16) -> BoardId {
    BoardId::new(&format!("board-{n}")).expect("a slug")
}

async fn boards(count: u16) -> Arc<MemoryScoreStore> {
    let store = Arc::new(MemoryScoreStore::new());
    for n in 0..count {
        let _ = store.create_board(&BoardSpec::new(board(n))).await.expect("memory");
    }
    store
}

/// A cache of several nodes that takes its time, and keeps nothing.
#[derive(Debug, Default)]
struct FarCache {
    leases: AtomicUsize,
}

#[async_trait]
impl BoardCache for FarCache {
    async fn get(&self, _: &CacheKey, _: Timestamp) -> Option<Hit> {
        sleep(FAR).await;
        None
    }

    /// The first has it, and nothing ends it.
    async fn lease(&self, _: &CacheKey, _: Timestamp, _: Duration) -> Lease {
        match self.leases.fetch_add(1, Ordering::Relaxed) {
            0 => Lease::Granted,
            _ => Lease::Held,
        }
    }

    async fn put(&self, _: CacheKey, _: Cached, _: Timestamp, _: Duration) {}

    async fn raise_floor(&self, _: &BoardId, _: Position) {
        sleep(FAR).await;
    }
}

/// Takes its time for each board, and tells nothing.
#[derive(Debug, Default)]
struct FarBroadcaster {
    subscribed: AtomicUsize,
}

#[async_trait]
impl Broadcaster for FarBroadcaster {
    async fn publish(&self, _: &BoardId, _: Position) -> Result<(), BackendError> {
        sleep(FAR).await;
        Ok(())
    }

    async fn subscribe(&self, _: &BoardId) -> Result<BoxStream<'static, Position>, BackendError> {
        sleep(FAR).await;
        self.subscribed.fetch_add(1, Ordering::Relaxed);
        Ok(stream::once(pending()).boxed())
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_is_put_aside_while_it_asks_holds_up_nobody() {
    let store = FaultyScoreStore::new(boards(1).await, 7, FaultRates { delay: 1.0, ..FaultRates::default() });
    let scoreboard = Scoreboard::builder(Arc::new(store)).build();
    let board = board(0);
    // As one whose client takes nothing: begun, and not looked at again.
    let mut aside = Box::pin(scoreboard.watch(&board, LiveWindow::top(10), None));
    assert!((&mut aside).now_or_never().is_none(), "it waits for the store");
    let user = UserId::from_bytes([1; 16]);
    let others = scoreboard.issue(user, IssueRequest::new(board.clone(), "tap".parse().expect("a slug")));
    let answer = timeout(Duration::from_secs(1), others).await.expect("nobody waits for a watcher");
    assert!(matches!(answer, Err(Error::Rejected(Rejection::UnknownKind(_)))), "{answer:?}");
    assert!(aside.await.is_ok());
}

/// Lends its one connection to whoever is told of a board.
#[derive(Debug)]
struct OneConnection(Arc<Mutex<()>>);

#[async_trait]
impl Broadcaster for OneConnection {
    async fn publish(&self, _: &BoardId, _: Position) -> Result<(), BackendError> {
        Ok(())
    }

    async fn subscribe(&self, _: &BoardId) -> Result<BoxStream<'static, Position>, BackendError> {
        let _connection = self.0.lock().await;
        sleep(FAR).await;
        Ok(stream::once(pending()).boxed())
    }
}

#[tokio::test(start_paused = true)]
async fn a_watcher_that_is_put_aside_while_it_subscribes_keeps_no_connection() {
    let connection = Arc::new(Mutex::new(()));
    let broadcaster = Arc::new(OneConnection(connection.clone()));
    let scoreboard = Scoreboard::builder(boards(1).await).with_broadcaster(broadcaster).build();
    let board = board(0);
    let mut watch = Box::pin(scoreboard.watch(&board, LiveWindow::top(10), None));
    let mut watch_for = Box::pin(scoreboard.watch_for(&board, UserId::from_bytes([1; 16])));
    for _ in 0..10 {
        assert!((&mut watch).now_or_never().is_none() && (&mut watch_for).now_or_never().is_none());
        tokio::task::yield_now().await;
    }
    assert!(connection.try_lock().is_err(), "they subscribe");
    // Neither is looked at again.
    drop(timeout(FAR * 3, connection.lock()).await.expect("it is given back"));
    assert!(watch.await.is_ok() && watch_for.await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn made_up_names_wait_for_no_lease() {
    let cache = Arc::new(FarCache::default());
    let scoreboard = Scoreboard::builder(boards(0).await)
        .with_clock(Arc::new(ManualClock::default()))
        .with_shared_cache(cache.clone())
        .build();
    for n in 0..5 {
        let query = TopQuery { limit: 10 + n, ..TopQuery::new(board(0)) };
        let began = Instant::now();
        let answer = scoreboard.top_encoded(&query).await;
        assert!(matches!(answer, Err(Error::Rejected(Rejection::UnknownBoard(_)))), "{answer:?}");
        assert!(began.elapsed() <= FAR && (n == 0 || began.elapsed().is_zero()), "{n}: {:?}", began.elapsed());
    }
    assert_eq!(cache.leases.load(Ordering::Relaxed), 1);
}

#[tokio::test(start_paused = true)]
async fn who_has_counted_waits_for_the_cache_once_and_not_for_each_board() {
    let scoreboard = Scoreboard::builder(boards(16).await)
        .with_shared_cache(Arc::new(FarCache::default()))
        .with_broadcaster(Arc::new(FarBroadcaster::default()))
        .build();
    let changes: Vec<_> = (0..16).map(change).collect();
    let began = Instant::now();
    scoreboard.store().apply(&changes).await.expect("memory");
    let elapsed = began.elapsed();
    assert!(FAR <= elapsed && elapsed <= FAR * 2, "a floor, and an announcement: {elapsed:?}");
}

#[tokio::test(start_paused = true)]
async fn many_boards_are_subscribed_to_at_once() {
    let broadcaster = Arc::new(FarBroadcaster::default());
    let scoreboard = Scoreboard::builder(boards(16).await).with_broadcaster(broadcaster.clone()).build();
    let following = tokio::spawn(scoreboard.follow());
    sleep(FAR + Duration::from_millis(5)).await;
    assert_eq!(broadcaster.subscribed.load(Ordering::Relaxed), 16);
    following.abort();
}

fn change(n: u16) -> Change {
    let id = u128::from(n).to_be_bytes();
    Change {
        action_id: ActionId::from_bytes(id),
        fingerprint: Fingerprint::from_bytes([7; 16]),
        board: board(n),
        season: Season::FIRST,
        user_id: UserId::from_bytes([1; 16]),
        kind: "tap".parse().expect("a slug"),
        points: Points::new(1).expect("small"),
        origin: Origin::Action,
        at: ManualClock::START,
        at_most: None,
        admitted: None,
    }
}
