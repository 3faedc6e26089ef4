//! The windows of live boards, under announcements that lie, are lost, come late, twice and out of order, while many write: whatever
//! a watcher holds is the fold of the log at its version.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use futures_util::stream::{self, BoxStream, StreamExt};
use parking_lot::Mutex;
use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::testing::{FaultRates, FaultyScoreStore};
use scoreboard_core::{
    ActionKind, BackendError, BoardId, BoardSpec, Broadcaster, ChangeOp, Config, DisplayNames, Epoch, KeyId, LiveEvent,
    Points, PointsRule, Position, RecordRequest, ScoreStore, Scoreboard, UserId, Version,
};

/// A broadcaster as bad as can be: it loses, doubles, delays, reorders, and tells of positions that never were.
#[derive(Debug)]
struct Rigged {
    told: Mutex<Vec<tokio::sync::mpsc::UnboundedSender<Position>>>,
    held_back: Mutex<Vec<Position>>,
    random: Mutex<StdRng>,
}

#[async_trait]
impl Broadcaster for Rigged {
    async fn publish(&self, _board: &BoardId, position: Position) -> Result<(), BackendError> {
        let mut random = self.random.lock();
        let mut said = match random.random_range(0..6) {
            0 => vec![],
            1 => vec![position, position],
            2 => vec![Position { version: Version::new(position.version.get() + 1_000), ..position }],
            3 => vec![Position { epoch: Epoch::new(position.epoch.get() + 1), ..position }],
            4 => {
                self.held_back.lock().push(position);
                vec![]
            }
            _ => vec![position],
        };
        if random.random_bool(0.3) {
            said.extend(self.held_back.lock().drain(..));
        }
        self.told.lock().retain(|told| said.iter().all(|position| told.send(*position).is_ok()));
        Ok(())
    }

    async fn subscribe(&self, _board: &BoardId) -> Result<BoxStream<'static, Position>, BackendError> {
        let (sender, receiver) = tokio::sync::mpsc::unbounded_channel();
        self.told.lock().push(sender);
        let ends_early = self.random.lock().random_bool(0.3);
        let stream = stream::unfold(receiver, async |mut receiver| Some((receiver.recv().await?, receiver)));
        Ok(if ends_early { stream.take(20).boxed() } else { stream.boxed() })
    }
}

/// Counts how often entries are named: once for each reading of a board that has some. It may take its time, between the reading and
/// its publication.
#[derive(Debug, Default)]
struct CountedNames(AtomicUsize, Duration);

#[async_trait]
impl DisplayNames for CountedNames {
    async fn display_names(&self, _users: &[UserId]) -> Result<HashMap<UserId, String>, BackendError> {
        self.0.fetch_add(1, Ordering::SeqCst);
        tokio::time::sleep(self.1).await;
        Ok(HashMap::new())
    }
}

/// The top of a board, as somebody holds it: user and score, by rank.
type Rows = BTreeMap<u64, (UserId, i64)>;

#[derive(Debug, Clone, Default, PartialEq)]
struct Copy {
    position: Position,
    total: u64,
    rows: Rows,
}

impl Copy {
    fn apply(&mut self, event: &LiveEvent) {
        match event {
            LiveEvent::Snapshot(snapshot) => {
                let rows = snapshot.entries.iter();
                self.rows = rows.map(|entry| (entry.rank, (entry.user_id, entry.score.get()))).collect();
                self.total = snapshot.total;
            }
            LiveEvent::Update(update) => {
                assert_eq!(update.from, self.position.version, "an update follows on what came before");
                let mut users: HashMap<_, _> =
                    self.rows.iter().map(|(rank, (user, score))| (*user, (*rank, *score))).collect();
                for change in &update.changes {
                    let before = match change.op {
                        ChangeOp::Upsert => {
                            users.insert(change.user_id, (change.rank.expect("it has one"), change.score.get()))
                        }
                        ChangeOp::Remove => users.remove(&change.user_id),
                    };
                    assert_eq!(before.map(|(rank, _)| rank), change.previous_rank);
                }
                let rows: Rows = users.iter().map(|(user, (rank, score))| (*rank, (*user, *score))).collect();
                assert_eq!(rows.len(), users.len(), "no two have one rank");
                (self.rows, self.total) = (rows, update.total);
            }
        }
        assert!(event.position() >= self.position, "nobody goes back");
        self.position = event.position();
    }
}

