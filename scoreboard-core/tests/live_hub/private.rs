//! What concerns one user: told to who watches for them, in step with the board, seldom, and true.

use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::{
    BoardId, Moderation, ModerationAct, ModerationId, Overtaken, Points, PointsRule, PrivateEvent, PrivateSubscription,
    ScoreStore, Scoreboard, Timestamp, UserId, Version,
};
use tokio::time::{Instant, timeout};

use crate::copy::{Watched, fold};
use crate::rigged::Rigged;
use crate::{record, spec, user};

const SECOND: Duration = Duration::from_secs(1);

async fn world() -> (Scoreboard, Arc<MemoryScoreStore>) {
    let store = Arc::new(MemoryScoreStore::default());
    let scoreboard = Scoreboard::builder(store.clone()).build();
    scoreboard.create_board(spec()).await.expect("created");
    (scoreboard, store)
}

async fn next(watcher: &mut PrivateSubscription) -> PrivateEvent {
    timeout(10 * SECOND, watcher.next()).await.expect("it is told").expect("the board is there")
}

async fn assert_silent(watcher: &mut PrivateSubscription) {
    assert!(timeout(10 * SECOND, watcher.next()).await.is_err(), "nothing is told");
}

fn overtaken(event: PrivateEvent) -> (u64, u64, Option<UserId>) {
    match event {
        PrivateEvent::Overtaken(Overtaken { previous_rank, rank, by, .. }) => {
            (previous_rank, rank, by.map(|by| by.user_id))
        }
        PrivateEvent::EnteredTop(entered) => panic!("{entered:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn who_is_passed_hears_of_it_once_a_second_and_not_of_what_was_before() {
    let (scoreboard, _) = world().await;
    record(&scoreboard, "1", 1, 10).await;
    record(&scoreboard, "2", 2, 12).await;
    let mut watcher = scoreboard.watch_for(&BoardId::main(), user(1)).await.expect("watched");
    assert_silent(&mut watcher).await;
    record(&scoreboard, "3", 1, 5).await;
    assert_silent(&mut watcher).await;
    record(&scoreboard, "4", 2, 10).await;
    let told = Instant::now();
    assert_eq!(overtaken(next(&mut watcher).await), (1, 2, Some(user(2))));
    assert!(told.elapsed() < SECOND / 2);
    // In the second that follows the user passes again, is passed again, and by another too.
    for (key, number, points) in [("5", 1, 20), ("6", 2, 20), ("7", 3, 20), ("8", 3, 20)] {
        record(&scoreboard, key, number, points).await;
        tokio::time::sleep(SECOND / 10).await;
    }
    assert_eq!(overtaken(next(&mut watcher).await), (2, 3, Some(user(3))));
    assert!(told.elapsed() >= SECOND);
    // Who falls by their own doing was not passed.
    record(&scoreboard, "9", 4, 20).await;
    record(&scoreboard, "10", 1, -20).await;
    assert_silent(&mut watcher).await;
}

#[tokio::test(start_paused = true)]
async fn who_comes_into_the_top_hears_of_it() {
    let (scoreboard, _) = world().await;
    for number in 10..30 {
        record(&scoreboard, &number.to_string(), number, 10).await;
    }
    let mut watcher = scoreboard.watch_for(&BoardId::main(), user(1)).await.expect("watched");
    assert_silent(&mut watcher).await;
    record(&scoreboard, "first", 1, 9).await;
    assert_silent(&mut watcher).await;
    record(&scoreboard, "then", 1, 9).await;
    let PrivateEvent::EnteredTop(entered) = next(&mut watcher).await else { panic!("nobody has passed") };
    assert_eq!((entered.rank, entered.limit, entered.version), (1, 10, Version::new(22)));
    assert_silent(&mut watcher).await;
}

/// Who is taken down from far ahead, by what is made void, stands before a user of whom others have passed, and has passed nobody.
#[tokio::test(start_paused = true)]
async fn who_was_made_to_fall_is_not_named_for_who_has_passed() {
    let store = Arc::new(MemoryScoreStore::default());
    let scoreboard = Scoreboard::builder(store.clone()).with_moderation(store.clone()).build();
    let mut only_up = spec();
    only_up.kinds[0].points = PointsRule::Range(Points::ZERO, Points::new(20).expect("small"));
    scoreboard.create_board(only_up).await.expect("created");
    let score = async |number: u8, points: &[i64]| {
        for (n, points) in points.iter().enumerate() {
            record(&scoreboard, &format!("{number} {n} {points}"), number, *points).await;
        }
    };
    let (me, cheat) = (50, 1);
    score(cheat, &[20, 20, 20, 20, 20, 1]).await;
    for number in 2..=16 {
        score(number, &[20, 20, 20]).await;
    }
    score(me, &[20, 20]).await;
    for number in 100..115 {
        score(number, &[20]).await;
    }
    for number in 115..120 {
        score(number, &[2]).await;
    }
    let mut watcher = scoreboard.watch_for(&BoardId::main(), user(me)).await.expect("watched");
    assert_silent(&mut watcher).await;
    // One who was out of sight, and came from behind: else they would have had to fall, which nobody does by their own doing.
    score(116, &[20, 19]).await;
    assert_eq!(overtaken(next(&mut watcher).await), (17, 18, Some(user(116))));
    // Within the pause another passes, and the cheat comes to stand between them.
    score(117, &[20, 18, 3]).await;
    let history = store.history(&BoardId::main(), user(cheat), None, 10).await.expect("there");
    let actions: Vec<_> = history.iter().map(|row| row.action_id).skip(3).collect();
    let decision = Moderation {
        id: ModerationId::from_bytes([1; 16]),
        at: Timestamp::from_millis(1),
        by: "a test".to_owned(),
        reason: "a test".to_owned(),
        act: ModerationAct::Void { actions },
    };
    scoreboard.moderate(&decision).await.expect("carried out");
    assert_eq!(overtaken(next(&mut watcher).await), (18, 19, None), "it cannot be told who");
    // What was put right before does not matter.
    score(118, &[20, 19]).await;
    assert_eq!(overtaken(next(&mut watcher).await), (19, 20, Some(user(118))));
}

#[tokio::test(start_paused = true)]
async fn all_that_is_told_is_true_whatever_is_announced() {
    let me = user(5);
    let mut told = 0;
    for seed in 0..20 {
        let store = Arc::new(MemoryScoreStore::default());
        let builder = Scoreboard::builder(store.clone()).with_broadcaster(Arc::new(Rigged::new(seed)));
        let scoreboard = builder.build();
        scoreboard.create_board(spec()).await.expect("created");
        let mut watcher = scoreboard.watch_for(&BoardId::main(), me).await.expect("watched");
        let mut random = StdRng::seed_from_u64(seed);
        let mut events = Vec::new();
        let watching = async {
            loop {
                // A wait that is given up loses nothing.
                let patience = Duration::from_millis(random.random_range(1..400));
                if let Ok(event) = timeout(patience, watcher.next()).await {
                    events.push((Instant::now(), event.expect("the board is there")));
                }
            }
        };
        let mut random = StdRng::seed_from_u64(seed + 1_000);
        let changing = async {
            for number in 0..150_u32 {
                let points = random.random_range(1..=20) * if random.random_bool(0.2) { -1 } else { 1 };
                record(&scoreboard, &number.to_string(), random.random_range(0..40), points).await;
                tokio::time::sleep(Duration::from_millis(random.random_range(0..400))).await;
            }
            tokio::time::sleep(10 * SECOND).await;
        };
        tokio::select! {
            () = watching => {}
            () = changing => {}
        }
        let folded = fold(&store.log(&BoardId::main(), Version::ZERO, 1_000).await.expect("there"));
        let rank = |version: usize, user: UserId| {
            folded[version].within(&Watched::Users(vec![user])).into_keys().next().unwrap_or(u64::MAX)
        };
        let (mut since, mut at) = (0, None);
        for (when, event) in &events {
            let version = match event {
                PrivateEvent::Overtaken(event) => {
                    let version = event.version.get() as usize;
                    assert_eq!(rank(version, me), event.rank, "seed {seed}: {event:?}");
                    let mut before = (since..version).filter(|&then| rank(then, me) == event.previous_rank);
                    assert!(event.rank > event.previous_rank && before.next().is_some(), "seed {seed}: {event:?}");
                    if let Some(by) = &event.by {
                        let passed = (since..version).any(|then| rank(then, by.user_id) > rank(then, me));
                        assert!(rank(version, by.user_id) < event.rank && passed, "seed {seed}: {event:?}");
                    }
                    version
                }
                PrivateEvent::EnteredTop(event) => {
                    let version = event.version.get() as usize;
                    assert_eq!((rank(version, me), event.limit), (event.rank, 10), "seed {seed}: {event:?}");
                    assert!(event.rank <= 10 && (since..version).any(|then| rank(then, me) > 10), "seed {seed}");
                    version
                }
            };
            // Two that one look has found come together; else a second lies between.
            assert!(at.is_none_or(|at| since == version || *when - at >= SECOND), "seed {seed}: {events:?}");
            (since, at) = (version, Some(*when));
        }
        told += events.len();
    }
    assert!(told > 100, "{told} were told");
}
