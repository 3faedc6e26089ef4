//! Where everything is kept: what the database's URL and the other settings come to.

use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::failure::{Failure, Result};
use crate::files::Files;
use crate::lock::Lock;
use crate::settings::{Durability, Settings};

/// How long a command's own calls to a database server may take: it reads and writes far more at once than a request does, and nobody
/// is refused meanwhile.
const COMMAND_PATIENCE: Duration = Duration::from_secs(30);

/// Where everything is kept.
#[derive(Debug, Clone)]
pub(crate) enum Place {
    /// In this process, until it ends.
    Memory,
    /// In a SQLite file, with the key file and the lock beside it.
    Sqlite { config: scoreboard_sqlite::Config, files: Files },
    /// On a PostgreSQL server, for any number of servers, and read on its replicas.
    Postgres {
        config: Box<scoreboard_postgres::Config>,
        replicas: Vec<scoreboard_postgres::Config>,
        /// What is not kept there but in databases of its own.
        apart: Box<Apart>,
    },
}

/// Databases for what is kept apart from the boards.
#[derive(Debug, Clone, Default)]
pub(crate) struct Apart {
    pub(crate) accounts: Option<scoreboard_postgres::Config>,
    pub(crate) analytics: Option<scoreboard_postgres::Config>,
}

impl Place {
    /// Reads the settings; the error is the rule that the URL breaks.
    pub(crate) fn of(settings: &Settings) -> Result<Self, String> {
        let url = settings.database_url.as_str();
        match url.split_once(':') {
            Some(("memory", "" | "//")) => Ok(Self::Memory),
            Some(("sqlite", _)) => {
                let config = scoreboard_sqlite::Config::from_url(url).map_err(|error| error.to_string())?;
                if config.path.extension().is_some_and(|extension| extension == "keys" || extension == "db-lock") {
                    return Err("must not end in .keys or .db-lock: files of these names are put beside it".to_owned());
                }
                let config = scoreboard_sqlite::Config { readers: settings.store.readers, ..config };
                let files = Files::beside(&config.path);
                Ok(Self::Sqlite { config, files })
            }
            Some(("postgres" | "postgresql", _)) => {
                let patience = Duration::from_millis(settings.store.timeout_ms);
                let replicas = settings.replica_urls.iter().map(|url| {
                    // The primary is read in the same time, if need be.
                    postgres(url, settings, patience / 3).map_err(|rule| format!("a replica's {rule}"))
                });
                let replicas = replicas.collect::<Result<_, _>>()?;
                let apart = |url: &str, whose: &str| {
                    let named = (!url.is_empty()).then(|| postgres(url, settings, patience));
                    named.transpose().map_err(|rule| format!("that of the {whose}: {rule}"))
                };
                let apart = Apart {
                    accounts: apart(&settings.accounts_url, "accounts")?,
                    analytics: apart(&settings.analytics_url, "analytics")?,
                };
                let config = Box::new(postgres(url, settings, patience)?);
                Ok(Self::Postgres { config, replicas, apart: Box::new(apart) })
            }
            _ => Err("must start with one of the known schemes: sqlite://FILE, postgres://, memory:".to_owned()),
        }
    }

    /// The same for a command: what it works on is kept, and it has time.
    pub(crate) fn of_command(settings: &Settings) -> Result<Self> {
        match Self::of(settings).map_err(Failure::new)? {
            Self::Memory => Err(Failure::new(
                "`memory:` lives inside one running server: name a file, like --database-url sqlite://scoreboard.db",
            )),
            Self::Postgres { config, apart, .. } => {
                let patient = |config: scoreboard_postgres::Config| config.with_call_timeout(COMMAND_PATIENCE);
                let Apart { accounts, analytics } = *apart;
                let apart = Apart { accounts: accounts.map(patient), analytics: analytics.map(patient) };
                Ok(Self::Postgres { config: Box::new(patient(*config)), replicas: Vec::new(), apart: Box::new(apart) })
            }
            sqlite @ Self::Sqlite { .. } => Ok(sqlite),
        }
    }