/// The top `limit` at each version, folded from the log by itself.
fn fold(log: &[scoreboard_core::LogRow], limit: usize) -> Vec<(u64, Rows)> {
    let mut scores: HashMap<UserId, (i64, u64)> = HashMap::new();
    let mut folded = vec![(0, Rows::new())];
    for (index, row) in log.iter().enumerate() {
        assert_eq!(row.position.version.get(), index as u64 + 1);
        let score = scores.get(&row.user_id).map_or(0, |(score, _)| *score) + row.points.get();
        scores.insert(row.user_id, (score, row.position.version.get()));
        let mut order: Vec<_> = scores.iter().map(|(user, (score, version))| (-score, *version, *user)).collect();
        order.sort_unstable();
        let rows = (1..).zip(order.iter().take(limit).map(|(score, _, user)| (*user, -score))).collect();
        folded.push((scores.len() as u64, rows));
    }
    folded
}

fn spec() -> BoardSpec {
    let points = PointsRule::Range(Points::new(-20).expect("small"), Points::new(20).expect("small"));
    let kind = "any".parse().expect("slug");
    let kinds = vec![ActionKind { kind, points, min_duration_seconds: 0, lifetime_seconds: 60, per_day: None }];
    BoardSpec { kinds, ..BoardSpec::new(BoardId::main()) }
}

