//! The suite of [`BoardCache`]: each function is one case, and its documentation the rule.
//!
//! Run by [`board_cache_conformance!`](crate::board_cache_conformance).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use crate::cache::{BoardCache, CacheKey, Cached, Lease};
use crate::testing::fixture::BoardCacheFixture;
use crate::testing::play::{at, board_id};
use crate::version::{Epoch, Position, Version};

const LIFETIME: Duration = Duration::from_secs(30);

fn key(board: &str, view: &str) -> CacheKey {
    CacheKey { board: board_id(board), view: view.into() }
}

fn position(epoch: u64, version: u64) -> Position {
    Position { epoch: Epoch::new(epoch), version: Version::new(version) }
}

/// An answer at this version of the first epoch.
fn answer(version: u64, text: &str) -> Cached {
    Cached { position: position(1, version), bytes: text.to_owned().into() }
}

async fn put(cache: &dyn BoardCache, key: &CacheKey, answer: &Cached) {
    cache.put(key.clone(), answer.clone(), at(0), LIFETIME).await;
}

async fn get(cache: &dyn BoardCache, key: &CacheKey) -> Option<Cached> {
    get_at(cache, key, 0).await
}

async fn get_at(cache: &dyn BoardCache, key: &CacheKey, millis: i64) -> Option<Cached> {
    cache.get(key, at(millis)).await.map(|hit| hit.answer)
}

/// An answer that was put is given, byte for byte, with its position.
pub async fn an_answer_is_kept<F: BoardCacheFixture>(f: &F) {
    let (cache, key) = (f.board_cache(), key("main", "top/10"));
    assert_eq!(get(&*cache, &key).await, None, "what was never put is a miss");
    for kept in [answer(7, "[\"ä\\u0000\"]"), answer(8, "")] {
        put(&*cache, &key, &kept).await;
        for _ in 0..2 {
            assert_eq!(get(&*cache, &key).await, Some(kept.clone()), "an answer is kept whole");
        }
    }
}

/// Views and boards are told apart.
pub async fn keys_are_told_apart<F: BoardCacheFixture>(f: &F) {
    let cache = f.board_cache();
    let keys = [key("a", "top"), key("b", "top"), key("a", "to"), key("a", "topp"), key("at", "op"), key("a", "")];
    for (version, key) in (1..).zip(&keys) {
        put(&*cache, key, &answer(version, key.board.as_str())).await;
    }
    for (version, key) in (1..).zip(&keys) {
        assert_eq!(get(&*cache, key).await, Some(answer(version, key.board.as_str())), "each has its own: {key:?}");
    }
}

/// An answer lives as long as was said, to the millisecond.
pub async fn an_answer_expires<F: BoardCacheFixture>(f: &F) {
    let (cache, key) = (f.board_cache(), key("main", "top"));
    cache.put(key.clone(), answer(7, "x"), at(1000), Duration::from_millis(500)).await;
    assert_eq!(get_at(&*cache, &key, 1499).await, Some(answer(7, "x")), "a millisecond before its end it lives");
    assert_eq!(get_at(&*cache, &key, 1500).await, None, "at its end it is gone");
    cache.put(key.clone(), answer(7, "y"), at(2000), Duration::from_millis(500)).await;
    assert_eq!(get_at(&*cache, &key, 2499).await, Some(answer(7, "y")), "what is put again lives anew");
    assert_eq!(get_at(&*cache, &key, 9999).await, None, "long after its end it is gone");
}

/// How long an answer stays fresh is never more than is left of its life.
pub async fn a_hit_tells_what_is_left_of_its_life<F: BoardCacheFixture>(f: &F) {
    let (cache, key) = (f.board_cache(), key("main", "top"));
    cache.put(key.clone(), answer(7, "x"), at(1000), Duration::from_millis(5000)).await;
    for (asked_at, left) in [(1000, 5000), (4000, 2000), (5900, 100)] {
        let fresh_for = cache.get(&key, at(asked_at)).await.expect("it lives until 6000").fresh_for;
        assert!(fresh_for <= Duration::from_millis(left), "at {asked_at} it is fresh for {left} ms, not {fresh_for:?}");
        // What a cache keeps itself alive by may be slower than what the caller goes by, but not by much.
        assert!(fresh_for + Duration::from_secs(1) >= Duration::from_millis(left), "{fresh_for:?} of {left} ms");
    }
}

