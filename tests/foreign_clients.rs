//! Clients that others wrote stay in step with the board while they are cut off again and again: npm's `ws`, Python's `websockets`, and
//! the Rust client beside them. Each of their views is what the server answers at that position.

mod support;

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use scoreboard::{BoardId, UserId};
use serde_json::Value;
use support::arena::Arena;
use support::client::Client;
use support::fault_proxy::{Fault, FaultProxy, Upstream};
use support::follower::{Told, hasty, listen};
use support::pages::{Pages, Part, page};
use support::server::Server;
use support::wait::until;

const PATIENCE: Duration = Duration::from_secs(60);

/// Fewer than there are users, so that they come and go.
const LIMIT: usize = 5;

/// How often the connections are cut, each way.
const ROUNDS: usize = 4;

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

    /// The Rust client.
    fn rust(url: &str) -> Self {
        let main = hasty(url).subscribe(&BoardId::main(), LIMIT).expect("it is followed");
        Self { name: "scoreboard-client", told: listen(main), child: None }
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn foreign_clients_and_our_own_stay_in_step_through_cuts_and_a_crash() {
    let mut server = Server::start().await;
    let key = Arena::key(&server);
    let proxy = FaultProxy::start(Upstream::Port(server.address())).await;
    let live = format!("ws://{}/api/scoreboard/ws", proxy.address());
    let users: Vec<String> = (0..12).map(|user| UserId::for_name("arena", &user.to_string()).to_string()).collect();
    let arena = Arena::play(&server, &key, &["main"], &users, 60);
    let pages = Pages::read(server.address(), "main");
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
        let (_, losses, _) = follower.now();
        assert!(losses >= 2 * ROUNDS, "{} was cut off: {losses}", follower.name);
    }
    // Who was away for longer than the server keeps updates is told the whole view, so how often depends on the machine; but not each
    // time.
    let told = followers.iter().map(Follower::now);
    let resumed: usize = told.map(|(_, losses, wholes)| losses + 1 - wholes).sum();
    assert!(resumed > 0, "some went on from where they were");
    lose(&followers, async || server.kill9()).await;
    server.restart().await;
    further(&followers).await;

    assert!(arena.recorded() > 100, "it was played all the while: {}", arena.recorded());
    drop(arena);
    let (mut client, top) = (Client::new(server.address()), Part::Top(LIMIT));
    for follower in &followers {
        // What is in flight still lands.
        let what = format!("{} holds what the server answers", follower.name);
        until(what, PATIENCE, async || {
            let page = top.of(page(&mut client, "main").await?);
            follower.now();
            let told = follower.told.lock().expect("nobody panics with it");
            (told.views.last() == Some(&page)).then_some(())
        })
        .await;
    }
    for follower in &followers {
        let told = follower.told.lock().expect("nobody panics with it");
        let compared = pages.compare(follower.name, &top, &told.views);
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
