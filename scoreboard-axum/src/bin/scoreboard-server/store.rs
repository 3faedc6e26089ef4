//! From the place to the adapters.

use std::sync::Arc;

use futures_util::future::try_join_all;
use scoreboard_axum::App;
use scoreboard_core::accounts::{AccountStore, FactorStore};
use scoreboard_core::memory::{MemoryAccountStore, MemoryIncidentStore, MemoryScoreStore};
use scoreboard_core::{
    BackendError, Chain, Clock, Epoch, ErrorKind, IncidentStore, ModerationStore, ScoreStore, SystemClock, Timestamp,
};
use scoreboard_postgres::{PostgresClock, PostgresStore, ReplicaReads};
use scoreboard_sqlite::SqliteStore;

use crate::archive::not_in_parts;
use crate::failure::{Failure, Result};
use crate::files::Files;
use crate::place::Place;
use crate::settings::Settings;

/// Every store of one place.
#[derive(Debug, Clone)]
pub(crate) struct Stores {
    pub(crate) scores: Arc<dyn ScoreStore>,
    pub(crate) accounts: Arc<dyn AccountStore>,
    /// Where the accounts are.
    pub(crate) factors: Arc<dyn FactorStore>,
    pub(crate) incidents: Arc<dyn IncidentStore>,
    /// About the scores, where they are written.
    pub(crate) moderation: Arc<dyn ModerationStore>,
    backend: Backend,
    /// The databases of what is kept apart.
    apart: Vec<PostgresStore>,
}

/// What is behind all of them.
#[derive(Debug, Clone)]
enum Backend {
    Memory,
    Sqlite(SqliteStore),
    Postgres(Box<PostgresStore>),
}

impl Stores {
    /// Opens the place; what is missing in it is made.
    pub(crate) async fn open(place: &Place) -> Result<Self> {
        match place {
            Place::Memory => {
                let accounts = Arc::new(MemoryAccountStore::default());
                let scores = Arc::new(fresh_memory().await?);
                Ok(Self {
                    scores: scores.clone(),
                    moderation: scores,
                    accounts: accounts.clone(),
                    factors: accounts,
                    incidents: Arc::new(MemoryIncidentStore::default()),
                    backend: Backend::Memory,
                    apart: Vec::new(),
                })
            }
            Place::Sqlite { config, files } => {
                files.check_folder()?;
                let store = SqliteStore::open(config).await.map_err(|error| no_file(files, &error))?;
                Ok(Self::all_on(store.clone(), Backend::Sqlite(store)))
            }
            Place::Postgres { config, replicas, apart } => {
                let store = open_or_make(config).await?;
                let mut stores = Self::all_on(store.clone(), Backend::Postgres(Box::new(store.clone())));
                if let Some(config) = &apart.accounts {
                    stores.keep_accounts_in(open_or_make(config).await?);
                }
                if let Some(config) = &apart.analytics {
                    stores.keep_incidents_in(open_or_make(config).await?);
                }
                if replicas.is_empty() {
                    return Ok(stores);
                }
                let scores = ReplicaReads::open(store, replicas).await.map_err(|error| no_database(config, &error))?;
                Ok(Self { scores: Arc::new(scores), ..stores })
            }
        }
    }

    /// Opens the place that the settings name, for a command beside a server: nothing is made by a typing error.
    pub(crate) async fn open_existing(settings: &Settings) -> Result<Self> {
        match Place::of_command(settings)? {
            Place::Postgres { config, apart, .. } => {
                let store = open(&config).await?;
                let mut stores = Self::all_on(store.clone(), Backend::Postgres(Box::new(store)));
                if let Some(config) = &apart.accounts {
                    stores.keep_accounts_in(open(config).await?);
                }
                if let Some(config) = &apart.analytics {
                    stores.keep_incidents_in(open(config).await?);
                }
                Ok(stores)
            }
            place => {
                if let Place::Sqlite { files, .. } = &place {
                    files.check_folder()?;
                    files.check_database()?;
                }
                Self::open(&place).await
            }
        }
    }

    fn all_on<S: ScoreStore + ModerationStore + AccountStore + FactorStore + IncidentStore>(
        store: S,
        backend: Backend,
    ) -> Self {
        let store = Arc::new(store);
        Self {
            scores: store.clone(),
            accounts: store.clone(),
            factors: store.clone(),
            moderation: store.clone(),
            incidents: store,
            backend,
            apart: Vec::new(),
        }
    }

