//! Announcements that lie, are lost, come late, twice and out of order, a store that fails, and an epoch that begins, while many write.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::testing::{FaultRates, FaultyScoreStore};
use scoreboard_core::{BoardId, Config, Epoch, ScoreStore, Scoreboard, Version};

use crate::copy::{Copy, Watched, fold};
use crate::rigged::Rigged;
use crate::{record, spec, user};

/// Watches until it is at `last`, in the way of its number, and gives what it held after each event.
async fn watch(
    scoreboard: Scoreboard,
    number: u64,
    watched: Watched,
    is_broken: bool,
    last: tokio::sync::watch::Receiver<u64>,
) -> Vec<Copy> {
    let mut random = StdRng::seed_from_u64(number);
    let (mut copy, mut held) = (Copy { is_broken, ..Copy::default() }, Vec::new());
    let subscribe = async |since| loop {
        match scoreboard.watch(&BoardId::main(), watched.window(), since).await {
            Ok(watcher) => return watcher,
            Err(_) => tokio::time::sleep(Duration::from_millis(1)).await,
        }
    };
    let mut watcher = subscribe(None).await;
    while *last.borrow() == 0 || copy.position.version.get() < *last.borrow() {
        if number.is_multiple_of(3) && random.random_bool(0.1) {
            drop(watcher);
            tokio::time::sleep(Duration::from_millis(random.random_range(0..40))).await;
            watcher = subscribe((!held.is_empty()).then_some(copy.position)).await;
        }
        if number % 3 == 1 {
            tokio::time::sleep(Duration::from_millis(random.random_range(0..60))).await;
        }
        // A wait that is given up loses nothing.
        let patience = Duration::from_millis(random.random_range(1..20));
        if let Ok(event) = tokio::time::timeout(patience, watcher.next()).await {
            copy.apply(&event.expect("the board is there"));
            held.push(copy.clone());
        }
    }
    held
}

/// What differs from the log of what any of them held, at first.
async fn difference(seed: u64, all: &[Watched], is_broken: bool) -> Option<String> {
    let memory = Arc::new(MemoryScoreStore::default());
    let rates = FaultRates { before: 0.03, lost: 0.02, after: 0.02, delay: 0.5 };
    let store = Arc::new(FaultyScoreStore::new(memory.clone(), seed, FaultRates::default()));
    let mut config = Config::default();
    (config.batch_interval, config.poll_interval) = (Duration::from_millis(1), Duration::from_millis(40));
    let builder = Scoreboard::builder(store.clone()).with_broadcaster(Arc::new(Rigged::new(seed)));
    let scoreboard = builder.with_config(config).build();
    scoreboard.create_board(spec()).await.expect("created");
    store.set_rates(rates);
    let (end, last) = tokio::sync::watch::channel(0);
    let watchers: Vec<_> = (0..)
        .zip(all)
        .map(|(number, watched)| {
            tokio::spawn(watch(scoreboard.clone(), number, watched.clone(), is_broken, last.clone()))
        })
        .collect();
    let writers: Vec<_> = (0..4_u64)
        .map(|writer| {
            let (scoreboard, memory) = (scoreboard.clone(), memory.clone());
            tokio::spawn(async move {
                let mut random = StdRng::seed_from_u64(seed * 10 + writer);
                for number in 0..60 {
                    let points = random.random_range(1..=20) * if random.random_bool(0.3) { -1 } else { 1 };
                    record(&scoreboard, &format!("{writer}-{number}"), random.random_range(0..25), points).await;
                    tokio::time::sleep(Duration::from_millis(random.random_range(0..3))).await;
                    if (seed % 2, writer, number) == (1, 0, 30) {
                        memory.raise_epoch(Epoch::new(1)).await.expect("it rises");
                    }
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.expect("it wrote");
    }
    let log = memory.log(&BoardId::main(), Version::ZERO, 1_000).await.expect("there");
    assert_eq!(log.len(), 240);
    end.send_replace(240);
    let folded = fold(&log);
    for (watched, watcher) in all.iter().zip(watchers) {
        let held = tokio::time::timeout(Duration::from_secs(30), watcher).await;
        let held = held.expect("all is seen at last").expect("it held together");
        for copy in held {
            let then = &folded[copy.position.version.get() as usize];
            if (copy.total, &copy.rows) != (then.total(), &then.within(watched)) {
                return Some(format!("seed {seed}, {watched:?}, {}: {copy:?}", copy.position));
            }
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_announced_a_watcher_holds_the_fold_of_the_log() {
    // The same in the three ways of watching, and such as change seldom.
    let some = Watched::Users([3, 24, 0, 77, 12].map(user).to_vec());
    let near = Watched::Around(user(3), 1);
    let windows = [
        Watched::Top(3),
        Watched::Top(10),
        Watched::Top(10),
        Watched::Top(10),
        Watched::Top(100),
        Watched::Top(3),
        near.clone(),
        near.clone(),
        near,
        some.clone(),
        some.clone(),
        some,
        Watched::Around(user(24), 5),
        Watched::Around(user(7), 50),
        Watched::Around(user(77), 2),
        Watched::Users((0..100).map(user).collect()),
        Watched::Users(vec![user(77)]),
    ];
    for seed in 0..6 {
        assert_eq!(difference(seed, &windows, false).await, None);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_watcher_that_does_not_let_go_of_who_has_left_is_found() {
    for watched in [Watched::Top(3), Watched::Around(user(3), 1)] {
        // Where much is told at once nobody may leave in between, so one run alone may not show it.
        let mut found = None;
        for seed in 1..=8 {
            found = difference(seed, std::slice::from_ref(&watched), true).await;
            if found.is_some() {
                break;
            }
        }
        assert!(found.is_some(), "{watched:?}");
    }
}
