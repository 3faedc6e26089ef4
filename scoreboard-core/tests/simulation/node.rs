//! A node: a whole scoreboard with ranks in memory and two levels of cache, over a store on another machine; and who writes, reads and watches
//! there.

use std::sync::Arc;
use std::time::Duration;

use rand::RngExt;
use rand::rngs::StdRng;
use scoreboard_core::testing::SeededIds;
use scoreboard_core::{
    BoardId, Broadcaster, Config, KeyId, OneWriter, Points, Position, RankIndexed, RankIndexedConfig, RankStyle,
    RecordRequest, Score, Scoreboard, StandingQuery, TopQuery, UserId, Version,
};
use serde_json::Value;
use tokio::time::{sleep, timeout};

use crate::announcer::Announcer;
use crate::history::{Row, Told};
use crate::mutants;
use crate::words::Words;
use crate::world::{LIMITS, Phase, SimulatedClock, World};

/// How often a node looks for itself where the board is.
pub(crate) const POLL: Duration = Duration::from_secs(1);

const USERS: u8 = 20;

/// Who read at each node.
const READERS: usize = 3;

/// What one that is asked again waits in between.
const A_MOMENT: Duration = Duration::from_millis(40);

/// Runs a node until its machine ends.
pub(crate) async fn run(world: Arc<World>, node: usize, others: Vec<String>) -> turmoil::Result {
    let announcer: Arc<dyn Broadcaster> = Announcer::start(others.clone()).await?;
    let words = Words::start(world.clone(), crate::name(node), others).await?;
    let writer = OneWriter::new(world.store(), None, words, Arc::new(SimulatedClock));
    let mut ranks = RankIndexedConfig::default();
    (ranks.poll_interval, ranks.check_interval) = (POLL, Duration::from_millis(400));
    ranks.max_silence = 3 * POLL;
    let ranks = RankIndexed::new(Arc::new(writer.clone()), ranks);
    tokio::spawn(ranks.clone().follow(announcer.clone()));
    let mut config = Config::default();
    (config.update_quota, config.poll_interval, config.batch_interval) = (None, POLL, Duration::from_millis(20));
    let scoreboard = Scoreboard::builder(Arc::new(ranks))
        .with_broadcaster(announcer.clone())
        .with_shared_cache(world.cache())
        .with_clock(Arc::new(SimulatedClock))
        .with_ids(Arc::new(SeededIds::new(world.random().random())))
        .with_config(config)
        .with_turns(Arc::new(writer.clone()))
        .build();
    tokio::spawn(writer.serve(scoreboard.store()));
    // A server is ready once this has worked.
    while scoreboard.warm_up(|_, _| {}).await.is_err() {
        sleep(A_MOMENT).await;
    }
    tokio::spawn(scoreboard.clone().follow());
    for (at, limit) in LIMITS.into_iter().enumerate() {
        let (world, scoreboard, announcer) = (world.clone(), scoreboard.clone(), announcer.clone());
        match world.mutant {
            Some(mutant) if mutant.watches() => drop(tokio::spawn(mutants::watch(world, mutant, node, at, announcer))),
            _ => drop(tokio::spawn(watch(world, scoreboard, node, at, limit))),
        }
    }
    if world.mutant.is_some_and(|mutant| mutant.reads()) {
        tokio::spawn(mutants::read(world.clone(), node, announcer));
    }
    for _ in 0..READERS {
        tokio::spawn(read(world.clone(), scoreboard.clone(), node));
    }
    let second = write(world.clone(), scoreboard.clone(), node, false);
    tokio::join!(write(world, scoreboard, node, true), second);
    Ok(())
}

fn user(random: &mut StdRng) -> UserId {
    UserId::from_bytes([random.random_range(0..USERS); 16])
}

/// Records points while that is asked for; whatever is not acknowledged is sent again with its key.
async fn write(world: Arc<World>, scoreboard: Scoreboard, node: usize, once_more: bool) {
    let (mut random, mut phase) = (world.random(), world.phase.subscribe());
    let server = KeyId::new("test").expect("a slug");
    loop {
        let storms = |phase: &Phase| *phase == Phase::Storm || (once_more && *phase == Phase::OnceMore(node));
        let Ok(asked) = phase.wait_for(storms).await.map(|phase| *phase) else { return };
        let writing = world.begin_writing();
        let key = world.number().to_string();
        let request = RecordRequest {
            board: BoardId::main(),
            user_id: user(&mut random),
            kind: "any".parse().expect("a slug"),
            points: Some(Points::new(random.random_range(-20..=20)).expect("small")),
        };
        loop {
            if let Ok(receipt) = scoreboard.record(&server, &key, request.clone()).await {
                world.history.acknowledge(node, Position { epoch: receipt.epoch, version: receipt.version });
                break;
            }
            sleep(A_MOMENT).await;
        }
        drop(writing);
        match asked {
            Phase::Storm => sleep(Duration::from_millis(random.random_range(20..300))).await,
            // Once is enough.
            Phase::Calm | Phase::OnceMore(_) => drop(phase.wait_for(|phase| *phase == Phase::Calm).await),
        }
    }
}

