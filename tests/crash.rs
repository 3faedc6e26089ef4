//! What was acknowledged is there, once, whenever the server's process ends.

mod support;

use std::time::Duration;

use support::load::{Load, check_all};
use support::place::{Place, on_every_place};
use support::seed::Seeded;
use support::server::Server;
use tokio::time::{Instant, sleep};

const KILLS: u64 = 20;
const ACKNOWLEDGED: usize = 5_000;
const CLIENTS: usize = 32;

on_every_place!(
    twenty_kills_under_load_lose_nothing_and_double_nothing,
    sigterm_under_load_ends_in_order_within_the_drain_time,
);

async fn twenty_kills_under_load_lose_nothing_and_double_nothing(place: Place) {
    let mut seeded = Seeded::new();
    let mut server = Server::start_on(place).await;
    let load = Load::start(server.address(), CLIENTS).await;

    for kill in 1..=KILLS {
        let goal = ACKNOWLEDGED * kill as usize / KILLS as usize;
        load.reach(goal).await;
        // Somewhere between two commits, or within one.
        sleep(Duration::from_micros(seeded.within(0..20_000))).await;
        server.kill9();
        server.restart().await;
    }
    load.reach(ACKNOWLEDGED).await;
    let (users, unknown) = load.stop().await;

    let counted = check_all(users).await;
    assert!(counted >= ACKNOWLEDGED);
    assert!(unknown.asked_again > 0, "no kill met a request under way: the load is too small to show anything");
    assert!(server.terminate().await.success());
    let verified = server.assert_verified();
    assert!(verified.contains(&format!("version {counted} ({CLIENTS} scores)")), "{verified}");
    println!(
        "{counted} updates acknowledged over {KILLS} kills, 0 lost, 0 doubled; {} had an unknown outcome at first, of which {} \
         turned out to have counted",
        unknown.asked_again, unknown.had_counted
    );
}

async fn sigterm_under_load_ends_in_order_within_the_drain_time(place: Place) {
    let mut server = Server::start_on(place).await;
    let load = Load::start(server.address(), CLIENTS).await;
    load.reach(500).await;

    let asked = Instant::now();
    let status = server.terminate().await;
    let took = asked.elapsed();
    assert!(status.success(), "SIGTERM is an orderly end: {status}\n{}", server.log());
    assert!(took < Duration::from_secs(10), "the drain took {took:?}");
    server.assert_verified();

    server.restart().await;
    let acknowledged = load.acknowledged();
    load.reach(acknowledged + 100).await;
    let (users, _) = load.stop().await;
    let counted = check_all(users).await;
    let verified = server.assert_verified();
    assert!(verified.contains(&format!("version {counted} ({CLIENTS} scores)")), "beside a running server: {verified}");
}
