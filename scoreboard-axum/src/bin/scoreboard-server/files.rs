//! A database file and what stands beside it.

use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use crate::failure::{Failure, Result};

/// A database file and what stands beside it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Files {
    pub(crate) database: PathBuf,
    pub(crate) keys: PathBuf,
    pub(crate) lock: PathBuf,
}

impl Files {
    pub(crate) fn beside(database: &Path) -> Self {
        // Two names of one file have one lock.
        let real = fs::canonicalize(database).unwrap_or_else(|_| database.to_owned());
        // Only the usual ending is replaced: `season.2025` and `season.2026` are two databases.
        let beside = |ending: &str| match real.extension() {
            Some(usual) if usual == "db" => real.with_extension(ending),
            _ => {
                let mut name = real.as_os_str().to_owned();
                name.push(format!(".{ending}"));
                name.into()
            }
        };
        Self { database: database.to_owned(), keys: beside("keys"), lock: beside("db-lock") }
    }

    /// Whether the folder is there, told before anything is put into it.
    pub(crate) fn check_folder(&self) -> Result<()> {
        if fs::metadata(&self.database).is_ok_and(|file| !file.is_file()) {
            return Err(self.cannot_open("it is no file"));
        }
        match self.database.parent().filter(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()) {
            Some(folder) => Err(self.cannot_open(format_args!("there is no folder {}", folder.display()))),
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
        Err(self.cannot_open("there is none: start the server once, or name another with --database-url"))
    }

    /// One line for whoever named the file.
    pub(crate) fn cannot_open(&self, why: impl Display) -> Failure {
        Failure::new(format_args!("cannot open the database {}: {why}", self.database.display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_other_files_stand_beside_the_database() {
        let files = Files::beside(Path::new("data/scoreboard.db"));
        assert_eq!(files.keys, Path::new("data/scoreboard.keys"));
        assert_eq!(files.lock, Path::new("data/scoreboard.db-lock"));
        let files = Files::beside(Path::new("data/season.2026"));
        assert_eq!(files.keys, Path::new("data/season.2026.keys"));
        assert_eq!(files.lock, Path::new("data/season.2026.db-lock"));
    }
}
