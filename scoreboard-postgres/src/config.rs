//! Which database, and how it is spoken to.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use scoreboard_core::InvalidValue;
use sqlx::postgres::PgConnectOptions;

/// Which database to open, and how.
///
/// ```
/// use scoreboard_postgres::Config;
/// let config = Config { connections: 20, ..Config::from_url("postgres://scores:secret@localhost/scores")? };
/// assert!(!format!("{config:?}").contains("secret"));
/// # Ok::<(), scoreboard_core::InvalidValue>(())
/// ```
#[derive(Debug, Clone)]
pub struct Config {
    /// The server and the database on it.
    pub database: Database,
    /// How many connections are open at most; at least 1. Each serves one call at a time.
    pub connections: u32,
    /// How long a call waits until a connection is free, and for a new one to be made.
    pub acquire_timeout: Duration,
    /// How long the server works on one statement before it gives it up.
    pub statement_timeout: Duration,
    /// How long a call waits for a lock that another transaction holds. Longer than the server's `deadlock_timeout` (1 second), or
    /// a deadlock looks like a long wait.
    pub lock_timeout: Duration,
    /// How long the server lets a transaction be open of which it hears nothing more, so that a node that is cut off lets go of
    /// its locks.
    pub idle_in_transaction_timeout: Duration,
}

impl Config {
    /// The database that a URL names, with 10 connections, 3 seconds of patience for one of them, 10 for a statement, 2 for a
    /// lock, and 10 with a transaction that has gone silent.
    ///
    /// The URL is as libpq has it: `postgres://user:password@host:port/database?options`. What it does not say is taken from the
    /// environment (`PGPASSWORD`, `PGHOST` and so on) and the file `~/.pgpass`. A folder as `host` is that of a local socket.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if the URL has another scheme, or is none.
    pub fn from_url(url: &str) -> Result<Self, InvalidValue> {
        Ok(Self {
            database: Database::from_url(url)?,
            connections: 10,
            acquire_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(10),
            lock_timeout: Duration::from_secs(2),
            idle_in_transaction_timeout: Duration::from_secs(10),
        })
    }

    /// What each connection of the pool is made with.
    pub(crate) fn options(&self) -> PgConnectOptions {
        self.database.named().options([
            ("statement_timeout", milliseconds(self.statement_timeout)),
            ("lock_timeout", milliseconds(self.lock_timeout)),
            ("idle_in_transaction_session_timeout", milliseconds(self.idle_in_transaction_timeout)),
        ])
    }

    /// The same for the connection that migrates, which may take its time.
    pub(crate) fn migrating(&self) -> PgConnectOptions {
        self.database.named()
    }
}

/// As the server takes a timeout: 0 would mean none.
fn milliseconds(timeout: Duration) -> String {
    timeout.as_millis().clamp(1, i32::MAX.unsigned_abs().into()).to_string()
}

/// Where a database is, and who asks it. The password is never shown.
#[derive(Clone)]
pub struct Database(PgConnectOptions);

impl Database {
    /// By the name that the URL gives, or else by the library's, the server lists its connections.
    fn named(&self) -> PgConnectOptions {
        let options = self.0.clone();
        if options.get_application_name().is_some() { options } else { options.application_name("scoreboard") }
    }

    /// See [`Config::from_url`].
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if the URL has another scheme, or is none.
    pub fn from_url(url: &str) -> Result<Self, InvalidValue> {
        const WHAT: &str = "database URL";
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(InvalidValue::new(WHAT, "must start with `postgres://`"));
        }
        // The driver's error might show the password.
        PgConnectOptions::from_str(url)
            .map(Self)
            .map_err(|_| InvalidValue::new(WHAT, "must be like postgres://user:password@host:5432/database"))
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.0;
        f.debug_struct("Database")
            .field("host", &options.get_host())
            .field("port", &options.get_port())
            .field("user", &options.get_username())
            .field("database", &options.get_database())
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_schemes_are_known() {
        for url in ["postgres://me:secret@db.example:5433/scores", "postgresql://me:secret@db.example:5433/scores"] {
            let shown = format!("{:?}", Config::from_url(url).unwrap());
            for part in ["db.example", "5433", "me", "scores"] {
                assert!(shown.contains(part), "{part}: {shown}");
            }
            assert!(!shown.contains("secret"), "{shown}");
        }
    }

    #[test]
    fn what_names_no_database_is_refused() {
        for url in ["", "db.example", "sqlite://a.db", "postgres:/x", "postgres://host:port/db"] {
            assert!(Config::from_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn no_timeout_is_taken_for_none() {
        assert_eq!(milliseconds(Duration::ZERO), "1");
        assert_eq!(milliseconds(Duration::MAX), "2147483647");
    }
}
