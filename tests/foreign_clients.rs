//! Clients that others wrote stay in step with the board while they are cut off again and again: npm's `ws`, Python's `websockets`, and
//! the Rust client beside them. Each of their views is what the server answers at that position.

mod support;

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use scoreboard::client::{self, ClientConfig, Event, State};
use scoreboard::{BoardId, UserId};
use serde_json::{Value, json};
use support::arena::Arena;
use support::client::Client;
use support::fault_proxy::{Fault, FaultProxy, Upstream};
use support::server::Server;
use support::wait::until;
use tokio::time::sleep;

const PATIENCE: Duration = Duration::from_secs(60);

/// Fewer than there are users, so that they come and go.
const LIMIT: usize = 5;

/// How often the connections are cut, each way.
const ROUNDS: usize = 4;

/// What a follower has said so far.
#[derive(Debug, Default)]
struct Told {
    views: Vec<Value>,
    /// How many of them were sent whole.
    wholes: usize,
    losses: usize,
    /// What it said last, if it has ended.
    ended: Option<String>,
}

/// One who follows the board, in whatever language.
struct Follower {
    name: &'static str,
    told: Arc<Mutex<Told>>,
    /// Ends with its input, and with this.
    child: Option<Child>,
}

impl Follower {
    /// A script of `tests/foreign/`.
    fn script(name: &'static str, program: &str, script: &str, url: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/foreign").join(script);
        let mut child = Command::new(program)
            .arg(path)
            .args([url, "main", &LIMIT.to_string()])
            // Where Debian puts npm's packages.
            .env("NODE_PATH", "/usr/share/nodejs")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{program} is missing: scripts/setup installs it: {error}"));
        let told = Arc::new(Mutex::new(Told::default()));
        let (out, err) = (child.stdout.take().expect("piped"), child.stderr.take().expect("piped"));
        let listened = told.clone();
        std::thread::spawn(move || {
            for line in BufReader::new(out).lines() {
                let line: Value = serde_json::from_str(&line.expect("text")).expect("JSON");
                let mut told = listened.lock().expect("nobody panics with it");
                match line.get("view") {
                    Some(view) => {
                        told.views.push(view.clone());
                        told.wholes += usize::from(line["whole"] == true);
                    }
                    None => told.losses += 1,
                }
            }
            let last = BufReader::new(err).lines().map_while(Result::ok).collect::<Vec<_>>().join("\n");
            listened.lock().expect("nobody panics with it").ended = Some(last);
        });
        Self { name, told, child: Some(child) }
    }

    /// The Rust client, and the task that listens to it.
    fn rust(url: &str) -> Self {
        let moment = Duration::from_millis(250);
        let config = ClientConfig {
            first_wait: moment,
            longest_wait: moment,
            restart_spread: moment,
            ..ClientConfig::default()
        };
        let client = client::Client::builder(url).with_config(config).connect().expect("a URL");
        let mut main = client.subscribe(&BoardId::main(), LIMIT).expect("it is followed");
        let told = Arc::new(Mutex::new(Told::default()));
        let listened = told.clone();
        tokio::spawn(async move {
            let mut offline = false;
            while let Some(event) = main.next().await {
                let mut told = listened.lock().expect("nobody panics with it");
                match event {
                    Event::Moved(moved) => {
                        told.views.push(view(&moved.view));
                        told.wholes += usize::from(moved.previous.is_none());
                    }
                    Event::State(state) => {
                        let now = matches!(state, State::Offline(_));
                        told.losses += usize::from(now && !offline);
                        offline = now;
                    }
                }
            }
            listened.lock().expect("nobody panics with it").ended = Some("it was refused".to_owned());
        });
        Self { name: "scoreboard-client", told, child: None }
    }

    #[track_caller]
    fn now(&self) -> (usize, usize, usize) {
        let told = self.told.lock().expect("nobody panics with it");
        assert_eq!(told.ended, None, "{} has ended", self.name);
        (told.views.len(), told.losses, told.wholes)
    }
}

