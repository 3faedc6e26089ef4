//! One, two and three servers on one board of one PostgreSQL and one Redis; and reads while they take all the updates they can. One, two and three have a
//! database server and a Redis each, with room for all of it: what one has written last does not put the others' tables out of its memory, and no tidying up is billed to them.
//!
//! On few cores more servers are no more power, so what counts is updates a second of CPU time, of the servers and the database together: it
//! says what it costs that they share a board. The rounds take turns. Each server has as many worker threads as its share of the cores, and one at the
//! least, as the limit of a container gives it: more would only get in each other's way.
//!
//! Reads are timed one by one, of a board that is at rest, each of a page that nobody has asked for before: at the first server, which loads it from the
//! store; at the second, which finds it in Redis; there again, where it is near now. And of the board that is moving.
//!
//! Run with `cargo bench --bench nodes`. Needs PostgreSQL and Redis (Debian: `postgresql`, `redis-server`), which it starts for itself.

#[path = "../http/actions.rs"]
mod actions;
#[path = "../postgres/busy.rs"]
mod busy;
#[path = "../http/cores.rs"]
#[allow(dead_code, reason = "nobody is kept to a core here")]
mod cores;
#[path = "../http/load.rs"]
#[allow(dead_code, reason = "reads are timed one by one here")]
mod load;
mod reads;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::num::NonZero;
use std::time::Duration;

use actions::Signer;
use busy::Busy;
use futures_util::future::join_all;
use load::{Load, Opened};
use reads::Reads;
use support::place::Place;
use support::postgres;
use support::redis::Process;
use support::server::{Server, UNLIMITED};
use support::user::User;

const ROUNDS: usize = 7;
/// In all, the same to one server as to several: what is compared is what more servers cost, and not what more clients do.
const CONNECTIONS: usize = 576;
/// Who writes for whom is found out anew in each round, for nobody claims anything between two: that is a small part of it.
const MEASURED: Duration = Duration::from_secs(4);

/// Hashing passwords is not what is measured. Nor is it that who plays dozens of times a second is found to be no person, which is looked up and
/// written down once a day: that happens in the first rounds, which are not counted.
const BESIDE: [(&str, &str); 3] = [
    ("SCOREBOARD_ACCOUNTS__ARGON2_MEMORY_KIB", "1024"),
    ("SCOREBOARD_ACCOUNTS__ARGON2_ITERATIONS", "1"),
    ("SCOREBOARD_FRAUD__ACTIONS_PER_HOUR", "1"),
];
const FIRST_ROUNDS: usize = 3;

/// One subject in one round: changes a second, and the CPU time that each took, of the servers and of the database, in seconds.
#[derive(Clone, Copy)]
struct Round {
    per_second: f64,
    servers: f64,
    database: f64,
}

impl Round {
    fn per_cpu_second(self) -> f64 {
        1.0 / (self.servers + self.database)
    }
}

fn main() {
    support::binary::server_binary();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(tokio::task::LocalSet::new().run_until(run()));
}

async fn run() {
    let mut clusters = Vec::new();
    for servers in 1..=3 {
        clusters.push(Cluster::of(servers).await);
    }
    let mut reads = Reads::new(&clusters[1]).await;
    let mut rounds = Vec::new();
    for round in 0..FIRST_ROUNDS + ROUNDS {
        let mut measured = Vec::new();
        for cluster in &mut clusters {
            measured.push(cluster.round().await);
        }
        let requests = clusters[1].requests();
        let opened = clusters[1].open().await;
        let (under_load, ()) = tokio::join!(load(opened, requests), reads.round(MEASURED));
        assert!(under_load > 0, "the writers write");
        if round >= FIRST_ROUNDS {
            rounds.push(measured);
        }
    }
    report(&rounds);
    reads.report();
    println!("\nAgain: cargo bench --bench nodes");
    for cluster in &clusters {
        // Which also looks that the versions are contiguous.
        cluster.servers[0].assert_verified();
    }
}

