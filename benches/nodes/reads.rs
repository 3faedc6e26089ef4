//! Reads, one by one, while the servers take all the updates they can.
//!
//! On a cluster of its own, which is compared with none and comes when those that are have gone: with these writes beside its own, one's
//! tables would have grown larger than the others'. Of its three servers, two have the ranks in memory, as by default, and one has not.
//!
//! What a read was is not supposed but counted, by the servers' own metrics: what their caches were asked for, and had, while the reads of
//! one kind were the only ones. For that they go in small groups, those of the moving board after all others: pages that were read there
//! are loaded ahead for a while.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::load::read_answer;
use crate::support::client::Client;
use crate::support::server::Server;
use crate::support::user::User;
use crate::{CONNECTIONS, Cluster, load, median};

const ROUNDS: usize = 7;
const FIRST_ROUNDS: usize = 2;
const MEASURED: Duration = Duration::from_secs(6);
/// How much of a round, at its end, is for the moving board.
const MOVING: Duration = Duration::from_millis(1200);
/// So many reads of one kind in a row; and how long there are none then: as much of a round as can be is seen.
const GROUP: usize = 5;
const PAUSE: Duration = Duration::from_millis(20);

/// How many have a score on each board that is at rest.
const USERS: usize = 100;
const STYLES: [&str; 3] = ["ordinal", "competition", "dense"];

const SERVERS: usize = 3;
/// What the third stands behind.
const WITHOUT_RANKS: [&str; 2] = ["env", "SCOREBOARD_RANKS__MEGABYTES=0"];
/// That hardly a read hits is what is wanted here, and no reason to load pages before they are asked for.
const UNWARMED: (&str, &str) = ("SCOREBOARD_CACHE__MIN_HIT_PERCENT", "0");

/// At least so many of a kind must have been of it.
const SO_AT_LEAST: f64 = 0.95;

/// Where a page comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ranks,
    Shared,
    Near,
    Database,
    Moving,
}

impl Kind {
    const ALL: [Self; 5] = [Self::Ranks, Self::Shared, Self::Near, Self::Database, Self::Moving];

    const fn name(self) -> &'static str {
        match self {
            Self::Ranks => "miss, from the ranks in memory",
            Self::Shared => "L2 hit, from Redis",
            Self::Near => "L1 hit, from the server itself",
            Self::Database => "miss, from the database",
            Self::Moving => "moving board, any but an L1 hit",
        }
    }

    /// At which server it is read.
    const fn server(self) -> usize {
        match self {
            Self::Ranks => 0,
            Self::Shared | Self::Near | Self::Moving => 1,
            Self::Database => 2,
        }
    }

    /// How many reads were of this kind, of those that the server has counted so.
    fn of(self, counts: &Counts) -> u64 {
        let Counts { near_hits, near_misses, shared_hits, shared_misses, from_ranks } = *counts;
        match self {
            Self::Ranks => shared_misses.min(from_ranks),
            Self::Shared => shared_hits,
            Self::Near => near_hits,
            Self::Database => shared_misses.saturating_sub(from_ranks),
            Self::Moving => near_misses,
        }
    }
}

/// What a server has counted: what its caches had when they were asked, and what the ranks in its memory have answered.
#[derive(Debug)]
struct Counts {
    near_hits: u64,
    near_misses: u64,
    shared_hits: u64,
    shared_misses: u64,
    from_ranks: u64,
}