    /// Takes a file for this process alone, or says who has it. A database server keeps its users apart by itself.
    pub(crate) fn claim(&self) -> Result<Option<Lock>> {
        match self {
            Self::Sqlite { files, .. } => {
                files.check_folder()?;
                Lock::take(&files.lock, &files.database).map(Some)
            }
            Self::Memory | Self::Postgres { .. } => Ok(None),
        }
    }

    /// Where the keys are; `None` where they are gone with the process.
    pub(crate) fn key_file(&self, settings: &Settings) -> Result<Option<PathBuf>> {
        match (self, settings.keys.as_str()) {
            (Self::Memory, "") => Ok(None),
            (Self::Sqlite { files, .. }, "") => Ok(Some(files.keys.clone())),
            (Self::Postgres { .. }, "") => Err(Failure::new(
                "setting `keys`: must name the key file, like --keys scoreboard.keys; every server of one database needs the same, \
                 and `scoreboard-server admin rotate-keys --keys FILE` makes the first",
            )),
            (_, named) => Ok(Some(Path::new(named).to_owned())),
        }
    }
}

fn postgres(url: &str, settings: &Settings, patience: Duration) -> Result<scoreboard_postgres::Config, String> {
    let config = scoreboard_postgres::Config::from_url(url).map_err(|error| error.to_string())?;
    Ok(scoreboard_postgres::Config {
        connections: settings.store.connections,
        log_part: Duration::from_secs(settings.store.log_part_days * 86_400),
        unsafe_durability: settings.store.durability == Durability::Unsafe,
        ..config.with_call_timeout(patience)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(url: &str) -> Result<Place, String> {
        Place::of(&Settings { database_url: url.to_owned(), ..Settings::default() })
    }

    #[test]
    fn the_scheme_picks_the_adapter() {
        assert!(matches!(place("memory:"), Ok(Place::Memory)));
        assert!(matches!(place("sqlite://a/scoreboard.db"), Ok(Place::Sqlite { .. })));
        assert!(matches!(place("postgres://db.example/scores"), Ok(Place::Postgres { .. })));
        assert!(matches!(place("postgresql://db.example/scores"), Ok(Place::Postgres { .. })));
        for url in ["mysql://host/db", "scoreboard.db", "", "memory:x"] {
            let rule = place(url).unwrap_err();
            assert!(
                ["sqlite://FILE", "postgres://", "memory:"].iter().all(|scheme| rule.contains(scheme)),
                "{url}: {rule}"
            );
        }
        assert!(place("sqlite://my.keys").is_err());
    }

    #[test]
    fn replicas_belong_to_a_database_server() {
        let with = |url: &str, replica: &str| {
            let settings = Settings {
                database_url: url.to_owned(),
                replica_urls: vec![replica.to_owned()],
                ..Settings::default()
            };
            Place::of(&settings).map(|place| matches!(place, Place::Postgres { replicas, .. } if replicas.len() == 1))
        };
        assert_eq!(with("postgres://db.example/scores", "postgres://other.example/scores"), Ok(true));
        assert!(with("postgres://db.example/scores", "sqlite://a.db").unwrap_err().contains("a replica's"));
    }

    #[test]
    fn the_keys_are_beside_a_file_and_named_for_a_server() {
        let keys = |url: &str, keys: &str| {
            let settings = Settings { keys: keys.to_owned(), ..Settings::default() };
            place(url).unwrap().key_file(&settings).map_err(|failure| failure.to_string())
        };
        assert_eq!(keys("sqlite://data/scoreboard.db", ""), Ok(Some("data/scoreboard.keys".into())));
        assert_eq!(keys("sqlite://data/scoreboard.db", "my.keys"), Ok(Some("my.keys".into())));
        assert_eq!(keys("memory:", ""), Ok(None));
        assert_eq!(keys("postgres://db.example/scores", "my.keys"), Ok(Some("my.keys".into())));
        assert!(keys("postgres://db.example/scores", "").unwrap_err().contains("--keys"));
    }

    #[test]
    fn a_command_needs_what_is_kept() {
        let command = |url: &str| Place::of_command(&Settings { database_url: url.to_owned(), ..Settings::default() });
        assert!(command("memory:").is_err());
        let Ok(Place::Postgres { config, .. }) = command("postgres://db.example/scores") else { panic!("it is kept") };
        assert_eq!(config.call_timeout, COMMAND_PATIENCE);
    }
}
