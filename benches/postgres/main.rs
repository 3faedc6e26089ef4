//! Durable updates over HTTP on PostgreSQL, beside what the database itself does with the same work, in one run on one server.
//!
//! - (a) `pgbench` with 32 clients and the transaction that everyone else writes: `UPDATE` the score, `INSERT` the action, prepared.
//! - (b) our server with one change a transaction.
//! - (c) the best that bare SQL does with (a)'s two tables: one client that sends batches of 512 rows as arrays, nothing checked.
//! - (d) the same, but the rows and tables that the server has: each user's history, who has which rank, and what each action changed.
//!
//! The rounds take turns, so that a machine that is busier for a while is so for all. The database's own CPU time is counted too: on few
//! cores our server and the load take most of the rest.
//!
//! Run with `cargo bench --bench postgres`. Needs PostgreSQL with `pgbench` (Debian: `postgresql`), which it starts for itself.

#[path = "../http/actions.rs"]
mod actions;
mod bare;
mod busy;
mod database;
#[path = "../http/load.rs"]
#[allow(dead_code, reason = "here nothing is read")]
mod load;
mod pace;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use actions::Signer;
use bare::Bare;
use busy::Busy;
use database::{Flow, ROWS};
use load::Load;
use support::place::Place;
use support::server::{Server, UNLIMITED};
use support::user::User;

const SUBJECTS: usize = 5;
const ROUNDS: usize = 7;
const CONNECTIONS: usize = 512;
/// To the server that commits one by one, which they keep busy as well: on a machine that is slow, more would wait longer than a change may.
const FEW_CONNECTIONS: usize = 64;
const CLIENTS: usize = 32;
const MEASURED: Duration = Duration::from_secs(2);
const HALF_LOAD_ROUNDS: usize = 5;

/// Hashing passwords is not what is measured. Nor is it that who plays dozens of times a second is found to be no person, which is looked up and
/// written down once a day: that happens in the first rounds, which are not counted.
const BESIDE: [(&str, &str); 3] = [
    ("SCOREBOARD_ACCOUNTS__ARGON2_MEMORY_KIB", "1024"),
    ("SCOREBOARD_ACCOUNTS__ARGON2_ITERATIONS", "1"),
    ("SCOREBOARD_FRAUD__ACTIONS_PER_HOUR", "1"),
];
const FIRST_ROUNDS: usize = 3;

fn main() {
    support::binary::server_binary();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(tokio::task::LocalSet::new().run_until(run()));
}

/// One subject in one round: changes a second, and changes a second of the database's CPU time.
#[derive(Clone, Copy)]
struct Round {
    per_second: f64,
    per_database_second: f64,
}

async fn run() {
    let settings: Vec<_> = UNLIMITED.into_iter().chain(BESIDE).collect();
    let one_by_one: Vec<_> = settings.iter().copied().chain([("SCOREBOARD_STORE__MAX_BATCH", "1")]).collect();
    let grouped = Server::start_as(Place::postgres().await, &settings, &[]).await;
    let single = Server::start_as(Place::postgres().await, &one_by_one, &[]).await;
    let mut ours = Updates::on(&grouped, CONNECTIONS).await;
    let mut one = Updates::on(&single, FEW_CONNECTIONS).await;
    let flow = Flow::prepare();
    let mut bare = Bare::prepare().await;

    let mut rounds = Vec::new();
    for round in 0..FIRST_ROUNDS + ROUNDS {
        let measured = [
            ours.round().await,
            database::round(async { flow.transactions(CLIENTS, MEASURED) }).await,
            one.round().await,
            database::round(flow.batches(MEASURED)).await,
            database::round(bare.batches(MEASURED)).await,
        ];
        if round >= FIRST_ROUNDS {
            rounds.push(measured);
        }
    }
    report(&rounds);
    half_load(&rounds, &grouped, &mut ours, &flow).await;
    for server in [&grouped, &single] {
        server.assert_verified();
    }
}