impl Drop for Follower {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// The Rust client's view, in the words of the others.
fn view(view: &client::View) -> Value {
    let entries = view.entries.iter().map(|entry| {
        json!({"rank": entry.rank, "userId": entry.user_id, "displayName": entry.display_name, "score": entry.score})
    });
    json!({
        "board": view.board,
        "season": view.season,
        "epoch": view.position.epoch,
        "version": view.position.version,
        "total": view.total,
        "entries": entries.collect::<Vec<_>>(),
    })
}

/// What the server answered, by its position.
type Pages = Arc<Mutex<BTreeMap<(u64, u64), Value>>>;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_clients_and_our_own_stay_in_step_through_cuts_and_a_crash() {
    let mut server = Server::start().await;
    let key = Arena::key(&server);
    let proxy = FaultProxy::start(Upstream::Port(server.address())).await;
    let live = format!("ws://{}/api/scoreboard/ws", proxy.address());
    let users: Vec<String> = (0..12).map(|user| UserId::for_name("arena", &user.to_string()).to_string()).collect();
    let arena = Arena::play(&server, &key, &["main"], &users, 60);
    let pages = Pages::default();
    let reader = tokio::spawn(read(server.address(), pages.clone()));
    let followers = [
        Follower::script("ws", "node", "follow_ws.js", &live),
        // Debian's own Python, which has Debian's packages.
        Follower::script("websockets", "/usr/bin/python3", "follow_websockets.py", &live),
        Follower::rust(&format!("http://{}", proxy.address())),
    ];
    further(&followers).await;

    for round in 0..2 * ROUNDS {
        lose(&followers, async || proxy.set(if round % 2 == 0 { Fault::Cut } else { Fault::Reset })).await;
        proxy.set(Fault::None);
        further(&followers).await;
    }
    for follower in &followers {
        let (_, losses, wholes) = follower.now();
        assert!(losses >= 2 * ROUNDS, "{} was cut off: {losses}", follower.name);
        assert_eq!(wholes, 1, "{} went on from where it was", follower.name);
    }
    lose(&followers, async || server.kill9()).await;
    server.restart().await;
    further(&followers).await;

    assert!(arena.recorded() > 100, "it was played all the while: {}", arena.recorded());
    drop(arena);
    let mut client = Client::new(server.address());
    for follower in &followers {
        // What is in flight still lands.
        let what = format!("{} holds what the server answers", follower.name);
        until(what, PATIENCE, async || {
            let page = page(&mut client).await?;
            follower.now();
            let told = follower.told.lock().expect("nobody panics with it");
            (told.views.last() == Some(&page)).then_some(())
        })
        .await;
    }
    reader.abort();
    let pages = pages.lock().expect("nobody panics with it");
    for follower in &followers {
        let told = follower.told.lock().expect("nobody panics with it");
        let (mut compared, mut before) = (0, (0, 0));
        for view in &told.views {
            let at = position(view);
            assert!(at >= before, "{} went back from {before:?} to {at:?}", follower.name);
            before = at;
            if let Some(page) = pages.get(&at) {
                assert_eq!(view, page, "{} at {at:?}", follower.name);
                compared += 1;
            }
        }
        let (views, losses, wholes) = (told.views.len(), told.losses, told.wholes);
        println!("{}: {views} views, {compared} of them compared, {losses} losses, {wholes} sent whole", follower.name);
        assert!(compared >= 20, "{}: {compared} views of {views} were compared", follower.name);
    }
}

/// Something happens by which all lose their connection.
async fn lose(followers: &[Follower], happens: impl AsyncFnOnce()) {
    let before: Vec<usize> = followers.iter().map(|follower| follower.now().1).collect();
    happens().await;
    for (follower, before) in followers.iter().zip(before) {
        until(format!("{} hears of it", follower.name), PATIENCE, async || (follower.now().1 > before).then_some(()))
            .await;
    }
}

/// All are told more.
async fn further(followers: &[Follower]) {
    let before: Vec<usize> = followers.iter().map(|follower| follower.now().0).collect();
    for (follower, before) in followers.iter().zip(before) {
        until(format!("{} is told more", follower.name), PATIENCE, async || {
            (follower.now().0 >= before + 5).then_some(())
        })
        .await;
    }
}

/// Reads the board again and again, for all positions that it can be had at.
async fn read(address: std::net::SocketAddr, pages: Pages) {
    let mut client = Client::new(address);
    loop {
        if let Some(page) = page(&mut client).await {
            pages.lock().expect("nobody panics with it").insert(position(&page), page);
        }
        sleep(Duration::from_millis(5)).await;
    }
}

/// The board's page, in the words of a view.
async fn page(client: &mut Client) -> Option<Value> {
    let answer = client.get(&format!("/api/scoreboard?limit={LIMIT}")).await.ok()?;
    let mut page = (answer.status == 200).then_some(answer.body)?;
    for entry in page["entries"].as_array_mut().expect("entries") {
        entry.as_object_mut().expect("an entry is an object").remove("updatedAt");
    }
    let fields = ["board", "season", "epoch", "version", "total", "entries"];
    Some(fields.into_iter().map(|field| (field.to_owned(), page[field].take())).collect())
}

fn position(of: &Value) -> (u64, u64) {
    let number = |field: &str| of[field].as_u64().expect("positions are numbers");
    (number("epoch"), number("version"))
}
