//! What the statistical rules cost: an update in memory, alone, and with all that becomes of it for the rules: the sighting, and its row read
//! from the log and looked at by all of them, with full histories.
//!
//! `cargo bench -p scoreboard-core --bench fraud`

use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::testing::ManualClock;
use scoreboard_core::{
    ActionKind, BoardId, BoardSpec, Clock, Config, FraudWatch, FraudWatchConfig, IssueRequest, Points, PointsRule,
    Scoreboard, SignedAction, UserId,
};

/// Users that take turns; each has at most two actions under way.
const USERS: u64 = 100;

struct World {
    scoreboard: Scoreboard,
    watch: FraudWatch,
    clock: ManualClock,
    users: Vec<UserId>,
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
        let users = (0..USERS).map(|number| UserId::for_name("bench", &number.to_string())).collect();
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

    /// How long it takes to hand in so many actions, which were signed before, and to look at them.
    async fn submit(&mut self, count: u64, is_watched: bool) -> Duration {
        let mut actions: Vec<(UserId, SignedAction)> = Vec::new();
        for number in 0..count {
            let user = self.users[(number % USERS) as usize];
            let points = Points::new(50 + self.random(100) as i64).expect("small");
            let request = IssueRequest::new(BoardId::main(), "boss".parse().expect("a slug")).with_points(points);
            actions.push((user, self.scoreboard.issue(user, request).await.expect("it begins")));
        }
        let mut took = Duration::ZERO;
        for (user, action) in actions {
            let wait = self.random(3_000) * (1 + self.random(5));
            self.clock.advance(Duration::from_millis(wait));
            #[expect(clippy::disallowed_methods, reason = "a bench measures")]
            let began = Instant::now();
            if is_watched {
                self.scoreboard.sightings().saw(user, "192.0.2.1", self.clock.now());
            }
            self.scoreboard.submit(user, action).await.expect("it counts");
            took += began.elapsed();
        }
        #[expect(clippy::disallowed_methods, reason = "a bench measures")]
        let began = Instant::now();
        let progress = self.watch.look().await.expect("memory");
        if is_watched {
            took += began.elapsed();
        }
        assert_eq!((progress.changes, progress.lag), (count, 0));
        took
    }
}

fn benches(c: &mut Criterion) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let mut group = c.benchmark_group("submit/memory");
    group.throughput(Throughput::Elements(1));
    for (name, is_watched) in [("alone", false), ("watched", true)] {
        let mut world = runtime.block_on(World::new());
        group.bench_function(name, |b| {
            b.iter_custom(|count| {
                runtime.block_on(async {
                    let mut took = Duration::ZERO;
                    let mut left = count;
                    while left > 0 {
                        let now = left.min(2 * USERS);
                        took += world.submit(now, is_watched).await;
                        left -= now;
                    }
                    took
                })
            });
        });
    }
    group.finish();
}

criterion_group!(fraud, benches);
criterion_main!(fraud);