async fn record(scoreboard: &Scoreboard, key: &str, user: u8, points: i64) {
    let request = RecordRequest {
        board: BoardId::main(),
        user_id: UserId::from_bytes([user; 16]),
        kind: "any".parse().expect("slug"),
        points: Some(Points::new(points).expect("small")),
    };
    let server = KeyId::new("test").expect("slug");
    // A store that fails is asked again, with the same key.
    while scoreboard.record(&server, key, request.clone()).await.is_err() {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Watches until it is at `last`, in the way of its number, and gives what it held after each event.
async fn watch(
    scoreboard: Scoreboard,
    number: u64,
    limit: usize,
    last: tokio::sync::watch::Receiver<u64>,
) -> Vec<Copy> {
    let mut random = StdRng::seed_from_u64(number);
    let (mut copy, mut held) = (Copy::default(), Vec::new());
    let subscribe = async |since| loop {
        match scoreboard.subscribe(&BoardId::main(), limit, since).await {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn whatever_is_announced_a_watcher_holds_the_fold_of_the_log() {
    for seed in 0..6 {
        let rigged = Rigged {
            told: Mutex::default(),
            held_back: Mutex::default(),
            random: Mutex::new(StdRng::seed_from_u64(seed)),
        };
        let memory = Arc::new(MemoryScoreStore::default());
        let rates = FaultRates { before: 0.03, lost: 0.02, after: 0.02, delay: 0.5 };
        let store = Arc::new(FaultyScoreStore::new(memory.clone(), seed, FaultRates::default()));
        let mut config = Config::default();
        (config.batch_interval, config.poll_interval) = (Duration::from_millis(1), Duration::from_millis(40));
        let builder = Scoreboard::builder(store.clone()).with_broadcaster(Arc::new(rigged)).with_config(config);
        let scoreboard = builder.build();
        scoreboard.create_board(spec()).await.expect("created");
        store.set_rates(rates);
        let (end, last) = tokio::sync::watch::channel(0);
        let limits = [3, 10, 10, 10, 100, 3, 10];
        let watchers: Vec<_> = (0..)
            .zip(limits)
            .map(|(number, limit)| tokio::spawn(watch(scoreboard.clone(), number, limit, last.clone())))
            .collect();
        let writers: Vec<_> = (0..4_u64)
            .map(|writer| {
                let scoreboard = scoreboard.clone();
                tokio::spawn(async move {
                    let mut random = StdRng::seed_from_u64(seed * 10 + writer);
                    for number in 0..60 {
                        let points = random.random_range(1..=20) * if random.random_bool(0.3) { -1 } else { 1 };
                        record(&scoreboard, &format!("{writer}-{number}"), random.random_range(0..25), points).await;
                        tokio::time::sleep(Duration::from_millis(random.random_range(0..3))).await;
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
        for (limit, watcher) in limits.into_iter().zip(watchers) {
            let held = tokio::time::timeout(Duration::from_secs(30), watcher).await;
            let held = held.expect("all is seen at last").expect("it held together");
            let folded = fold(&log, limit);
            for copy in held {
                let (total, rows) = &folded[copy.position.version.get() as usize];
                assert_eq!((copy.total, &copy.rows), (*total, rows), "seed {seed}, limit {limit}, {}", copy.position);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_happens_during_the_first_look_is_not_missed() {
    let names = Arc::new(CountedNames(AtomicUsize::new(0), Duration::from_millis(4)));
    let mut random = StdRng::seed_from_u64(1);
    let mut config = Config::default();
    // Nothing but an announcement tells of a change.
    (config.batch_interval, config.poll_interval) = (Duration::from_millis(1), Duration::from_secs(3_600));
    let builder = Scoreboard::builder(Arc::new(MemoryScoreStore::default())).with_names(names).with_config(config);
    let scoreboard = builder.build();
    scoreboard.create_board(spec()).await.expect("created");
    for round in 1..=100 {
        // A window of its own.
        let watching = async {
            let mut watcher = scoreboard.subscribe(&BoardId::main(), round, None).await.expect("watched");
            let mut copy = Copy::default();
            while copy.position.version.get() < round as u64 {
                copy.apply(&watcher.next().await.expect("an event"));
            }
        };
        let key = round.to_string();
        let moment = Duration::from_micros(random.random_range(0..8_000));
        let changing = async {
            tokio::time::sleep(moment).await;
            record(&scoreboard, &key, round as u8, 1).await;
        };
        let both = async { tokio::join!(watching, changing) };
        tokio::time::timeout(Duration::from_secs(10), both).await.expect("the change is seen");
    }
}

#[tokio::test]
async fn many_cost_one_reading_and_one_encoding() {
    let names = Arc::new(CountedNames::default());
    let store = Arc::new(MemoryScoreStore::default());
    let scoreboard = Scoreboard::builder(store).with_names(names.clone()).build();
    scoreboard.create_board(spec()).await.expect("created");
    record(&scoreboard, "first", 1, 5).await;
    let mut watchers = Vec::new();
    for _ in 0..300 {
        watchers.push((scoreboard.subscribe(&BoardId::main(), 10, None).await.expect("watched"), Copy::default()));
    }
    let (mut readings, mut positions) = (0, Vec::new());
    for round in 0..4 {
        let mut bytes = None;
        for (watcher, copy) in &mut watchers {
            let frame = watcher.next_frame().await.expect("an event");
            copy.apply(frame.event());
            assert_eq!(*bytes.get_or_insert(frame.json().as_ptr()), frame.json().as_ptr(), "round {round}");
        }
        let now = names.0.load(Ordering::SeqCst);
        assert_eq!(now - readings, 1, "round {round}");
        (readings, positions) = (now, watchers.iter().map(|(_, copy)| copy.position).collect());
        if round < 3 {
            record(&scoreboard, &format!("then {round}"), 2, 3).await;
        }
    }
    // All are cut at once, and come again: half of them only after the board has moved.
    let mut copies: Vec<_> = watchers.drain(..).map(|(_, copy)| copy).collect();
    record(&scoreboard, "meanwhile", 3, 9).await;
    for (copy, position) in copies.iter_mut().zip(&positions) {
        let mut watcher = scoreboard.subscribe(&BoardId::main(), 10, Some(*position)).await.expect("watched");
        let event = watcher.next().await.expect("an event");
        assert!(matches!(event, LiveEvent::Update(_)), "what was missed is known");
        copy.apply(&event);
        watchers.push((watcher, copy.clone()));
    }
    assert!(copies.iter().all(|copy| *copy == copies[0] && copy.rows[&1].1 == 9), "{:?}", copies[0]);
    assert_eq!(names.0.load(Ordering::SeqCst) - readings, 1, "all come again for one reading");
    // Whoever says to be further than the board is looked after once, and then told what is true.
    let ahead = Position { version: Version::new(9_999), ..positions[0] };
    let mut watcher = scoreboard.subscribe(&BoardId::main(), 10, Some(ahead)).await.expect("watched");
    assert!(matches!(watcher.next().await.expect("an event"), LiveEvent::Snapshot(_)));
    assert_eq!(names.0.load(Ordering::SeqCst) - readings, 2);
}
