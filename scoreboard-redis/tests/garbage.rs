//! Keys and channels that hold what this release did not write.

mod support;

use std::time::Duration;

use futures_util::StreamExt;
use scoreboard_core::{
    BoardCache, BoardId, Broadcaster, CacheKey, Cached, Cell, Decision, Quota, RateLimiter, Timestamp,
};
use scoreboard_redis::{Redis, RedisBoardCache, RedisBroadcaster, RedisRateLimiter};
use support::server::Process;
use support::{STORE, config};

const NOW: Timestamp = Timestamp::from_millis(1_700_000_000_000);
const LIFE: Duration = Duration::from_secs(60);

/// Commands that put something else at a key: text, bytes, nothing at all, another type, entries of other releases.
const OTHERS: [&[&str]; 13] = [
    &["set", "KEY", "garbage"],
    &["set", "KEY", ""],
    &["set", "KEY", "\u{1}\u{7f}\u{ff}\r\n"],
    &["set", "KEY", "SB0 1.5 1700000000000 60000 2\n[]"],
    &["set", "KEY", "SB2 1.5 1700000000000 60000 2\n[]"],
    &["set", "KEY", "SB1 7.5 1700000000000 60000 999999\n[]"],
    &["set", "KEY", "SB1 9999999999999999999.9999999999999999999 1 1 1\n"],
    &["set", "KEY", "9999999999999999999999.1"],
    &["set", "KEY", "1:2:3:4"],
    &["set", "KEY", "9999999999999999999999:0:1"],
    &["rpush", "KEY", "a", "b"],
    &["hset", "KEY", "a", "b"],
    &["zadd", "KEY", "7", "a"],
];

fn put(server: &Process, key: &str, command: &[&str]) {
    server.cli(&["del", key]);
    let command: Vec<&str> = command.iter().map(|part| if *part == "KEY" { key } else { part }).collect();
    let answered = server.cli(&command);
    assert!(!answered.contains("ERR"), "{answered}");
}

#[tokio::test]
async fn what_is_no_entry_is_a_miss_and_is_overwritten() {
    let server = Process::start(&[]);
    let config = config(&server.url());
    let cache = RedisBoardCache::new(Redis::new(&config).expect("a handle"), STORE);
    let key = CacheKey { board: BoardId::main(), view: "top".into() };
    let place = format!("{}:cache:{STORE}:{{main}}:view:top", config.namespace);
    for (round, other) in OTHERS.iter().enumerate() {
        let answer = Cached { position: format!("1.{}", round + 10).parse().expect("one"), bytes: "[]".into() };
        cache.put(key.clone(), answer.clone(), NOW, LIFE).await;
        assert_eq!(cache.get(&key, NOW).await.map(|hit| hit.answer), Some(answer.clone()));
        put(&server, &place, other);
        assert_eq!(cache.get(&key, NOW).await, None, "{other:?}");
        cache.put(key.clone(), answer.clone(), NOW, LIFE).await;
        assert_eq!(cache.get(&key, NOW).await.map(|hit| hit.answer), Some(answer), "{other:?} is overwritten");
    }
}

#[tokio::test]
async fn what_is_no_floor_serves_nothing_and_is_overwritten() {
    let server = Process::start(&[]);
    let config = config(&server.url());
    let key = CacheKey { board: BoardId::main(), view: "top".into() };
    let place = format!("{}:cache:{STORE}:{{main}}:floor", config.namespace);
    for (round, other) in OTHERS.iter().enumerate() {
        // A node that has heard of nothing yet.
        let cache = RedisBoardCache::new(Redis::new(&config).expect("a handle"), STORE);
        let answer = Cached { position: format!("1.{}", round + 10).parse().expect("one"), bytes: "[]".into() };
        cache.put(key.clone(), answer.clone(), NOW, LIFE).await;
        put(&server, &place, other);
        assert_eq!(cache.get(&key, NOW).await, None, "{other:?}");
        cache.raise_floor(&key.board, answer.position).await;
        assert_eq!(cache.get(&key, NOW).await.map(|hit| hit.answer), Some(answer), "{other:?} is overwritten");
        put(&server, &place, other);
        cache.put(key.clone(), Cached { position: "1.9".parse().expect("one"), bytes: "old".into() }, NOW, LIFE).await;
        assert!(cache.get(&key, NOW).await.is_none_or(|found| found.answer.bytes != "old"), "{other:?}");
    }
}

