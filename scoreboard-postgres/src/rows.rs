//! From columns to the library's words: what does not fit is what nobody wrote.

use scoreboard_core::{
    ActionId, Admissions, Direction, Epoch, Fingerprint, IncidentStatus, KindId, LogRow, Measure, Operator, Origin,
    Points, Position, Reached, Restriction, RowDigest, Score, Season, TieBreak, Timestamp, UserId, Version, Visibility,
};
use sqlx::postgres::PgRow;
use sqlx::{Decode, Postgres, Row, Type};
use uuid::Uuid;

use crate::error::Failure;

/// A row's columns, taken one after the other in the order of the `SELECT`.
pub(crate) struct Columns<'r> {
    row: &'r PgRow,
    next: usize,
}

impl<'r> Columns<'r> {
    pub(crate) fn of(row: &'r PgRow) -> Self {
        Self { row, next: 0 }
    }

    pub(crate) fn take<T: Decode<'r, Postgres> + Type<Postgres>>(&mut self) -> Result<T, Failure> {
        let column = self.next;
        self.next += 1;
        Ok(self.row.try_get(column)?)
    }

    /// The 16 bytes of an id.
    pub(crate) fn id(&mut self) -> Result<[u8; 16], Failure> {
        self.take::<Uuid>().map(Uuid::into_bytes)
    }

    pub(crate) fn bytes<const N: usize>(&mut self) -> Result<[u8; N], Failure> {
        self.take::<&[u8]>()?.try_into().map_err(Failure::stored)
    }

    pub(crate) fn count(&mut self) -> Result<u64, Failure> {
        u64::try_from(self.take::<i64>()?).map_err(Failure::stored)
    }

    pub(crate) fn user(&mut self) -> Result<UserId, Failure> {
        self.id().map(UserId::from_bytes)
    }

    pub(crate) fn at(&mut self) -> Result<Timestamp, Failure> {
        self.take().map(Timestamp::from_millis)
    }

    pub(crate) fn season(&mut self) -> Result<Season, Failure> {
        u32::try_from(self.take::<i64>()?).map(Season::new).map_err(Failure::stored)
    }

    pub(crate) fn score(&mut self) -> Result<Score, Failure> {
        Ok(Score::new(self.take()?)?)
    }

    pub(crate) fn version(&mut self) -> Result<Version, Failure> {
        self.count().map(Version::new)
    }

    /// Epoch and version.
    pub(crate) fn position(&mut self) -> Result<Position, Failure> {
        Ok(Position { epoch: Epoch::new(self.count()?), version: self.version()? })
    }

    /// Score, version and time.
    pub(crate) fn reached(&mut self) -> Result<Reached, Failure> {
        Ok(Reached { score: self.score()?, version: self.version()?, at: self.at()? })
    }

    /// The same three, all of them NULL or none.
    pub(crate) fn reached_before(&mut self) -> Result<Option<Reached>, Failure> {
        if self.row.try_get::<Option<i64>, _>(self.next)?.is_none() {
            self.next += 3;
            return Ok(None);
        }
        self.reached().map(Some)
    }

    /// When changes were admitted, if any were.
    pub(crate) fn admissions(&mut self) -> Result<Option<Admissions>, Failure> {
        let Some(bytes) = self.take::<Option<&[u8]>>()? else { return Ok(None) };
        let admissions = Admissions::from_bytes(bytes);
        admissions.map(Some).ok_or_else(|| Failure::stored("times of admissions that are none"))
    }

    /// One of a few words.
    pub(crate) fn word<T: Word>(&mut self) -> Result<T, Failure> {
        let text: &str = self.take()?;
        T::of_word(text)
    }

    /// The same, or NULL.
    pub(crate) fn some_word<T: Word>(&mut self) -> Result<Option<T>, Failure> {
        self.take::<Option<&str>>()?.map(T::of_word).transpose()
    }

    /// NULL where a release has written that knew of none.
    pub(crate) fn digest(&mut self) -> Result<Option<RowDigest>, Failure> {
        let bytes = self.take::<Option<&[u8]>>()?.map(<[u8; 32]>::try_from).transpose().map_err(Failure::stored)?;
        Ok(bytes.map(RowDigest::from_bytes))
    }

    /// The columns of [`log_columns`].
    pub(crate) fn log_row(&mut self) -> Result<LogRow, Failure> {
        let mut row = LogRow {
            position: self.position()?,
            action_id: self.id().map(ActionId::from_bytes)?,
            fingerprint: self.id().map(Fingerprint::from_bytes)?,
            season: self.season()?,
            user_id: self.user()?,
            kind: KindId::new(self.take()?)?,
            points: Points::new(self.take()?)?,
            origin: self.word()?,
            previous: self.reached_before()?,
            score: self.score()?,
            at: self.at()?,
            corrected: None,
            visibility: self.word_if()?.unwrap_or(Visibility::Shown),
            digest: None,
        };
        let (version, at): (Option<i64>, Option<i64>) = (self.take()?, self.take()?);
        if let (Some(version), Some(at)) = (version, at) {
            let version = u64::try_from(version).map(Version::new).map_err(Failure::stored)?;
            row.corrected = Some(Reached { score: row.score, version, at: Timestamp::from_millis(at) });
        }
        row.digest = self.digest()?;
        Ok(row)
    }

    /// One of a few words, or NULL.
    pub(crate) fn word_if<T: Word>(&mut self) -> Result<Option<T>, Failure> {
        if self.row.try_get::<Option<&str>, _>(self.next)?.is_none() {
            self.next += 1;
            return Ok(None);
        }
        self.word().map(Some)
    }
}

