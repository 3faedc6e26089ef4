use super::*;
use crate::version::{Epoch, Version};

const LONG: Duration = Duration::from_secs(30);

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(millis)
}

fn position(version: u64) -> Position {
    Position { epoch: Epoch::new(1), version: Version::new(version) }
}

fn key(view: &str) -> CacheKey {
    CacheKey { board: BoardId::main(), view: view.into() }
}

fn answer(version: u64) -> Cached {
    Cached { position: position(version), bytes: vec![b'x'; 1000].into() }
}

fn room_for(answers: usize) -> MemoryBoardCache {
    MemoryBoardCache::new(answers * cost(&key("v"), &answer(1)))
}

/// The books must balance whatever happened.
fn check(cache: &MemoryBoardCache) {
    let answers = cache.answers.lock();
    let mut bytes = 0;
    let mut count = 0;
    for (board, kept) in &answers.boards {
        for (view, kept) in &kept.views {
            let key = CacheKey { board: board.clone(), view: Arc::clone(view) };
            assert_eq!(answers.by_use.get(&kept.used), Some(&key));
            bytes += cost(&key, &kept.answer);
            count += 1;
        }
    }
    assert_eq!((answers.bytes, answers.by_use.len()), (bytes, count));
    assert!(answers.bytes <= answers.max_bytes);
}

#[tokio::test]
async fn an_old_fill_that_lands_after_the_floor_rose_is_never_served() {
    let cache = room_for(9);
    cache.raise_floor(&BoardId::main(), position(5)).await;
    cache.put(key("v"), answer(4), at(0), LONG).await;
    assert_eq!(cache.get(&key("v"), at(0)).await, None);
    cache.put(key("v"), answer(5), at(0), LONG).await;
    assert_eq!(cache.get(&key("v"), at(0)).await.map(|hit| hit.answer), Some(answer(5)));
    cache.raise_floor(&BoardId::main(), position(3)).await;
    cache.raise_floor(&BoardId::new("other").unwrap(), position(9)).await;
    assert_eq!(cache.get(&key("v"), at(0)).await.map(|hit| hit.answer), Some(answer(5)));
    cache.raise_floor(&BoardId::main(), position(6)).await;
    assert_eq!(cache.get(&key("v"), at(0)).await, None);
    assert_eq!(cache.bytes(), 0, "what is below the floor takes no room");
    check(&cache);
}

#[tokio::test]
async fn a_newer_answer_is_not_covered_by_an_older_one() {
    let cache = room_for(9);
    cache.put(key("v"), answer(7), at(0), LONG).await;
    cache.put(key("v"), answer(6), at(0), LONG).await;
    assert_eq!(cache.get(&key("v"), at(0)).await.map(|hit| hit.answer), Some(answer(7)));
    let restored = Cached { position: Position { epoch: Epoch::new(2), version: Version::new(1) }, ..answer(1) };
    cache.put(key("v"), restored.clone(), at(0), LONG).await;
    assert_eq!(cache.get(&key("v"), at(0)).await.map(|hit| hit.answer), Some(restored), "the epoch is compared first");
    check(&cache);
}

#[tokio::test]
async fn answers_expire_and_a_repeat_lives_on() {
    let cache = room_for(9);
    cache.put(key("v"), answer(1), at(0), Duration::from_millis(10)).await;
    assert!(cache.get(&key("v"), at(9)).await.is_some());
    cache.put(key("v"), answer(1), at(9), Duration::from_millis(10)).await;
    assert!(cache.get(&key("v"), at(18)).await.is_some());
    assert!(cache.get(&key("v"), at(19)).await.is_none());
    assert_eq!(cache.bytes(), 0);
    cache.put(key("v"), answer(1), at(9), Duration::ZERO).await;
    assert!(cache.get(&key("v"), at(9)).await.is_none());
}

#[tokio::test]
async fn a_clock_that_is_set_back_keeps_nothing_alive_for_long() {
    let cache = room_for(9);
    cache.put(key("v"), answer(1), at(1_000_000), Duration::from_millis(10)).await;
    assert!(cache.get(&key("v"), at(999_999)).await.is_some(), "a little is no harm");
    assert!(cache.get(&key("v"), at(5)).await.is_none());
}

#[tokio::test]
async fn what_was_unused_longest_goes_first() {
    let cache = room_for(3);
    for view in ["a", "b", "c"] {
        cache.put(key(view), answer(1), at(0), LONG).await;
    }
    assert!(cache.get(&key("a"), at(0)).await.is_some());
    cache.put(key("d"), answer(1), at(0), LONG).await;
    for (view, there) in [("a", true), ("b", false), ("c", true), ("d", true)] {
        assert_eq!(cache.get(&key(view), at(0)).await.is_some(), there, "{view}");
    }
    let huge = Cached { bytes: vec![0; 10_000].into(), ..answer(2) };
    cache.put(key("huge"), huge, at(0), LONG).await;
    assert!(cache.get(&key("huge"), at(0)).await.is_none());
    assert!(cache.get(&key("d"), at(0)).await.is_some(), "what never fits pushes nothing out");
    check(&cache);
}

#[tokio::test]
async fn the_books_balance_over_a_long_life() {
    let cache = room_for(5);
    for n in 0..5000_u64 {
        let view = format!("view {}", n * 7919 % 23);
        let bytes = vec![0; (n * 31 % 2500) as usize].into();
        let now = at(n as i64);
        match n % 5 {
            0..3 => {
                let answer = Cached { position: position(n / 3), bytes };
                cache.put(key(&view), answer, now, Duration::from_millis(40)).await;
            }
            3 => drop(cache.get(&key(&view), now).await),
            _ if n % 45 == 4 => cache.raise_floor(&BoardId::main(), position(n / 3)).await,
            _ => drop(cache.get(&key(&view), now.plus(Duration::from_millis(n % 60))).await),
        }
        check(&cache);
    }
}
