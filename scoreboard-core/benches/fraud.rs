//! What the statistical rules cost: an update in memory alone, the same with what the rules add to its path, which is the sighting, and what they do behind it,
//! where nobody waits: its row read from the log and looked at by all of them, with full histories. The first two are measured in turns, in one run; and how
//! much memory a user takes who is remembered.
//!
//! `cargo bench -p scoreboard-core --all-features --bench fraud`

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::statistical::History;
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{
    ActionId, ActionKind, BoardId, BoardSpec, Change, Clock, Config, DeviceId, Fingerprint, FraudWatch,
    FraudWatchConfig, IssueRequest, Origin, Points, PointsRule, Position, ScoreStore, Scoreboard, Season, SignedAction,
    UserId,
};
use tokio::runtime::Runtime;

/// Users that take turns; each has at most two actions under way.
const USERS: u64 = 100;

struct World {
    scoreboard: Scoreboard,
    watch: FraudWatch,
    clock: ManualClock,
    /// Each with a device of their own, at one address.
    users: Vec<(UserId, DeviceId)>,
    state: u64,
}

impl World {
    async fn new() -> Self {
        let clock = ManualClock::default();
        let mut config = Config::default();
        config.update_quota = None;
        let store = Arc::new(MemoryScoreStore::default());
        let scoreboard = Scoreboard::builder(store).with_clock(Arc::new(clock.clone())).with_config(config).build();
        let points = |points| Points::new(points).expect("small");
        let boss = ActionKind {
            kind: "boss".parse().expect("a slug"),
            points: PointsRule::Range(points(50), points(150)),
            min_duration_seconds: 0,
            lifetime_seconds: 86_400,
            per_day: None,
        };
        let spec = BoardSpec { kinds: vec![boss], ..BoardSpec::new(BoardId::main()) };
        scoreboard.create_board(spec).await.expect("memory");
        let watch = FraudWatch::new(scoreboard.clone(), FraudWatchConfig::default());
        watch.look().await.expect("memory");
        let device = |number| format!("6f1d9c3e-8a57-4b0e-9d43-{number:012x}").parse().expect("a random UUID");
        let users = (0..USERS).map(|number| (UserId::for_name("bench", &number.to_string()), device(number))).collect();
        let mut world = Self { scoreboard, watch, clock, users, state: 1 };
        for _ in 0..40 {
            world.submit(2 * USERS, true).await;
        }
        world
    }

    /// So unevenly that nobody is suspected: a user has an action each 6 s to 5 min, and pauses.
    fn random(&mut self, end: u64) -> u64 {
        self.state = self.state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.state >> 33) % end
    }

    /// How long it takes to hand in so many actions, which were signed before, and how long to look at them.
    async fn submit(&mut self, count: u64, is_seen: bool) -> (Duration, Duration) {
        let mut actions: Vec<(UserId, DeviceId, SignedAction)> = Vec::new();
        for number in 0..count {
            let (user, device) = self.users[(number % USERS) as usize].clone();
            let points = Points::new(50 + self.random(100) as i64).expect("small");
            let request = IssueRequest::new(BoardId::main(), "boss".parse().expect("a slug")).with_points(points);
            actions.push((user, device, self.scoreboard.issue(user, request).await.expect("it begins")));
        }
        let mut took = Duration::ZERO;
        for (user, device, action) in actions {
            let wait = self.random(3_000) * (1 + self.random(5));
            self.clock.advance(Duration::from_millis(wait));
            let began = now();
            if is_seen {
                self.scoreboard.sightings().saw(user, "192.0.2.1", Some(&device), self.clock.now());
            }
            self.scoreboard.submit(user, action).await.expect("it counts");
            took += began.elapsed();
        }
        let began = now();
        let progress = self.watch.look().await.expect("memory");
        let looked = began.elapsed();
        assert_eq!((progress.changes, progress.lag), (count, 0));
        (took, looked)
    }

    /// The same often enough for criterion; what is measured is chosen of what it took.
    async fn many(&mut self, count: u64, is_seen: bool, of: fn((Duration, Duration)) -> Duration) -> Duration {
        let (mut took, mut left) = (Duration::ZERO, count);
        while left > 0 {
            let next = left.min(2 * USERS);
            took += of(self.submit(next, is_seen).await);
            left -= next;
        }
        took
    }
}

