//! Three nodes over one store, each with ranks in memory and its own cache before a shared one, on simulated machines and lines (`turmoil`):
//! lines break, one way or both, hold back and overtake what they carry; machines die and come again. All write, read and watch
//! meanwhile.
//!
//! Whatever happens, each watcher holds the fold of the log at its version and never goes back, each answer is the fold at its version and not
//! below what its node has acknowledged, and when it is over, all are told of the last change.
//!
//! Time is simulated too, so that a run of some twenty seconds takes a tenth of one. A failure tells its seed: with it in
//! `SCOREBOARD_TEST_SEED`, lines and machines break in the same way at the same moments. What the tasks of one machine do at one moment may
//! still come in another order, which tokio draws at random: built with `RUSTFLAGS="--cfg tokio_unstable"`, it draws by the seed, and nearly
//! every run repeats to the letter. (Indexes are built on threads of their own, which nobody simulates.)
//!
//! `SCOREBOARD_TEST_SCALE` says how many seeds are run.

#![expect(clippy::unwrap_used, reason = "what a test cannot go on without may end it")]

mod announcer;
mod copy;
mod history;
mod mutants;
mod node;
mod remote;
#[path = "../../../tests/support/scale.rs"]
mod scale;
mod stores;
mod storm;
mod words;
mod world;

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use futures_util::FutureExt;
use rand::RngExt;
use scoreboard_core::{
    ActionKind, BoardId, BoardSpec, CreateBoard, Epoch, LogRow, Points, PointsRule, ScoreStore, Version,
};
use turmoil::{Builder, Sim};

use mutants::Mutant;
use node::POLL;
use remote::{CALL, TRUTH};
use storm::Storm;
use world::{Phase, World};

const NODES: usize = 3;

/// For how long things break.
const STORM: Duration = Duration::from_secs(6);

/// A window that could not be read waits as long at the most: ten seconds, and half as long again by chance.
const LONGEST_REST: Duration = Duration::from_secs(15);

/// What a look at the board takes, of three calls at the most, and the one before it, that came too early.
const LOOKS: Duration = Duration::from_millis(1_500);

const VARIABLE: &str = "SCOREBOARD_TEST_SEED";

/// What the store on the other machine answers at once, being asked here.
fn now<T>(answer: impl Future<Output = T>) -> T {
    answer.now_or_never().expect("memory does not wait")
}

fn name(node: usize) -> String {
    format!("node-{node}")
}

fn log(world: &World) -> Vec<LogRow> {
    now(world.truth.log(&BoardId::main(), Version::ZERO, usize::MAX)).unwrap()
}

fn spec() -> BoardSpec {
    let points = PointsRule::Range(Points::new(-20).unwrap(), Points::new(20).unwrap());
    let kind = "any".parse().unwrap();
    let kinds = vec![ActionKind { kind, points, min_duration_seconds: 0, lifetime_seconds: 60, per_day: None }];
    BoardSpec { kinds, ..BoardSpec::new(BoardId::main()) }
}

