//! The time of the database server, by which all servers of a database go, whatever their own clocks show.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use metrics::Unit;
use scoreboard_core::{BackendError, Chain, Clock, SystemClock, Timestamp};
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::connection::PostgresStore;
use crate::error::Failure;

/// How often the time is read.
const POLL: Duration = Duration::from_secs(2);
/// How far this machine's own clock may be from the database's before somebody is told.
const NOTABLE_MS: i64 = 2_000;
const OFFSET: &str = "scoreboard_clock_offset_seconds";

/// A [`Clock`] that shows the time of a database server: read from it every two seconds, and carried on in between by what measures time
/// on this machine and is never set.
///
/// So what several servers issue and judge, they judge by one clock: an action that one has signed is not too old, or done too soon, because
/// another's clock is wrong. It is right to half of what a question to the database takes. While the database is away it goes on by itself.
#[derive(Clone)]
pub struct PostgresClock {
    store: PostgresStore,
    shown: Arc<Shown>,
}

/// A line through what was read last.
struct Shown {
    origin: Instant,
    /// What the database showed at the origin, or would have, in milliseconds since 1970.
    at_origin: AtomicI64,
    /// Whether it was said that this machine's own clock is wrong.
    is_told: AtomicBool,
}

/// What was read: the time at the origin, and how much of it is not known, in milliseconds.
struct Reading {
    at_origin: i64,
    doubt: i64,
}

impl PostgresClock {
    /// The clock of this store's server, read once.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](scoreboard_core::ErrorKind) of a read.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn of(store: &PostgresStore) -> Result<Self, BackendError> {
        metrics::describe_gauge!(OFFSET, Unit::Seconds, "How far this machine's clock is ahead of the database's.");
        let shown = Shown { origin: Instant::now(), at_origin: AtomicI64::new(0), is_told: AtomicBool::new(false) };
        let clock = Self { store: store.clone(), shown: Arc::new(shown) };
        clock.read().await?;
        Ok(clock)
    }

    /// Reads the time again and again. Never returns: spawn it.
    ///
    /// # Cancel safety
    ///
    /// The clock goes on from what was read last.
    pub async fn follow(self) {
        let mut polls = interval(POLL);
        polls.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            polls.tick().await;
            if let Err(error) = self.read().await {
                tracing::debug!(error = %Chain(&error), "the database's clock could not be read; trying again");
            }
        }
    }

    /// Reads the time now.
    ///
    /// # Errors
    ///
    /// As [`of`](Self::of): then it goes on from what was read last.
    ///
    /// # Cancel safety
    ///
    /// As an error.
    pub async fn read(&self) -> Result<(), BackendError> {
        let Reading { at_origin, doubt } = self.store.reads("clock", self.ask()).await?;
        let known = self.shown.at_origin.load(Ordering::Relaxed);
        // What may be no more than the way there and back moves nothing.
        if (at_origin - known).abs() > doubt {
            self.shown.at_origin.store(at_origin, Ordering::Relaxed);
        }
        self.compare();
        Ok(())
    }

    async fn ask(&self) -> Result<Reading, Failure> {
        let mut connection = self.store.pool.acquire().await?;
        let asked = self.shown.origin.elapsed();
        let now: i64 = sqlx::query_scalar("SELECT (extract(epoch FROM clock_timestamp()) * 1000)::bigint")
            .fetch_one(&mut *connection)
            .await?;
        let took = self.shown.origin.elapsed() - asked;
        Ok(Reading { at_origin: now - millis(asked + took / 2), doubt: millis(took / 2) + 1 })
    }

    /// Says so if this machine's own clock is far off: its log has that one's times.
    fn compare(&self) {
        let ahead = SystemClock.now().as_millis() - self.now().as_millis();
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        metrics::gauge!(OFFSET).set(ahead as f64 / 1000.0);
        let is_off = ahead.abs() > NOTABLE_MS;
        if self.shown.is_told.swap(is_off, Ordering::Relaxed) != is_off {
            if is_off {
                tracing::warn!(
                    ahead_ms = ahead,
                    "this machine's clock is not the database's, by which this server goes"
                );
            } else {
                tracing::info!("this machine's clock is the database's again");
            }
        }
    }
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

impl Clock for PostgresClock {
    fn now(&self) -> Timestamp {
        let since = millis(self.shown.origin.elapsed());
        Timestamp::from_millis(self.shown.at_origin.load(Ordering::Relaxed).saturating_add(since))
    }
}

impl fmt::Debug for PostgresClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PostgresClock").field("now", &self.now()).finish_non_exhaustive()
    }
}
