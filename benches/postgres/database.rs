//! What the database does by itself.

use std::collections::BTreeMap;
use std::process::Command;
use std::time::Duration;

use scoreboard_postgres::sqlx::postgres::PgConnection;
use scoreboard_postgres::sqlx::types::Uuid;
use scoreboard_postgres::sqlx::{self, Connection};
use tokio::time::Instant;

use crate::Round;
use crate::busy::Busy;
use crate::support::postgres::{Server, program};

/// As many users as play on the servers.
const TABLES: &str = "
    CREATE SCHEMA flow;
    CREATE TABLE flow.scores (user_id int PRIMARY KEY, score bigint NOT NULL);
    CREATE TABLE flow.actions (id uuid PRIMARY KEY, user_id int NOT NULL, points int NOT NULL, at timestamptz NOT NULL);
    CREATE INDEX ON flow.actions (user_id, at);
    INSERT INTO flow.scores SELECT n, 0 FROM generate_series(1, 512) n;";

const TRANSACTION: &str = r"
\set id random(1, 512)
BEGIN;
UPDATE flow.scores SET score = score + 1 WHERE user_id = :id;
INSERT INTO flow.actions VALUES (gen_random_uuid(), :id, 1, now());
COMMIT;";

/// The statements of (c), to which a batch goes as one array a column.
const LOG: &str = "INSERT INTO flow.actions SELECT unnest($1::uuid[]), unnest($2::int[]), unnest($3::int[]), now()";
const SCORES: &str = "
    INSERT INTO flow.scores SELECT unnest($1::int[]), unnest($2::bigint[])
    ON CONFLICT (user_id) DO UPDATE SET score = scores.score + excluded.score";

/// The transaction that everyone else writes, and its tables, on a database of its own.
pub(crate) struct Flow<'d> {
    database: &'d Server,
    scripts: tempfile::TempDir,
}

impl<'d> Flow<'d> {
    pub(crate) fn prepare(database: &'d Server) -> Self {
        let made = Command::new(program("psql")).arg(database.url()).args(["-qc", TABLES]).output().expect("psql runs");
        assert!(made.status.success(), "psql: {}", String::from_utf8_lossy(&made.stderr));
        let scripts = tempfile::tempdir().expect("a folder");
        std::fs::write(scripts.path().join("transaction"), TRANSACTION).expect("the folder takes files");
        Self { database, scripts }
    }

    /// How many were made by so many clients, on so many of pgbench's threads.
    pub(crate) fn transactions(&self, clients: usize, threads: usize, duration: Duration) -> f64 {
        self.pgbench(clients, threads, duration, &[])
    }

    /// How many rows one client wrote in batches of so many: each its row in the log, and each user's sum to the score.
    pub(crate) async fn batches(&self, rows: usize, duration: Duration) -> f64 {
        let mut client = PgConnection::connect(self.database.url()).await.expect("it connects");
        let (started, mut written) = (Instant::now(), 0);
        while started.elapsed() < duration {
            let ids: Vec<Uuid> = (0..rows).map(|_| Uuid::now_v7()).collect();
            let users: Vec<i32> = (0..rows).map(|_| rand::random_range(1..=512)).collect();
            let mut sums: BTreeMap<i32, i64> = BTreeMap::new();
            for user in &users {
                *sums.entry(*user).or_default() += 1;
            }
            let (scorers, sums): (Vec<i32>, Vec<i64>) = sums.into_iter().unzip();
            let mut tx = client.begin().await.expect("a transaction");
            let log = sqlx::query(LOG).bind(ids).bind(users).bind(vec![1; rows]).execute(&mut *tx).await;
            written += log.expect("the log takes rows").rows_affected();
            sqlx::query(SCORES).bind(scorers).bind(sums).execute(&mut *tx).await.expect("the scores take sums");
            tx.commit().await.expect("it commits");
        }
        written as f64
    }

    /// How long after its time each transaction was done, of so many a second.
    pub(crate) fn at_pace(&self, clients: usize, threads: usize, per_second: f64, duration: Duration) -> Vec<Duration> {
        let folder = tempfile::tempdir().expect("a folder");
        let rate = format!("--rate={per_second:.0}");
        let log = format!("--log-prefix={}/log", folder.path().display());
        self.pgbench(clients, threads, duration, &[&rate, "--log", &log]);
        let logs = std::fs::read_dir(folder.path()).expect("the folder").map(|entry| entry.expect("an entry").path());
        let text: String = logs.map(|log| std::fs::read_to_string(log).expect("a log")).collect();
        // The third word of a line is the time that it took, from when it was due.
        let micros = text.lines().filter_map(|line| line.split(' ').nth(2)?.parse().ok());
        micros.map(Duration::from_micros).collect()
    }

    fn pgbench(&self, clients: usize, threads: usize, duration: Duration, flags: &[&str]) -> f64 {
        let output = Command::new(program("pgbench"))
            .args(flags)
            .args(["--no-vacuum", "--protocol=prepared", "--client", &clients.to_string()])
            .args(["--jobs", &threads.to_string(), "--time", &duration.as_secs().to_string()])
            .arg("--file")
            .arg(self.scripts.path().join("transaction"))
            .arg(self.database.url())
            .output()
            .expect("pgbench runs");
        assert!(output.status.success(), "pgbench: {}", String::from_utf8_lossy(&output.stderr));
        let said = String::from_utf8_lossy(&output.stdout);
        let count = said.lines().find_map(|line| line.strip_prefix("number of transactions actually processed: "));
        count.and_then(|count| count.trim().parse().ok()).unwrap_or_else(|| panic!("pgbench said: {said}"))
    }
}

/// Measures what does so many changes to this database by itself.
pub(crate) async fn round(database: &Server, work: impl Future<Output = f64>) -> Round {
    let (busy, started) = (Busy::of(database), Instant::now());
    let changes = work.await;
    Round { per_second: changes / started.elapsed().as_secs_f64(), per_database_second: changes / busy.seconds() }
}