/// Asks all kinds of questions. What fails is asked again another time.
async fn read(world: Arc<World>, scoreboard: Scoreboard, node: usize) {
    let mut random = world.random();
    loop {
        sleep(Duration::from_millis(random.random_range(5..120))).await;
        let floor = world.history.acknowledged(node);
        let min_version = if random.random_bool(0.3) { floor.version } else { Version::ZERO };
        let limit = [3, 10, 100][random.random_range(0..3)];
        let top = TopQuery { limit, min_version, ..TopQuery::new(BoardId::main()) };
        let standing = StandingQuery { min_version, ..StandingQuery::new(BoardId::main()) };
        let who = format!("who reads at node {node}");
        match random.random_range(0..4) {
            0 => {
                let Ok(page) = scoreboard.top(&top).await else { continue };
                let rows = page.entries.iter().map(|entry| (entry.rank, entry.user_id, entry.score.get())).collect();
                let position = Position { epoch: page.epoch, version: page.version };
                world.history.answer(who, floor, position, Told::Top { limit, total: page.total, rows });
            }
            1 => {
                let Ok(encoded) = scoreboard.top_encoded(&top).await else { continue };
                // What is old says so, and is given to those who did not ask for more.
                let floor = match encoded.stale {
                    Some(_) if min_version == Version::ZERO => Position::default(),
                    Some(_) | None => floor,
                };
                let told = decoded(&encoded.bytes, limit).expect("a page");
                world.history.answer(format!("{who} from the cache"), floor, encoded.position, told);
            }
            2 => {
                let user = user(&mut random);
                let Ok(found) = scoreboard.standing(user, &standing).await else { continue };
                let row = found.standing.map(|entry| (entry.rank, entry.user_id, entry.score.get()));
                let position = Position { epoch: found.epoch, version: found.version };
                world.history.answer(who, floor, position, Told::Standing(user, row));
            }
            _ => {
                let score = random.random_range(-50..50);
                let asked = Score::new(score).expect("small");
                let found = scoreboard.score_rank(&BoardId::main(), RankStyle::Ordinal, asked, min_version).await;
                let Ok(found) = found else { continue };
                let position = Position { epoch: found.epoch, version: found.version };
                let told = Told::Rank { score, rank: found.rank, total: found.total };
                world.history.answer(who, floor, position, told);
            }
        }
    }
}

fn decoded(bytes: &[u8], limit: usize) -> Option<Told> {
    let page: Value = serde_json::from_slice(bytes).ok()?;
    let row = |entry: &Value| -> Option<Row> {
        Some((entry["rank"].as_u64()?, entry["userId"].as_str()?.parse().ok()?, entry["score"].as_i64()?))
    };
    let rows = page["entries"].as_array()?.iter().map(row).collect::<Option<_>>()?;
    Some(Told::Top { limit, total: page["total"].as_u64()?, rows })
}

/// Watches, goes away now and then, and comes again with what it holds, also to the node's next life.
async fn watch(world: Arc<World>, scoreboard: Scoreboard, node: usize, at: usize, limit: usize) {
    let mut random = world.random();
    let held = &world.held[node][at];
    loop {
        let copy = held.lock().clone();
        let since = copy.has_begun.then_some(copy.position);
        let Ok(mut watcher) = scoreboard.subscribe(&BoardId::main(), limit, since).await else {
            sleep(A_MOMENT).await;
            continue;
        };
        for _ in 0..random.random_range(1..60) {
            // A wait that is given up loses nothing.
            let patience = Duration::from_millis(random.random_range(5..200));
            let Ok(event) = timeout(patience, watcher.next()).await else { continue };
            let Ok(event) = event else { break };
            let mut copy = held.lock();
            let who = format!("who watches {limit} at node {node}");
            if let Err(why) = copy.apply(&event) {
                world.history.wrong(format!("{who}: {why}"));
            }
            world.history.answer(who, Position::default(), copy.position, copy.told(limit));
        }
        drop(watcher);
        sleep(Duration::from_millis(random.random_range(0..100))).await;
    }
}