/// Servers that share a board.
pub(crate) struct Cluster {
    pub(crate) servers: Vec<Server>,
    loads: Vec<Load>,
    signer: Signer,
    rate: f64,
    /// Behind the servers, which go first.
    database: postgres::server::Server,
    _redis: Process,
}

impl Cluster {
    async fn of(servers: usize) -> Self {
        let redis = Process::start(&[]);
        let url = redis.url();
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let threads = (cores / servers).max(1).to_string();
        let shared = [("SCOREBOARD_REDIS__URL", url.as_str()), ("TOKIO_WORKER_THREADS", &threads)];
        let settings: Vec<_> = UNLIMITED.into_iter().chain(BESIDE).chain(shared).collect();
        let database = postgres::server::Server::start(&["shared_buffers=512MB", "max_wal_size=8GB"]);
        let first = Server::start_as(Place::At(database.url().to_owned()), &settings, &[]).await;
        let users = User::register_many(first.address(), "bench", CONNECTIONS).await;
        let signer = Signer::new(&first, &users);
        let mut started = vec![first];
        while started.len() < servers {
            let next = started[0].start_beside().await;
            started.push(next);
        }
        let loads = join_all(started.iter().map(|server| Load::connect(server.address(), CONNECTIONS / servers))).await;
        Self { database, _redis: redis, servers: started, loads, signer, rate: 15_000.0 }
    }

    /// For each server more than the fastest round so far would have needed of all: whichever takes the most, none runs out before the others.
    fn requests(&mut self) -> Vec<Vec<Vec<u8>>> {
        let count = (self.rate * MEASURED.as_secs_f64() * 1.3) as usize;
        (0..self.servers.len()).map(|_| self.signer.requests(count)).collect()
    }

    /// Connections to each server.
    async fn open(&self) -> Vec<Opened> {
        join_all(self.loads.iter().map(Load::open)).await
    }

    async fn round(&mut self) -> Round {
        let (requests, opened) = (self.requests(), self.open().await);
        let servers: Vec<_> = self.servers.iter().map(|server| cores::Busy::start(server.pid())).collect();
        let (database, started) = (Busy::of(&self.database), tokio::time::Instant::now());
        let answered = load(opened, requests).await as f64;
        let elapsed = started.elapsed();
        let (seconds, database) = (elapsed.as_secs_f64(), database.seconds());
        let busy: f64 = servers.iter().map(|server| server.share(elapsed) * seconds).sum();
        self.rate = self.rate.max(answered / seconds);
        Round { per_second: answered / seconds, servers: busy / answered, database: database / answered }
    }
}

/// Hands requests in at all servers at once, none of which begins or ends before the others; gives how many were counted.
async fn load(opened: Vec<Opened>, requests: Vec<Vec<Vec<u8>>>) -> u64 {
    let done = opened.into_iter().zip(requests);
    let done = join_all(done.map(|(opened, requests)| opened.run(Box::new(requests.into_iter()), MEASURED))).await;
    done.iter().map(|done| done.answered).sum()
}

fn report(rounds: &[Vec<Round>]) {
    println!("{} rounds of {MEASURED:?} each, taking turns; {CONNECTIONS} connections in all; medians\n", rounds.len());
    println!(
        "{:<10} {:>12} {:>16} {:>16} {:>24} {:>26}",
        "servers", "per second", "servers' CPU", "database's CPU", "per second of CPU time", "of that, ratio to one's"
    );
    for servers in 1..=rounds[0].len() {
        let of = |part: fn(&Round) -> f64| median(rounds.iter().map(|round| part(&round[servers - 1])));
        let own = |round: &[Round]| round[servers - 1].per_cpu_second() / round[0].per_cpu_second();
        let ratio = median(rounds.iter().map(|round| own(round)));
        let [wall, cpu] = [of(|round| round.per_second), of(|round| round.per_cpu_second())];
        let [own, database] = [of(|round| round.servers), of(|round| round.database)].map(|seconds| seconds * 1e6);
        println!("{servers:<10} {wall:>12.0} {own:>13.1} µs {database:>13.1} µs {cpu:>24.0} {ratio:>26.2}");
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