impl Counts {
    async fn now(client: &mut Client) -> Self {
        let metrics = client.get("/metrics").await.expect("they are answered").expect(200);
        let metrics = metrics.as_str().expect("text");
        let counted = |name: &str, labels: &[&str]| {
            let is_it = |line: &&str| line.starts_with(name) && labels.iter().all(|label| line.contains(label));
            let number = |line: &str| line.rsplit(' ').next().and_then(|number| number.parse::<u64>().ok());
            metrics.lines().filter(is_it).map(|line| number(line).expect("a count")).sum()
        };
        let asked = |tier, result| counted("scoreboard_cache_requests_total{", &[tier, result]);
        let [near, shared, hit, miss] = [r#"tier="l1""#, r#"tier="l2""#, r#"result="hit""#, r#"result="miss""#];
        Self {
            near_hits: asked(near, hit),
            near_misses: asked(near, miss),
            shared_hits: asked(shared, hit),
            shared_misses: asked(shared, miss),
            from_ranks: counted("scoreboard_rank_index_answers_total{", &[r#"from="index""#]),
        }
    }

    fn since(&self, before: &Self) -> Self {
        Self {
            near_hits: self.near_hits - before.near_hits,
            near_misses: self.near_misses - before.near_misses,
            shared_hits: self.shared_hits - before.shared_hits,
            shared_misses: self.shared_misses - before.shared_misses,
            from_ranks: self.from_ranks - before.from_ranks,
        }
    }
}

/// How long the reads of each kind took, and how many were of that kind.
#[derive(Default)]
struct Taken {
    took: [Vec<Duration>; Kind::ALL.len()],
    so: [u64; Kind::ALL.len()],
}

impl Taken {
    fn share(&self, kind: Kind) -> f64 {
        self.so[kind as usize] as f64 / self.took[kind as usize].len().max(1) as f64
    }
}

/// Measures them, and prints what came of it.
pub(crate) async fn run() {
    let mut cluster = Cluster::of_one(1, &[UNWARMED]).await;
    // Before the others are there, which begin with all boards; the first has them soon.
    rest(&cluster.servers[0]).await;
    let second = cluster.servers[0].start_beside().await;
    let third = cluster.servers[0].start_beside_behind(&WITHOUT_RANKS.map(str::to_owned)).await;
    cluster.servers.extend([second, third]);
    let mut cluster = cluster.connected().await;
    let (mut taken, mut written) = (Taken::default(), Vec::new());
    for round in 0..FIRST_ROUNDS + ROUNDS {
        let (requests, opened, board) = (cluster.requests(MEASURED), cluster.open().await, board(round));
        let mut first = Taken::default();
        let of_round = if round < FIRST_ROUNDS { &mut first } else { &mut taken };
        let mut reader = Reader::new(&cluster.servers).await;
        let (updates, ()) = tokio::join!(load(opened, requests, MEASURED), reader.round(&board, of_round));
        let per_second = updates as f64 / MEASURED.as_secs_f64();
        eprintln!("round {} of {} with reads: {per_second:.0}/s written", round + 1, FIRST_ROUNDS + ROUNDS);
        if round >= FIRST_ROUNDS {
            written.push(per_second);
        }
    }
    report(&mut taken, median(written.into_iter()));
    // Which also looks that the versions are contiguous.
    cluster.servers[0].assert_verified();
    for kind in Kind::ALL {
        let share = taken.share(kind);
        assert!(share >= SO_AT_LEAST, "only {:.1} % were what they are called: {}", share * 100.0, kind.name());
    }
}

fn report(taken: &mut Taken, written: f64) {
    println!("\nGET, one by one, while {CONNECTIONS} clients write all they can, {written:.0} a second in the median:");
    println!(
        "{SERVERS} servers of one thread each, {ROUNDS} rounds of {MEASURED:?}, of which each reads pages of its own\n"
    );
    println!("{:<32} {:>8} {:>12} {:>10} {:>10} {:>12}", "", "reads", "of them so", "p50", "p99", "p50 to L1's");
    for took in &mut taken.took {
        took.sort_unstable();
        assert!(!took.is_empty(), "each kind was read");
    }
    let at = |kind: Kind, percent: usize| {
        let took = &taken.took[kind as usize];
        took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e3
    };
    for kind in Kind::ALL {
        let (name, reads, so) = (kind.name(), taken.took[kind as usize].len(), taken.share(kind) * 100.0);
        let [p50, p99, to_near] = [at(kind, 50), at(kind, 99), at(kind, 50) / at(Kind::Near, 50)];
        println!("{name:<32} {reads:>8} {so:>10.1} % {p50:>7.2} ms {p99:>7.2} ms {to_near:>12.2}");
    }
}

/// The board that is at rest and of which one round reads: each its own, so that none finds pages that another has left.
fn board(round: usize) -> String {
    format!("rest-{round}")
}

/// Makes these boards: everyone has a score there, and nobody plays any more.
async fn rest(server: &Server) {
    let boards: Vec<String> = (0..FIRST_ROUNDS + ROUNDS).map(board).collect();
    for board in &boards {
        for words in
            [["admin", "create-board", board].as_slice(), &["admin", "set-kind", board, "tap", "--points", "1"]]
        {
            let done = server.command(words);
            assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        }
    }
    for user in &mut User::register_many(server.address(), "rest", USERS).await {
        for board in &boards {
            play(user, board).await;
        }
    }
}

async fn play(user: &mut User, board: &str) {
    let body = serde_json::json!({ "kind": "tap", "board": board });
    let issued = user.client.send("POST", "/api/scoreboard/generate-action", Some(&user.token), Some(&body)).await;
    let action = issued.expect("it answers").expect(201)["action"].take();
    user.update(&action).await.expect("it answers").expect(200);
}

/// All first pages of a board, in two halves with as many large ones and small ones in each, in an order that mixes them.
fn pages() -> [Vec<String>; 2] {
    let mut halves = [Vec::new(), Vec::new()];
    for number in 0..USERS {
        // Each limit once: 37 and 100 have no divisor in common.
        let limit = number * 37 % USERS + 1;
        halves[number % 2].extend(STYLES.map(|style| format!("limit={limit}&style={style}")));
    }
    halves
}

/// Connections to all servers: to read, and to see what they count. Anew in each round: a server keeps none that is silent until the next.
struct Reader {
    connections: Vec<TcpStream>,
    metrics: Vec<Client>,
}

impl Reader {
    async fn new(servers: &[Server]) -> Self {
        let (mut connections, mut metrics) = (Vec::new(), Vec::new());
        for server in servers {
            connections.push(connect(server.address()).await);
            metrics.push(Client::new(server.address()));
        }
        Self { connections, metrics }
    }

    /// Reads until the round is over, of the board at rest until there is no page left that was not read before.
    async fn round(&mut self, board: &str, taken: &mut Taken) {
        let deadline = Instant::now() + MEASURED;
        // The writers begin.
        sleep(MEASURED / 10).await;
        let [of_ranks, of_database] = pages();
        let query = |page: &String| format!("board={board}&{page}");
        for (ranks, database) in of_ranks.chunks(GROUP).zip(of_database.chunks(GROUP)) {
            if Instant::now() + MOVING >= deadline {
                break;
            }
            let [ranks, database] = [ranks, database].map(|pages| pages.iter().map(query).collect::<Vec<_>>());
            // The first loads what the next two find.
            self.group(Kind::Ranks, &ranks, taken).await;
            self.group(Kind::Shared, &ranks, taken).await;
            self.group(Kind::Near, &ranks, taken).await;
            self.group(Kind::Database, &database, taken).await;
            sleep(PAUSE).await;
        }
        for pages in of_ranks.chunks(GROUP) {
            if Instant::now() >= deadline {
                break;
            }
            self.group(Kind::Moving, pages, taken).await;
            sleep(PAUSE).await;
        }
    }

    async fn group(&mut self, kind: Kind, queries: &[String], taken: &mut Taken) {
        let server = kind.server();
        let before = Counts::now(&mut self.metrics[server]).await;
        for query in queries {
            taken.took[kind as usize].push(read(&mut self.connections[server], query).await);
        }
        let counts = Counts::now(&mut self.metrics[server]).await.since(&before);
        taken.so[kind as usize] += kind.of(&counts).min(queries.len() as u64);
    }
}

async fn connect(server: SocketAddr) -> TcpStream {
    let connection = TcpStream::connect(server).await.expect("the server takes connections");
    connection.set_nodelay(true).expect("TCP knows TCP_NODELAY");
    connection
}

async fn read(connection: &mut TcpStream, query: &str) -> Duration {
    let request = format!("GET /api/scoreboard?{query} HTTP/1.1\r\nhost: scoreboard\r\n\r\n");
    let mut buffer = vec![0; 64 * 1024];
    let started = Instant::now();
    connection.write_all(request.as_bytes()).await.expect("the server reads");
    read_answer(connection, &mut buffer).await;
    started.elapsed()
}
