//! The whole log once more, out of the archive and what the database still has: without a gap, and one chain.

use std::io;
use std::path::{Path, PathBuf};

use futures_util::TryStreamExt;
use scoreboard_core::{BoardId, HashChain, Head, LogRow, Version};
use sqlx::PgConnection;
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::archive::check::Found;
use crate::archive::line;
use crate::error::Failure;
use crate::rows::{Columns, log_columns, number};

/// Walks all files at once, each from its first row to its last, beside the database: a part is no stretch of versions, but the rows of each
/// lie in the order of boards and versions.
pub(super) async fn check(
    tx: &mut PgConnection,
    files: &[PathBuf],
    kept: &[(BoardId, Head)],
) -> Result<Found, Failure> {
    let mut walks = Vec::with_capacity(files.len());
    for file in files {
        match Walk::open(file).await {
            Ok(walk) => walks.push(walk),
            Err(error) => return Ok(Err(unreadable(file, &error))),
        }
    }
    let boards = sqlx::query("SELECT id, log_after FROM boards ORDER BY no").fetch_all(&mut *tx).await?;
    for board in &boards {
        let mut columns = Columns::of(board);
        let (board, log_after) = (BoardId::new(columns.take()?)?, columns.version()?);
        let kept = kept.iter().filter(|(of, _)| *of == board).map(|(_, head)| *head);
        if log_after > Version::ZERO
            && let Err(difference) = check_board(tx, &mut walks, &board, log_after, &Vec::from_iter(kept)).await?
        {
            return Ok(Err(format!("{board}: {difference}")));
        }
    }
    let rest = walks.iter().find_map(|walk| Some((walk.path, walk.next.as_ref()?)));
    Ok(rest.map_or(Ok(()), |(path, (board, row))| {
        Err(format!(
            "{}: has a row of version {} of {board} that belongs nowhere",
            path.display(),
            row.position.version
        ))
    }))
}

/// From its first row to the first one behind the archive.
async fn check_board(
    tx: &mut PgConnection,
    walks: &mut [Walk<'_>],
    board: &BoardId,
    log_after: Version,
    kept: &[Head],
) -> Result<Found, Failure> {
    let mut remains = sqlx::query(concat!(
        "SELECT ",
        log_columns!(),
        " FROM log WHERE log.board = (SELECT no FROM boards WHERE id = $1) AND log.version <= $2 ORDER BY log.version"
    ))
    .bind(board.as_str())
    .bind(number(log_after.next().get()))
    .fetch(tx);
    let (mut chain, mut seen) = (HashChain::of(board), Version::ZERO);
    let mut remaining = next_of(remains.try_next().await?)?;
    loop {
        let of_board =
            |walk: &Walk<'_>| walk.next.as_ref().filter(|(of, _)| of == board).map(|(_, row)| row.position.version);
        let archived = walks.iter().enumerate().filter_map(|(i, walk)| Some((of_board(walk)?, i))).min();
        let stays = remaining.as_ref().map(|row| row.position.version);
        let (row, of) = match (archived, stays) {
            (None, None) => break,
            (Some((version, i)), stays) if stays.is_none_or(|stays| version < stays) => {
                let walk = &mut walks[i];
                let row = walk.next.take().map(|(_, row)| row);
                if let Err(error) = walk.advance().await {
                    return Ok(Err(unreadable(walk.path, &error)));
                }
                (row, format!(" of {}", walk.path.display()))
            }
            _ => (std::mem::replace(&mut remaining, next_of(remains.try_next().await?)?), String::new()),
        };
        let row = row.expect("one of the two was there");
        let version = row.position.version;
        if version != seen.next() {
            let expected = seen.next();
            return Ok(Err(format!(
                "version {expected} is neither archived nor in the database: the next one is {version}{of}"
            )));
        }
        if !chain.takes(&row) {
            let what = "does not come to its digest: it was altered, or what is before it is not what was";
            return Ok(Err(format!("the row of version {version}{of} {what}")));
        }
        if let Some(head) = kept.iter().find(|head| head.version == version && row.digest != Some(head.digest)) {
            return Ok(Err(format!(
                "at version {version}: the digest was {}: the log up to there is another one",
                head.digest
            )));
        }
        seen = version;
    }
    Ok(if seen < log_after {
        Err(format!("version {} is neither archived nor in the database", seen.next()))
    } else {
        Ok(())
    })
}

fn next_of(row: Option<sqlx::postgres::PgRow>) -> Result<Option<LogRow>, Failure> {
    row.map(|row| Columns::of(&row).log_row()).transpose()
}

fn unreadable(path: &Path, error: &io::Error) -> String {
    format!("{}: {error}", path.display())
}

/// A file, and its next row.
struct Walk<'a> {
    path: &'a Path,
    file: BufReader<File>,
    text: Vec<u8>,
    next: Option<(BoardId, LogRow)>,
}

impl<'a> Walk<'a> {
    async fn open(path: &'a Path) -> io::Result<Self> {
        let file = BufReader::new(File::open(path).await?);
        let mut walk = Self { path, file, text: Vec::new(), next: None };
        walk.advance().await?;
        Ok(walk)
    }

    async fn advance(&mut self) -> io::Result<()> {
        while self.next.is_none() {
            self.text.clear();
            if self.file.read_until(b'\n', &mut self.text).await? == 0 {
                break;
            }
            self.next = line::read(&self.text)?;
        }
        Ok(())
    }
}