/// A lease is granted to the first who asks, and again once the answer was put.
pub async fn a_lease_ends_with_the_answer<F: BoardCacheFixture>(f: &F) {
    let (cache, first, second) = (f.board_cache(), key("main", "top"), key("main", "around"));
    let patience = Duration::from_secs(60);
    for version in 1..=3 {
        for key in [&first, &second] {
            assert_eq!(cache.lease(key, at(0), patience).await, Lease::Granted, "nobody loads {key:?} at {version}");
        }
        // Others are told to wait, or are told to load too: both end here.
        let _ = cache.lease(&first, at(0), patience).await;
        for key in [&first, &second] {
            put(&*cache, key, &answer(version, "x")).await;
        }
        cache.raise_floor(&first.board, position(1, version + 1)).await;
        assert_eq!(cache.lease(&first, at(0), patience).await, Lease::Granted, "the answer is below the floor now");
        put(&*cache, &first, &answer(version, "late")).await;
        assert_eq!(get(&*cache, &first).await, None, "it was late, and is not kept");
    }
}

/// An older answer does not cover a newer one; one of the same position does.
pub async fn an_older_answer_loses<F: BoardCacheFixture>(f: &F) {
    let (cache, key) = (f.board_cache(), key("main", "top"));
    put(&*cache, &key, &answer(7, "new")).await;
    put(&*cache, &key, &answer(6, "old")).await;
    assert_eq!(get(&*cache, &key).await, Some(answer(7, "new")), "an older answer came later and must lose");
    put(&*cache, &key, &answer(7, "same")).await;
    assert_eq!(get(&*cache, &key).await, Some(answer(7, "same")), "one of the same position is kept");
    put(&*cache, &key, &answer(8, "newer")).await;
    assert_eq!(get(&*cache, &key).await, Some(answer(8, "newer")), "a newer answer is kept");
    put(&*cache, &key, &answer(7, "late")).await;
    assert_eq!(
        get(&*cache, &key).await,
        Some(answer(8, "newer")),
        "an older one comes later, above the floor, and loses"
    );
}

/// The epoch is compared before the version, between answers and with the floor.
pub async fn the_epoch_is_compared_first<F: BoardCacheFixture>(f: &F) {
    let (cache, key) = (f.board_cache(), key("main", "top"));
    let restored = Cached { position: position(2, 5), bytes: "restored".into() };
    put(&*cache, &key, &answer(900, "lost")).await;
    put(&*cache, &key, &restored).await;
    assert_eq!(get(&*cache, &key).await, Some(restored.clone()), "2.5 is newer than 1.900");
    put(&*cache, &key, &answer(901, "lost")).await;
    assert_eq!(get(&*cache, &key).await, Some(restored), "1.901 is older than 2.5");
    cache.raise_floor(&key.board, position(3, 0)).await;
    assert_eq!(get(&*cache, &key).await, None, "2.5 is below the floor 3.0");
}

/// An answer below its board's floor is a miss; one at the floor or above is not.
pub async fn an_answer_below_the_floor_is_a_miss<F: BoardCacheFixture>(f: &F) {
    let (cache, keys) = (f.board_cache(), [key("main", "top"), key("main", "around"), key("main", "standing")]);
    for (version, key) in (7..).zip(&keys) {
        put(&*cache, key, &answer(version, "x")).await;
    }
    cache.raise_floor(&board_id("main"), position(1, 8)).await;
    assert_eq!(get(&*cache, &keys[0]).await, None, "7 is below the floor 8");
    assert_eq!(get(&*cache, &keys[1]).await, Some(answer(8, "x")), "8 is at the floor 8");
    assert_eq!(get(&*cache, &keys[2]).await, Some(answer(9, "x")), "9 is above the floor 8");
}