/// How long the slowest of a hundred take at half of what each side does at most, both from when they were due.
async fn half_load(rounds: &[[Round; SUBJECTS]], server: &Server, ours: &mut Updates, flow: &Flow) {
    let half = |subject: usize| median(rounds.iter().map(|round| round[subject].per_second)) / 2.0;
    let [our_pace, flow_pace] = [half(0), half(1)];
    let (mut ratios, mut p99s) = (Vec::new(), Vec::new());
    for _ in 0..HALF_LOAD_ROUNDS {
        let requests = ours.signer.requests((our_pace * MEASURED.as_secs_f64()) as usize);
        let [own, others] = [
            pace::at_pace(server.address(), CONNECTIONS, our_pace, requests).await,
            flow.at_pace(CLIENTS, flow_pace, MEASURED),
        ]
        .map(p99);
        ratios.push(own / others);
        p99s.push((own, others));
    }
    let [own, others] = [median(p99s.iter().map(|p99s| p99s.0)), median(p99s.iter().map(|p99s| p99s.1))];
    println!(
        "\nAt half load, {our_pace:.0} and {flow_pace:.0} a second: p99 {:.1} ms, (a) {:.1} ms",
        own * 1e3,
        others * 1e3
    );
    println!("{:<40} {:>8.2}   aim 2 at most", "p99 : (a)'s, median of rounds", median(ratios.into_iter()));
    println!("\nAgain: cargo bench --bench postgres");
}

fn p99(mut took: Vec<Duration>) -> f64 {
    took.sort_unstable();
    took[(took.len() - 1) * 99 / 100].as_secs_f64()
}

/// Actions of a server's users, handed in over many connections.
struct Updates {
    signer: Signer,
    load: Load,
    rate: f64,
}

impl Updates {
    async fn on(server: &Server, connections: usize) -> Self {
        let users = User::register_many(server.address(), "bench", CONNECTIONS).await;
        let signer = Signer::new(server, &users);
        Self { signer, load: Load::connect(server.address(), connections).await, rate: 15_000.0 }
    }

    async fn round(&mut self) -> Round {
        // Made before the clock runs; half as many again as the fastest round so far would have needed.
        let requests = self.signer.requests((self.rate * MEASURED.as_secs_f64() * 1.5) as usize);
        let database = Busy::start();
        let done = self.load.run(Box::new(requests.into_iter()), MEASURED).await;
        let per_second = done.answered as f64 / done.elapsed.as_secs_f64();
        self.rate = self.rate.max(per_second);
        Round { per_second, per_database_second: done.answered as f64 / database.seconds() }
    }
}

const NAMES: [&str; SUBJECTS] = [
    "update over HTTP",
    "(a) pgbench, UPDATE + INSERT",
    "(b) update, one a transaction",
    "(c) bare SQL, (a)'s tables",
    "(d) bare SQL, the server's tables",
];

/// What is compared.
#[derive(Clone, Copy)]
enum Part {
    Wall,
    Database,
}

fn report(rounds: &[[Round; SUBJECTS]]) {
    println!("{} rounds of {MEASURED:?} each, taking turns; medians; batches of {ROWS} in (c) and (d)\n", rounds.len());
    println!("{:<36} {:>12} {:>30}", "", "per second", "per second of database CPU");
    for (subject, name) in NAMES.iter().enumerate() {
        let of = |part: fn(&Round) -> f64| median(rounds.iter().map(|round| part(&round[subject])));
        println!("{name:<36} {:>12.0} {:>30.0}", of(|round| round.per_second), of(|round| round.per_database_second));
    }
    println!("\n{:<40} {:>8} {:>8} {:>8}", "ratio, round by round", "median", "lowest", "highest");
    let ratios = [
        ("update : (a)", 1, Part::Wall, "aim 3"),
        ("update : (b)", 2, Part::Wall, ""),
        ("update : (a), of database CPU", 1, Part::Database, ""),
        ("update : (c), of database CPU", 3, Part::Database, "aim 0.6"),
        ("update : (d), of database CPU", 4, Part::Database, "aim 0.6"),
    ];
    for (name, other, part, aim) in ratios {
        let rate = |round: &Round| match part {
            Part::Wall => round.per_second,
            Part::Database => round.per_database_second,
        };
        let ratios = || rounds.iter().map(|round| rate(&round[0]) / rate(&round[other]));
        let [lowest, highest] = [ratios().fold(f64::INFINITY, f64::min), ratios().fold(0.0, f64::max)];
        println!("{name:<40} {:>8.2} {lowest:>8.2} {highest:>8.2}   {aim}", median(ratios()));
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
