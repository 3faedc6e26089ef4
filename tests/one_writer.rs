//! Three servers of one database and one Redis: one of them writes the board for all, and another does when that one is killed, or stuck, or told to stop. All
//! that was acknowledged is there, once, wherever it was handed in.

mod support;

use std::time::Duration;

use support::client::Client;
use support::load::{Load, check_all};
use support::metrics::counted;
use support::place::Place;
use support::redis::Process;
use support::server::{Server, UNLIMITED};
use support::user::User;
use support::wait::until;

const PATIENCE: Duration = Duration::from_secs(20);
const SERVERS: usize = 3;
/// At each server: so many that most batches hold several, and others come in between.
const CLIENTS: usize = 12;
/// In each stretch, while one thing is the matter.
const UPDATES: usize = 600;

/// How many changes a server has applied for others, and had applied by another.
async fn shared(server: &Server) -> [u64; 2] {
    let mut client = Client::new(server.address());
    let mut sums = [0; 2];
    for (sum, whom) in sums.iter_mut().zip(["others", "us"]) {
        *sum = counted(&mut client, &format!("scoreboard_one_writer_changes_total{{for=\"{whom}\"}}")).await;
    }
    sums
}

/// The one that writes for the others from now on; those that are away are not asked.
async fn writer(servers: &[Server], away: Option<usize>) -> usize {
    let is_there = |at: &usize| Some(*at) != away;
    let mut before = Vec::new();
    for at in (0..SERVERS).filter(is_there) {
        before.push((at, shared(&servers[at]).await));
    }
    until("one server writes for the others", PATIENCE, async || {
        let mut writes = None;
        for (at, [others, _]) in &before {
            let [others_now, _] = shared(&servers[*at]).await;
            // Some batches, and not one that was under way.
            if others_now > others + 40 {
                writes = Some(*at);
            }
        }
        writes
    })
    .await
}

/// Until the clients of each server have played their part of a stretch.
async fn reach_all(loads: &[Load; SERVERS]) {
    for load in loads {
        load.reach(load.acknowledged() + UPDATES / SERVERS).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_writes_for_all_and_whatever_befalls_it_another_does() {
    let redis = Process::start(&[]);
    let url = redis.url();
    let settings: Vec<_> = UNLIMITED.into_iter().chain([("SCOREBOARD_REDIS__URL", url.as_str())]).collect();
    let first = Server::start_as(Place::postgres().await, &settings, &[]).await;
    let (second, third) = (first.start_beside().await, first.start_beside().await);
    let mut servers = [first, second, third];
    let mut users = User::register_many(servers[0].address(), "user", CLIENTS * SERVERS).await;
    let loads = servers.each_ref().map(|server| {
        let mut users = users.split_off(users.len() - CLIENTS);
        users.iter_mut().for_each(|user| user.client = Client::new(server.address()));
        Load::behind_faults(users)
    });

    let killed = writer(&servers, None).await;
    servers[killed].kill9();
    let stuck = writer(&servers, Some(killed)).await;
    assert_ne!(stuck, killed);
    servers[killed].restart().await;

    servers[stuck].signal("STOP");
    let stopped = writer(&servers, Some(stuck)).await;
    assert_ne!(stopped, stuck);
    servers[stuck].signal("CONT");

    // So many that whoever had to ask again before is through with it.
    reach_all(&loads).await;
    let before = loads.each_ref().map(Load::asked_again);
    assert!(servers[stopped].terminate().await.success());
    let last = writer(&servers, Some(stopped)).await;
    assert_ne!(last, stopped);
    for at in (0..SERVERS).filter(|at| *at != stopped) {
        loads[at].reach(loads[at].acknowledged() + UPDATES / SERVERS).await;
        assert_eq!(
            loads[at].asked_again(),
            before[at],
            "who writes for others and is told to stop leaves none of them without an answer"
        );
    }
    servers[stopped].restart().await;

    reach_all(&loads).await;
    let (mut users, mut asked_again) = (Vec::new(), 0);
    for load in loads {
        let (played, unknown) = load.stop().await;
        users.extend(played);
        asked_again += unknown.asked_again;
    }
    let counted = check_all(users).await;
    servers[0].assert_verified();
    println!("{counted} updates, {asked_again} of them asked for again");
}
