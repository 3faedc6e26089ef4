//! Watching a board: every event applied in order gives exactly the board.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use scoreboard_core::memory::MemoryScoreStore;
use scoreboard_core::{
    ActionKind, BoardId, BoardSpec, ChangeOp, Config, Direction, Entry, KeyId, LiveEvent, Operator, Points, PointsRule,
    Position, RecordRequest, Scoreboard, TopQuery, UserId, Version,
};

/// What a client holds.
#[derive(Debug, Clone, Default, PartialEq)]
struct Client {
    position: Position,
    total: u64,
    rows: BTreeMap<u64, (UserId, i64)>,
}

impl Client {
    fn apply(&mut self, event: &LiveEvent) {
        match event {
            LiveEvent::Snapshot(snapshot) => {
                self.rows = snapshot.entries.iter().map(row).collect();
                self.total = snapshot.total;
            }
            LiveEvent::Update(update) => {
                assert_eq!(update.from, self.position.version, "an update follows on what came before");
                let mut by_user: BTreeMap<UserId, (u64, i64)> =
                    self.rows.iter().map(|(rank, (user, score))| (*user, (*rank, *score))).collect();
                for change in &update.changes {
                    let held = by_user.get(&change.user_id).map(|(rank, _)| *rank);
                    assert_eq!(held, change.previous_rank, "the previous rank is what the client holds");
                    match change.op {
                        ChangeOp::Upsert => {
                            let rank = change.rank.expect("an upsert has a rank");
                            by_user.insert(change.user_id, (rank, change.score.get()));
                        }
                        ChangeOp::Remove => drop(by_user.remove(&change.user_id)),
                    }
                }
                self.rows = by_user.into_iter().map(|(user, (rank, score))| (rank, (user, score))).collect();
                self.total = update.total;
            }
        }
        self.position = event.position();
    }
}

fn row(entry: &Entry) -> (u64, (UserId, i64)) {
    (entry.rank, (entry.user_id, entry.score.get()))
}

struct World {
    scoreboard: Scoreboard,
    random: StdRng,
    recorded: u64,
}

async fn world(operator: Operator, direction: Direction, seed: u64) -> World {
    let mut config = Config::default();
    config.batch_interval = Duration::from_millis(1);
    let scoreboard = Scoreboard::builder(Arc::new(MemoryScoreStore::default())).with_config(config).build();
    let range = PointsRule::Range(Points::new(-20).expect("small"), Points::new(20).expect("small"));
    let kind = "any".parse().expect("slug");
    let kinds = vec![ActionKind { kind, points: range, min_duration_seconds: 0, lifetime_seconds: 60, per_day: None }];
    let spec = BoardSpec { operator, direction, kinds, ..BoardSpec::new(BoardId::main()) };
    scoreboard.create_board(spec).await.expect("created");
    World { scoreboard, random: StdRng::seed_from_u64(seed), recorded: 0 }
}

impl World {
    async fn change(&mut self) {
        self.recorded += 1;
        let request = RecordRequest {
            board: BoardId::main(),
            user_id: UserId::from_bytes([self.random.random_range(0..25); 16]),
            kind: "any".parse().expect("slug"),
            points: Some(Points::new(self.random.random_range(-20..=20)).expect("small")),
        };
        let server = KeyId::new("test").expect("slug");
        self.scoreboard.record(&server, &self.recorded.to_string(), request).await.expect("counted");
    }

    async fn truth(&self, limit: usize) -> Client {
        let page = self.scoreboard.top(&TopQuery { limit, ..TopQuery::new(BoardId::main()) }).await.expect("read");
        let position = Position { epoch: page.epoch, version: page.version };
        Client { position, total: page.total, rows: page.entries.iter().map(row).collect() }
    }
}

const BOARDS: [(Operator, Direction); 5] = [
    (Operator::Increment, Direction::Descending),
    (Operator::Best, Direction::Ascending),
    (Operator::Set, Direction::Descending),
    (Operator::Set, Direction::Ascending),
    (Operator::Decrement, Direction::Ascending),
];

#[tokio::test]
async fn events_in_order_give_the_board() {
    for (seed, (operator, direction)) in (0..).zip(BOARDS) {
        let mut world = world(operator, direction, seed).await;
        let mut watcher = world.scoreboard.subscribe(&BoardId::main(), 10, None).await.expect("watched");
        let mut client = Client::default();
        for _ in 0..60 {
            for _ in 0..world.random.random_range(0..4) {
                world.change().await;
            }
            let truth = world.truth(10).await;
            while client.position < truth.position || client.position == Position::default() {
                client.apply(&watcher.next().await.expect("an event"));
            }
            assert_eq!(client, truth, "seed {seed}");
        }
    }
}

#[tokio::test]
async fn a_watcher_that_comes_again_gets_what_it_missed() {
    for (seed, (operator, direction)) in (0..).zip(BOARDS) {
        let mut world = world(operator, direction, seed).await;
        let mut held = vec![world.truth(10).await];
        for _ in 0..250 {
            world.change().await;
            held.push(world.truth(10).await);
        }
        let truth = world.truth(10).await;
        for client in held {
            let since = Some(client.position);
            let mut watcher = world.scoreboard.subscribe(&BoardId::main(), 10, since).await.expect("watched");
            let event = watcher.next().await.expect("an event");
            assert!(matches!(event, LiveEvent::Update(_)), "what was missed is known");
            let mut client = client;
            client.apply(&event);
            assert_eq!(client, truth, "seed {seed}, since {since:?}");
        }
    }
}

#[tokio::test]
async fn what_cannot_be_told_is_a_snapshot() {
    let mut world = world(Operator::Increment, Direction::Descending, 7).await;
    for _ in 0..310 {
        world.change().await;
    }
    let here = world.truth(10).await.position;
    for since in [
        Position { version: Version::new(9), ..here },              // too long ago
        Position { version: Version::new(311), ..here },            // not yet
        Position { epoch: scoreboard_core::Epoch::new(9), ..here }, // another life
    ] {
        let mut watcher = world.scoreboard.subscribe(&BoardId::main(), 10, Some(since)).await.expect("watched");
        assert!(matches!(watcher.next().await.expect("an event"), LiveEvent::Snapshot(_)), "{since}");
    }
}

#[tokio::test]
async fn a_slow_watcher_skips_ahead_and_a_dropped_wait_loses_nothing() {
    let mut world = world(Operator::Increment, Direction::Descending, 3).await;
    let mut watcher = world.scoreboard.subscribe(&BoardId::main(), 100, None).await.expect("watched");
    let mut client = Client::default();
    client.apply(&watcher.next().await.expect("a snapshot"));
    for _ in 0..50 {
        world.change().await;
        // A wait that is given up at once.
        if let Some(event) = futures_util::future::poll_immediate(Box::pin(watcher.next())).await {
            client.apply(&event.expect("an event"));
        }
    }
    for _ in 0..500 {
        world.change().await;
    }
    let truth = world.truth(100).await;
    let mut events = 0;
    while client.position < truth.position {
        client.apply(&watcher.next().await.expect("an event"));
        events += 1;
    }
    assert_eq!(client, truth);
    assert!(events <= 2, "500 changes came as {events} events");
}
