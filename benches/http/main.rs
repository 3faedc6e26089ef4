//! Durable updates and reads over HTTP, side by side in one run: the server on one core, the load generator on another.
//!
//! Measured against a bare axum handler that decodes the same body and does nothing, and against the same server with one
//! change a transaction. The rounds of all take turns, so that a machine that is busier for a while is so for all of them.
//!
//! Run with `cargo bench --bench http`. Needs two cores and `taskset` (util-linux).

mod actions;
mod bare;
mod cores;
mod load;
mod median;
mod report;
#[path = "../../tests/support/mod.rs"]
mod support;

use std::time::Duration;

use actions::Signer;
use bare::BareServer;
use cores::{Busy, GENERATOR, SERVER};
use load::Load;
use report::{Report, Round};
use support::server::{Server, UNLIMITED};
use support::user::User;

/// Many and short: what else the machine does then weighs on all alike.
const ROUNDS: usize = 40;
const CONNECTIONS: usize = 256;
const WARM_UP: Duration = Duration::from_millis(500);
const MEASURED: Duration = Duration::from_millis(250);

/// Hashing passwords is not what is measured.
const CHEAP_HASHES: [(&str, &str); 2] =
    [("SCOREBOARD_ACCOUNTS__ARGON2_MEMORY_KIB", "1024"), ("SCOREBOARD_ACCOUNTS__ARGON2_ITERATIONS", "1")];

fn main() {
    let mut arguments = std::env::args().skip(1);
    if arguments.next().as_deref() == Some(bare::ARGUMENT) {
        let address = arguments.next().and_then(|address| address.parse().ok());
        return bare::serve(address.expect("an address to listen on"));
    }
    // Built before this process confines itself to one core.
    support::binary::server_binary();
    cores::confine_to(GENERATOR);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(tokio::task::LocalSet::new().run_until(run()));
}

async fn run() {
    let wrapper = ["taskset", "-c", SERVER];
    let settings: Vec<_> = UNLIMITED.into_iter().chain(CHEAP_HASHES).collect();
    let one_by_one: Vec<_> = settings.iter().copied().chain([("SCOREBOARD_STORE__MAX_BATCH", "1")]).collect();

    let grouped = Server::start_with(&settings, &wrapper).await;
    let single = Server::start_with(&one_by_one, &wrapper).await;
    let bare = BareServer::start(&wrapper).await;
    let mut subjects = [
        Subject::updates("update, durable, SQLite", &grouped).await,
        Subject::bare_updates("(a) bare axum, same body", &bare, &grouped).await,
        Subject::updates("(b) update, one a transaction", &single).await,
        Subject::reads("GET /api/scoreboard", grouped.address(), grouped.pid()).await,
        Subject::reads("(a) bare axum, GET", bare.address(), bare.pid()).await,
    ];

    let mut report = Report::default();
    for number in 0..=ROUNDS {
        let duration = if number == 0 { WARM_UP } else { MEASURED };
        let mut rounds = Vec::new();
        for subject in &mut subjects {
            rounds.push(subject.round(duration).await);
        }
        if number > 0 {
            report.add(rounds);
        }
    }
    report.print(&subjects.each_ref().map(|subject| subject.name), CONNECTIONS, MEASURED);
    for server in [&grouped, &single] {
        server.assert_verified();
    }
}

/// Something that is measured.
struct Subject {
    name: &'static str,
    pid: u32,
    load: Load,
    requests: Requests,
}

enum Requests {
    /// Each is good once, so they are made for each round.
    Updates {
        signer: Signer,
        rate: f64,
    },
    Read,
}

impl Subject {
    async fn updates(name: &'static str, server: &Server) -> Self {
        let users = User::register_many(server.address(), "bench", CONNECTIONS).await;
        let signer = Signer::new(server, &users);
        let load = Load::connect(server.address(), CONNECTIONS).await;
        Self { name, pid: server.pid(), load, requests: Requests::Updates { signer, rate: 20_000.0 } }
    }

    /// The same requests as `like` would be sent.
    async fn bare_updates(name: &'static str, bare: &BareServer, like: &Server) -> Self {
        let users = User::register_many(like.address(), "bare", CONNECTIONS).await;
        let signer = Signer::new(like, &users);
        let load = Load::connect(bare.address(), CONNECTIONS).await;
        Self { name, pid: bare.pid(), load, requests: Requests::Updates { signer, rate: 60_000.0 } }
    }

    async fn reads(name: &'static str, address: std::net::SocketAddr, pid: u32) -> Self {
        Self { name, pid, load: Load::connect(address, CONNECTIONS).await, requests: Requests::Read }
    }

    async fn round(&mut self, duration: Duration) -> Round {
        let requests: Box<dyn Iterator<Item = Vec<u8>>> = match &mut self.requests {
            // Half as many again as the fastest round so far would have needed.
            Requests::Updates { signer, rate } => {
                let enough = (*rate * duration.as_secs_f64() * 1.5) as usize;
                Box::new(signer.requests(enough).into_iter())
            }
            Requests::Read => Box::new(std::iter::repeat(load::READ.to_vec())),
        };
        let [server, generator] = [self.pid, std::process::id()].map(Busy::start);
        let done = self.load.run(requests, duration).await;
        let round = Round {
            per_second: done.answered as f64 / done.elapsed.as_secs_f64(),
            server_busy: server.share(done.elapsed),
            generator_busy: generator.share(done.elapsed),
        };
        if let Requests::Updates { rate, .. } = &mut self.requests {
            *rate = rate.max(round.per_second);
        }
        round
    }
}
