//! Servers, their database and their Redis killed under load, again and again, at random moments: nothing that was acknowledged is lost,
//! nothing counts twice, and every outcome that was unknown is settled by asking again.
//!
//! `SCOREBOARD_TEST_SCALE=100 cargo test --test kills -- --nocapture` runs all of it: 10,000 updates and 60 kills.

mod support;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use scoreboard_postgres::sqlx::{self, Connection, PgConnection};
use serde_json::json;
use support::client::{Answer, Client};
use support::load::{Load, check_all, check_each};
use support::place::Place;
use support::postgres;
use support::redis;
use support::scale::scaled;
use support::seed::Seeded;
use support::server::{Server, UNLIMITED};
use support::user::User;
use support::wait::until;
use tokio::time::{Instant, sleep};

const CLIENTS: usize = 64;
const ACKNOWLEDGED: usize = 10_000;
const KILLS: usize = 60;

/// Within this the server serves again once its database does.
const RECOVERY: Duration = Duration::from_secs(5);
const PATIENCE: Duration = Duration::from_secs(60);

/// Whether the database at the other end of this URL takes questions.
async fn serves(database: &postgres::Server) -> bool {
    PgConnection::connect(database.url()).await.is_ok()
}

/// Whether the server reads and writes its database.
async fn is_up(server: &Server) -> bool {
    let health = Client::new(server.address()).get("/health").await;
    health.is_ok_and(|health| health.status == 200 && health.body["parts"]["database"]["status"] == "up")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn kills_of_servers_database_and_redis_lose_nothing_and_double_nothing() {
    let (acknowledged, kills) = (scaled(ACKNOWLEDGED), scaled(KILLS));
    let mut seeded = Seeded::new();
    let database = postgres::Server::start(&[]);
    let mut redis = redis::Process::start(&[]);
    let url = redis.url();
    // A limit that nobody comes near, so that each update is counted in Redis too.
    let limits = UNLIMITED.into_iter().filter(|(name, _)| *name != "SCOREBOARD_LIMITS__UPDATE");
    let shared = [
        ("SCOREBOARD_LIMITS__UPDATE", "100000/min"),
        ("SCOREBOARD_REDIS__URL", url.as_str()),
        ("SCOREBOARD_REDIS__NODES", "2"),
    ];
    let settings: Vec<_> = limits.chain(shared).collect();
    let first = Server::start_as(Place::At(database.url().to_owned()), &settings, &[]).await;
    let second = first.start_beside().await;
    let mut users = User::register_many(first.address(), "one", CLIENTS / 2).await;
    users.extend(User::register_many(second.address(), "other", CLIENTS / 2).await);
    let load = Load::behind_faults(users);

    let mut servers = [first, second];
    let mut outages = Vec::new();
    for kill in 1..=kills {
        load.reach(acknowledged * kill / kills).await;
        // Somewhere between two commits, or within one.
        sleep(Duration::from_micros(seeded.within(0..30_000))).await;
        match kill % 3 {
            0 => {
                let which = kill / 3 % servers.len();
                servers[which].kill9();
                servers[which].restart().await;
            }
            1 => {
                redis.kill();
                sleep(Duration::from_millis(seeded.within(0..300))).await;
                redis.restart();
            }
            _ => {
                database.kill9();
                until("the database is back", PATIENCE, async || serves(&database).await.then_some(())).await;
                let began = Instant::now();
                for server in &servers {
                    until("the server is back", PATIENCE, async || is_up(server).await.then_some(())).await;
                }
                outages.push(began.elapsed());
            }
        }
    }
    load.reach(acknowledged).await;
    let (users, unknown) = load.stop().await;

    let counted = check_all(users).await;
    assert!(counted >= acknowledged);
    assert!(unknown.asked_again > 0, "no kill met a request under way: the load is too small to show anything");
    let longest = outages.iter().max().copied().unwrap_or_default();
    assert!(longest <= RECOVERY, "serving again took {longest:?} after the database was back");
    let verified = servers[0].assert_verified();
    assert!(verified.contains(&format!("version {counted} ({CLIENTS} scores)")), "{verified}");
    println!(
        "{counted} updates acknowledged over {kills} kills, of them {} of the database and {} of Redis: 0 lost, 0 doubled; {} were asked for again, {} \
         receipts were repeats; serving again within {longest:?} of the database",
        outages.len(),
        kills.div_ceil(3),
        unknown.asked_again,
        unknown.had_counted
    );
}

/// A file system of its own with little room, gone when this is.
struct SmallDisk {
    folder: tempfile::TempDir,
}

impl SmallDisk {
    /// `None` where this machine does not let one be made.
    fn mount(megabytes: u32) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a folder");
        let size = format!("size={megabytes}m,mode=755");
        let mounted =
            Command::new("mount").args(["-t", "tmpfs", "-o", &size, "scoreboard-test"]).arg(folder.path()).output();
        mounted.is_ok_and(|mounted| mounted.status.success()).then_some(Self { folder })
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Takes all the room that is left; gives the file that does.
    fn fill(&self) -> PathBuf {
        let file = self.path().join("full");
        let filled =
            Command::new("dd").arg("if=/dev/zero").arg(format!("of={}", file.display())).arg("bs=16k").output();
        assert!(!filled.expect("dd runs").status.success(), "it ends because there is no room");
        file
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Detached now, and gone with its last open file.
        let _ = Command::new("umount").arg("-l").arg(self.folder.path()).status();
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_disk_acknowledges_nothing_that_is_not_there_and_works_again_when_freed() {
    // First in, last out: the database's folder is on it.
    let Some(disk) = SmallDisk::mount(160) else {
        // Past what captures the output of tests that pass.
        let said =
            "SKIPPED: a small file system cannot be mounted here (that takes root), so a full disk was NOT tested";
        writeln!(std::io::stderr(), "{said}").expect("standard error is open");
        return;
    };
    let small = ["max_wal_size=32MB", "min_wal_size=32MB", "wal_recycle=off"];
    let database = postgres::Server::start_with(&small, disk.path(), |_| {});
    let server = Server::start_on(Place::At(database.url().to_owned())).await;
    let load = Load::behind_faults(User::register_many(server.address(), "full", 16).await);
    let mut probe = User::register(server.address(), "probe").await;
    load.reach(200).await;

    let file = disk.fill();
    let refused = until("an update is refused for want of room", PATIENCE, async || {
        let Ok(Answer { status: 201, mut body, .. }) = probe.issue("tap").await else { return None };
        probe.update(&body["action"].take()).await.ok().filter(|answer| answer.status != 200)
    })
    .await;
    assert_eq!((refused.status, &refused.body["code"]), (503, &json!("unavailable")), "{}", refused.body);
    assert!(refused.headers.contains_key("retry-after"), "{:?}", refused.headers);
    let before = load.acknowledged();
    // The log of the commits has room in files that are there already. With none left, the database cannot even start.
    for _ in 0..3 {
        if let Ok(mut connection) = PgConnection::connect(database.url()).await {
            // It may be refused, and end the server.
            let _ = sqlx::query("SELECT pg_switch_wal()").execute(&mut connection).await;
        }
    }
    sleep(Duration::from_secs(2)).await;
    let while_full = load.acknowledged() - before;

    fs::remove_file(file).expect("there is room again");
    let freed = Instant::now();
    until("the server is back", PATIENCE, async || is_up(&server).await.then_some(())).await;
    let back = freed.elapsed();
    assert!(back <= RECOVERY, "it took {back:?}");
    load.reach(load.acknowledged() + 200).await;
    let acknowledged = load.acknowledged();
    let (users, unknown) = load.stop().await;
    // What was acknowledged while the disk was full is there like the rest.
    let counted = check_each(users).await.len();
    assert!(counted >= acknowledged);
    server.assert_verified();
    println!(
        "{counted} updates, {while_full} of them while the disk was full: 0 lost, 0 doubled; {} were asked for again; back after \
         {back:?}",
        unknown.asked_again
    );
}
