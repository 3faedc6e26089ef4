//! A server whose database is lost, held up, or cut off at the worst moment: fails in time, says so, counts nothing twice, and comes back
//! by itself.

mod support;

use std::time::Duration;

use futures_util::future::join_all;
use scoreboard_postgres::sqlx::{self, Connection, PgConnection};
use serde_json::{Value, json};
use support::client::{Answer, Client};
use support::fault_proxy::{Fault, FaultProxy, Trap, Upstream};
use support::load::{Load, check_all, check_each};
use support::place::Place;
use support::postgres;
use support::scale::scaled;
use support::server::{Server, UNLIMITED};
use support::user::{PASSWORD, User};
use support::wait::until;
use tokio::time::{Instant, sleep};

/// Within this a request that cannot be served has failed; and what a busy machine adds.
const FAIL_FAST: Duration = Duration::from_millis(2_000 + 300);
/// Within this the server serves again once its database can be reached.
const RECOVERY: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(120);

/// A server, and the faults between it and a database of its own. In the order in which they go.
struct Behind {
    server: Server,
    proxy: FaultProxy,
    database: postgres::Server,
}

impl Behind {
    async fn start() -> Self {
        Self::start_with(&[]).await
    }

    /// With these settings beside those that no test is limited by.
    async fn start_with(settings: &[(&str, &str)]) -> Self {
        let database = postgres::Server::start(&[]);
        let proxy = FaultProxy::start(Upstream::Socket(database.socket())).await;
        let url = format!("postgres://postgres@{}/postgres?sslmode=disable", proxy.address());
        let server = Server::start_as(Place::At(url), &[&UNLIMITED, settings].concat(), &[]).await;
        Self { server, proxy, database }
    }

    async fn user(&self, name: &str) -> User {
        User::register(self.server.address(), name).await
    }

    /// Waits until an update counts again, and tells how long that took.
    async fn recovers(&self, user: &mut User) -> Duration {
        let began = Instant::now();
        until("updates count again", PATIENCE, async || {
            let Ok(Answer { status: 201, mut body, .. }) = user.issue("tap").await else { return None };
            let answer = user.update(&body["action"].take()).await.ok()?;
            (answer.status == 200).then_some(())
        })
        .await;
        began.elapsed()
    }
}

async fn started(user: &mut User) -> Value {
    user.issue("tap").await.expect("issue answers").expect(201)["action"].take()
}

/// A refusal that says when to come again.
fn refused(what: &str, answer: &Answer) {
    assert_eq!(answer.status, 503, "{what}: {}", answer.body);
    assert_eq!(answer.body["code"], "unavailable", "{what}");
    assert!(answer.headers.contains_key("retry-after"), "{what}: {:?}", answer.headers);
}

/// The same in time; gives how long it took.
fn refused_in_time(what: &str, answer: &Answer, began: Instant) -> Duration {
    let took = began.elapsed();
    refused(what, answer);
    assert!(took <= FAIL_FAST, "{what} took {took:?}");
    took
}

/// The reply to so many commits is cut off after they were made, and others before they could be: nobody at this end can tell which.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn commits_whose_answer_is_cut_off_count_once() {
    const AFTER: usize = 500;
    const BEFORE: usize = 120;
    let behind = Behind::start().await;
    let users = User::register_many(behind.server.address(), "cut", 8).await;
    let load = Load::behind_faults(users);
    let cut = async |trap, times, all| {
        behind.proxy.arm(trap, times);
        until(format!("{all} commits were cut"), PATIENCE, async || (behind.proxy.sprung() >= all).then_some(())).await;
    };
    cut(Trap::AfterCommit, AFTER, AFTER).await;
    cut(Trap::BeforeCommit, BEFORE, AFTER + BEFORE).await;
    load.reach(load.acknowledged() + 100).await;
    let (users, unknown) = load.stop().await;
    let counted = check_all(users).await;
    // A repeat is found by reading, and commits nothing that could be cut.
    assert!(counted >= AFTER, "{counted} updates: of {AFTER} commits that were cut behind, many made nothing durable");
    let verified = behind.server.assert_verified();
    assert!(verified.contains(&format!("version {counted} (8 scores)")), "{verified}");
    println!(
        "{counted} updates, {} commits cut: 0 lost, 0 doubled; clients asked again {unknown:?}",
        behind.proxy.sprung()
    );
}

