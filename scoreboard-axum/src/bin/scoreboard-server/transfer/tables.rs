//! Another system's tables of users and scores, as lines of an export.
//!
//! A row is read as JSON, so that a column may have any of the names that are usual for it, and need not be there if it is not needed.

use std::collections::HashMap;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use futures_util::TryStreamExt;
use scoreboard_core::accounts::{DisplayName, Email, Role};
use scoreboard_core::{
    ActionId, BoardId, BoardSpec, Clock, Epoch, KindId, Points, Score, Season, SystemClock, Timestamp, UserId, Version,
    Visibility,
};
use scoreboard_postgres::sqlx::postgres::PgConnectOptions;
use scoreboard_postgres::sqlx::{self, AssertSqlSafe, ConnectOptions, PgConnection};

use crate::cli::TablesFlags;
use crate::failure::{Failure, Result};
use crate::progress::Progress;
use crate::transfer::copy::Outgoing;
use crate::transfer::export::Sink;
use crate::transfer::{BoardLine, Counts, Header, Line, OriginWord, RowLine, UserLine};

/// A time of a column that is one of these, in milliseconds since 1970.
macro_rules! millis {
    ($($column:literal),+) => {
        concat!("floor(extract(epoch FROM coalesce(", $("j->>'", $column, "', ",)+ "NULL)::timestamptz) * 1000)::bigint")
    };
}

const USERS: &str = concat!(
    "SELECT coalesce(j->>'id', j->>'user_id', j->>'userId'), coalesce(j->>'email', j->>'mail'),
            coalesce(j->>'password_hash', j->>'passwordHash', j->>'password', j->>'hash'),
            coalesce(j->>'display_name', j->>'displayName', j->>'username', j->>'name', left(split_part(j->>'email', '@', 1), 40)), ",
    millis!("created_at", "createdAt"),
    " FROM "
);

const SCORES: &str = concat!(
    "SELECT coalesce(j->>'user_id', j->>'userId'), coalesce(j->>'score', j->>'points', j->>'value'), ",
    millis!("updated_at", "updatedAt", "created_at", "createdAt"),
    ", coalesce(j->>'id', '') FROM "
);

/// A connection to the other system's database, which is only read.
pub(super) struct Tables<'a> {
    connection: PgConnection,
    flags: &'a TablesFlags,
}

impl<'a> Tables<'a> {
    pub(super) async fn open(url: &str, flags: &'a TablesFlags) -> Result<Self> {
        let is_postgres = ["postgres://", "postgresql://"].iter().any(|scheme| url.starts_with(scheme));
        let options = url.parse().ok().filter(|_: &PgConnectOptions| is_postgres);
        let options = options.ok_or_else(|| Failure::new("--from must be a postgres:// URL to read tables"))?;
        let options = options.application_name("scoreboard").options([
            ("default_transaction_read_only", "on"),
            ("timezone", "UTC"),
            // A large table takes as long as it takes.
            ("statement_timeout", "0"),
        ]);
        let cannot = |error: sqlx::Error| Failure::because("cannot open the database of --from", &error);
        Ok(Self { connection: options.connect().await.map_err(cannot)?, flags })
    }