#[tokio::test]
async fn what_is_no_count_does_not_count_and_limits_nobody() {
    let server = Process::start(&[]);
    let config = config(&server.url());
    let limiter = RedisRateLimiter::new(Redis::new(&config).expect("a handle"));
    for (kind, quota) in
        [("log", "2/min".parse::<Quota>().expect("one")), ("gcra", "2/min".parse::<Quota>().expect("one").gcra())]
    {
        for (round, other) in OTHERS.iter().enumerate() {
            let subject = format!("user-{round}");
            put(&server, &format!("{}:limit:{{{subject}}}:p:{kind}", config.namespace), other);
            let cells = [Cell { policy: "p", subject: &subject, quota }];
            // A bucket that says it is full in a far future is held to two periods; a set with one entry at 7 ms is a log.
            let mut admitted = 0;
            for _ in 0..5 {
                let decision = limiter.take(&cells, NOW).await.unwrap_or_else(|error| panic!("{other:?}: {error:?}"));
                admitted += u32::from(matches!(decision, Decision::Allowed(_)));
            }
            let far = kind == "gcra" && other[2].ends_with(":0:1");
            assert_eq!(admitted, if far { 0 } else { 2 }, "{kind}: {other:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_no_announcement_is_not_heard() {
    let server = Process::start(&[]);
    let config = config(&server.url());
    let broadcaster = RedisBroadcaster::new(Redis::new(&config).expect("a handle"), STORE);
    let (channel, last) =
        (format!("{}:live:{STORE}", config.namespace), format!("{}:live:{STORE}:{{main}}:last", config.namespace));
    for (round, other) in OTHERS.iter().enumerate() {
        put(&server, &last, other);
        let mut watcher = broadcaster.subscribe(&BoardId::main()).await.expect("it listens");
        for message in
            ["", "garbage", "a 1 1.1", "a x 1.1 main", "a 1 999999999999999999999.1 main", "\u{ff}", "SB2 main 1.9"]
        {
            server.cli(&["publish", &channel, message]);
        }
        let position = format!("1.{}", round + 10).parse().expect("one");
        broadcaster.publish(&BoardId::main(), position).await.expect("it is announced");
        assert_eq!(watcher.next().await, Some(position), "{other:?}");
        assert_eq!(server.cli(&["get", &last]), position.to_string(), "{other:?} is overwritten");
    }
}

#[tokio::test]
async fn answers_are_bounded_in_bytes_and_time() {
    let server = Process::start(&[]);
    let config = config(&server.url());
    let cache = RedisBoardCache::with_max_bytes(Redis::new(&config).expect("a handle"), STORE, 1000);
    let key = |view: &str| CacheKey { board: BoardId::main(), view: view.into() };
    let answer = |bytes: usize| Cached { position: "1.1".parse().expect("one"), bytes: vec![b'x'; bytes].into() };
    cache.put(key("fits"), answer(1000), NOW, LIFE).await;
    assert_eq!(cache.get(&key("fits"), NOW).await.map(|hit| hit.answer), Some(answer(1000)));
    cache.put(key("large"), answer(1001), NOW, LIFE).await;
    assert_eq!(cache.get(&key("large"), NOW).await, None);
    // One that another node keeps is not read either, however long it is.
    let larger = RedisBoardCache::new(Redis::new(&config).expect("a handle"), STORE);
    larger.put(key("larger"), answer(100_000), NOW, LIFE).await;
    assert_eq!(larger.get(&key("larger"), NOW).await.map(|hit| hit.answer), Some(answer(100_000)));
    assert_eq!(cache.get(&key("larger"), NOW).await, None);

    let mut lives = std::collections::BTreeSet::new();
    for n in 0..50 {
        let view = format!("life-{n}");
        cache.put(key(&view), answer(1), NOW, LIFE).await;
        let left = server.cli(&["pttl", &format!("{}:cache:{STORE}:{{main}}:view:{view}", config.namespace)]);
        let left: u64 = left.parse().expect("a time");
        assert!((53_000..=66_000).contains(&left), "a tenth around a minute: {left}");
        lives.insert(left / 500);
    }
    assert!(lives.len() > 5, "lives are spread: {lives:?}");
    cache.put(key("long"), answer(1), NOW, 100 * LIFE).await;
    let left = server.cli(&["pttl", &format!("{}:cache:{STORE}:{{main}}:view:long", config.namespace)]);
    assert!(left.parse::<u64>().expect("a time") <= 330_000, "at most five minutes and a tenth: {left}");
    assert_eq!(cache.get(&key("long"), NOW.plus(Duration::from_secs(300))).await, None);
    let place = format!("{}:cache:{STORE}:{{main}}:floor", config.namespace);
    let floor = server.cli(&["pttl", &place]);
    assert!(floor.parse::<u64>().expect("a time") > 500_000, "a floor outlives every answer: {floor}");
    // A store of the same name begins again below it.
    server.cli(&["pexpire", &place, "400000"]);
    cache.raise_floor(&BoardId::main(), "1.0".parse().expect("one")).await;
    let floor = server.cli(&["pttl", &place]);
    assert!(floor.parse::<u64>().expect("a time") <= 400_000, "it is not kept alive from there: {floor}");
    cache.raise_floor(&BoardId::main(), "1.2".parse().expect("one")).await;
    let floor = server.cli(&["pttl", &place]);
    assert!(floor.parse::<u64>().expect("a time") > 500_000, "what raises it keeps it alive: {floor}");
}
