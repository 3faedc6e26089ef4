//! `archive`: parts of the log on PostgreSQL that are old enough, each to a file, and out of the database.

use std::path::PathBuf;
use std::str::FromStr;
use std::time::Duration;

use scoreboard_core::InvalidValue;
use scoreboard_postgres::{Archive, ArchiveStep, LogPart};

use crate::failure::{Failure, Result};
use crate::progress::{Progress, print};
use crate::settings::Settings;
use crate::store::Stores;

/// A number of days, like `90d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Days(u32);

impl FromStr for Days {
    type Err = InvalidValue;

    fn from_str(text: &str) -> Result<Self, InvalidValue> {
        let days = text.strip_suffix('d').and_then(|days| days.parse().ok());
        days.map(Self).ok_or(InvalidValue::new("an age", "must be a number of days, like 90d"))
    }
}

impl Days {
    const fn duration(self) -> Duration {
        Duration::from_secs(self.0 as u64 * 86_400)
    }
}

/// Archives what is as old, or says what that would be.
pub(crate) async fn run(settings: &Settings, older_than: Days, folder: PathBuf, dry_run: bool) -> Result<()> {
    let stores = Stores::open_existing(settings).await?;
    let archive = Archive { now: stores.now().await?, older_than: older_than.duration(), folder };
    let told = if dry_run { would_go(&stores, &archive).await } else { go(&stores, &archive).await };
    stores.close().await;
    print(&told?)
}

async fn would_go(stores: &Stores, archive: &Archive) -> Result<String> {
    let parts = stores.postgres()?.spent_parts(archive.now, archive.older_than).await?;
    let lines = parts.iter().map(|LogPart { number, until, rows, bytes, .. }| {
        format!("part {number}, actions until {until}: about {rows} changes, {bytes} bytes\n")
    });
    Ok(or_none(lines.collect()))
}

async fn go(stores: &Stores, archive: &Archive) -> Result<String> {
    let mut shown: Option<((u64, &str), Progress)> = None;
    let progress = |part: &LogPart, step: ArchiveStep| {
        let (what, done) = match step {
            ArchiveStep::Written(rows) => ("archiving", rows),
            ArchiveStep::Compared(rows) => ("comparing", rows),
        };
        let key = (part.number, what);
        if shown.as_ref().is_none_or(|(shown, _)| *shown != key) {
            shown = Some((key, Progress::new(format!("{what} part {}", part.number), part.rows, "changes")));
        }
        if let Some((_, progress)) = &mut shown {
            progress.at(done, part.rows.max(done));
        }
    };
    let archived = stores.postgres()?.archive(archive, progress).await?;
    let lines = archived.iter().map(|part| {
        format!("part {}: {} changes are in {}, and out of the database\n", part.number, part.rows, part.file.display())
    });
    Ok(or_none(lines.collect()))
}

fn or_none(lines: String) -> String {
    if lines.is_empty() { "no part of the log is as old\n".to_owned() } else { lines }
}

/// A log on a file is one table, and stays.
pub(crate) fn not_in_parts() -> Failure {
    Failure::new("only a log on PostgreSQL lies in parts that can be archived")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_age_is_a_number_of_days() {
        assert_eq!("90d".parse::<Days>().unwrap().duration(), Duration::from_secs(7_776_000));
        for text in ["", "d", "90", "-1d", "1.5d", "90w", "90 d"] {
            assert!(text.parse::<Days>().is_err(), "{text}");
        }
    }
}
