//! The Rust client and the real server: in step with every part of a board that it follows, whatever happens to its connection.

mod support;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use scoreboard::{BoardId, UserId};
use support::arena::Arena;
use support::client::Client as Http;
use support::fault_proxy::{Fault, FaultProxy, Upstream};
use support::follower::{Told, hasty, listen};
use support::pages::{Pages, Part, page};
use support::server::Server;
use support::wait::until;

const PATIENCE: Duration = Duration::from_secs(60);

/// How often the connection is cut, each way.
const ROUNDS: usize = 4;

/// One subscription of the client.
struct Follower {
    name: &'static str,
    board: usize,
    part: Part,
    told: Arc<Mutex<Told>>,
}

impl Follower {
    fn told<T>(&self, of: impl Fn(&Told) -> T) -> T {
        let told = self.told.lock().expect("nobody panics with it");
        assert_eq!(told.ended, None, "{} has ended", self.name);
        of(&told)
    }

    /// Waits until this is more by so much.
    async fn wait(&self, what: &str, before: usize, more: usize, of: impl Fn(&Told) -> usize) {
        let (name, enough) = (self.name, before + more);
        until(format!("{name}: {what}"), PATIENCE, async || (self.told(&of) >= enough).then_some(())).await;
    }
}

const BOARDS: [&str; 2] = ["main", "side"];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_rust_client_stays_in_step_in_every_way_through_cuts_and_restarts() {
    let mut server = Server::start().await;
    for words in [
        &["admin", "create-board", "side", "--name", "Side"][..],
        &["admin", "set-kind", "side", "boss", "--points", "50..150"][..],
    ] {
        let made = server.command(words);
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
    let key = Arena::key(&server);
    // Boards are looked up again after a while; begun anew, the server knows the new one.
    server.kill9();
    server.restart().await;
    let proxy = FaultProxy::start(Upstream::Port(server.address())).await;
    let ids: Vec<UserId> = (0..12).map(|user| UserId::for_name("arena", &user.to_string())).collect();
    let users: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let arena = Arena::play(&server, &key, &BOARDS, &users, 60);
    let pages = BOARDS.map(|board| Pages::read(server.address(), board));
    let client = hasty(&format!("http://{}", proxy.address()));
    let boards = BOARDS.map(|board| BoardId::new(board).expect("a slug"));
    // One of the list is not on the board.
    let listed = [&ids[..4], &[UserId::MIN]].concat();
    let followers = [
        ("main", 0, Part::Top(5), client.subscribe(&boards[0], 5)),
        ("side", 1, Part::Top(5), client.subscribe(&boards[1], 5)),
        ("near", 0, Part::Around(users[3].clone(), 2), client.subscribe_around(&boards[0], ids[3], 2)),
        (
            "some",
            0,
            Part::Users(listed.iter().map(ToString::to_string).collect()),
            client.subscribe_users(&boards[0], listed),
        ),
    ];
    let followers = followers.map(|(name, board, part, subscription)| {
        let told = listen(subscription.expect("it is followed"));
        Follower { name, board, part, told }
    });
    further(&followers).await;

    for round in 0..2 * ROUNDS {
        lose(&followers, async || proxy.set(if round % 2 == 0 { Fault::Cut } else { Fault::Reset })).await;
        proxy.set(Fault::None);
        further(&followers).await;
    }
    // How many are told the whole view, for they were away too long, depends on the machine; but not all, each time.
    let resumed: usize = followers.iter().map(|follower| follower.told(|told| told.losses + 1 - told.wholes)).sum();
    assert!(resumed > 0, "some went on from where they were");
    lose(&followers, async || server.kill9()).await;
    server.restart().await;
    further(&followers).await;
    lose(&followers, async || assert!(server.terminate().await.success())).await;
    server.restart().await;
    further(&followers).await;

    assert!(arena.recorded() > 100, "it was played all the while: {}", arena.recorded());
    drop(arena);
    let mut http = Http::new(server.address());
    for follower in &followers {
        // What is in flight still lands.
        until(format!("{} holds what the server answers", follower.name), PATIENCE, async || {
            let page = follower.part.of(page(&mut http, BOARDS[follower.board]).await?);
            follower.told(|told| told.views.last() == Some(&page)).then_some(())
        })
        .await;
    }
    for follower in &followers {
        let views = follower.told(|told| told.views.clone());
        let compared = pages[follower.board].compare(follower.name, &follower.part, &views);
        let (losses, wholes) = follower.told(|told| (told.losses, told.wholes));
        println!(
            "{}: {} views, {compared} of them compared, {losses} losses, {wholes} sent whole",
            follower.name,
            views.len()
        );
        assert!(compared >= 20, "{}: {compared} views were compared", follower.name);
    }
}

/// Something happens by which all lose their connection.
async fn lose(followers: &[Follower], happens: impl AsyncFnOnce()) {
    let before: Vec<usize> = followers.iter().map(|follower| follower.told(|told| told.losses)).collect();
    happens().await;
    for (follower, before) in followers.iter().zip(before) {
        follower.wait("hears of it", before, 1, |told| told.losses).await;
    }
}

/// All are live, and told more.
async fn further(followers: &[Follower]) {
    let before: Vec<usize> = followers.iter().map(|follower| follower.told(|told| told.views.len())).collect();
    for (follower, before) in followers.iter().zip(before) {
        follower.wait("is told more", before, 5, |told| if told.live { told.views.len() } else { 0 }).await;
    }
}