/// The database swallows everything, in the middle of load, and tells nobody.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_cut_off_silently_fails_requests_in_time() {
    let behind = Behind::start().await;
    // With commits under way when it happens.
    let load = Load::behind_faults(User::register_many(behind.server.address(), "load", 4).await);
    let users = User::register_many(behind.server.address(), "silent", 12).await;
    let mut probe = behind.user("probe").await;
    let mut actions = Vec::new();
    let mut waiting = Vec::new();
    for mut user in users {
        // Before the fault: to sign an action takes the board's catalogue.
        actions.push((started(&mut user).await, started(&mut user).await));
        waiting.push(user);
    }

    behind.proxy.set(Fault::HalfOpen);
    let began = Instant::now();
    let address = behind.server.address();
    // At all moments: while the one before them waits, too.
    let asked = waiting.into_iter().zip(actions).enumerate().map(|(number, (mut user, (first, second)))| async move {
        sleep(Duration::from_millis(350) * number as u32).await;
        let mut longest = Duration::ZERO;
        for action in [&first, &second] {
            let began = Instant::now();
            let answer = user.update(action).await.expect("an update is answered");
            longest = longest.max(refused_in_time("an update", &answer, began));
        }
        let began = Instant::now();
        longest = longest.max(refused_in_time("a read", &history(&mut user).await, began));
        let live = Client::new(address).get("/health/live").await.expect("it is answered");
        assert_eq!(live.status, 200, "no restart would help");
        (user, [first, second], longest)
    });
    let asked = join_all(asked).await;
    let longest = asked.iter().map(|(.., longest)| *longest).max();
    let outage = began.elapsed();

    behind.proxy.set(Fault::None);
    let back = behind.recovers(&mut probe).await;
    assert!(back <= RECOVERY, "it took {back:?}");
    // What had failed is settled by the same action, once.
    for (mut user, actions, _) in asked {
        for action in &actions {
            user.update(action).await.expect("an update is answered").expect(200);
        }
        assert_eq!(user.standing().await["score"], 2);
    }
    load.reach(load.acknowledged() + 100).await;
    check_each(load.stop().await.0).await;
    behind.server.assert_verified();
    println!("cut off for {outage:?}: refused after {longest:?} at most, back after {back:?}");
}

/// Somebody holds the board's row: all writers of it wait for him.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_held_for_long_fails_updates_in_time_and_holds_up_no_read() {
    let held = Duration::from_secs(scaled(30) as u64);
    let behind = Behind::start().await;
    let users = User::register_many(behind.server.address(), "held", 24).await;
    let mut probe = behind.user("probe").await;
    let mut holder = PgConnection::connect(behind.database.url()).await.expect("it connects");
    let mut lock = holder.begin().await.expect("it begins");
    sqlx::query("SELECT 1 FROM boards FOR UPDATE").execute(&mut *lock).await.expect("it is locked");

    let began = Instant::now();
    // Many at once, all the time. That uses up no pool: batches have a connection of their own, and where users stand is in memory.
    let tried = users.into_iter().map(|mut user| async move {
        let action = started(&mut user).await;
        let mut longest = [Duration::ZERO; 2];
        while began.elapsed() < held {
            let asked = Instant::now();
            let answer = user.update(&action).await.expect("an update is answered");
            longest[0] = longest[0].max(refused_in_time("an update", &answer, asked));
            let asked = Instant::now();
            user.standing().await;
            longest[1] = longest[1].max(asked.elapsed());
            sleep(Duration::from_millis(50)).await;
        }
        (user, action, longest)
    });
    let tried = join_all(tried).await;
    let [longest_update, longest_read] = [0, 1].map(|which| tried.iter().map(|(.., longest)| longest[which]).max());
    assert!(longest_read < Some(Duration::from_secs(1)), "a read took {longest_read:?}");

    lock.rollback().await.expect("it is let go");
    let back = behind.recovers(&mut probe).await;
    assert!(back <= RECOVERY, "it took {back:?}");
    for (mut user, action, _) in tried {
        user.update(&action).await.expect("an update is answered").expect(200);
        assert_eq!(user.standing().await["score"], 1);
    }
    behind.server.assert_verified();
    println!(
        "held for {held:?}: updates refused after {longest_update:?} at most, reads answered after {longest_read:?} at most, \
         back after {back:?}"
    );
}

