//! The log watched for fraud: nothing is missed, and nothing is found twice.

use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::memory::{MemoryIncidentStore, MemoryScoreStore};
use scoreboard_core::statistical::{Evidence, Grounds, IntervalVariation, Rule, Rules, Seen, Stance};
use scoreboard_core::testing::{FaultRates, FaultyScoreStore, ManualClock};
use scoreboard_core::{
    ActionId, BoardId, BoardSpec, Change, Epoch, Fingerprint, FraudWatch, FraudWatchConfig, Incident, IncidentFilter,
    IncidentStore, Measure, Origin, Points, ScoreStore, Scoreboard, Season, Timestamp, UserId, WatchProgress,
};

/// A store that others see too, and a node that watches it.
struct World {
    store: Arc<dyn ScoreStore>,
    incidents: Arc<MemoryIncidentStore>,
    next: u128,
}

impl World {
    async fn new() -> Self {
        Self::over(Arc::new(MemoryScoreStore::default())).await
    }

    async fn over(store: Arc<dyn ScoreStore>) -> Self {
        let _ = store.create_board(&BoardSpec::new(BoardId::main())).await.expect("it is made");
        let world = Self { store, incidents: Arc::default(), next: 0 };
        assert_eq!(world.node(Stance::Flag).look().await.expect("it looks"), WatchProgress::default());
        world
    }

    /// A node that was just started.
    fn node(&self, stance: Stance) -> FraudWatch {
        self.node_with(self.store.clone(), Rules::none().with(IntervalVariation::default(), stance), 1_000)
    }

    fn node_with(&self, store: Arc<dyn ScoreStore>, rules: Rules, max_users: usize) -> FraudWatch {
        let scoreboard = Scoreboard::builder(store).with_incidents(self.incidents.clone()).build();
        let mut config = FraudWatchConfig::default();
        (config.rules, config.max_users) = (rules, max_users);
        FraudWatch::new(scoreboard, config)
    }

    /// So many actions of a user, as even as a timer.
    async fn timer(&mut self, user: u8, count: u64, origin: Origin) {
        for _ in 0..count {
            self.next += 1;
            let change = Change {
                action_id: ActionId::from_bytes(self.next.to_be_bytes()),
                fingerprint: Fingerprint::from_bytes([0; 16]),
                board: BoardId::main(),
                season: Season::FIRST,
                user_id: UserId::from_bytes([user; 16]),
                kind: "tap".parse().expect("a slug"),
                points: Points::new(1).expect("small"),
                origin,
                at: ManualClock::START.plus(Duration::from_secs(20 * self.next as u64)),
                at_most: None,
                admitted: None,
            };
            let outcomes = self.store.apply(&[change]).await.expect("it counts");
            assert!(outcomes[0].receipt().is_some());
        }
    }

    async fn found(&self) -> Vec<Incident> {
        self.incidents.incidents(&IncidentFilter::default(), None, 100).await.expect("memory")
    }
}

#[tokio::test]
async fn a_finding_is_one_incident_with_all_that_it_takes_to_find_it_again() {
    let mut world = World::new().await;
    let node = world.node(Stance::Hold);
    world.timer(1, 12, Origin::Action).await;
    assert_eq!(node.look().await.expect("memory"), WatchProgress { changes: 12, lag: 0, incidents: 0 });
    world.timer(1, 30, Origin::Action).await;
    assert_eq!(node.look().await.expect("memory"), WatchProgress { changes: 30, lag: 0, incidents: 1 });
    let [incident] = &world.found().await[..] else { panic!("one incident") };
    assert_eq!((incident.rule.as_str(), incident.measure), ("interval_variation", Measure::Hold));
    assert_eq!(incident.action_id, ActionId::from_bytes(13_u128.to_be_bytes()), "the action with which it was found");
    let evidence = incident.finding.as_ref().expect("a statistical rule tells numbers");
    let mut rows = world.store.history(&BoardId::main(), incident.user_id, None, 100).await.expect("memory");
    rows.reverse();
    assert_eq!(evidence.recompute(&rows), Ok(Grounds::Log));
    assert_eq!(evidence.actions, rows[..13].iter().map(|row| row.action_id).collect::<Vec<_>>());
    assert!(incident.evidence.contains("threshold 30"), "{}", incident.evidence);
}

