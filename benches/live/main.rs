//! A thousand who watch one board, side by side in one run: the server, and a bare axum handler that sends the same bytes to whoever is
//! connected. Each has a core of its own, those who watch the other.
//!
//! The board changes two hundred times a second, which is more than either can tell a thousand: what is counted is what arrives. The
//! rounds of both take turns. Before them it is looked how much memory each connection takes that is told nothing.
//!
//! Run with `cargo bench --bench live`. Needs two cores and `taskset` (util-linux).

#[path = "../http/actions.rs"]
mod actions;
mod bare;
#[path = "../http/cores.rs"]
mod cores;
#[path = "../http/load.rs"]
#[allow(dead_code, reason = "one connection is enough here")]
mod load;
#[path = "../http/median.rs"]
mod median;
#[path = "../../tests/support/mod.rs"]
mod support;
mod watchers;

use std::cell::RefCell;
use std::net::SocketAddr;
use std::time::Duration;

use actions::Signer;
use bare::BareServer;
use cores::{Busy, GENERATOR, SERVER};
use futures_util::future::join_all;
use median::median;
use support::resident::resident;
use support::server::{Server, UNLIMITED};
use support::user::User;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep};
use watchers::Watchers;

const WATCHERS: usize = 1_000;
const ROUNDS: usize = 15;
const MEASURED: Duration = Duration::from_secs(1);
const PACE: Duration = Duration::from_millis(5);
/// Who makes the changes, by turns: none waits for another's answer while all who watch are told.
const WRITERS: usize = 32;
/// Until all have been told what there is, and what was needed for that is given back.
const SETTLED: Duration = Duration::from_secs(2);
const AIM: f64 = 0.8;
const NAMES: [&str; 3] = ["scoreboard-server", "bare axum broadcast", "bare, a third of the bytes"];
const SHORTER: usize = 3;

/// Every change is a message of its own, as in the other: none waits for the next.
const SETTINGS: [(&str, &str); 3] = [
    ("SCOREBOARD_LIVE__BATCH_INTERVAL_MS", "1"),
    ("SCOREBOARD_ACCOUNTS__ARGON2_MEMORY_KIB", "1024"),
    ("SCOREBOARD_ACCOUNTS__ARGON2_ITERATIONS", "1"),
];

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(bare::ARGUMENT) {
        let address = arguments.next().and_then(|address| address.parse().ok()).expect("an address to listen on");
        return bare::serve(address, arguments.next().expect("what to send"));
    }
    // Built before this process confines itself to one core.
    support::binary::server_binary();
    cores::confine_to(GENERATOR);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(tokio::task::LocalSet::new().run_until(run()));
}

async fn run() {
    let wrapper = ["taskset", "-c", SERVER];
    let settings: Vec<_> = UNLIMITED.into_iter().chain(SETTINGS).collect();
    let server = Server::start_with(&settings, &wrapper).await;
    let users = User::register_many(server.address(), "player", 1).await;
    let mut updates = Updates { signer: Signer::new(&server, &users) };
    let sample = sample(server.address(), &mut updates).await;
    let bare = BareServer::start(&wrapper, &sample).await;
    // What a compact binary encoding could spare at the most.
    let short = BareServer::start(&wrapper, &sample[..sample.len() / SHORTER]).await;

    println!("memory of the server's process for each of {WATCHERS} connections that are told nothing");
    let mut subjects = [
        Subject::new(NAMES[0], server.pid(), server.address(), Changes::Updates(updates)).await,
        Subject::new(NAMES[1], bare.pid(), bare.address(), Changes::Ticks).await,
        Subject::new(NAMES[2], short.pid(), short.address(), Changes::Ticks).await,
    ];
    let mut rounds = Vec::new();
    for round in 0..=ROUNDS {
        let mut measured = Vec::new();
        for subject in &mut subjects {
            measured.push(subject.round().await);
        }
        if round > 0 {
            rounds.push(measured);
        }
    }
    report(&rounds, sample.len());
    server.assert_verified();
}

/// A message as it is sent for a change.
async fn sample(address: SocketAddr, updates: &mut Updates) -> String {
    // The first makes an entry, the next ones change it, as all that follow do.
    let mut connection = connect(address).await;
    let mut one = Watchers::connect(address, 1).await;
    loop {
        send(&mut connection, &updates.next()).await;
        sleep(PACE).await;
        let last = String::from_utf8(one.last().await).expect("messages are text");
        if last.contains(r#""op":"upsert","rank":1,"previousRank":1"#) {
            return last;
        }
    }
}

/// What makes a board change.
enum Changes {
    Updates(Updates),
    /// The bare server is only told to send.
    Ticks,
}

