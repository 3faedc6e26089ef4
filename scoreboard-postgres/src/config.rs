//! Which database, and how it is spoken to.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use scoreboard_core::InvalidValue;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

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
    /// How many connections are open at most, beside one that is kept for batches of updates; at least 1. Each serves one call at a time. How long
    /// calls wait for theirs is in the metric `scoreboard_db_pool_wait_seconds`, apart for `primary` and `replica`.
    pub connections: u32,
    /// How long a call waits until a connection is free, and for a new one to be made.
    pub acquire_timeout: Duration,
    /// How long a call takes in all. It is the only timeout that a network keeps which swallows everything: longer than the
    /// others, so that where the server answers, its answer says what became of the call.
    pub call_timeout: Duration,
    /// How long the server works on one statement before it gives it up.
    pub statement_timeout: Duration,
    /// How long a call waits for a lock that another transaction holds. Longer than the server's `deadlock_timeout` (1 second), or
    /// a deadlock looks like a long wait.
    pub lock_timeout: Duration,
    /// How long the server lets a transaction be open of which it hears nothing more, so that a node that is cut off lets go of
    /// its locks.
    pub idle_in_transaction_timeout: Duration,
    /// How much time a part of the log spans: it is archived as a whole. Shorter parts are archived closer to their age; many of them make
    /// reads of old history slower. A change of this counts from the next part on.
    pub log_part: Duration,
    /// Opens the database also where the server runs with `fsync`, `full_page_writes` or `synchronous_commit` off, and so may lose
    /// what it acknowledged.
    pub unsafe_durability: bool,
}

/// Thirteen in a year: few enough for reads that look into each, and a retention is met within a month.
const LOG_PART: Duration = Duration::from_secs(28 * 86_400);

impl Config {
    /// The database that a URL names, with 10 connections, 1.2 seconds of patience for one of them, 1.5 for a lock, 1.8 for a
    /// statement and 2 for all of a call, and 3 with a transaction that has gone silent. A part of the log spans four weeks.
    ///
    /// The URL is as libpq has it: `postgres://user:password@host:port/database?options`. What it does not say is taken from the
    /// environment (`PGPASSWORD`, `PGHOST` and so on) and the file `~/.pgpass`, which is where a password is better kept. A folder
    /// as `host` is that of a local socket.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if the URL has another scheme, is none, or has an option that is not known.
    pub fn from_url(url: &str) -> Result<Self, InvalidValue> {
        let config = Self {
            database: Database::from_url(url)?,
            connections: 10,
            acquire_timeout: Duration::ZERO,
            call_timeout: Duration::ZERO,
            statement_timeout: Duration::ZERO,
            lock_timeout: Duration::ZERO,
            idle_in_transaction_timeout: Duration::ZERO,
            log_part: LOG_PART,
            unsafe_durability: false,
        };
        Ok(config.with_call_timeout(Duration::from_secs(2)))
    }

    /// All timeouts in the measure of the longest that a call may take: 60 % of it for a connection, 75 % for a lock, 90 % for a
    /// statement, and one and a half times as long for a silent transaction.
    #[must_use]
    pub fn with_call_timeout(self, call_timeout: Duration) -> Self {
        Self {
            acquire_timeout: call_timeout.mul_f64(0.6),
            lock_timeout: call_timeout.mul_f64(0.75),
            statement_timeout: call_timeout.mul_f64(0.9),
            call_timeout,
            idle_in_transaction_timeout: call_timeout.mul_f64(1.5),
            ..self
        }
    }

    /// What each connection of the pool is made with.
    pub(crate) fn options(&self) -> PgConnectOptions {
        let silent = milliseconds(self.idle_in_transaction_timeout);
        self.database.named().options([
            ("statement_timeout", milliseconds(self.statement_timeout)),
            ("lock_timeout", milliseconds(self.lock_timeout)),
            ("idle_in_transaction_session_timeout", silent.clone()),
            // The same where the server waits for the client to take an answer.
            ("tcp_user_timeout", silent),
            // No statement here runs for as long as it takes to compile one.
            ("jit", "off".to_owned()),
            // A statement that is a transaction by itself has waited for locks before it looks: at a higher level it would look before.
            ("default_transaction_isolation", "read committed".to_owned()),
        ])
    }

