//! What a node reads of the log for its ranks, and for the watch for fraud beside them, and what it need not.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use scoreboard_core::memory::{InProcessBroadcaster, MemoryScoreStore};
use scoreboard_core::{
    BoardId, Broadcaster, FraudWatch, FraudWatchConfig, Position, RankIndexed, ScoreStore, Scoreboard,
};

use crate::rigged::Rigged;
use crate::{assert_same, is_ready, node, quick, set, spec, until};

/// A store with a user on its board, and a node on it that hears of no more than it is told.
async fn deaf(broadcaster: &InProcessBroadcaster) -> (MemoryScoreStore, Arc<Rigged>, RankIndexed) {
    let store = MemoryScoreStore::new();
    let _ = store.create_board(&spec()).await.expect("created");
    store.apply(&[set(1, 1, 1)]).await.expect("applied");
    let rigged = Arc::new(Rigged::over(store.clone()));
    let mut config = quick();
    (config.poll_interval, config.check_interval) = (Duration::from_secs(3600), Duration::from_secs(3600));
    let node = node(rigged.clone(), config, broadcaster);
    until("it is filled", || is_ready(&node)).await;
    (store, rigged, node)
}

#[tokio::test]
async fn what_a_node_did_itself_is_not_read_again_and_what_others_did_is_read_once() {
    let (store, rigged, node) = deaf(&InProcessBroadcaster::default()).await;
    let scoreboard = Scoreboard::builder(Arc::new(node.clone())).build();
    let watch = FraudWatch::beside(scoreboard, FraudWatchConfig::default(), node.clone());
    assert_eq!(watch.look().await.expect("memory").changes, 0, "it begins at the end");
    rigged.rows_read.store(0, Ordering::SeqCst);
    let read = || rigged.rows_read.load(Ordering::SeqCst);
    let mut number = 1;
    let mut some = |count: u64| {
        number += count;
        Vec::from_iter((number - count + 1..=number).map(|number| set(number, number % 7, number as i64)))
    };
    for round in 1..=10 {
        node.apply(&some(20)).await.expect("applied");
        store.apply(&some(5)).await.expect("applied");
        node.apply(&some(3)).await.expect("applied");
        store.apply(&some(2)).await.expect("applied");
        node.apply(&some(1)).await.expect("applied");
        // Whoever asks, or the follower if it is first.
        assert_same(&node, &store).await;
        assert_eq!(read(), round * 7);
        assert_eq!(watch.look().await.expect("memory").changes, 31);
        assert_eq!(read(), round * 7, "nothing was left to be read");
    }
    // What nobody has told this node is in the log.
    store.apply(&some(4)).await.expect("applied");
    assert_eq!(watch.look().await.expect("memory").changes, 4);
}

#[tokio::test]
async fn what_a_look_that_broke_off_has_left_is_not_read_for_the_next() {
    let (_, rigged, node) = deaf(&InProcessBroadcaster::default()).await;
    node.apply(&Vec::from_iter((2..=7).map(|number| set(number, number % 7, 1)))).await.expect("applied");
    // Whoever acts next is not known any more.
    let mut config = FraudWatchConfig::default();
    config.max_users = 1;
    let scoreboard = Scoreboard::builder(Arc::new(node.clone())).build();
    let watch = FraudWatch::beside(scoreboard, config, node.clone());
    assert_eq!(watch.look().await.expect("memory").changes, 0, "it begins at the end");
    rigged.rows_read.store(0, Ordering::SeqCst);
    node.apply(&Vec::from_iter((8..=47).map(|number| set(number, number % 7, number as i64)))).await.expect("applied");
    for histories in [10, 5] {
        rigged.histories.store(histories, Ordering::SeqCst);
        watch.look().await.expect_err("it breaks off");
    }
    rigged.histories.store(usize::MAX, Ordering::SeqCst);
    assert_eq!(watch.look().await.expect("memory").changes, 40 - 10 - 5);
    assert_eq!(rigged.rows_read.load(Ordering::SeqCst), 0);
}

