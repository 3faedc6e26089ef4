//! One server a database file: a lock beside it, which the system gives back however the process ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::Path;

use crate::failure::{Failure, Result};

/// Held as long as it lives.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock at `path` for what `database` names, or says who has it.
    pub(crate) fn take(path: &Path, database: &Path) -> Result<Self> {
        let cannot = |error: std::io::Error| {
            Failure::new(format_args!("cannot lock {} by {}: {error}", database.display(), path.display()))
        };
        let mut options = OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options.open(path).map_err(cannot)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                // Only for the message: a holder that has not written its number yet is one without.
                let _ = file.read_to_string(&mut holder);
                let holder = holder.trim();
                let number = if holder.is_empty() { String::new() } else { format!(" (process {holder})") };
                return Err(Failure::new(format_args!("another server{number} has {} open", database.display())));
            }
            Err(TryLockError::Error(error)) => return Err(cannot(error)),
        }
        file.set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()))
            .map_err(cannot)?;
        Ok(Self { _file: file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_is_refused_until_the_first_is_gone() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("scoreboard.db-lock");
        let first = Lock::take(&path, Path::new("scoreboard.db")).unwrap();
        let refusal = Lock::take(&path, Path::new("scoreboard.db")).unwrap_err().to_string();
        assert_eq!(refusal, format!("another server (process {}) has scoreboard.db open", std::process::id()));
        drop(first);
        assert!(Lock::take(&path, Path::new("scoreboard.db")).is_ok());
    }
}
