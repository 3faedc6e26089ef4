//! Durable updates over HTTP on PostgreSQL, beside what the database itself does with the same work, in one run.
//!
//! - (a) `pgbench` with 32 clients and the transaction that everyone else writes: `UPDATE` the score, `INSERT` the action, prepared.
//! - (b) our server with one change a transaction, and fewer clients: see `FEW_CONNECTIONS`.
//! - (c) the best that bare SQL does with (a)'s two tables: one client that sends batches of rows as arrays, nothing checked.
//! - (d) the same, but the rows and tables that the server has: each user's history, who has which rank, and what each action changed.
//! - (e) our server with a quota that the rows of scores hold, the largest there is: 64 a second, of which 128 moments are kept with each score. Of ten a minute
//!   twenty are at most. The others have none, for their clients would be refused.
//!
//! Each has a database server of its own, all with the same settings: no tidying up and no checkpoint of one is billed to another. The
//! rounds take turns, forwards and backwards, so that a machine that is busier for a while is so for all. The CPU time of the round's own database is counted too:
//! on few cores our server and the load take most of the rest.
//!
//! Batches of (c) and (d) have as many rows as there are clients of the server, which can wait for one commit together; what larger and smaller
//! ones of (c) do, and how many threads of `pgbench` do best, is tried before, on one more database.
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
#[path = "../http/median.rs"]
mod median;
mod pace;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use actions::Signer;
use bare::Bare;
use busy::Busy;
use database::Flow;
use load::Load;
use median::median;
use support::place::Place;
use support::postgres;
use support::server::{Server, UNLIMITED};
use support::user::User;

const SUBJECTS: usize = 6;
const ROUNDS: usize = 8;
const CONNECTIONS: usize = 512;
/// To the server that commits one by one, which they keep busy as well: on a machine that is slow, more would wait longer than a change may.
const FEW_CONNECTIONS: usize = 64;
const CLIENTS: usize = 32;
const MEASURED: Duration = Duration::from_secs(2);
const HALF_LOAD_ROUNDS: usize = 5;

/// Room for all that a subject writes.
const DATABASE: [&str; 2] = ["shared_buffers=512MB", "max_wal_size=8GB"];

/// What is tried: rows in a batch, and threads of pgbench, whose clients are shared out among them.
const ROWS: [usize; 3] = [128, 512, 2048];
const THREADS: [usize; 2] = [1, 2];
const TRIED: Duration = Duration::from_secs(1);
/// There and back twice: the tables grow meanwhile.
const TURNS: usize = 2;

/// Hashing passwords is not what is measured. Nor is it that who plays dozens of times a second is found to be no person, which is looked up and
/// written down once a day: that happens in the first rounds, which are not counted.
const BESIDE: [(&str, &str); 3] = [
    ("SCOREBOARD_ACCOUNTS__ARGON2_MEMORY_KIB", "1024"),
    ("SCOREBOARD_ACCOUNTS__ARGON2_ITERATIONS", "1"),
    ("SCOREBOARD_FRAUD__ACTIONS_PER_HOUR", "1"),
];
const FIRST_ROUNDS: usize = 3;

/// Of so many users none comes near it, who take turns.
const QUOTA: (&str, &str) = ("SCOREBOARD_LIMITS__UPDATE", "64/s");
const USERS_OF_QUOTA: usize = 2 * CONNECTIONS;

fn main() {
    support::binary::server_binary();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(tokio::task::LocalSet::new().run_until(run()));
}

/// One subject in one round: changes a second, and changes a second of the database's CPU time.
#[derive(Clone, Copy, Default)]
struct Round {
    per_second: f64,
    per_database_second: f64,
}