/// Logins wait for a table that somebody holds, each with a connection of the pool: who wants one for what nobody holds finds none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pool_that_is_used_up_refuses_in_time_and_is_free_again_with_the_lock() {
    const LOGINS: usize = 20;
    const READS: usize = 10;
    /// A history is read by three calls, and each may wait for a connection of its own.
    const READ_IN_TIME: Duration = Duration::from_millis(3 * 1_800 + 300);
    /// What is said where a connection was waited for, and not the database.
    const USED_UP: &str = "too much is asked of the server at the moment";
    let held = Duration::from_secs(scaled(30) as u64);
    let behind = Behind::start_with(&[("SCOREBOARD_STORE__CONNECTIONS", "2")]).await;
    let address = behind.server.address();
    let users = User::register_many(address, "read", READS).await;
    let [mut probe, mut updates] = [behind.user("probe").await, behind.user("updates").await];
    let action = started(&mut updates).await;
    let mut holder = PgConnection::connect(behind.database.url()).await.expect("it connects");
    let mut lock = holder.begin().await.expect("it begins");
    sqlx::query("LOCK TABLE users IN ACCESS EXCLUSIVE MODE").execute(&mut *lock).await.expect("it is locked");

    let began = Instant::now();
    let credentials = json!({ "email": "probe@example.org", "password": PASSWORD });
    let logins = join_all((0..LOGINS).map(|_| async {
        let (mut client, mut longest) = (Client::new(address), Duration::ZERO);
        while began.elapsed() < held {
            let asked = Instant::now();
            let answer = client.post("/api/auth/login", &credentials).await.expect("a login is answered");
            longest = longest.max(refused_in_time("a login", &answer, asked));
        }
        longest
    }));
    let reads = join_all(users.into_iter().map(|mut user| async move {
        let (mut used_up, mut longest) = (0, Duration::ZERO);
        while began.elapsed() < held {
            let (asked, answer) = (Instant::now(), history(&mut user).await);
            // Some are given a connection in between.
            if answer.status != 200 {
                refused("a read", &answer);
                used_up += usize::from(answer.body["detail"] == USED_UP);
            }
            longest = longest.max(asked.elapsed());
            sleep(Duration::from_millis(50)).await;
        }
        (user, used_up, longest)
    }));
    // Batches have a connection of their own; the board's catalogue, which is remembered for a while, is read by one of the pool.
    let same_update = async {
        while began.elapsed() < held {
            let (asked, answer) = (Instant::now(), updates.update(&action).await.expect("an update is answered"));
            if answer.status != 200 {
                refused_in_time("an update", &answer, asked);
            }
            sleep(Duration::from_millis(50)).await;
        }
    };
    let operations = async {
        let (mut client, mut longest) = (Client::new(address), Duration::ZERO);
        while began.elapsed() < held {
            // The database is down, as far as the server can tell: that is an answer, too.
            for (path, statuses) in [("/health/live", &[200][..]), ("/metrics", &[200]), ("/health", &[200, 503])] {
                let asked = Instant::now();
                let answer = client.get(path).await.expect("it is answered");
                assert!(statuses.contains(&answer.status), "{path}: {} {}", answer.status, answer.body);
                longest = longest.max(asked.elapsed());
            }
            sleep(Duration::from_millis(50)).await;
        }
        longest
    };
    let (logins, reads, (), longest_probe) = tokio::join!(logins, reads, same_update, operations);
    let used_up: usize = reads.iter().map(|(_, used_up, _)| used_up).sum();
    let longest_read = reads.iter().map(|(.., longest)| *longest).max();
    assert!(used_up > 0, "no read found the pool used up: nothing is shown");
    assert!(longest_read <= Some(READ_IN_TIME), "a read took {longest_read:?}");
    assert!(longest_probe < Duration::from_secs(1), "health or metrics took {longest_probe:?}");

    lock.rollback().await.expect("it is let go");
    let back = behind.recovers(&mut probe).await;
    assert!(back <= RECOVERY, "it took {back:?}");
    probe.client.post("/api/auth/login", &credentials).await.expect("a login is answered").expect(200);
    for (mut user, ..) in reads {
        history(&mut user).await.expect(200);
    }
    updates.update(&action).await.expect("an update is answered").expect(200);
    assert_eq!(updates.standing().await["score"], 1);
    behind.server.assert_verified();
    println!(
        "held for {held:?}: {used_up} reads found no connection; logins refused after {:?} at most, reads after {longest_read:?}, \
         health and metrics answered after {longest_probe:?}; back after {back:?}",
        logins.iter().max()
    );
}

/// What a user did is read in the database, unlike where he stands.
async fn history(user: &mut User) -> Answer {
    let path = format!("/api/scoreboard/users/{}/history", user.id);
    user.client.send("GET", &path, Some(&user.token), None).await.expect("a read is answered")
}

/// Every piece takes its time, and then the line is thin: slower, and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_far_away_is_only_slower() {
    let behind = Behind::start().await;
    let load = Load::behind_faults(User::register_many(behind.server.address(), "far", 8).await);
    for fault in [
        Fault::Late { latency: Duration::from_millis(10), jitter: Duration::from_millis(10) },
        Fault::Slow { bytes_per_second: 200_000 },
        Fault::Reset,
        Fault::None,
    ] {
        behind.proxy.set(fault);
        match fault {
            Fault::Reset => sleep(Duration::from_millis(500)).await,
            _ => load.reach(load.acknowledged() + 60).await,
        }
    }
    let (users, unknown) = load.stop().await;
    let counted = check_all(users).await;
    behind.server.assert_verified();
    println!("{counted} updates over a bad line, all there once; clients asked again {unknown:?}");
}