#[expect(clippy::disallowed_methods, reason = "a bench measures")]
fn now() -> Instant {
    Instant::now()
}

fn benches(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut group = c.benchmark_group("submit/memory");
    group.throughput(Throughput::Elements(1));
    let mut world = runtime.block_on(World::new());
    group.bench_function("alone", |b| b.iter_custom(|count| runtime.block_on(world.many(count, false, |took| took.0))));
    group.bench_function("seen", |b| b.iter_custom(|count| runtime.block_on(world.many(count, true, |took| took.0))));
    group.bench_function("looked at behind it", |b| {
        b.iter_custom(|count| runtime.block_on(world.many(count, true, |took| took.1)));
    });
    group.finish();
    in_turns(&runtime, &mut world);
    memory(&runtime);
}

/// Both kinds of update in turns, so that whatever the machine does meanwhile befalls both.
fn in_turns(runtime: &Runtime, world: &mut World) {
    const ROUNDS: usize = 401;
    let mut took = [Vec::new(), Vec::new()];
    for round in 0..2 * ROUNDS {
        let is_seen = round % 2 == 1;
        took[usize::from(is_seen)].push(runtime.block_on(world.submit(2 * USERS, is_seen)).0);
    }
    let [alone, seen] = took.map(|mut took| {
        took.sort();
        took[ROUNDS / 2].as_nanos() as f64 / (2 * USERS) as f64
    });
    println!(
        "in turns, medians of {ROUNDS} rounds of {} updates: alone {alone:.0} ns, seen {seen:.0} ns each: {:+.1} %",
        2 * USERS,
        100.0 * (seen / alone - 1.0)
    );
}

/// What the watch takes for users with full histories: read from a log that was there before it.
fn memory(runtime: &Runtime) {
    const REMEMBERED: u64 = 10_000;
    runtime.block_on(async {
        let mut config = Config::default();
        config.update_quota = None;
        let store = Arc::new(MemoryScoreStore::default());
        let scoreboard = Scoreboard::builder(store.clone()).with_config(config).build();
        scoreboard.create_board(BoardSpec::new(BoardId::main())).await.expect("memory");
        scoreboard.incidents().set_watched(&BoardId::main(), Position::default()).await.expect("memory");
        for round in 0..70 {
            let changes: Vec<_> = (0..REMEMBERED).map(|user| change(round, user)).collect();
            let _ = store.apply(&changes).await.expect("memory");
        }
        let watch = FraudWatch::new(scoreboard, FraudWatchConfig::default());
        let before = resident();
        let progress = watch.look().await.expect("memory");
        assert_eq!(progress.changes, 70 * REMEMBERED);
        let each = (resident() - before) / REMEMBERED;
        println!(
            "{REMEMBERED} users remembered with full histories: {each} bytes each, {} at most",
            History::MAX_BYTES
        );
    });
}

fn change(round: u64, user: u64) -> Change {
    let number = round << 32 | user;
    let uneven = number.wrapping_mul(6_364_136_223_846_793_005) >> 48;
    Change {
        action_id: ActionId::from_bytes(u128::from(number + 1).to_be_bytes()),
        fingerprint: Fingerprint::from_bytes([0; 16]),
        board: BoardId::main(),
        season: Season::FIRST,
        user_id: UserId::from_bytes(u128::from(user).to_be_bytes()),
        kind: "boss".parse().expect("a slug"),
        points: Points::new(50 + (uneven % 100) as i64).expect("small"),
        origin: Origin::Action,
        at: ManualClock::START.plus(Duration::from_millis(round * 180_000 + uneven)),
        at_most: None,
        admitted: None,
    }
}

/// What this process has in memory, in bytes.
fn resident() -> u64 {
    let pages = std::fs::read_to_string("/proc/self/statm").expect("Linux tells");
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<u64>().ok()).expect("a number") * 4096
}

criterion_group!(fraud, benches);
criterion_main!(fraud);