#[tokio::test]
async fn it_goes_on_where_it_was_after_a_restart_and_finds_nothing_twice() {
    let mut world = World::new().await;
    world.timer(1, 12, Origin::Action).await;
    world.node(Stance::Flag).look().await.expect("memory");
    // What was before is remembered by nobody, and is in the log.
    world.timer(1, 1, Origin::Action).await;
    let progress = world.node(Stance::Flag).look().await.expect("memory");
    assert_eq!(progress, WatchProgress { changes: 1, lag: 0, incidents: 1 });
    world.timer(1, 20, Origin::Action).await;
    let progress = world.node(Stance::Flag).look().await.expect("memory");
    assert_eq!(progress, WatchProgress { changes: 20, lag: 0, incidents: 0 }, "it is found, and known");
    assert_eq!(world.found().await.len(), 1);
    // A day later it is worth another look.
    world.next += 86_400 / 20;
    world.timer(1, 20, Origin::Action).await;
    world.node(Stance::Flag).look().await.expect("memory");
    assert_eq!(world.found().await.len(), 2);
}

#[tokio::test]
async fn several_nodes_find_it_once() {
    let mut world = World::new().await;
    let nodes = [world.node(Stance::Flag), world.node(Stance::Flag), world.node(Stance::Flag)];
    for _ in 0..5 {
        for user in 1..=4 {
            world.timer(user, 1, Origin::Action).await;
        }
        for node in &nodes {
            node.look().await.expect("memory");
        }
    }
    assert_eq!(world.found().await.len(), 0, "five actions say nothing");
    for _ in 0..20 {
        for user in 1..=4 {
            world.timer(user, 1, Origin::Action).await;
        }
        let looks = nodes.clone().map(|node| tokio::spawn(async move { node.look().await }));
        for look in looks {
            look.await.expect("no panic").expect("memory");
        }
    }
    let mut users: Vec<_> = world.found().await.iter().map(|incident| incident.user_id).collect();
    users.sort();
    assert_eq!(users, [1, 2, 3, 4].map(|user| UserId::from_bytes([user; 16])));
}

#[tokio::test]
async fn users_who_were_forgotten_are_read_again() {
    let mut world = World::new().await;
    let node = world.node_with(world.store.clone(), Rules::none().with(IntervalVariation::default(), Stance::Flag), 3);
    for _ in 0..13 {
        for user in 1..=20 {
            world.timer(user, 1, Origin::Action).await;
            node.look().await.expect("memory");
        }
    }
    assert_eq!(world.found().await.len(), 20);
}

#[tokio::test]
async fn a_store_that_fails_again_and_again_makes_nothing_be_missed() {
    let intact: Arc<dyn ScoreStore> = Arc::new(MemoryScoreStore::default());
    let mut world = World::over(intact.clone()).await;
    let faulty = Arc::new(FaultyScoreStore::new(intact, 11, FaultRates { before: 0.3, ..FaultRates::default() }));
    let rules = Rules::none().with(IntervalVariation::default(), Stance::Flag);
    let node = world.node_with(faulty, rules, 3);
    let (mut failed, mut changes) = (0, 0);
    for _ in 0..15 {
        for user in 1..=10 {
            world.timer(user, 1, Origin::Action).await;
        }
        match node.look().await {
            Ok(progress) => changes += progress.changes,
            Err(_) => failed += 1,
        }
    }
    while node.look().await.is_err() {
        failed += 1;
    }
    assert!(failed > 5 && changes < 150, "{failed} looks broke off");
    assert_eq!(world.found().await.len(), 10);
    assert_eq!(world.incidents.watched(&BoardId::main()).await.expect("memory").map(|at| at.version.get()), Some(150));
}

