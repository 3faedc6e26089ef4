//! The connection that batches are written on, kept from one to the next: nothing is asked of it in between, and it plans as batches
//! need it.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection};
use tokio::sync::{Mutex, OwnedMutexGuard};
use tokio::time::{Instant, timeout};

use crate::apply::Known;
use crate::config::Config;
use crate::connection::{answers, begin, late};

/// After so long at rest it has to show that it is still one.
const REST: Duration = Duration::from_secs(1);

/// After so long it is made anew, as those of a pool are: what is asked of a new connection is asked again.
const LIFE: Duration = Duration::from_secs(1800);

/// How batches are planned: what they name is looked up in an index or found again by where it lies, one by one, and nothing is sorted: what is wanted in
/// an order, an index has in that order.
pub(crate) const PLANNING: [(&str, &str); 5] = [
    ("plan_cache_mode", "force_generic_plan"),
    ("enable_seqscan", "off"),
    ("enable_hashjoin", "off"),
    ("enable_mergejoin", "off"),
    ("enable_sort", "off"),
];

/// One connection beside the pool's, made at the first batch. Whoever finds it taken uses the pool.
///
/// Each statement looks up rows by their keys or where they lie, however many there are: planned once, and never by walking a table, even
/// while it is new and looks small.
#[derive(Clone)]
pub(crate) struct BatchConnection {
    slot: Arc<Mutex<Slot>>,
    /// Behind a pointer: a store is cloned and moved often, and connected seldom.
    options: Arc<PgConnectOptions>,
    patience: Duration,
    log_part: Duration,
}

impl fmt::Debug for BatchConnection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchConnection").finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Slot {
    kept: Option<Kept>,
    is_closed: bool,
}

struct Kept {
    connection: PgConnection,
    known: Known,
    made: Instant,
    used: Instant,
}

impl BatchConnection {
    /// Nothing is asked of the database yet.
    pub(crate) fn new(config: &Config) -> Self {
        let options = config.options().options(PLANNING);
        Self {
            slot: Arc::default(),
            options: Arc::new(options),
            patience: config.acquire_timeout,
            log_part: config.log_part,
        }
    }

    /// The connection, unless another batch has it, or the store is closed.
    pub(crate) async fn take(&self) -> Result<Option<Taken>, sqlx::Error> {
        let Ok(mut slot) = self.slot.clone().try_lock_owned() else { return Ok(None) };
        if slot.is_closed {
            return Ok(None);
        }
        let kept = match slot.kept.take() {
            Some(kept) => kept.if_good().await,
            None => None,
        };
        let kept = match kept {
            Some(kept) => kept,
            None => self.make().await?,
        };
        Ok(Some(Taken { slot, kept }))
    }

    /// How long it may take to have one, and to learn from it what a batch is decided on.
    pub(crate) const fn patience(&self) -> Duration {
        self.patience
    }

    async fn make(&self) -> Result<Kept, sqlx::Error> {
        let make = async {
            let mut connection = self.options.connect().await?;
            begin(&mut connection, self.log_part).await?;
            Ok(connection)
        };
        let made = timeout(self.patience, make).await;
        let connection = made.unwrap_or_else(|_| Err(late(self.patience)))?;
        let now = Instant::now();
        Ok(Kept { connection, known: Known::default(), made: now, used: now })
    }

    /// Waits for the batch that has it, and closes it for good.
    pub(crate) async fn close(&self) {
        let mut slot = self.slot.lock().await;
        slot.is_closed = true;
        if let Some(kept) = slot.kept.take() {
            // What is said already need not be heard.
            let _ = kept.connection.close().await;
        }
    }
}

impl Kept {
    async fn if_good(mut self) -> Option<Self> {
        if self.made.elapsed() > LIFE {
            return None;
        }
        let is_good = self.used.elapsed() < REST || answers(&mut self.connection).await.is_ok();
        is_good.then_some(self)
    }
}

/// The connection, for one batch. If it is not given back, it is closed: nobody finds it in the middle of a statement.
pub(crate) struct Taken {
    slot: OwnedMutexGuard<Slot>,
    kept: Kept,
}

impl Taken {
    /// With what the batches before have learned on it.
    pub(crate) fn parts(&mut self) -> (&mut PgConnection, &mut Known) {
        (&mut self.kept.connection, &mut self.kept.known)
    }

    /// For the next batch.
    pub(crate) fn give_back(mut self) {
        self.kept.used = Instant::now();
        self.slot.kept = Some(self.kept);
    }
}
