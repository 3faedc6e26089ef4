//! Many rows in few statements.
//!
//! Bound one by one, a value costs SQLite a fraction of what it costs to take it out of JSON again; and statements of a few fixed sizes are
//! each prepared once.

use std::sync::{Arc, OnceLock};

use scoreboard_core::{Reached, RowDigest, Version};
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe, SqliteConnection};

use crate::error::Failure;
use crate::rows::number;

/// How many rows a statement may take. The largest, times the columns, is well below the 32,766 parameters that SQLite takes.
const SIZES: [usize; 5] = [256, 64, 16, 4, 1];

/// A statement that takes rows: what is before their `VALUES`, and what is behind.
pub(crate) struct Insert {
    before: &'static str,
    columns: usize,
    behind: &'static str,
    texts: [OnceLock<Arc<str>>; SIZES.len()],
}

impl Insert {
    pub(crate) const fn new(before: &'static str, columns: usize, behind: &'static str) -> Self {
        Self { before, columns, behind, texts: [const { OnceLock::new() }; SIZES.len()] }
    }

    /// Runs it over all rows, of which `bind` gives the values of each in the order of the columns.
    pub(crate) async fn run<'r, T>(
        &self,
        connection: &mut SqliteConnection,
        mut rows: &'r [T],
        mut bind: impl FnMut(&mut Values, &'r T),
    ) -> Result<(), Failure> {
        for (size, text) in SIZES.into_iter().zip(&self.texts) {
            while let Some((chunk, rest)) = rows.split_at_checked(size) {
                let mut values = Values(SqliteArguments::default());
                values.0.reserve(size * self.columns, 0);
                for row in chunk {
                    bind(&mut values, row);
                }
                debug_assert_eq!(values.0.len(), size * self.columns, "a value for each column");
                let text = text.get_or_init(|| self.text(size));
                sqlx::query_with(AssertSqlSafe(text.clone()), values.0).execute(&mut *connection).await?;
                rows = rest;
            }
        }
        Ok(())
    }

    /// Made of the words above alone, never of a value.
    fn text(&self, rows: usize) -> Arc<str> {
        let row = format!("({})", vec!["?"; self.columns].join(","));
        format!("{} VALUES {} {}", self.before, vec![row; rows].join(","), self.behind).into()
    }
}

/// The values of rows, one after the other.
pub(crate) struct Values(SqliteArguments);

impl Values {
    pub(crate) fn integer(&mut self, value: i64) -> &mut Self {
        self.value(value)
    }

    /// An epoch: none is larger than the largest integer.
    pub(crate) fn number(&mut self, number: u64) -> &mut Self {
        self.value(i64::try_from(number).unwrap_or(i64::MAX))
    }

    pub(crate) fn version(&mut self, version: Version) -> &mut Self {
        self.value(number(version))
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8; 16]) -> &mut Self {
        self.value(&bytes[..])
    }

    pub(crate) fn word(&mut self, word: &str) -> &mut Self {
        self.value(word)
    }

    /// A word that there may not be.
    pub(crate) fn word_if(&mut self, word: Option<&str>) -> &mut Self {
        self.value(word)
    }

    pub(crate) fn reached(&mut self, reached: Option<Reached>) -> &mut Self {
        self.value(reached.map(|reached| reached.score.get())).reached_when(reached)
    }

    /// When a score was reached, if there is one.
    pub(crate) fn reached_when(&mut self, reached: Option<Reached>) -> &mut Self {
        self.earlier(reached.map(|reached| reached.version)).value(reached.map(|reached| reached.at.as_millis()))
    }

    /// A version that there may not be.
    pub(crate) fn earlier(&mut self, version: Option<Version>) -> &mut Self {
        self.value(version.map(number))
    }

    /// Bytes of any number, or none.
    pub(crate) fn kept(&mut self, bytes: Option<&Vec<u8>>) -> &mut Self {
        self.value(bytes.map(Vec::as_slice))
    }

    pub(crate) fn digest(&mut self, digest: Option<RowDigest>) -> &mut Self {
        match &digest {
            Some(digest) => self.value(&digest.as_bytes()[..]),
            None => self.value(None::<&[u8]>),
        }
    }

    fn value<'v>(&mut self, value: impl sqlx::Encode<'v, sqlx::Sqlite> + sqlx::Type<sqlx::Sqlite>) -> &mut Self {
        self.0.add(value).expect("integers, words and bytes have an encoding");
        self
    }
}