    /// Which board the scores are for.
    pub(super) const fn board(&self) -> &'a BoardId {
        &self.flags.board
    }

    /// Sends all of it, as if it was the export of one board.
    pub(super) async fn read(&mut self, spec: &BoardSpec, season: Season, lines: &mut Outgoing) -> Result<()> {
        // One snapshot: who has a score has an account in it.
        self.run("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
        let rows = count(&mut self.connection, &self.flags.scores_table).await?;
        self.refuse_nameless_rows().await?;
        lines.write(Line::Header(Header::new(true, false))).await?;
        let (spec, version, epoch) = (spec.clone(), Version::new(rows), Epoch::default());
        lines.write(Line::Board(BoardLine { spec: spec.clone(), season, version, epoch })).await?;
        let users = self.users(lines).await?;
        let rows = self.scores(&spec, season, rows, lines).await?;
        lines.write(Line::End(Counts { boards: 1, users, rows, decisions: 0 })).await
    }

    /// Rows of one user are told apart by their ids.
    async fn refuse_nameless_rows(&mut self) -> Result<()> {
        let table = &self.flags.scores_table;
        let sql = format!(
            "SELECT coalesce(j->>'user_id', j->>'userId') AS whose FROM {} WHERE j->>'id' IS NULL
             GROUP BY 1 HAVING count(*) > 1 LIMIT 1",
            rows_of(table)
        );
        let found: Option<Option<String>> = sqlx::query_scalar(AssertSqlSafe(sql))
            .fetch_optional(&mut self.connection)
            .await
            .map_err(|e| cannot(table, &e))?;
        match found {
            Some(Some(user)) => Err(Failure::new(format_args!(
                "table {table}, user {user}: has several rows, which takes a column `id` that tells them apart"
            ))),
            Some(None) | None => Ok(()),
        }
    }

    async fn users(&mut self, lines: &mut Outgoing) -> Result<u64> {
        type Row = (Option<String>, Option<String>, Option<String>, Option<String>, Option<i64>);
        let table = &self.flags.users_table;
        let total = count(&mut self.connection, table).await?;
        let mut progress = Progress::new(format!("reading {table}"), total, "users");
        let now = SystemClock.now();
        let sql = format!("{USERS} {} ORDER BY 1", rows_of(table));
        let mut rows = sqlx::query_as::<_, Row>(AssertSqlSafe(sql)).fetch(&mut self.connection);
        let mut done = 0;
        while let Some((id, email, password, name, created_at)) =
            rows.try_next().await.map_err(|e| cannot(table, &e))?
        {
            done += 1;
            let id = needed(table, done, "id, user_id", id)?;
            let bad = |what: &dyn fmt::Display| Failure::new(format_args!("table {table}, user {id}: {what}"));
            let email = needed(table, done, "email, mail", email)?;
            let line = UserLine {
                id: user_id(&id),
                email: Email::new(&email).map_err(|error| bad(&error))?,
                display_name: DisplayName::new(name.as_deref().unwrap_or_default()).map_err(|error| bad(&error))?,
                // Whoever was a moderator there is made one here by hand.
                roles: vec![Role::User],
                created_at: created_at.map_or(now, Timestamp::from_millis),
                password: needed(table, done, "password_hash, password, hash", password)?,
            };
            lines.name(format!("table {table}, user {id}")).write(Line::User(line)).await?;
            progress.at(done, total);
        }
        Ok(done)
    }

    async fn scores(&mut self, spec: &BoardSpec, season: Season, total: u64, lines: &mut Outgoing) -> Result<u64> {
        type Row = (Option<String>, Option<String>, Option<i64>, String);
        let table = &self.flags.scores_table;
        let mut progress = Progress::new(format!("reading {table}"), total, "scores");
        // Who reached it first is first in the log.
        let sql = format!("{SCORES} {} ORDER BY 3, 1, 4", rows_of(table));
        let mut rows = sqlx::query_as::<_, Row>(AssertSqlSafe(sql)).fetch(&mut self.connection);
        let mut folded: HashMap<UserId, Score> = HashMap::new();
        let mut version = Version::ZERO;
        while let Some((user, points, at, id)) = rows.try_next().await.map_err(|error| cannot(table, &error))? {
            version = version.next();
            let user = needed(table, version.get(), "user_id", user)?;
            let bad = |what: &dyn fmt::Display| Failure::new(format_args!("table {table}, user {user}: {what}"));
            let text = needed(table, version.get(), "score, points, value", points)?;
            // `numeric` writes a whole number with as many zeros behind it as it is declared to have.
            let whole =
                text.split_once('.').filter(|(_, zeros)| zeros.bytes().all(|b| b == b'0')).map(|(whole, _)| whole);
            let points = whole
                .unwrap_or(&text)
                .parse()
                .map_err(|_| bad(&format_args!("the score {text} is no whole number")))?;
            let points = Points::new(points).map_err(|error| bad(&error))?;
            let at = needed(table, version.get(), "updated_at, created_at", at.map(Timestamp::from_millis))?;
            let user_id = user_id(&user);
            let score = spec.operator.apply(spec.direction, folded.get(&user_id).copied(), points);
            let score = score.ok_or_else(|| bad(&"the score leaves its range"))?;
            folded.insert(user_id, score);
            let line = RowLine {
                board: spec.id.clone(),
                version,
                // The row has the same id in each run, and another fingerprint if it was changed between two.
                id: ActionId::from_bytes(name(&["score", spec.id.as_str(), table, &user, &id])),
                fingerprint: STANDARD.encode(name(&["row", &user, &points.to_string(), &at.to_string()])),
                season,
                user_id,
                kind: KindId::new("copied").expect("a slug"),
                points,
                origin: OriginWord::Record,
                at,
                score,
                reached: None,
                visibility: Visibility::Shown,
                digest: None,
            };
            lines.name(format!("table {table}, user {user}")).write(Line::Row(line)).await?;
            progress.at(version.get(), total);
        }
        Ok(version.get())
    }

    async fn run(&mut self, sql: &'static str) -> Result<()> {
        let done = sqlx::query(sql).execute(&mut self.connection).await;
        done.map(drop).map_err(|error| Failure::because("cannot read the database of --from", &error))
    }
}

async fn count(connection: &mut PgConnection, table: &str) -> Result<u64> {
    let sql = format!("SELECT count(*) FROM {}", quoted(table));
    let rows: i64 =
        sqlx::query_scalar(AssertSqlSafe(sql)).fetch_one(connection).await.map_err(|error| cannot(table, &error))?;
    Ok(rows.unsigned_abs())
}

fn cannot(table: &str, error: &sqlx::Error) -> Failure {
    Failure::because(format_args!("cannot read the table {table}"), error)
}

fn needed<T>(table: &str, row: u64, columns: &str, value: Option<T>) -> Result<T> {
    let missing =
        || Failure::new(format_args!("table {table}, row {row}: has nothing in a column of the names {columns}"));
    value.ok_or_else(missing)
}

/// A UUID stays what it is; any other id gives the same one each time.
fn user_id(id: &str) -> UserId {
    id.parse().unwrap_or_else(|_| UserId::for_name("copied", id))
}

/// 16 bytes for these words, the same each time.
fn name(words: &[&str]) -> [u8; 16] {
    // Lengths in front, so that no two lists of words are one text.
    let text: String = words.iter().map(|word| format!("{}:{word}", word.len())).collect();
    *UserId::for_name("copied tables", &text).as_bytes()
}

fn rows_of(table: &str) -> String {
    format!("(SELECT to_jsonb(t) AS j FROM {} AS t) AS rows", quoted(table))
}

/// A name, with or without a schema, that is nothing but a name.
fn quoted(table: &str) -> String {
    table.split('.').map(|part| format!("\"{}\"", part.replace('"', "\"\""))).collect::<Vec<_>>().join(".")
}