/// What [`Columns::log_row`] reads, of a table named `log`.
macro_rules! log_columns {
    () => {
        "log.epoch, log.version, log.action_id, log.fingerprint, log.season, log.user_id, log.kind, log.points, log.origin, \
         log.previous_score, log.previous_version, log.previous_at, log.score, log.at, log.visibility, log.corrected_version, \
         log.corrected_at, log.digest"
    };
}
pub(crate) use log_columns;

/// A type with few values, each kept as a word that can be read in the database.
pub(crate) trait Word: Copy + PartialEq + 'static {
    const WORDS: &'static [(Self, &'static str)];

    fn as_word(self) -> &'static str {
        let found = Self::WORDS.iter().find(|(value, _)| *value == self);
        found.map(|(_, word)| *word).expect("every value has its word")
    }

    fn of_word(text: &str) -> Result<Self, Failure> {
        let found = Self::WORDS.iter().find(|(_, word)| *word == text);
        found.map(|(value, _)| *value).ok_or_else(|| Failure::stored(format!("unknown word `{text}`")))
    }
}

impl Word for Direction {
    const WORDS: &'static [(Self, &'static str)] = &[(Self::Descending, "descending"), (Self::Ascending, "ascending")];
}

impl Word for Operator {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Increment, "increment"), (Self::Best, "best"), (Self::Set, "set"), (Self::Decrement, "decrement")];
}

impl Word for TieBreak {
    const WORDS: &'static [(Self, &'static str)] = &[(Self::Earliest, "earliest"), (Self::Latest, "latest")];
}

impl Word for Origin {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Action, "action"), (Self::Record, "record"), (Self::Correction, "correction")];
}

/// NULL for what is shown.
impl Word for Visibility {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Shown, "shown"), (Self::AsBefore, "before"), (Self::Nothing, "nothing")];
}

impl Word for Restriction {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Held, "held"), (Self::Shadowed, "shadowed"), (Self::Banned, "banned")];
}

impl Word for Measure {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Flag, "flag"), (Self::Hold, "hold"), (Self::Block, "block")];
}

impl Word for IncidentStatus {
    const WORDS: &'static [(Self, &'static str)] =
        &[(Self::Open, "open"), (Self::Confirmed, "confirmed"), (Self::Dismissed, "dismissed")];
}

/// A limit as Postgres takes it; no answer is longer than the largest one.
pub(crate) fn limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

/// A version or a count as Postgres takes it; none is larger than the largest.
pub(crate) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A season as Postgres takes it.
pub(crate) fn season(season: Season) -> i64 {
    i64::from(season.get())
}