    fn keep_accounts_in(&mut self, store: PostgresStore) {
        self.accounts = Arc::new(store.clone());
        self.factors = Arc::new(store.clone());
        self.apart.push(store);
    }

    fn keep_incidents_in(&mut self, store: PostgresStore) {
        self.incidents = Arc::new(store.clone());
        self.apart.push(store);
    }

    /// The databases of what is kept apart, as parts of the server's health.
    pub(crate) fn attend(&self, app: App) -> App {
        if self.apart.is_empty() {
            return app;
        }
        let apart = self.apart.clone();
        app.with_database_check(move || {
            let apart = apart.clone();
            Box::pin(async move { try_join_all(apart.iter().map(|store| store.check())).await.map(drop) })
        })
    }

    /// Whether what is acknowledged is kept, as far as the database says; memory keeps nothing, and was asked for.
    pub(crate) fn is_durable(&self) -> bool {
        let main = match &self.backend {
            Backend::Memory | Backend::Sqlite(_) => true,
            Backend::Postgres(store) => store.is_durable(),
        };
        main && self.apart.iter().all(PostgresStore::is_durable)
    }

    /// The clock by which servers and commands go: that of the database, where several share one, so that none judges by a clock that is wrong.
    pub(crate) async fn clock(&self) -> Result<Arc<dyn Clock>> {
        match &self.backend {
            Backend::Memory | Backend::Sqlite(_) => Ok(Arc::new(SystemClock)),
            Backend::Postgres(store) => {
                let clock = PostgresClock::of(store).await?;
                tokio::spawn(clock.clone().follow());
                Ok(Arc::new(clock))
            }
        }
    }

    /// What that clock shows: when what a command decides was decided.
    pub(crate) async fn now(&self) -> Result<Timestamp> {
        match &self.backend {
            Backend::Memory | Backend::Sqlite(_) => Ok(SystemClock.now()),
            Backend::Postgres(store) => Ok(PostgresClock::of(store).await?.now()),
        }
    }

    /// What names the store, among those that several servers share.
    pub(crate) async fn identity(&self) -> Result<String> {
        let named = self.postgres()?.identity().await;
        named.map_err(|error| Failure::because("cannot tell which database this is", &error))
    }

    /// The database server, for what is done on one alone.
    pub(crate) fn postgres(&self) -> Result<&PostgresStore> {
        match &self.backend {
            Backend::Postgres(store) => Ok(store),
            Backend::Memory | Backend::Sqlite(_) => Err(not_in_parts()),
        }
    }

    /// Waits for what is under way and closes the file, or the connections.
    pub(crate) async fn close(self) {
        match self.backend {
            Backend::Memory => {}
            Backend::Sqlite(store) => store.close().await,
            Backend::Postgres(store) => store.close().await,
        }
        for store in self.apart {
            store.close().await;
        }
    }
}

async fn open_or_make(config: &scoreboard_postgres::Config) -> Result<PostgresStore> {
    PostgresStore::open(config).await.map_err(|error| no_database(config, &error))
}

async fn open(config: &scoreboard_postgres::Config) -> Result<PostgresStore> {
    PostgresStore::open_existing(config).await.map_err(|error| no_database(config, &error))
}

/// Memory forgets its boards with the process, and their watchers do not: so each process begins an epoch above those of all before it.
async fn fresh_memory() -> Result<MemoryScoreStore> {
    let scores = MemoryScoreStore::default();
    let seconds = SystemClock.now().as_millis() / 1000;
    scores.raise_epoch(Epoch::new(seconds.unsigned_abs())).await?;
    Ok(scores)
}

fn no_file(files: &Files, error: &BackendError) -> Failure {
    match (error.kind(), std::error::Error::source(error)) {
        (ErrorKind::Contended, _) => files.cannot_open("it is locked by another program"),
        (_, Some(cause)) => files.cannot_open(Chain(cause)),
        (kind, None) => files.cannot_open(kind),
    }
}

fn no_database(config: &scoreboard_postgres::Config, error: &BackendError) -> Failure {
    let tried = format_args!("cannot open the database {}", config.database);
    match std::error::Error::source(error) {
        Some(cause) => Failure::because(tried, cause),
        None => Failure::because(tried, error),
    }
}
