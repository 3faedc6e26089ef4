//! An archive beside the database that it came from: is it the one, and do the scores stand on it?

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use futures_util::TryStreamExt;
use scoreboard_core::{BackendError, BoardId, Head, LogRow, Reached, Season, UserId, Version};
use sha2::{Digest, Sha256};
use sqlx::{Connection, PgConnection};
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::archive::{alone, chain, file_of, line, release};
use crate::boards;
use crate::connection::PostgresStore;
use crate::error::Failure;
use crate::rows::{Columns, log_columns};

/// What a user had when the log begins, if anything, on each board, and the version of the row that left it.
type Left = BTreeMap<(BoardId, Season, UserId), (Version, Option<Reached>)>;

/// What the file says is wrong with it, or with the database.
pub(super) type Found = Result<(), String>;

impl PostgresStore {
    /// Compares the archives in a folder with the database: each file is the one that was proven when its part was dropped, and what each
    /// user had when the log of a board begins is what their newest row before it has left; and with what the database still has of it, the
    /// log is [one chain](scoreboard_core::HashChain) from its first row on, without a gap, with the heads that were kept of it. `None` if all
    /// is so, else the first difference, in a sentence.
    ///
    /// With [`verify`](scoreboard_core::verify), which folds the log from there, all scores are proven. Servers may go on meanwhile; nothing
    /// is archived. Memory: an entry for each user of each board with an archive.
    ///
    /// # Errors
    ///
    /// `Refused` if somebody archives, and any other [`ErrorKind`](scoreboard_core::ErrorKind) but `OutcomeUnknown` and `Full`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn check_archive(&self, folder: &Path, kept: &[(BoardId, Head)]) -> Result<Option<String>, BackendError> {
        let checked = async {
            let mut connection = alone(self).await?;
            let found = check(&mut connection, folder, kept).await;
            release(&mut connection).await;
            found
        };
        checked.await.map(Result::err).map_err(|failure: Failure| failure.during("check_archive"))
    }
}

async fn check(connection: &mut PgConnection, folder: &Path, kept: &[(BoardId, Head)]) -> Result<Found, Failure> {
    let parts = sqlx::query("SELECT no, digest FROM log_parts WHERE digest IS NOT NULL ORDER BY no");
    let (mut left, mut files) = (Left::new(), Vec::new());
    for row in parts.fetch_all(&mut *connection).await? {
        let mut columns = Columns::of(&row);
        let (no, digest): (i64, [u8; 32]) = (columns.take()?, columns.bytes()?);
        let path = folder.join(file_of(no));
        let wrong = match read(&path, &mut left).await {
            Ok(found) if found == digest => {
                files.push(path);
                continue;
            }
            Ok(_) => "is not the file that was proven when its part was dropped".to_owned(),
            Err(error) => error.to_string(),
        };
        return Ok(Err(format!("{}: {wrong}", path.display())));
    }
    // One moment for all that is read.
    let mut tx = connection.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ, READ ONLY").await?;
    sqlx::query("SET LOCAL statement_timeout = 0").execute(&mut *tx).await?;
    for board in boards::all(&mut *tx).await? {
        if board.log_after > Version::ZERO {
            let board = &board.spec.id;
            remains(&mut tx, board, &mut left).await?;
            if let Err(difference) = compare(&mut tx, board, &mut left).await? {
                return Ok(Err(format!("{board}: {difference}")));
            }
        }
    }
    // Who had nothing left any more has no score.
    left.retain(|_, (_, reached)| reached.is_some());
    if let Some(((board, _, user), (version, _))) = left.first_key_value() {
        return Ok(Err(format!("{board}: user {user} has a row of version {version} in the archive, and no score")));
    }
    chain::check(&mut tx, &files, kept).await
}

/// Reads a file to its end, and gives the digest of all of it.
async fn read(path: &Path, left: &mut Left) -> io::Result<[u8; 32]> {
    let mut file = BufReader::new(File::open(path).await?);
    let (mut digest, mut text) = (Sha256::new(), Vec::new());
    while file.read_until(b'\n', &mut text).await? > 0 {
        digest.update(&text);
        if let Some((board, row)) = line::read(&text)? {
            leave(left, (board, row.season, row.user_id), row.position.version, row.after());
        }
        text.clear();
    }
    Ok(digest.finalize().into())
}

