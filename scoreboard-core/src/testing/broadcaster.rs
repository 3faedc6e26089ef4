//! The suite of [`Broadcaster`]: each function is one case, and its documentation the rule.
//!
//! Run by [`broadcaster_conformance!`](crate::broadcaster_conformance).

use std::time::Duration;

use futures_util::StreamExt;
use futures_util::future::FutureExt;
use futures_util::stream::BoxStream;

use crate::broadcast::Broadcaster;
use crate::testing::fixture::BroadcasterFixture;
use crate::testing::play::board_id;
use crate::version::{Epoch, Position, Version};

/// How long an announcement may be under way.
const PATIENCE: Duration = Duration::from_secs(5);

fn position(version: u64) -> Position {
    Position { epoch: Epoch::new(1), version: Version::new(version) }
}

async fn publish(broadcaster: &dyn Broadcaster, board: &str, position: Position) {
    broadcaster.publish(&board_id(board), position).await.expect("publish answers");
}

async fn subscribe(broadcaster: &dyn Broadcaster, board: &str) -> BoxStream<'static, Position> {
    broadcaster.subscribe(&board_id(board)).await.expect("subscribe answers")
}

/// The next position, which must come.
async fn next(stream: &mut BoxStream<'static, Position>) -> Position {
    let next = tokio::time::timeout(PATIENCE, stream.next()).await;
    let next = next.expect("an announcement is never missed altogether, but none came");
    next.expect("the stream goes on while its broadcaster is there")
}

/// Reads until a position comes, and gives all that came.
async fn read_until(stream: &mut BoxStream<'static, Position>, last: Position) -> Vec<Position> {
    let mut seen = Vec::new();
    while seen.last() != Some(&last) {
        let next = next(stream).await;
        assert!(seen.last().is_none_or(|before| *before < next), "{next} came after {seen:?}: positions must rise");
        assert!(next <= last, "{next} came, and {last} is the newest");
        seen.push(next);
    }
    seen
}

/// What is announced after `subscribe` returned is seen by every watcher.
pub async fn an_announcement_is_seen<F: BroadcasterFixture>(f: &F) {
    let mut watchers = Vec::new();
    for _ in 0..5 {
        watchers.push(subscribe(&*f.broadcaster(), "main").await);
    }
    for version in 1..=10 {
        publish(&*f.broadcaster(), "main", position(version)).await;
        for watcher in &mut watchers {
            assert_eq!(next(watcher).await, position(version), "each watcher is told each position it waits for");
        }
    }
}

/// A watcher follows from now on: what was announced before is not told.
pub async fn what_was_before_is_not_told<F: BroadcasterFixture>(f: &F) {
    publish(&*f.broadcaster(), "main", position(5)).await;
    let mut watcher = subscribe(&*f.broadcaster(), "main").await;
    publish(&*f.broadcaster(), "main", position(6)).await;
    assert_eq!(next(&mut watcher).await, position(6), "5 was announced before `subscribe`");
}

/// Positions rise: what is old or told already is not told again.
pub async fn positions_rise<F: BroadcasterFixture>(f: &F) {
    let mut watcher = subscribe(&*f.broadcaster(), "main").await;
    let mut read = Vec::new();
    for version in [3, 3, 2, 1, 4, 4, 3, 5] {
        publish(&*f.broadcaster(), "main", position(version)).await;
        // Reads what is there, without waiting for more.
        while let Some(Some(next)) = watcher.next().now_or_never() {
            read.push(next);
        }
    }
    if read.last() != Some(&position(5)) {
        read.extend(read_until(&mut watcher, position(5)).await);
    }
    assert!(read.windows(2).all(|pair| pair[0] < pair[1]), "positions must rise: {read:?}");
}

/// The epoch is compared before the version: after a restore, lower versions are news.
pub async fn the_epoch_is_compared_first<F: BroadcasterFixture>(f: &F) {
    let mut watcher = subscribe(&*f.broadcaster(), "main").await;
    publish(&*f.broadcaster(), "main", position(900)).await;
    read_until(&mut watcher, position(900)).await;
    let restored = Position { epoch: Epoch::new(2), version: Version::new(5) };
    publish(&*f.broadcaster(), "main", restored).await;
    publish(&*f.broadcaster(), "main", position(901)).await;
    assert_eq!(read_until(&mut watcher, restored).await, [restored], "2.5 is newer than 1.900");
    publish(&*f.broadcaster(), "main", Position { version: Version::new(6), ..restored }).await;
    assert_eq!(next(&mut watcher).await, Position { version: Version::new(6), ..restored }, "1.901 is older than 2.5");
}

