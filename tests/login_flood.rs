//! A flood of logins: pages are read as before, passwords are hashed a bounded number at once, and memory stays where it is.

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use support::client::Client;
use support::resident::resident;
use support::scale::scaled;
use support::server::Server;
use support::user::User;
use tokio::time::{Instant, MissedTickBehavior, interval};

/// How long the flood lasts, in reads.
const READS: usize = 5_000;
/// Logins each second, over so many connections.
const LOGINS: u32 = 200;
const CONNECTIONS: u32 = 20;
const PAUSE: Duration = Duration::from_millis(2);
const MEMORY_KIB: u64 = 64 * 1024;

/// The time that 99 of 100 reads take at most.
async fn reads(server: &Server, count: usize) -> Duration {
    let mut client = Client::new(server.address());
    let mut times = Vec::with_capacity(count);
    let mut pace = interval(PAUSE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for _ in 0..count {
        pace.tick().await;
        let began = Instant::now();
        client.get("/api/scoreboard").await.expect("a read is answered").expect(200);
        times.push(began.elapsed());
    }
    times.sort_unstable();
    times[count * 99 / 100]
}

#[derive(Default)]
struct Flood {
    over: AtomicBool,
    refused: AtomicUsize,
    busy: AtomicUsize,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_flood_of_logins_slows_no_read_and_takes_no_memory() {
    let server = Server::start().await;
    User::register(server.address(), "ada").await;
    let count = scaled(READS);
    let idle = reads(&server, count).await;
    let before = resident(server.pid());

    let flood = Arc::new(Flood::default());
    let floods: Vec<_> = (0..CONNECTIONS)
        .map(|number| {
            let (flood, address) = (flood.clone(), server.address());
            tokio::spawn(async move {
                let mut client = Client::new(address);
                let mut pace = interval(Duration::from_secs(1) * CONNECTIONS / LOGINS);
                pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
                let mut tries = 0;
                while !flood.over.load(Ordering::Acquire) {
                    pace.tick().await;
                    tries += 1;
                    let email = if tries % 2 == 0 {
                        "ada@example.org".to_owned()
                    } else {
                        format!("u{number}.{tries}@example.org")
                    };
                    let guess = json!({ "email": email, "password": "a guess that is wrong" });
                    let answer = client.post("/api/auth/login", &guess).await.expect("login answers");
                    match answer.status {
                        401 => flood.refused.fetch_add(1, Ordering::Relaxed),
                        503 => {
                            assert!(answer.headers.contains_key("retry-after"));
                            flood.busy.fetch_add(1, Ordering::Relaxed)
                        }
                        other => panic!("{other}: {}", answer.body),
                    };
                }
            })
        })
        .collect();
    let began = Instant::now();
    let flooded = reads(&server, count).await;
    let took = began.elapsed();
    let memory = resident(server.pid()).saturating_sub(before);
    flood.over.store(true, Ordering::Release);
    for task in floods {
        task.await.expect("every login is answered");
    }
    let [refused, busy] = [&flood.refused, &flood.busy].map(|count| count.load(Ordering::Relaxed));
    println!(
        "{} logins in {took:?}: {refused} hashed, {busy} refused as busy; 99 of 100 reads in {idle:?} idle, {flooded:?} flooded; {memory} KiB more",
        refused + busy
    );
    assert!(refused > 0 && busy > 0, "some are hashed, what is too much is refused");
    // The flood, the readers and the server share the machine's processors: below that, what is measured is the test.
    let noise = Duration::from_millis(25);
    assert!(flooded <= (idle * 2).max(idle + noise), "{idle:?} idle, {flooded:?} flooded");
    assert!(memory <= MEMORY_KIB, "{memory} KiB");
}