fn leave(left: &mut Left, key: (BoardId, Season, UserId), version: Version, reached: Option<Reached>) {
    let newest = left.entry(key).or_insert((version, reached));
    if newest.0 < version {
        *newest = (version, reached);
    }
}

/// What the database still has of the time before the log begins: what was recorded or corrected, and what belongs to parts that stay.
async fn remains(tx: &mut PgConnection, board: &BoardId, left: &mut Left) -> Result<(), Failure> {
    let mut rows = sqlx::query(concat!(
        "SELECT ",
        log_columns!(),
        " FROM log JOIN boards ON boards.no = log.board WHERE boards.id = $1 AND log.version <= boards.log_after"
    ))
    .bind(board.as_str())
    .fetch(tx);
    while let Some(row) = rows.try_next().await? {
        let row: LogRow = Columns::of(&row).log_row()?;
        leave(left, (board.clone(), row.season, row.user_id), row.position.version, row.after());
    }
    Ok(())
}

/// What somebody's first row says that they had, or else the score itself, is what was left.
async fn compare(tx: &mut PgConnection, board: &BoardId, left: &mut Left) -> Result<Found, Failure> {
    let mut users = sqlx::query(
        "WITH has AS (SELECT board, season, user_id, score, reached, updated_at FROM withheld
                      UNION ALL
                      SELECT board, season, user_id, score, reached, updated_at FROM scores
                      WHERE NOT EXISTS (SELECT FROM withheld
                                        WHERE withheld.board = scores.board AND withheld.season = scores.season
                                          AND withheld.user_id = scores.user_id)
                      UNION ALL
                      SELECT DISTINCT log.board, log.season, log.user_id, NULL::bigint, NULL::bigint, NULL::bigint
                      FROM log JOIN boards ON boards.no = log.board
                      WHERE log.origin = 'correction' AND log.version > boards.log_after
                        AND NOT EXISTS (SELECT FROM withheld
                                        WHERE withheld.board = log.board AND withheld.season = log.season
                                          AND withheld.user_id = log.user_id)
                        AND NOT EXISTS (SELECT FROM scores
                                        WHERE scores.board = log.board AND scores.season = log.season
                                          AND scores.user_id = log.user_id))
         SELECT has.season, has.user_id,
                CASE WHEN first.version IS NULL THEN has.score IS NOT NULL ELSE first.previous_score IS NOT NULL END,
                CASE WHEN first.version IS NULL THEN coalesce(has.score, 0) ELSE coalesce(first.previous_score, 0) END,
                CASE WHEN first.version IS NULL THEN coalesce(has.reached, 0) ELSE coalesce(first.previous_version, 0) END,
                CASE WHEN first.version IS NULL THEN coalesce(has.updated_at, 0) ELSE coalesce(first.previous_at, 0) END
         FROM boards JOIN has ON has.board = boards.no
         LEFT JOIN LATERAL (SELECT version, previous_score, previous_version, previous_at FROM log
                            WHERE log.board = boards.no AND log.user_id = has.user_id AND log.season = has.season
                              AND log.version > boards.log_after ORDER BY version LIMIT 1) AS first ON true
         WHERE boards.id = $1",
    )
    .bind(board.as_str())
    .fetch(tx);
    while let Some(row) = users.try_next().await? {
        let mut columns = Columns::of(&row);
        let (season, user, had_any) = (columns.season()?, columns.user()?, columns.take::<bool>()?);
        let had = columns.reached().map(|reached| had_any.then_some(reached))?;
        let was_left = left.remove(&(board.clone(), season, user)).and_then(|(_, reached)| reached);
        if had != was_left {
            let show = |side: Option<Reached>| {
                side.map_or_else(|| "nothing".to_owned(), |had| format!("{} (version {})", had.score, had.version))
            };
            let (had, was_left) = (show(had), show(was_left));
            return Ok(Err(format!("user {user} had {had} when the log begins, the archive has left {was_left}")));
        }
    }
    Ok(Ok(()))
}