/// An old fill that lands after the floor was raised is never served, whether the cache knew the key or not, and however late.
pub async fn a_late_old_fill_is_never_served<F: BoardCacheFixture>(f: &F) {
    let (cache, known, unknown) = (f.board_cache(), key("main", "top"), key("main", "around"));
    put(&*cache, &known, &answer(7, "old")).await;
    cache.raise_floor(&known.board, position(1, 8)).await;
    for key in [&known, &unknown] {
        put(&*cache, key, &answer(7, "late")).await;
        assert_eq!(get(&*cache, key).await, None, "a fill of version 7 came after the floor 8: {key:?}");
        cache.put(key.clone(), answer(7, "later"), at(86_400_000), LIFETIME).await;
        assert_eq!(get_at(&*cache, key, 86_400_000).await, None, "a floor does not expire: {key:?}");
        put(&*cache, key, &answer(8, "fresh")).await;
        assert_eq!(get(&*cache, key).await, Some(answer(8, "fresh")), "a fresh fill is served: {key:?}");
    }
}

/// A floor only rises.
pub async fn a_lower_floor_changes_nothing<F: BoardCacheFixture>(f: &F) {
    let (cache, key) = (f.board_cache(), key("main", "top"));
    for floor in [8, 5, 0] {
        cache.raise_floor(&key.board, position(1, floor)).await;
        put(&*cache, &key, &answer(7, "old")).await;
        assert_eq!(get(&*cache, &key).await, None, "the floor stays 8 after {floor}");
    }
}

/// Each board has its own floor.
pub async fn floors_are_told_apart<F: BoardCacheFixture>(f: &F) {
    let (cache, other) = (f.board_cache(), key("other", "top"));
    put(&*cache, &other, &answer(7, "x")).await;
    cache.raise_floor(&board_id("main"), position(1, 100)).await;
    assert_eq!(get(&*cache, &other).await, Some(answer(7, "x")), "another board's floor was raised");
    put(&*cache, &other, &answer(8, "y")).await;
    assert_eq!(get(&*cache, &other).await, Some(answer(8, "y")), "another board's floor was raised");
}

/// Many answers under many keys do not disturb each other's positions: what is served is what was put under its key, not below the floor.
pub async fn many_answers_stay_true<F: BoardCacheFixture>(f: &F) {
    let (cache, floor) = (f.board_cache(), 300);
    cache.raise_floor(&board_id("main"), position(1, floor)).await;
    for n in 0..600 {
        put(&*cache, &key("main", &n.to_string()), &answer(n, &n.to_string())).await;
    }
    let mut served = 0;
    for n in 0..600 {
        if let Some(found) = get(&*cache, &key("main", &n.to_string())).await {
            assert_eq!(found, answer(n, &n.to_string()), "the answer of view {n}");
            assert!(n >= floor, "view {n} is below the floor {floor}");
            served += 1;
        }
    }
    assert_eq!(served, 300, "a cache with room for a thousand answers keeps 300");
}

/// While floors rise and old fills land, no `get` answers below a floor that was raised before it started.
pub async fn no_answer_is_older_than_an_acknowledged_floor<F: BoardCacheFixture>(f: &F) {
    const LAST: u64 = 2000;
    let (cache, key, acknowledged) = (f.board_cache(), key("main", "top"), Arc::new(AtomicU64::new(0)));
    let raiser = tokio::spawn({
        let (cache, key, acknowledged) = (cache.clone(), key.clone(), acknowledged.clone());
        async move {
            for version in 1..=LAST {
                cache.raise_floor(&key.board, position(1, version)).await;
                acknowledged.store(version, Ordering::SeqCst);
                tokio::task::yield_now().await;
            }
        }
    });
    let filler = tokio::spawn({
        let (cache, key, acknowledged) = (cache.clone(), key.clone(), acknowledged.clone());
        async move {
            // What a reader of the store would fill in: true when it was read, old by the time it lands.
            let mut read = 0;
            while read < LAST {
                while acknowledged.load(Ordering::SeqCst) == read {
                    tokio::task::yield_now().await;
                }
                put(&*cache, &key, &answer(read, "x")).await;
                read = acknowledged.load(Ordering::SeqCst);
            }
        }
    });
    while acknowledged.load(Ordering::SeqCst) < LAST {
        let floor = acknowledged.load(Ordering::SeqCst);
        if let Some(found) = get(&*cache, &key).await {
            assert!(found.position >= position(1, floor), "{} was served below the floor {floor}", found.position);
        }
        tokio::task::yield_now().await;
    }
    raiser.await.expect("raise_floor does not panic");
    filler.await.expect("put does not panic");
    assert_eq!(get(&*cache, &key).await, None, "every fill was old when it landed");
}