/// One who does not read makes nobody wait, is given the newest in the end, and few of those between.
pub async fn a_slow_watcher_gets_the_newest<F: BroadcasterFixture>(f: &F) {
    const LAST: u64 = 20_000;
    let mut slow = subscribe(&*f.broadcaster(), "main").await;
    for version in 1..=LAST {
        publish(&*f.broadcaster(), "main", position(version)).await;
    }
    let seen = read_until(&mut slow, position(LAST)).await;
    assert!(seen.len() <= 1024, "a watcher's memory is bounded, but {} of {LAST} positions were kept", seen.len());
}

/// A board is silent while others move.
pub async fn other_boards_are_silent<F: BroadcasterFixture>(f: &F) {
    let mut watcher = subscribe(&*f.broadcaster(), "main").await;
    for version in 100..200 {
        publish(&*f.broadcaster(), "other", position(version)).await;
        publish(&*f.broadcaster(), "main2", position(version)).await;
    }
    publish(&*f.broadcaster(), "main", position(1)).await;
    assert_eq!(next(&mut watcher).await, position(1), "only its own board's positions are told");
    assert_eq!(watcher.next().now_or_never(), None, "and nothing else comes");
}

/// Announcing to nobody, and to watchers who went away, works; others are told all the same.
pub async fn gone_watchers_disturb_nobody<F: BroadcasterFixture>(f: &F) {
    publish(&*f.broadcaster(), "main", position(1)).await;
    let mut stays = subscribe(&*f.broadcaster(), "main").await;
    for version in 2..50 {
        let goes = subscribe(&*f.broadcaster(), "main").await;
        publish(&*f.broadcaster(), "main", position(version)).await;
        drop(goes);
    }
    publish(&*f.broadcaster(), "main", position(50)).await;
    read_until(&mut stays, position(50)).await;
    drop(stays);
    publish(&*f.broadcaster(), "main", position(51)).await;
    let mut late = subscribe(&*f.broadcaster(), "main").await;
    publish(&*f.broadcaster(), "main", position(52)).await;
    assert_eq!(next(&mut late).await, position(52), "a board that everybody left can be watched again");
}

/// However reads and announcements fall together, the newest is never missed.
pub async fn the_newest_is_never_missed<F: BroadcasterFixture>(f: &F) {
    for round in 0..50 {
        let board = format!("board-{round}");
        let mut watchers = Vec::new();
        for _ in 0..3 {
            let mut stream = subscribe(&*f.broadcaster(), &board).await;
            watchers.push(tokio::spawn(async move { read_until(&mut stream, position(200)).await }));
        }
        let publisher = tokio::spawn({
            let broadcaster = f.broadcaster();
            async move {
                for version in 1..=200 {
                    publish(&*broadcaster, &board, position(version)).await;
                    if version % 7 == round % 7 {
                        tokio::task::yield_now().await;
                    }
                }
            }
        });
        publisher.await.expect("publish does not panic");
        for watcher in watchers {
            watcher.await.expect("each watcher sees the newest, in rising order");
        }
    }
}

/// A stream ends when its broadcaster is gone, with what was announced before.
pub async fn a_stream_ends_with_its_broadcaster<F: BroadcasterFixture>(_: &F) {
    let short_lived = F::fresh().await;
    let watcher = subscribe(&*short_lived.broadcaster(), "main").await;
    publish(&*short_lived.broadcaster(), "main", position(1)).await;
    drop(short_lived);
    let rest = tokio::time::timeout(PATIENCE, watcher.collect::<Vec<_>>()).await;
    let rest = rest.expect("the stream ends when its broadcaster is gone");
    assert!(rest.is_empty() || rest == [position(1)], "nothing comes but what was announced: {rest:?}");
}
