//! One, two and three servers on one board of one PostgreSQL and one Redis; and reads while servers take all the updates they can. Each of these clusters has a
//! database server and a Redis of its own, with room for all of it: what one has written last does not put the others' tables out of its memory, and no tidying up is billed to
//! them.
//!
//! The servers are of one size, one worker thread each, and have the same clients in all; the rounds take turns, forwards and backwards. They are compared in two ways:
//!
//! - With all of the machine's cores. On two, one server uses them up as well as three do: more servers are no more power then, and what counts is updates a second of CPU
//!   time, of the servers and the database together. It says what it costs that they share a board. Beside them one server with a thread for each core.
//! - With a quarter of a core each, as on small machines of their own: each that comes brings what it works with. What counts is how much they take together, updates a second.
//!   (It takes root, for the kernel's control groups.)
//!
//! Reads are timed one by one when all of this is done, at servers of their own: no cluster that is compared has more writes than the others.
//! They are of boards that are at rest, each of a page that nobody has asked for before: at the first server, which loads it from the ranks in
//! its memory; at the second, which finds it in Redis; there again, where it is near now; at a third, which has no ranks in memory, from the
//! database. And of the board that is moving. The servers' metrics say how many of them were what they are called.
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
#[path = "../http/median.rs"]
mod median;
mod quota;
mod reads;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::io;
use std::num::NonZero;
use std::time::Duration;

use actions::Signer;
use busy::Busy;
use futures_util::future::join_all;
use load::{Load, Opened};
use median::median;
use quota::Quota;
use support::place::Place;
use support::postgres;
use support::redis::Process;
use support::server::{Server, UNLIMITED};
use support::user::User;

const ROUNDS: usize = 8;
/// In all, to one server or to several.
const CONNECTIONS: usize = 576;
const MEASURED: Duration = Duration::from_secs(4);
/// Before that, and not counted: behind a pause who writes for whom is found out anew, and the first batches are decided on what is read.
const BEFORE: Duration = Duration::from_secs(1);

/// Hashing passwords is not what is measured. Nor is it that who plays dozens of times a second is found to be no person, which is looked up and
/// written down once a day: that happens in the first rounds, which are not counted.
const BESIDE: [(&str, &str); 3] = [
    ("SCOREBOARD_ACCOUNTS__ARGON2_MEMORY_KIB", "1024"),
    ("SCOREBOARD_ACCOUNTS__ARGON2_ITERATIONS", "1"),
    ("SCOREBOARD_FRAUD__ACTIONS_PER_HOUR", "1"),
];
const FIRST_ROUNDS: usize = 3;

/// Of a core, for each server, where they are limited.
const QUOTA: f64 = 0.25;

/// Servers, with so many worker threads each.
#[derive(Clone, Copy)]
struct Shape {
    servers: usize,
    threads: usize,
}

/// The first so many are compared with a part of a core as well.
const LIMITED: usize = 3;

/// What is compared. The first is what the others are measured by.
fn shapes() -> [Shape; 4] {
    let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
    let of = |servers, threads| Shape { servers, threads };
    [of(1, 1), of(2, 1), of(3, 1), of(1, cores)]
}

/// One subject in one round: changes a second, and the CPU time that each took, of the servers and of the database, in seconds.
struct Round {
    per_second: f64,
    servers: f64,
    database: f64,
}

impl Round {
    fn per_cpu_second(&self) -> f64 {
        1.0 / (self.servers + self.database)
    }
}

fn main() {
    support::binary::server_binary();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(tokio::task::LocalSet::new().run_until(run()));
}

async fn run() {
    compare().await;
    reads::run().await;
    println!("\nAgain: cargo bench --bench nodes");
}

/// What servers do beside each other. They and all of their own are gone then.
async fn compare() {
    let mut clusters = Vec::new();
    for shape in shapes() {
        clusters.push(Cluster::of(shape).await);
    }
    let (mut rounds, mut limited) = (Vec::new(), Vec::new());
    for round in 0..FIRST_ROUNDS + ROUNDS {
        let is_backwards = round % 2 == 1;
        let measured = in_turn(&mut clusters, is_backwards, Cluster::round).await;
        let quotas = in_turn(&mut clusters[..LIMITED], is_backwards, Cluster::limited_round).await;
        let quotas = quotas.into_iter().collect::<io::Result<Vec<_>>>();
        eprintln!("round {} of {}: {}", round + 1, FIRST_ROUNDS + ROUNDS, rates(&measured, &quotas));
        if round >= FIRST_ROUNDS {
            rounds.push(measured);
            limited.push(quotas);
        }
    }
    println!("{ROUNDS} rounds of {MEASURED:?} each, taking turns; {CONNECTIONS} clients in all; medians\n");
    println!("All cores for all:");
    report(&rounds);
    println!("\n{QUOTA} of a core for each server:");
    match limited.into_iter().collect::<io::Result<Vec<_>>>() {
        Ok(limited) => report(&limited),
        Err(error) => println!("not measured: a server could not be limited: {error}"),
    }
    for cluster in &clusters {
        // Which also looks that the versions are contiguous.
        cluster.servers[0].assert_verified();
    }
}

/// Servers that share a board.
struct Cluster {
    servers: Vec<Server>,
    loads: Vec<Load>,
    signer: Signer,
    rate: f64,
    /// Behind the servers, which go first.
    database: postgres::Server,
    _redis: Process,
}

impl Cluster {
    async fn of(Shape { servers, threads }: Shape) -> Self {
        let mut cluster = Self::of_one(threads, &[]).await;
        while cluster.servers.len() < servers {
            let next = cluster.servers[0].start_beside().await;
            cluster.servers.push(next);
        }
        cluster.connected().await
    }