#[tokio::test]
async fn a_look_that_is_dropped_anywhere_makes_nothing_be_missed() {
    for number in 0..60 {
        let intact: Arc<dyn ScoreStore> = Arc::new(MemoryScoreStore::default());
        let mut world = World::over(intact.clone()).await;
        // Each call of the store takes up to three milliseconds: a look of several calls is dropped in the middle of one of them.
        let slow = Arc::new(FaultyScoreStore::new(intact, number, FaultRates { delay: 1.0, ..FaultRates::default() }));
        let rules = Rules::none().with(IntervalVariation::default(), Stance::Flag);
        let node = world.node_with(slow, rules, 3);
        world.timer(1, 10, Origin::Action).await;
        node.look().await.expect("it is slow, and works");
        world.timer(1, 3, Origin::Action).await;
        let _ = tokio::time::timeout(Duration::from_micros(number * 150), node.look()).await;
        node.look().await.expect("it is slow, and works");
        assert_eq!(world.found().await.len(), 1, "dropped after {number} times 150 µs");
    }
}

#[tokio::test]
async fn in_shadow_nothing_is_written_down_and_what_a_server_recorded_is_not_judged() {
    let mut world = World::new().await;
    let (shadow, flags) = (world.node(Stance::Shadow), world.node(Stance::Flag));
    world.timer(1, 30, Origin::Record).await;
    flags.look().await.expect("memory");
    assert_eq!(world.found().await, []);
    world.timer(2, 30, Origin::Action).await;
    let progress = shadow.look().await.expect("memory");
    assert_eq!((progress.changes, progress.incidents), (30, 0));
    assert_eq!(world.found().await, []);
}

#[tokio::test]
async fn a_log_that_goes_on_in_a_new_epoch_is_watched_on() {
    let mut world = World::new().await;
    let node = world.node(Stance::Flag);
    world.timer(1, 5, Origin::Action).await;
    node.look().await.expect("memory");
    // More happened than the watch has seen, in either epoch.
    world.timer(1, 4, Origin::Action).await;
    let _ = world.store.raise_epoch(Epoch::default()).await.expect("memory");
    world.timer(1, 4, Origin::Action).await;
    node.look().await.expect("memory");
    assert_eq!(world.found().await.len(), 1, "the user's rows are those of both");
    let watched = world.incidents.watched(&BoardId::main()).await.expect("memory").expect("it was watched");
    let board = world.store.board(&BoardId::main()).await.expect("memory").expect("it is there");
    assert_eq!(watched, board.position());
    assert!(watched.epoch > Epoch::default());
}

#[tokio::test]
async fn a_log_that_was_never_watched_is_watched_from_its_end() {
    let mut world = World { store: Arc::new(MemoryScoreStore::default()), incidents: Arc::default(), next: 0 };
    let _ = world.store.create_board(&BoardSpec::new(BoardId::main())).await.expect("memory");
    world.timer(1, 100, Origin::Action).await;
    let node = world.node(Stance::Flag);
    assert_eq!(node.look().await.expect("memory"), WatchProgress::default(), "years of it may be there");
    world.timer(1, 1, Origin::Action).await;
    assert_eq!(node.look().await.expect("memory"), WatchProgress { changes: 1, lag: 0, incidents: 1 });
    assert!(world.found().await[0].at > Timestamp::from_millis(0));
}

/// A rule that somebody has got wrong.
#[derive(Debug)]
struct Broken;

impl Rule for Broken {
    fn id(&self) -> &'static str {
        "broken"
    }

    fn version(&self) -> u32 {
        1
    }

    fn look(&self, seen: Seen<'_>) -> Option<Evidence> {
        panic!("of {} neighbours none was expected", seen.neighbours.at_address().len())
    }
}

#[tokio::test]
async fn a_rule_that_panics_ends_neither_the_watch_nor_what_other_rules_find() {
    let mut world = World::new().await;
    let rules = Rules::none().with(Broken, Stance::Hold).with(IntervalVariation::default(), Stance::Flag);
    let node = world.node_with(world.store.clone(), rules, 1_000);
    world.timer(1, 20, Origin::Action).await;
    assert_eq!(node.look().await.expect("memory"), WatchProgress { changes: 20, lag: 0, incidents: 1 });
    assert_eq!(world.found().await[0].rule, "interval_variation");
}