struct Updates {
    signer: Signer,
}

impl Updates {
    fn next(&mut self) -> Vec<u8> {
        self.signer.requests(1).remove(0)
    }
}

impl Changes {
    fn next(&mut self) -> Vec<u8> {
        match self {
            Self::Updates(updates) => updates.next(),
            Self::Ticks => b"POST /tick HTTP/1.1\r\nhost: bare\r\ncontent-length: 0\r\n\r\n".to_vec(),
        }
    }
}

/// A server with all who watch it.
struct Subject {
    pid: u32,
    watchers: Watchers,
    changes: Changes,
    writers: Vec<TcpStream>,
}

/// One subject in one round.
struct Round {
    per_second: f64,
    bytes: f64,
    server_busy: f64,
    watchers_busy: f64,
}

impl Subject {
    async fn new(name: &str, pid: u32, address: SocketAddr, changes: Changes) -> Self {
        let writers = join_all((0..WRITERS).map(|_| connect(address))).await;
        let before = resident(pid);
        let watchers = Watchers::connect(address, WATCHERS).await;
        sleep(SETTLED).await;
        let each = (resident(pid) as f64 - before as f64) / WATCHERS as f64;
        println!("{name:<32} {each:>10.1} KiB");
        Self { pid, watchers, changes, writers }
    }

    async fn round(&mut self) -> Round {
        let [server, own] = [self.pid, std::process::id()].map(Busy::start);
        let (messages, bytes) = self.watchers.taken();
        let started = Instant::now();
        let changes = RefCell::new(&mut self.changes);
        let writers = self.writers.iter_mut().enumerate().map(|(number, connection)| {
            let changes = &changes;
            async move {
                let mut ticks = interval_at(started + PACE * number as u32, PACE * WRITERS as u32);
                // Who is late does not catch up: no more is asked of one than of the other.
                ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
                while started.elapsed() < MEASURED {
                    ticks.tick().await;
                    let change = changes.borrow_mut().next();
                    send(connection, &change).await;
                }
            }
        });
        join_all(writers).await;
        let elapsed = started.elapsed();
        let (now, bytes_now) = self.watchers.taken();
        assert!(now > messages, "nobody is told anything");
        let round = Round {
            per_second: (now - messages) as f64 / elapsed.as_secs_f64(),
            bytes: (bytes_now - bytes) as f64 / (now - messages).max(1) as f64,
            server_busy: server.share(elapsed),
            watchers_busy: own.share(elapsed),
        };
        // What is under way still belongs to this round.
        sleep(SETTLED / 10).await;
        round
    }
}

async fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).await.expect("the server takes connections");
    stream.set_nodelay(true).expect("TCP knows TCP_NODELAY");
    stream
}

async fn send(connection: &mut TcpStream, request: &[u8]) {
    connection.write_all(request).await.expect("the server reads");
    load::read_answer(connection, &mut [0; 4 * 1024]).await;
}

fn report(rounds: &[Vec<Round>], length: usize) {
    println!(
        "\n{} rounds of {MEASURED:?} each, taking turns; {WATCHERS} who watch; messages of some {length} bytes; medians\n",
        rounds.len()
    );
    println!(
        "{:<28} {:>15} {:>14} {:>13} {:>15} {:>18}",
        "", "messages/second", "bytes of each", "server busy", "watchers busy", "per second of CPU"
    );
    for (subject, name) in NAMES.into_iter().enumerate() {
        let of = |part: fn(&Round) -> f64| median(rounds.iter().map(|round| part(&round[subject])));
        let [rate, bytes, cpu] = [of(|r| r.per_second), of(|r| r.bytes), of(|r| r.per_second / r.server_busy)];
        let [server, own] = [of(|r| r.server_busy), of(|r| r.watchers_busy)].map(|share| share * 100.0);
        println!("{name:<28} {rate:>15.0} {bytes:>14.0} {server:>11.0} % {own:>13.0} % {cpu:>18.0}");
    }
    let ratio = |subject: usize, rate: fn(&Round) -> f64| {
        median(rounds.iter().map(|round| rate(&round[subject]) / rate(&round[1])))
    };
    let both = |subject| [ratio(subject, |r| r.per_second), ratio(subject, |r| r.per_second / r.server_busy)];
    let ([wall, cpu], [short, short_cpu]) = (both(0), both(2));
    let verdict = if wall >= AIM { "reached" } else { "missed" };
    println!("\nratio to the bare one, round by round: {wall:.2}, of CPU {cpu:.2}; aim {AIM}: {verdict}");
    println!("a third of the bytes would give {short:.2}, of CPU {short_cpu:.2}\n\nAgain: cargo bench --bench live");
}