    /// The first server, with these settings of its own, that those beside it will have as well.
    async fn of_one(threads: usize, own: &[(&str, &str)]) -> Self {
        let redis = Process::start(&[]);
        let (url, workers) = (redis.url(), threads.to_string());
        let shared = [("SCOREBOARD_REDIS__URL", url.as_str()), ("TOKIO_WORKER_THREADS", &workers)];
        let settings = [UNLIMITED.as_slice(), &BESIDE, &shared, own].concat();
        let database = postgres::Server::start(&["shared_buffers=512MB", "max_wal_size=8GB"]);
        let first = Server::start_as(Place::At(database.url().to_owned()), &settings, &[]).await;
        let users = User::register_many(first.address(), "bench", CONNECTIONS).await;
        let signer = Signer::new(&first, &users);
        Self { servers: vec![first], loads: Vec::new(), signer, rate: 15_000.0, database, _redis: redis }
    }

    /// The clients spread over all servers that there are now.
    async fn connected(mut self) -> Self {
        let each = CONNECTIONS / self.servers.len();
        self.loads = join_all(self.servers.iter().map(|server| Load::connect(server.address(), each))).await;
        self
    }

    /// For each server more than the fastest round so far would have needed of all: whichever takes the most, none runs out before the others.
    fn requests(&mut self, duration: Duration) -> Vec<Vec<Vec<u8>>> {
        let count = (self.rate * duration.as_secs_f64() * 1.3) as usize;
        (0..self.servers.len()).map(|_| self.signer.requests(count)).collect()
    }

    /// Connections to each server.
    async fn open(&self) -> Vec<Opened> {
        join_all(self.loads.iter().map(Load::open)).await
    }

    /// With a part of a core for each server.
    async fn limited_round(&mut self) -> io::Result<Round> {
        let quotas =
            self.servers.iter().map(|server| Quota::of(server.pid(), QUOTA)).collect::<io::Result<Vec<_>>>()?;
        let round = self.round().await;
        let (took, given) = (round.servers * round.per_second, QUOTA * quotas.len() as f64);
        assert!(took < given * 1.2, "the servers took {took:.2} cores, and were given {given}");
        Ok(round)
    }

    async fn round(&mut self) -> Round {
        let (before, requests) = (self.requests(BEFORE), self.requests(MEASURED));
        let (opened_before, opened) = (self.open().await, self.open().await);
        load(opened_before, before, BEFORE).await;
        let servers: Vec<_> = self.servers.iter().map(|server| cores::Busy::start(server.pid())).collect();
        let (database, started) = (Busy::of(&self.database), tokio::time::Instant::now());
        let answered = load(opened, requests, MEASURED).await as f64;
        let elapsed = started.elapsed();
        let (seconds, database) = (elapsed.as_secs_f64(), database.seconds());
        let busy: f64 = servers.iter().map(|server| server.share(elapsed) * seconds).sum();
        self.rate = self.rate.max(answered / seconds);
        Round { per_second: answered / seconds, servers: busy / answered, database: database / answered }
    }
}

/// Hands requests in at all servers at once, none of which begins or ends before the others; gives how many were counted.
async fn load(opened: Vec<Opened>, requests: Vec<Vec<Vec<u8>>>, duration: Duration) -> u64 {
    let done = opened.into_iter().zip(requests);
    let done = join_all(done.map(|(opened, requests)| opened.run(Box::new(requests.into_iter()), duration))).await;
    done.iter().map(|done| done.answered).sum()
}

/// What each of them gives, the last one first where it goes backwards: none has always the machine as the same other one has left it.
async fn in_turn<T>(clusters: &mut [Cluster], is_backwards: bool, measure: impl AsyncFn(&mut Cluster) -> T) -> Vec<T> {
    let mut order = Vec::from_iter(clusters);
    if is_backwards {
        order.reverse();
    }
    let mut measured = Vec::new();
    for cluster in order {
        measured.push(measure(cluster).await);
    }
    if is_backwards {
        measured.reverse();
    }
    measured
}

/// Updates a second, for who waits.
fn rates(measured: &[Round], limited: &io::Result<Vec<Round>>) -> String {
    let of = |rounds: &[Round]| rounds.iter().map(|round| format!("{:.0}/s", round.per_second)).collect::<Vec<_>>();
    let limited = limited.as_ref().map_or("not measured".to_owned(), |limited| of(limited).join(", "));
    format!("{}; limited: {limited}", of(measured).join(", "))
}

fn report(rounds: &[Vec<Round>]) {
    println!(
        "{:<8} {:>8} {:>11} {:>9} {:>14} {:>15} {:>18} {:>9}",
        "servers",
        "threads",
        "per second",
        "to one's",
        "servers' CPU",
        "database's CPU",
        "per second of CPU",
        "to one's"
    );
    for (at, Shape { servers, threads }) in shapes().into_iter().take(rounds[0].len()).enumerate() {
        let of = |part: fn(&Round) -> f64| median(rounds.iter().map(|round| part(&round[at])));
        let to_one = |part: fn(&Round) -> f64| median(rounds.iter().map(|round| part(&round[at]) / part(&round[0])));
        let [wall, cpu] = [of(|round| round.per_second), of(Round::per_cpu_second)];
        let [wall_to_one, cpu_to_one] = [to_one(|round| round.per_second), to_one(Round::per_cpu_second)];
        let [own, database] = [of(|round| round.servers), of(|round| round.database)].map(|seconds| seconds * 1e6);
        println!(
            "{servers:<8} {threads:>8} {wall:>11.0} {wall_to_one:>9.2} {own:>11.1} µs {database:>12.1} µs {cpu:>18.0} {cpu_to_one:>9.2}"
        );
    }
}