    /// The same for a connection that migrates, which may take its time, or listens.
    pub(crate) fn patient(&self) -> PgConnectOptions {
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
    /// [`InvalidValue`] if the URL has another scheme, is none, or has an option that is not known.
    pub fn from_url(url: &str) -> Result<Self, InvalidValue> {
        const WHAT: &str = "database URL";
        if !url.starts_with("postgres://") && !url.starts_with("postgresql://") {
            return Err(InvalidValue::new(WHAT, "must start with `postgres://`"));
        }
        // The parsers' errors might show the password, and the driver would log an option that it does not know.
        let invalid = || InvalidValue::new(WHAT, "must be like postgres://user:password@host:5432/database");
        let parsed = Url::parse(url).map_err(|_| invalid())?;
        let known = |name: &str| OPTIONS.contains(&name) || name.starts_with("options[");
        if parsed.query_pairs().any(|(name, _)| !known(&name)) {
            return Err(InvalidValue::new(
                WHAT,
                "has an option that is not known; known are sslmode, sslrootcert, sslcert, sslkey, host, hostaddr, port, \
                 dbname, user, password, application_name, options, statement-cache-capacity",
            ));
        }
        let options = PgConnectOptions::from_str(url).map_err(|_| invalid())?;
        // As libpq has it: who names the authority wants it asked.
        let asks =
            parsed.query_pairs().any(|(name, _)| name == "sslrootcert") || std::env::var_os("PGSSLROOTCERT").is_some();
        let options = match options.get_ssl_mode() {
            PgSslMode::Require if asks => options.ssl_mode(PgSslMode::VerifyCa),
            _ => options,
        };
        Ok(Self(options))
    }
}

/// What a URL may say behind its `?`.
const OPTIONS: [&str; 13] = [
    "sslmode",
    "sslrootcert",
    "sslcert",
    "sslkey",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
    "statement-cache-capacity",
];

/// Where it is, for messages: without user and password.
impl fmt::Display for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let options = &self.0;
        let database = options.get_database().unwrap_or(options.get_username());
        match options.get_socket() {
            Some(socket) => write!(f, "{database} at {}", socket.display()),
            None => write!(f, "{database} at {}:{}", options.get_host(), options.get_port()),
        }
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
    fn an_option_that_is_not_known_is_not_passed_over() {
        let error = Config::from_url("postgres://me@db.example/scores?passwd=secret").unwrap_err().to_string();
        assert!(error.contains("option") && !error.contains("secret"), "{error}");
        assert!(Config::from_url("postgres://me@db.example/scores?sslmode=sometimes").is_err());
    }

    #[test]
    fn who_names_the_authority_has_it_asked() {
        let mode = |url: &str| Database::from_url(url).unwrap().0.get_ssl_mode();
        assert!(matches!(mode("postgres://db.example/scores?sslmode=require&sslrootcert=ca.pem"), PgSslMode::VerifyCa));
        assert!(matches!(mode("postgres://db.example/scores?sslmode=require"), PgSslMode::Require));
        assert!(matches!(
            mode("postgres://db.example/scores?sslmode=verify-full&sslrootcert=ca.pem"),
            PgSslMode::VerifyFull
        ));
    }

    #[test]
    fn messages_name_the_place_alone() {
        let shown = |url: &str| Database::from_url(url).unwrap().to_string();
        assert_eq!(shown("postgres://me:secret@db.example:5433/scores"), "scores at db.example:5433");
        assert_eq!(shown("postgres://me:secret@%2Frun%2Fpg/scores"), "scores at /run/pg");
    }

    #[test]
    fn no_timeout_is_taken_for_none() {
        assert_eq!(milliseconds(Duration::ZERO), "1");
        assert_eq!(milliseconds(Duration::MAX), "2147483647");
    }
}
