//! What is shared: a reading, a comparison and an encoding, names, and the question where the board is.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::future::join_all;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::testing::{FaultRates, FaultyScoreStore};
use scoreboard_core::{
    BoardId, Config, LiveEvent, LiveWindow, Position, ScoreStore, Scoreboard, Subscription, Version, WindowKind,
};

use crate::copy::{Copy, Watched, fold};
use crate::rigged::{CountedNames, Counts};
use crate::{list, record, spec, user};

const READS: &str = "scoreboard_live_reads_total";
const WINDOWS: &str = "scoreboard_live_windows";

async fn world(names: &Arc<CountedNames>) -> (Scoreboard, Arc<MemoryScoreStore>) {
    let store = Arc::new(MemoryScoreStore::default());
    let scoreboard = Scoreboard::builder(store.clone()).with_names(names.clone()).build();
    scoreboard.create_board(spec()).await.expect("created");
    (scoreboard, store)
}

async fn watch(scoreboard: &Scoreboard, window: &LiveWindow, since: Option<Position>) -> Subscription {
    scoreboard.watch(&BoardId::main(), window.clone(), since).await.expect("watched")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_during_the_first_look_is_not_missed() {
    let mut random = StdRng::seed_from_u64(1);
    let mut config = Config::default();
    // Nothing but an announcement tells of a change.
    (config.batch_interval, config.poll_interval) = (Duration::from_millis(1), Duration::from_secs(3_600));
    for round in 0..100 {
        let names = Arc::new(CountedNames { takes: Duration::from_millis(4), ..CountedNames::default() });
        let store = Arc::new(MemoryScoreStore::default());
        let scoreboard = Scoreboard::builder(store).with_names(names).with_config(config.clone()).build();
        scoreboard.create_board(spec()).await.expect("created");
        record(&scoreboard, "first", 1, 5).await;
        let window = [LiveWindow::top(10), LiveWindow::around(user(1), 3), list(&[1, 2])][round % 3].clone();
        let watching = async {
            let mut watcher = watch(&scoreboard, &window, None).await;
            let mut copy = Copy::default();
            while copy.position.version.get() < 2 {
                copy.apply(&watcher.next().await.expect("an event"));
            }
        };
        let moment = Duration::from_micros(random.random_range(0..8_000));
        let changing = async {
            tokio::time::sleep(moment).await;
            record(&scoreboard, "then", 2, 1).await;
        };
        let both = async { tokio::join!(watching, changing) };
        tokio::time::timeout(Duration::from_secs(10), both).await.expect("the change is seen");
    }
}

#[tokio::test]
async fn many_cost_one_reading_and_one_encoding() {
    for window in [LiveWindow::top(10), LiveWindow::around(user(2), 5), list(&[1, 2, 3, 99])] {
        let counts = Counts::default();
        let _counting = metrics::set_default_local_recorder(&counts);
        let (scoreboard, _) = world(&Arc::default()).await;
        record(&scoreboard, "first", 2, 5).await;
        let mut watchers = Vec::new();
        for _ in 0..300 {
            watchers.push((watch(&scoreboard, &window, None).await, Copy::default()));
        }
        let (mut readings, mut positions) = (0, Vec::new());
        for round in 0..4 {
            let mut bytes = None;
            for (watcher, copy) in &mut watchers {
                let frame = watcher.next_frame().await.expect("an event");
                copy.apply(frame.event());
                assert_eq!(*bytes.get_or_insert(frame.json().as_ptr()), frame.json().as_ptr(), "round {round}");
            }
            let now = counts.of(READS);
            assert_eq!(now - readings, 1, "{window:?}, round {round}");
            (readings, positions) = (now, watchers.iter().map(|(_, copy)| copy.position).collect());
            if round < 3 {
                record(&scoreboard, &format!("then {round}"), 1, 3).await;
            }
        }
        // All are cut at once, and come again: half of them only after the board has moved.
        let mut copies: Vec<_> = watchers.drain(..).map(|(_, copy)| copy).collect();
        record(&scoreboard, "meanwhile", 3, 19).await;
        for (copy, position) in copies.iter_mut().zip(&positions) {
            let mut watcher = watch(&scoreboard, &window, Some(*position)).await;
            let event = watcher.next().await.expect("an event");
            assert!(matches!(event, LiveEvent::Update(_)), "what was missed is known");
            copy.apply(&event);
            watchers.push((watcher, copy.clone()));
        }
        assert!(copies.iter().all(|copy| *copy == copies[0] && copy.rows[&1].1 == 19), "{:?}", copies[0]);
        assert_eq!(counts.of(READS) - readings, 1, "all come again for one reading");
        // Whoever says to be further than the board is looked after once, and then told what is true, and that it is not what they asked for.
        let ahead = Position { version: Version::new(9_999), ..positions[0] };
        let mut watcher = watch(&scoreboard, &window, Some(ahead)).await;
        let LiveEvent::Snapshot(snapshot) = watcher.next().await.expect("an event") else { panic!("{window:?}") };
        assert_eq!((snapshot.recovered, snapshot.window), (Some(false), window.kind()));
        assert_eq!(counts.of(READS) - readings, 2);
    }
}

#[tokio::test]
async fn what_windows_of_one_board_would_ask_is_asked_once_for_all() {
    let names: Arc<CountedNames> = Arc::default();
    let (scoreboard, store) = world(&names).await;
    for number in 0..60 {
        record(&scoreboard, &format!("first {number}"), number, 20 - i64::from(number % 20)).await;
    }
    // Sixty windows that overlap, read again and again.
    let all: Vec<_> = (0..60).map(|number| Watched::Around(user(number), 10)).collect();
    let mut watchers = Vec::new();
    for watched in &all {
        let (mut watcher, mut copy) = (watch(&scoreboard, &watched.window(), None).await, Copy::default());
        copy.apply(&watcher.next().await.expect("an event"));
        watchers.push((watcher, copy));
    }
    for round in 0..20_u64 {
        record(&scoreboard, &format!("then {round}"), (round * 7 % 60) as u8, 9).await;
        for (watcher, copy) in &mut watchers {
            while copy.position.version.get() < 61 + round {
                copy.apply(&watcher.next().await.expect("an event"));
            }
        }
    }
    let log = store.log(&BoardId::main(), Version::ZERO, 1_000).await.expect("there");
    let folded = fold(&log);
    for (watched, (_, copy)) in all.iter().zip(&watchers) {
        assert_eq!(copy.rows, folded[log.len()].within(watched), "{watched:?}");
    }
    let calls = names.calls.load(Ordering::SeqCst);
    assert_eq!(names.users.load(Ordering::SeqCst), 60, "each once, in {calls} calls");
    let mut again = watch(&scoreboard, &LiveWindow::around(user(5), 50), None).await;
    let LiveEvent::Snapshot(snapshot) = again.next().await.expect("an event") else { panic!("it holds nothing") };
    assert_eq!(snapshot.entries.len(), 60);
    assert!(snapshot.entries.iter().all(|entry| entry.display_name == Some(format!("user {}", entry.user_id))));
    assert_eq!(names.calls.load(Ordering::SeqCst), calls, "all of them were known");
}

#[tokio::test(start_paused = true)]
async fn windows_that_nobody_watches_end_and_are_bounded_meanwhile() {
    let counts = Counts::default();
    let _counting = metrics::set_default_local_recorder(&counts);
    let (scoreboard, _) = world(&Arc::default()).await;
    let windows = |kind| (0..5_000_usize).map(move |number| (number, kind));
    let mut top = watch(&scoreboard, &LiveWindow::top(10), None).await;
    top.next().await.expect("an event");
    drop(top);
    for (number, kind) in windows(WindowKind::Around).chain(windows(WindowKind::Users).take(500)) {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let user = scoreboard_core::UserId::from_bytes(bytes);
        let window = if kind == WindowKind::Around {
            LiveWindow::around(user, 5)
        } else {
            LiveWindow::users([user]).expect("one")
        };
        let mut watcher = watch(&scoreboard, &window, None).await;
        watcher.next().await.expect("an event");
        assert_eq!(watcher.window().kind(), kind);
        drop(watcher);
        // Until its task has seen that nobody watches.
        tokio::task::yield_now().await;
    }
    tokio::time::sleep(Duration::from_millis(1)).await;
    assert_eq!(counts.gauge(WINDOWS), 4_097.0);
    tokio::time::sleep(Duration::from_secs(31)).await;
    assert_eq!(counts.gauge(WINDOWS), 0.0);
}

#[tokio::test(start_paused = true)]
async fn a_window_of_few_that_is_slow_to_read_is_read_less_often() {
    for (window, at_most) in [(LiveWindow::top(100), 70), (LiveWindow::around(user(1), 50), 26)] {
        let counts = Counts::default();
        let _counting = metrics::set_default_local_recorder(&counts);
        // Each reading finds somebody new, and names take a tenth of a second.
        let names = CountedNames { takes: Duration::from_millis(100), ..CountedNames::default() };
        let (scoreboard, _) = world(&Arc::new(names)).await;
        record(&scoreboard, "first", 1, 20).await;
        let mut watcher = watch(&scoreboard, &window, None).await;
        let watching = async { while watcher.next().await.is_ok() {} };
        let changing = async {
            for number in 0..100 {
                record(&scoreboard, &number.to_string(), 100 + number, 1).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            () = watching => panic!("the board is there"),
            () = changing => {}
        }
        let reads = counts.of(READS);
        assert!(reads > 10 && reads <= at_most, "{window:?}: {reads} in ten seconds");
    }
}

/// What each costs the store is as much as a reading of hundreds of entries. Whoever wants to cost much could ask for it through a hundred
/// windows at once, of as many limits.
#[tokio::test(start_paused = true)]
async fn however_many_windows_are_resumed_few_are_told_from_the_log_at_once() {
    let store = Arc::new(FaultyScoreStore::new(Arc::new(MemoryScoreStore::default()), 1, FaultRates::default()));
    let scoreboard = Scoreboard::builder(store.clone()).build();
    scoreboard.create_board(spec()).await.expect("created");
    let mut before = None;
    for number in 0..120 {
        record(&scoreboard, &number.to_string(), number, 5).await;
        let mut watcher = watch(&scoreboard, &LiveWindow::top(1), None).await;
        let position = watcher.next().await.expect("an event").position();
        before.get_or_insert(position);
    }
    let windows: Vec<_> = (2..=41).map(LiveWindow::top).collect();
    let mut held = Vec::new();
    for window in &windows {
        let mut watcher = watch(&scoreboard, window, None).await;
        watcher.next().await.expect("an event");
        held.push(watcher);
    }
    store.set_rates(FaultRates { delay: 1.0, ..FaultRates::default() });
    let resume = async |window: &LiveWindow| {
        let mut watcher = watch(&scoreboard, window, before).await;
        watcher.next().await.expect("an event")
    };
    let events = join_all(windows.iter().map(resume)).await;
    let told = events.iter().filter(|event| matches!(event, LiveEvent::Update(_))).count();
    assert_eq!(told, 8, "the others are sent the view");
    // And then the next eight; what the first were told is kept for who comes after them.
    let events = join_all(windows.iter().rev().map(resume)).await;
    assert_eq!(events.iter().filter(|event| matches!(event, LiveEvent::Update(_))).count(), 16);
}
