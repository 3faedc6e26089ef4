//! Which file, and how it is opened.

use std::path::PathBuf;
use std::time::Duration;

use scoreboard_core::InvalidValue;

/// Which file to open, and how.
///
/// ```
/// use scoreboard_sqlite::Config;
/// let config = Config { readers: 8, ..Config::new("scoreboard.db") };
/// assert_eq!(Config::from_url("sqlite://scoreboard.db")?.path, config.path);
/// # Ok::<(), scoreboard_core::InvalidValue>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Config {
    /// The file. It is created if it is missing, readable and writable by its owner alone; its folder is not.
    pub path: PathBuf,
    /// How many reads may run at once, each on a connection of its own; at least 1. How long calls wait for one is in the metric
    /// `scoreboard_db_pool_wait_seconds`, apart for the `readers` and for the one `writer`.
    pub readers: u32,
    /// How long a call waits for a lock that another process holds on the file, at most 24 days.
    pub busy_timeout: Duration,
    /// How long a call waits until one of this process' connections is free. More than [`busy_timeout`](Self::busy_timeout), so
    /// that a lock held elsewhere is told from too many calls here.
    pub acquire_timeout: Duration,
    /// How many bytes of the file the writer keeps in memory, and all readers together as many again.
    pub cache_bytes: u64,
}

impl Config {
    /// The file at `path`, with 4 readers, 2 seconds of patience with other processes and 3 within this one, and 2 × 64 MiB of cache.
    #[must_use]
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            readers: 4,
            busy_timeout: Duration::from_secs(2),
            acquire_timeout: Duration::from_secs(3),
            cache_bytes: 64 << 20,
        }
    }

    /// The file that a URL names: `sqlite:///absolute/path`, `sqlite://relative/path` or `sqlite:path`. The path is taken as it
    /// stands: nothing in it is decoded.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if the URL has another scheme, names no file, or asks for options.
    pub fn from_url(url: &str) -> Result<Self, InvalidValue> {
        const WHAT: &str = "database URL";
        let rest = url.strip_prefix("sqlite:").ok_or(InvalidValue::new(WHAT, "must start with `sqlite:`"))?;
        let path = rest.strip_prefix("//").unwrap_or(rest);
        if path.is_empty() || path.ends_with('/') {
            return Err(InvalidValue::new(WHAT, "must name a file, like sqlite://scoreboard.db"));
        }
        if path == ":memory:" {
            return Err(InvalidValue::new(WHAT, "must name a file: a store in memory has its own adapter"));
        }
        if path.contains('?') {
            return Err(InvalidValue::new(WHAT, "must not have options behind a `?`"));
        }
        Ok(Self::new(path))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_three_spellings_of_a_url_name_their_files() {
        for (url, path) in [
            ("sqlite:///var/lib/board.db", "/var/lib/board.db"),
            ("sqlite://data/board.db", "data/board.db"),
            ("sqlite:board.db", "board.db"),
        ] {
            assert_eq!(Config::from_url(url).unwrap().path, PathBuf::from(path), "{url}");
        }
    }

    #[test]
    fn what_names_no_file_is_refused() {
        for url in [
            "",
            "board.db",
            "postgres://host/db",
            "sqlite:",
            "sqlite://",
            "sqlite:///",
            "sqlite::memory:",
            "sqlite://a?mode=ro",
        ] {
            assert!(Config::from_url(url).is_err(), "{url}");
        }
    }
}