async fn run() {
    let databases: [_; SUBJECTS] = std::array::from_fn(|_| postgres::Server::start(&DATABASE));
    let settings: Vec<_> = UNLIMITED.into_iter().chain(BESIDE).collect();
    let one_by_one: Vec<_> = settings.iter().copied().chain([("SCOREBOARD_STORE__MAX_BATCH", "1")]).collect();
    let grouped = Server::start_as(Place::At(databases[0].url().to_owned()), &settings, &[]).await;
    let single = Server::start_as(Place::At(databases[2].url().to_owned()), &one_by_one, &[]).await;
    let held: Vec<_> = settings.iter().copied().filter(|(name, _)| *name != QUOTA.0).chain([QUOTA]).collect();
    let held = Server::start_as(Place::At(databases[5].url().to_owned()), &held, &[]).await;
    let mut ours = Updates::on(&grouped, &databases[0], CONNECTIONS, CONNECTIONS).await;
    let mut one = Updates::on(&single, &databases[2], FEW_CONNECTIONS, CONNECTIONS).await;
    let mut held_too = Updates::on(&held, &databases[5], CONNECTIONS, USERS_OF_QUOTA).await;
    let (flow, batches) = (Flow::prepare(&databases[1]), Flow::prepare(&databases[3]));
    let mut bare = Bare::prepare(&databases[4]).await;
    let best = Best::tried().await;

    let mut rounds = Vec::new();
    for round in 0..FIRST_ROUNDS + ROUNDS {
        let mut measured = [Round::default(); SUBJECTS];
        for turn in 0..SUBJECTS {
            // Backwards every other time: none has always the machine as the same other one has left it.
            let subject = if round % 2 == 0 { turn } else { SUBJECTS - 1 - turn };
            measured[subject] = match subject {
                0 => ours.round().await,
                1 => {
                    let made = async { flow.transactions(CLIENTS, best.threads, MEASURED) };
                    database::round(&databases[1], made).await
                }
                2 => one.round().await,
                3 => database::round(&databases[3], batches.batches(CONNECTIONS, MEASURED)).await,
                4 => database::round(&databases[4], bare.batches(CONNECTIONS, MEASURED)).await,
                _ => held_too.round().await,
            };
        }
        if round >= FIRST_ROUNDS {
            rounds.push(measured);
        }
    }
    report(&rounds, &best);
    half_load(&rounds, &grouped, &mut ours, &flow, best.threads).await;
    for server in [&grouped, &single, &held] {
        server.assert_verified();
    }
}

/// What did best when it was tried.
struct Best {
    /// In a batch of (c), and how many of them a second of the database's CPU time.
    rows: usize,
    rate: f64,
    threads: usize,
}

impl Best {
    /// Of (c), by the database's CPU time, and of (a), by the clock; prints how each did.
    async fn tried() -> Self {
        let database = postgres::Server::start(&DATABASE);
        let flow = Flow::prepare(&database);
        let (mut of_rows, mut of_threads) = ([0.0; ROWS.len()], [0.0; THREADS.len()]);
        for at in there_and_back(ROWS.len()) {
            let round = database::round(&database, flow.batches(ROWS[at], TRIED)).await;
            of_rows[at] += round.per_database_second / (2 * TURNS) as f64;
        }
        for at in there_and_back(THREADS.len()) {
            let made = flow.transactions(CLIENTS, THREADS[at], TRIED);
            of_threads[at] += made / TRIED.as_secs_f64() / (2 * TURNS) as f64;
        }
        let [rows, threads] = [best(&ROWS, &of_rows), best(&THREADS, &of_threads)];
        println!(
            "tried: rows in a batch of (c), per second of database CPU: {}; (c) and (d) have {CONNECTIONS}, as many as wait at the server",
            said(&ROWS, &of_rows)
        );
        println!(
            "tried: threads of pgbench for {CLIENTS} clients, per second: {}; (a) has {threads}\n",
            said(&THREADS, &of_threads)
        );
        let rate = of_rows.iter().copied().fold(0.0, f64::max);
        Self { rows, rate, threads }
    }
}

fn there_and_back(count: usize) -> impl Iterator<Item = usize> {
    (0..TURNS).flat_map(move |_| (0..count).chain((0..count).rev()))
}

fn best(tried: &[usize], rates: &[f64]) -> usize {
    let best = tried.iter().zip(rates).max_by(|one, other| one.1.total_cmp(other.1));
    *best.expect("some were tried").0
}

fn said(tried: &[usize], rates: &[f64]) -> String {
    tried.iter().zip(rates).map(|(tried, rate)| format!("{tried}: {rate:.0}")).collect::<Vec<_>>().join(", ")
}

