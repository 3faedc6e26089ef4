//! Reads, one by one, while the servers take all the updates they can.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

use crate::Cluster;
use crate::load::read_answer;
use crate::support::server::Server;
use crate::support::user::User;

/// Where a page is found.
const WAYS: [&str; 4] = ["the store", "the shared cache", "the near cache", "a moving board, anywhere"];
const QUIET: &str = "quiet";
/// How many have a score on it.
const USERS: usize = 100;
const STYLES: [&str; 3] = ["ordinal", "competition", "dense"];

/// What has been read so far.
pub(crate) struct Reads {
    servers: [SocketAddr; 2],
    /// Each page is read for the first time once.
    pages: std::vec::IntoIter<String>,
    took: [Vec<Duration>; WAYS.len()],
}

impl Reads {
    /// Makes a board that nobody plays on any more.
    pub(crate) async fn new(cluster: &Cluster) -> Self {
        let server = &cluster.servers[0];
        for words in
            [["admin", "create-board", QUIET].as_slice(), &["admin", "set-kind", QUIET, "tap", "--points", "1"]]
        {
            let done = server.command(words);
            assert!(done.status.success(), "{words:?}: {}", String::from_utf8_lossy(&done.stderr));
        }
        play(server).await;
        let pages = (1..=USERS).flat_map(|limit| STYLES.map(|style| format!("limit={limit}&style={style}")));
        let pages: Vec<String> = pages.collect();
        let servers = [0, 1].map(|at| cluster.servers[at].address());
        Self { servers, pages: pages.into_iter(), took: Default::default() }
    }

    /// Reads for so long, or until there is no page left.
    pub(crate) async fn round(&mut self, duration: Duration) {
        let deadline = Instant::now() + duration;
        // Anew in each round: a server keeps none that is silent until the next.
        let mut connections = [connect(self.servers[0]).await, connect(self.servers[1]).await];
        // The writers open their connections first.
        sleep(duration / 10).await;
        while Instant::now() < deadline {
            let Some(page) = self.pages.next() else { return };
            let quiet = format!("board={QUIET}&{page}");
            for (way, (server, query)) in [(0, &quiet), (1, &quiet), (1, &quiet), (1, &page)].into_iter().enumerate() {
                let took = read(&mut connections[server], query).await;
                self.took[way].push(took);
            }
            // As much of the run as can be is seen.
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub(crate) fn report(&mut self) {
        println!(
            "\n{:<28} {:>8} {:>10} {:>10} {:>22}",
            "GET under full write load", "reads", "median", "p99", "median to the near's"
        );
        for took in &mut self.took {
            took.sort_unstable();
        }
        let at = |took: &[Duration], percent: usize| took[(took.len() - 1) * percent / 100].as_secs_f64() * 1e3;
        let near = at(&self.took[2], 50);
        for (way, took) in WAYS.iter().zip(&self.took) {
            let [median, p99] = [at(took, 50), at(took, 99)];
            println!("{way:<28} {:>8} {median:>7.2} ms {p99:>7.2} ms {:>22.2}", took.len(), median / near);
        }
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

/// A score for each of its users.
async fn play(server: &Server) {
    let mut users = User::register_many(server.address(), "quiet", USERS).await;
    for user in &mut users {
        let body = serde_json::json!({ "kind": "tap", "board": QUIET });
        let issued = user.client.send("POST", "/api/scoreboard/generate-action", Some(&user.token), Some(&body)).await;
        let action = issued.expect("it answers").expect(201)["action"].take();
        user.update(&action).await.expect("it answers").expect(200);
    }
}
