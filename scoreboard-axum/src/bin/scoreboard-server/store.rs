//! From the database's URL to the adapters.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use scoreboard_core::accounts::AccountStore;
use scoreboard_core::memory::{MemoryAccountStore, MemoryIncidentStore, MemoryScoreStore};
use scoreboard_core::{BackendError, Chain, ErrorKind, IncidentStore, ScoreStore};
use scoreboard_sqlite::SqliteStore;

use crate::failure::{Failure, Result};
use crate::settings::Settings;

/// Where everything is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Place {
    /// In this process, until it ends.
    Memory,
    /// In a SQLite file, with the key file and the lock beside it.
    Sqlite(scoreboard_sqlite::Config),
}

impl Place {
    /// Reads a URL; the error is the rule that it breaks.
    pub(crate) fn parse(url: &str) -> Result<Self, String> {
        match url.split_once(':') {
            Some(("memory", "" | "//")) => Ok(Self::Memory),
            Some(("sqlite", _)) => {
                let config = scoreboard_sqlite::Config::from_url(url).map_err(|error| error.to_string())?;
                if config.path.extension().is_some_and(|extension| extension == "keys" || extension == "db-lock") {
                    return Err("must not end in .keys or .db-lock: files of these names are put beside it".to_owned());
                }
                Ok(Self::Sqlite(config))
            }
            _ => Err("must start with one of the known schemes: sqlite://FILE, memory:".to_owned()),
        }
    }

    /// What a command that works on stored data needs: a file.
    pub(crate) fn files(&self) -> Result<Files> {
        match self {
            Self::Memory => Err(Failure::new(
                "`memory:` lives inside one running server: name a file, like --database-url sqlite://scoreboard.db",
            )),
            Self::Sqlite(config) => Ok(Files::beside(&config.path)),
        }
    }
}

/// A database file and what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) database: PathBuf,
    pub(crate) keys: PathBuf,
    pub(crate) lock: PathBuf,
}

impl Files {
    fn beside(database: &Path) -> Self {
        // Two names of one file have one lock.
        let real = fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
        Self { database: database.to_owned(), keys: real.with_extension("keys"), lock: real.with_extension("db-lock") }
    }

    /// Whether the folder is there, told before anything is put into it.
    pub(crate) fn check_folder(&self) -> Result<()> {
        if fs::metadata(&self.database).is_ok_and(|file| !file.is_file()) {
            return Err(cannot_open(&self.database, "it is no file"));
        }
        match self.database.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
            Some(folder) => Err(cannot_open(&self.database, format_args!("there is no folder {}", folder.display()))),
            None => Ok(()),
        }
    }

    /// Says so if others may read the file: it holds e-mail addresses and password hashes. One that this program makes is its
    /// owner's alone; a copy that another program made may not be.
    #[cfg(unix)]
    pub(crate) fn warn_of_readers(&self) {
        use std::os::unix::fs::PermissionsExt;
        let others = fs::metadata(&self.database).is_ok_and(|file| file.permissions().mode() & 0o077 != 0);
        if others {
            let file = self.database.display();
            tracing::warn!(%file, "others can read or write the database: make it its owner's alone (chmod 600)");
        }
    }

    #[cfg(not(unix))]
    pub(crate) fn warn_of_readers(&self) {}

    /// Whether there is a database, for commands that must not make one by a typing error.
    pub(crate) fn check_database(&self) -> Result<()> {
        if self.database.exists() {
            return Ok(());
        }
        let missing = "there is none: start the server once, or name another with --database-url";
        Err(cannot_open(&self.database, missing))
    }
}

/// Every store of one place.
#[derive(Debug, Clone)]
pub(crate) struct Stores {
    pub(crate) scores: Arc<dyn ScoreStore>,
    pub(crate) accounts: Arc<dyn AccountStore>,
    pub(crate) incidents: Arc<dyn IncidentStore>,
    sqlite: Option<SqliteStore>,
}

impl Stores {
    /// Opens the place that the settings name; a missing file is made.
    pub(crate) async fn open(place: &Place, settings: &Settings) -> Result<Self> {
        match place {
            Place::Memory => Ok(Self {
                scores: Arc::new(MemoryScoreStore::default()),
                accounts: Arc::new(MemoryAccountStore::default()),
                incidents: Arc::new(MemoryIncidentStore::default()),
                sqlite: None,
            }),
            Place::Sqlite(config) => {
                let config = scoreboard_sqlite::Config { readers: settings.store.readers, ..config.clone() };
                let store = SqliteStore::open(&config).await.map_err(|error| explain(&config.path, &error))?;
                Ok(Self {
                    scores: Arc::new(store.clone()),
                    accounts: Arc::new(store.clone()),
                    incidents: Arc::new(store.clone()),
                    sqlite: Some(store),
                })
            }
        }
    }

    /// Opens the file that the settings name, which must be there, for a command beside a server.
    pub(crate) async fn open_existing(settings: &Settings) -> Result<Self> {
        let place = Place::parse(&settings.database_url).map_err(Failure::new)?;
        place.files()?.check_database()?;
        Self::open(&place, settings).await
    }

    /// Waits for what is under way and closes the file.
    pub(crate) async fn close(self) {
        if let Some(sqlite) = self.sqlite {
            sqlite.close().await;
        }
    }
}

fn explain(path: &Path, error: &BackendError) -> Failure {
    match (error.kind(), std::error::Error::source(error)) {
        (ErrorKind::Contended, _) => cannot_open(path, "it is locked by another program"),
        (_, Some(cause)) => cannot_open(path, Chain(cause)),
        (kind, None) => cannot_open(path, kind),
    }
}

fn cannot_open(path: &Path, why: impl std::fmt::Display) -> Failure {
    Failure::new(format_args!("cannot open the database {}: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_picks_the_adapter() {
        assert_eq!(Place::parse("memory:"), Ok(Place::Memory));
        assert!(matches!(Place::parse("sqlite://a/scoreboard.db"), Ok(Place::Sqlite(_))));
        for url in ["postgres://host/db", "scoreboard.db", "", "memory:x"] {
            let rule = Place::parse(url).unwrap_err();
            assert!(rule.contains("sqlite://FILE") && rule.contains("memory:"), "{url}: {rule}");
        }
        assert!(Place::parse("sqlite://my.keys").is_err());
    }

    #[test]
    fn the_other_files_stand_beside_the_database() {
        let files = Place::parse("sqlite://data/scoreboard.db").unwrap().files().unwrap();
        assert_eq!(files.keys, Path::new("data/scoreboard.keys"));
        assert_eq!(files.lock, Path::new("data/scoreboard.db-lock"));
        assert!(Place::Memory.files().is_err());
    }
}