/// How long the slowest of a hundred take at half of what each side does at most, both from when they were due.
async fn half_load(
    rounds: &[[Round; SUBJECTS]],
    server: &Server,
    ours: &mut Updates<'_>,
    flow: &Flow<'_>,
    threads: usize,
) {
    let half = |subject: usize| median(rounds.iter().map(|round| round[subject].per_second)) / 2.0;
    let [our_pace, flow_pace] = [half(0), half(1)];
    let (mut ratios, mut p99s) = (Vec::new(), Vec::new());
    for _ in 0..HALF_LOAD_ROUNDS {
        let requests = ours.signer.requests((our_pace * MEASURED.as_secs_f64()) as usize);
        let [own, others] = [
            pace::at_pace(server.address(), CONNECTIONS, our_pace, requests).await,
            flow.at_pace(CLIENTS, threads, flow_pace, MEASURED),
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
struct Updates<'d> {
    database: &'d postgres::Server,
    signer: Signer,
    load: Load,
    rate: f64,
}

impl<'d> Updates<'d> {
    async fn on(server: &Server, database: &'d postgres::Server, connections: usize, users: usize) -> Self {
        let users = User::register_many(server.address(), "bench", users).await;
        let signer = Signer::new(server, &users);
        Self { database, signer, load: Load::connect(server.address(), connections).await, rate: 15_000.0 }
    }

    async fn round(&mut self) -> Round {
        // Made before the clock runs; half as many again as the fastest round so far would have needed.
        let requests = self.signer.requests((self.rate * MEASURED.as_secs_f64() * 1.5) as usize);
        let database = Busy::of(self.database);
        let done = self.load.run(Box::new(requests.into_iter()), MEASURED).await;
        let per_second = done.answered as f64 / done.elapsed.as_secs_f64();
        self.rate = self.rate.max(per_second);
        Round { per_second, per_database_second: done.answered as f64 / database.seconds() }
    }
}

fn names(best: &Best) -> [String; SUBJECTS] {
    let threads = best.threads;
    [
        format!("update over HTTP, {CONNECTIONS} clients"),
        format!("(a) pgbench, UPDATE + INSERT, {CLIENTS} clients, -j {threads}"),
        format!("(b) update, one a transaction, {FEW_CONNECTIONS} clients"),
        format!("(c) bare SQL, (a)'s tables, {CONNECTIONS} rows a batch"),
        format!("(d) bare SQL, the server's, {CONNECTIONS} rows a batch"),
        format!("(e) update, a quota of {} held", QUOTA.1),
    ]
}

/// What is compared.
#[derive(Clone, Copy)]
enum Part {
    Wall,
    Database,
}

fn report(rounds: &[[Round; SUBJECTS]], best: &Best) {
    println!("{} rounds of {MEASURED:?} each, taking turns, each on a database of its own; medians\n", rounds.len());
    println!("{:<50} {:>12} {:>30}", "", "per second", "per second of database CPU");
    for (subject, name) in names(best).iter().enumerate() {
        let of = |part: fn(&Round) -> f64| median(rounds.iter().map(|round| part(&round[subject])));
        println!("{name:<50} {:>12.0} {:>30.0}", of(|round| round.per_second), of(|round| round.per_database_second));
    }
    println!(
        "(b) has fewer clients than updates in groups: where each is committed by itself, more would wait longer than a change may"
    );
    println!("\n{:<40} {:>8} {:>8} {:>8}", "ratio, round by round", "median", "lowest", "highest");
    let ratios = [
        ("update : (a)", 1, Part::Wall, "aim 3"),
        ("update : (b)", 2, Part::Wall, "(b) has fewer clients"),
        ("update : (a), of database CPU", 1, Part::Database, ""),
        ("update : (c), of database CPU", 3, Part::Database, "aim 0.6"),
        ("update : (d), of database CPU", 4, Part::Database, "aim 0.6"),
        ("update : (e), of database CPU", 5, Part::Database, "what holding the quota costs at the most"),
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
    let own = median(rounds.iter().map(|round| round[0].per_database_second));
    println!(
        "{:<40} {:>8.2}   as it was tried before the rounds",
        format!("update : (c) at {} rows", best.rows),
        own / best.rate
    );
}