#[tokio::test(start_paused = true)]
async fn a_node_reads_at_once_what_others_do_now_and_then_and_together_what_they_do_one_after_the_other() {
    let broadcaster = InProcessBroadcaster::default();
    let (store, rigged, node) = deaf(&broadcaster).await;
    let at = || node.progress()[0].position.expect("it is ready");
    let announce = async |number: u64| {
        store.apply(&[set(number, number % 7, number as i64)]).await.expect("applied");
        let position = store.board(&BoardId::main()).await.expect("it answers").expect("it is there").position();
        broadcaster.publish(&BoardId::main(), position).await.expect("told");
        position
    };
    for number in 2..=5 {
        tokio::time::sleep(Duration::from_millis(100)).await;
        let position = announce(number).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
        assert_eq!(at(), position, "nothing came before it");
    }
    rigged.looks.store(0, Ordering::SeqCst);
    let mut position = at();
    for number in 6..=205 {
        position = announce(number).await;
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    tokio::time::sleep(Duration::from_millis(25)).await;
    assert_eq!(at(), position);
    let looks = rigged.looks.load(Ordering::SeqCst);
    assert!(looks <= 22, "two hundred changes in 200 ms were read in {looks} looks");
    assert_same(&node, &store).await;
}

#[tokio::test(start_paused = true)]
async fn while_a_node_writes_nobody_reads_for_it_what_lies_behind_what_it_wrote() {
    let broadcaster = InProcessBroadcaster::default();
    let (store, rigged, node) = deaf(&broadcaster).await;
    let at = || node.progress()[0].position.expect("it is ready").version.get();
    let looks = || rigged.looks.load(Ordering::SeqCst);
    let before = looks();
    for round in 0..20 {
        let number = 2 + 2 * round;
        store.apply(&[set(number, number % 7, number as i64)]).await.expect("applied");
        node.apply(&[set(number + 1, number % 7, number as i64)]).await.expect("applied");
        // Another goes on behind it, and says so again and again.
        for _ in 0..5 {
            let position = store.board(&BoardId::main()).await.expect("it answers").expect("it is there").position();
            let position = Position { version: position.version.next(), ..position };
            broadcaster.publish(&BoardId::main(), position).await.expect("told");
            tokio::time::sleep(Duration::from_millis(11)).await;
        }
        assert_eq!(at(), number + 1);
    }
    assert_eq!(looks() - before, 20, "once for each that it wrote");
    store.apply(&[set(42, 1, 42)]).await.expect("applied");
    tokio::time::sleep(Duration::from_millis(150)).await;
    assert_eq!(at(), 42, "it writes no more");
    // What has counted long ago is not what it writes.
    store.apply(&[set(43, 1, 43)]).await.expect("applied");
    node.apply(&[set(44, 1, 44)]).await.expect("applied");
    node.apply(&[set(2, 2, 2)]).await.expect("applied");
    tokio::time::sleep(Duration::from_millis(25)).await;
    assert_eq!(at(), 44);
}

#[tokio::test(start_paused = true)]
async fn who_watches_for_fraud_looks_before_anything_is_forgotten() {
    let (_, rigged, node) = deaf(&InProcessBroadcaster::default()).await;
    let scoreboard = Scoreboard::builder(Arc::new(node.clone())).build();
    let mut config = FraudWatchConfig::default();
    config.poll_interval = Duration::from_secs(3600);
    tokio::spawn(FraudWatch::beside(scoreboard, config, node.clone()).follow());
    tokio::time::sleep(Duration::from_millis(1)).await;
    let before = rigged.rows_read.load(Ordering::SeqCst);
    for batch in 0..100 {
        let changes: Vec<_> = (2 + batch * 500..502 + batch * 500).map(|number| set(number, 1, 1)).collect();
        node.apply(&changes).await.expect("applied");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    // It looks once more by itself.
    tokio::time::sleep(Duration::from_secs(3_601)).await;
    let read = rigged.rows_read.load(Ordering::SeqCst) - before;
    assert_eq!(read, 0, "of 50,000 rows, of which fewer are remembered");
}
