//! The time by the database server's clock, which all servers of a database go by.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use metrics::Unit;
use scoreboard_core::{BackendError, Chain, Clock, SystemClock, Timestamp};
use tokio::time::{Instant, sleep};

use crate::connection::PostgresStore;

/// How often the database is asked. Between two times the monotonic clock of this machine goes on, which nobody sets.
const EVERY: Duration = Duration::from_secs(5);
/// So often it is asked each time: what was answered soonest says most exactly when.
const QUESTIONS: usize = 3;
/// An answer that takes longer says too little, where there is an earlier one.
const SLOW: Duration = Duration::from_millis(500);
/// From here on this machine's own clock is called wrong.
const WRONG: Duration = Duration::from_secs(2);
const OFFSET: &str = "scoreboard_clock_offset_seconds";

/// The clock of a database server, told by this machine's monotonic clock, which never jumps, and set by the database every five seconds.
///
/// Servers that share a database sign actions and tokens for each other, and measure how long an action took between two of them. By
/// the database's clock it does not matter what the machines' own clocks show: none of them can make an action look older than it is.
///
/// Cloning clones the handle.
///
/// ```no_run
/// # async fn example(config: &scoreboard_postgres::Config) -> Result<(), scoreboard_core::BackendError> {
/// use std::sync::Arc;
/// use scoreboard_core::Scoreboard;
/// use scoreboard_postgres::PostgresStore;
///
/// let store = PostgresStore::open(config).await?;
/// let clock = store.clock().await?;
/// tokio::spawn(clock.clone().follow());
/// let scoreboard = Scoreboard::builder(Arc::new(store)).with_clock(Arc::new(clock)).build();
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct DatabaseClock {
    store: PostgresStore,
    set: Arc<Set>,
}

/// What the database has said last.
struct Set {
    begun: Instant,
    /// The database's clock when this one had begun, in microseconds since 1970.
    at_begin: AtomicI64,
    /// Whether this machine's own clock is another.
    is_wrong: AtomicBool,
}

impl fmt::Debug for DatabaseClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DatabaseClock").field("now", &self.now()).finish_non_exhaustive()
    }
}

impl Clock for DatabaseClock {
    fn now(&self) -> Timestamp {
        let micros = self.set.at_begin.load(Ordering::Relaxed).saturating_add(micros(self.set.begun.elapsed()));
        Timestamp::from_millis(micros / 1000)
    }
}

impl PostgresStore {
    /// The clock of the database server, as it is now; [`follow`](DatabaseClock::follow) keeps it so.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](scoreboard_core::ErrorKind) but `OutcomeUnknown` and `Full`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn clock(&self) -> Result<DatabaseClock, BackendError> {
        metrics::describe_gauge!(
            OFFSET,
            Unit::Seconds,
            "How far this machine's own clock is before the database's, by which the server goes."
        );
        let set = Set { begun: Instant::now(), at_begin: AtomicI64::new(0), is_wrong: AtomicBool::new(false) };
        let clock = DatabaseClock { store: self.clone(), set: Arc::new(set) };
        let (_, at_begin) = clock.ask().await?;
        clock.set(at_begin);
        Ok(clock)
    }
}

impl DatabaseClock {
    /// Asks the database every five seconds, for ever. While it does not answer, the clock goes on by itself.
    ///
    /// # Cancel safety
    ///
    /// The clock goes on by itself from then on.
    pub async fn follow(self) {
        loop {
            sleep(EVERY).await;
            match self.ask().await {
                Ok((took, at_begin)) if took <= SLOW => self.set(at_begin),
                Ok((took, _)) => tracing::debug!(?took, "the database was slow to tell the time"),
                Err(error) => tracing::debug!(error = %Chain(&error), "the database did not tell the time"),
            }
        }
    }

    /// How long the quickest answer took, and what the database's clock was, by it, when this one had begun.
    async fn ask(&self) -> Result<(Duration, i64), BackendError> {
        let ask = async {
            let mut connection = self.store.pool.acquire().await?;
            let mut quickest: Option<(Duration, i64)> = None;
            for _ in 0..QUESTIONS {
                let asked = self.set.begun.elapsed();
                let at: i64 = sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint")
                    .fetch_one(&mut *connection)
                    .await?;
                let took = self.set.begun.elapsed() - asked;
                if quickest.is_none_or(|(least, _)| took < least) {
                    quickest = Some((took, at - micros(asked + took / 2)));
                }
            }
            Ok(quickest.expect("it is asked at least once"))
        };
        self.store.reads("clock", ask).await
    }

    fn set(&self, at_begin: i64) {
        self.set.at_begin.store(at_begin, Ordering::Relaxed);
        let offset_ms = SystemClock.now().as_millis() - self.now().as_millis();
        #[expect(clippy::cast_precision_loss, reason = "a measure for people")]
        metrics::gauge!(OFFSET).set(offset_ms as f64 / 1000.0);
        let is_wrong = offset_ms.unsigned_abs() > u64::try_from(WRONG.as_millis()).unwrap_or(u64::MAX);
        if is_wrong && !self.set.is_wrong.swap(is_wrong, Ordering::Relaxed) {
            tracing::warn!(
                offset_ms,
                "this machine's clock is not the database's; the server goes by that of the database"
            );
        } else if !is_wrong {
            self.set.is_wrong.store(false, Ordering::Relaxed);
        }
    }
}

fn micros(duration: Duration) -> i64 {
    i64::try_from(duration.as_micros()).unwrap_or(i64::MAX)
}