/// Steps on until something holds; the error is that it did not in this time.
fn step_until(sim: &mut Sim<'_>, patience: Duration, what: &str, holds: impl Fn() -> bool) -> Result<(), String> {
    let end = sim.elapsed() + patience;
    while !holds() {
        if sim.elapsed() >= end {
            return Err(format!("not within {patience:?}: {what}"));
        }
        sim.step().map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Runs one simulation to its end; gives how much was answered and checked, or what went wrong.
fn simulate(seed: u64, mutant: Option<Mutant>) -> Result<usize, String> {
    let world = Arc::new(World::new(seed, NODES, mutant));
    assert_eq!(now(world.truth.create_board(&spec())).unwrap(), CreateBoard::Created);
    let mut random = world.random();
    let mut sim = Builder::new()
        .rng_seed(seed)
        .enable_random_order()
        .simulation_duration(Duration::from_secs(3_600))
        .tick_duration(Duration::from_millis(10))
        .min_message_latency(Duration::from_millis(1))
        .max_message_latency(Duration::from_millis(40))
        .fail_rate(0.003)
        .repair_rate(0.1)
        .build();
    sim.host(TRUTH, {
        let desk = world.desk.clone();
        move || remote::serve(desk.clone())
    });
    for node in 0..NODES {
        let world = world.clone();
        let others: Vec<_> = (0..NODES).filter(|other| *other != node).map(name).collect();
        sim.host(name(node), move || node::run(world.clone(), node, others.clone()));
    }
    let machines = (0..NODES).map(name).chain([TRUTH.to_owned()]).collect();
    let mut storm = Storm::over(machines, world.random());
    // In some of them an epoch begins, as after a restore.
    let epoch_at = random.random_bool(0.3).then(|| STORM.mul_f64(random.random_range(0.2..0.8)));
    while sim.elapsed() < STORM {
        storm.blow(&mut sim);
        sim.step().map_err(|error| error.to_string())?;
        if epoch_at.is_some_and(|at| sim.elapsed() >= at) {
            now(world.truth.raise_epoch(Epoch::new(7))).unwrap();
        }
    }
    storm.end(&mut sim);
    world.phase.send_replace(Phase::Calm);
    let ends = all_are_told(&world, &mut sim, &mut random);
    FOR_OTHERS.fetch_add(world.for_others.load(Ordering::Relaxed), Ordering::Relaxed);
    // What was wrong in the storm is more telling than what came of it.
    let checked = world.history.check(&log(&world))?;
    if mutant.is_none() {
        ends?;
    }
    Ok(checked)
}

fn all_are_told(world: &World, sim: &mut Sim<'_>, random: &mut rand::rngs::StdRng) -> Result<(), String> {
    step_until(sim, Duration::from_secs(20), "each write is acknowledged", || world.nobody_writes())?;
    let all_hold_the_last = || {
        let last = now(world.truth.board(&BoardId::main())).unwrap().unwrap().position();
        world.held.iter().flatten().all(|held| held.lock().position == last)
    };
    step_until(sim, LONGEST_REST + POLL + CALL, "all watchers hold the last version", all_hold_the_last)?;
    // No node tells another anything any more: each finds out by itself.
    for (a, b) in [(0, 1), (0, 2), (1, 2)] {
        sim.partition(name(a), name(b));
    }
    let before = log(world).len();
    world.phase.send_replace(Phase::OnceMore(random.random_range(0..NODES)));
    step_until(sim, Duration::from_secs(5), "one more is written", || log(world).len() > before)?;
    step_until(sim, POLL + LOOKS, "all hold what nobody has told them of", all_hold_the_last)
}

/// The seeds of a run: the one that is asked for, or as many as the scale says.
fn seeds(full: usize) -> Vec<u64> {
    match std::env::var(VARIABLE) {
        Ok(text) => vec![text.parse().unwrap_or_else(|_| panic!("{VARIABLE} must be a number, not `{text}`"))],
        Err(_) => (0..scale::scaled(full) as u64).collect(),
    }
}

/// How many changes one node has applied for another, in all simulations.
static FOR_OTHERS: AtomicUsize = AtomicUsize::new(0);

/// A task that panics is only missing, and nobody else sees it.
static PANICS: AtomicUsize = AtomicUsize::new(0);

#[test]
fn whatever_befalls_nodes_and_lines_all_answers_are_folds_of_the_log() {
    let before = std::panic::take_hook();
    std::panic::set_hook(Box::new(move |panic| {
        PANICS.fetch_add(1, Ordering::Relaxed);
        before(panic);
    }));
    let seeds = seeds(1_000);
    let (next, answers) = (AtomicUsize::new(0), AtomicU64::new(0));
    let run = || -> Result<(), String> {
        while let Some(seed) = seeds.get(next.fetch_add(1, Ordering::Relaxed)) {
            match simulate(*seed, None) {
                Ok(checked) => answers.fetch_add(checked as u64, Ordering::Relaxed),
                Err(why) => return Err(format!("{why}\nrepeat with {VARIABLE}={seed}")),
            };
        }
        Ok(())
    };
    let failed: Vec<_> = std::thread::scope(|scope| {
        let at_once = std::thread::available_parallelism().map_or(1, |cores| cores.get().min(4));
        let threads: Vec<_> = (0..at_once).map(|_| scope.spawn(run)).collect();
        threads.into_iter().filter_map(|thread| thread.join().unwrap().err()).collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n\n"));
    assert_eq!(PANICS.load(Ordering::Relaxed), 0, "a task of some machine panicked");
    let for_others = FOR_OTHERS.load(Ordering::Relaxed);
    assert!(for_others > 0, "nodes write for each other");
    println!(
        "{} simulations, {} answers and events checked; {for_others} changes by another node",
        seeds.len(),
        answers.into_inner()
    );
}

/// Some seed shows it, and the check says so.
fn is_found(mutant: Mutant) {
    let found = (0..20).find_map(|seed| simulate(seed, Some(mutant)).err().map(|why| (seed, why)));
    let (seed, why) = found.unwrap_or_else(|| panic!("{mutant:?} was not found"));
    assert!(why.contains("instead of") || why.contains("the log ends before"), "{why}");
    println!("{mutant:?} is found with seed {seed}: {why}");
}

#[test]
fn a_snapshot_that_is_read_before_its_position_is_found() {
    is_found(Mutant::SnapshotBeforePosition);
}

#[test]
fn an_announcement_that_is_taken_for_data_is_found() {
    is_found(Mutant::AnnouncementIsData);
}

#[test]
fn an_index_that_takes_a_position_without_its_rows_is_found() {
    is_found(Mutant::PositionWithoutRows);
}
