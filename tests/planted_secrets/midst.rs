//! Requests in the midst of their database: each waits for a table there, which the database itself says.

use std::collections::BTreeMap;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::process::{Child, Command};

use crate::support::postgres::{self, server::program};
use crate::support::wait::until;

const PATIENCE: Duration = Duration::from_secs(60);

/// How many wait for each of the tables.
type Waiting = BTreeMap<String, u64>;

/// Tables that nobody gets at, until the database is gone.
pub(crate) struct Locked<'a> {
    database: &'a postgres::Server,
    _session: Child,
}

impl<'a> Locked<'a> {
    pub(crate) async fn begin(database: &'a postgres::Server, tables: &[&str]) -> Self {
        let mut session = psql(database).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("psql is there");
        let lock = format!("BEGIN; LOCK TABLE {} IN ACCESS EXCLUSIVE MODE; SELECT 'locked';\n", tables.join(", "));
        session.stdin.as_mut().expect("it is piped").write_all(lock.as_bytes()).await.expect("it reads");
        let mut lines = BufReader::new(session.stdout.take().expect("it is piped")).lines();
        let line = tokio::time::timeout(PATIENCE, lines.next_line()).await.expect("in time").expect("it speaks");
        assert_eq!(line.as_deref(), Some("locked"));
        Self { database, _session: session }
    }

    /// Returns once so many wait for each table.
    pub(crate) async fn until_waiting(&self, wanted: &[(&str, u64)]) {
        let wanted: Waiting = wanted.iter().map(|(table, count)| ((*table).to_owned(), *count)).collect();
        until("the requests wait in the database", PATIENCE, async || (self.waiting().await == wanted).then_some(()))
            .await;
    }

    /// How many wait for each table now.
    pub(crate) async fn waiting(&self) -> Waiting {
        let ask =
            "SELECT relation::regclass, count(*) FROM pg_locks WHERE locktype = 'relation' AND NOT granted GROUP BY 1";
        let told = psql(self.database).args(["-c", ask]).output().await.expect("psql is there");
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        let told = String::from_utf8(told.stdout).expect("names and numbers");
        let row = |line: &str| {
            let (table, count) = line.split_once('|').expect("two columns");
            (table.to_owned(), count.parse().expect("a number"))
        };
        told.lines().map(row).collect()
    }
}

fn psql(database: &postgres::Server) -> Command {
    let mut command = Command::new(program("psql"));
    command.args(["-XAtq", "-U", "postgres", "-d", "postgres", "-h"]).arg(database.folder()).kill_on_drop(true);
    command
}
