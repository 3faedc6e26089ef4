//! The file of a part: written, made durable, named, and read back.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use sqlx::PgConnection;
use tokio::fs::File;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};

use crate::archive::line::Line;
use crate::archive::rows::Rows;
use crate::archive::{Content, LogPart};
use crate::error::Failure;
use crate::rows::number;

/// How much is gathered before it is written.
const BUFFER: usize = 1 << 18;

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
enum Wrong {
    #[error("{what} {file}")]
    Io { what: &'static str, file: String, source: io::Error },
    #[error("line {line} of {file} is not what the part has there: it is the archive of another, or was changed")]
    Differs { file: String, line: u64 },
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Failure {
    move |source| Failure::Refused(Wrong::Io { what, file: path.display().to_string(), source }.into())
}

/// The folder by its one name, so that it is known again.
pub(super) fn folder(path: &Path) -> Result<PathBuf, Failure> {
    fs::canonicalize(path).map_err(failed("cannot find the folder", path))
}

/// Writes the file, unless it is there. It is written under another name, and has its own once it is whole and durable.
pub(super) async fn write(
    connection: &mut PgConnection,
    part: &LogPart,
    path: &Path,
    mut progress: impl FnMut(u64) + Send,
) -> Result<(), Failure> {
    if fs::exists(path).map_err(failed("cannot look for", path))? {
        return Ok(());
    }
    let partial = path.with_extension("jsonl.partial");
    // What an earlier attempt has left there begins anew. Who has lost his connection, and with it the lock on the database, may still hold
    // this one.
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let file = options.open(&partial).map_err(failed("cannot create", &partial))?;
    file.try_lock().map_err(|error| failed("somebody else has", &partial)(error.into()))?;
    file.set_len(0).map_err(failed("cannot write", &partial))?;
    let mut file = File::from_std(file);

    let mut content = Content::default();
    let mut text = Vec::with_capacity(BUFFER + BUFFER / 4);
    Line::header(part.number, part.until).append_to(&mut text)?;
    let mut rows = Rows::of(connection, number(part.number)).await?;
    while let Some((board, row)) = rows.next(connection).await? {
        Line::row(&board, &row).append_to(&mut text)?;
        content.count(&board, &row);
        if text.len() >= BUFFER {
            file.write_all(&text).await.map_err(failed("cannot write", &partial))?;
            text.clear();
            progress(content.rows);
        }
    }
    Line::End { rows: content.rows, boards: &content.boards }.append_to(&mut text)?;
    file.write_all(&text).await.map_err(failed("cannot write", &partial))?;
    file.sync_all().await.map_err(failed("cannot make durable", &partial))?;
    fs::rename(&partial, path).map_err(failed("cannot name", path))
}

/// Reads the file from its first byte to its last beside the rows of the part.
pub(super) async fn compare(
    connection: &mut PgConnection,
    part: &LogPart,
    path: &Path,
    mut progress: impl FnMut(u64) + Send,
) -> Result<Content, Failure> {
    let file = File::open(path).await.map_err(failed("cannot read", path))?;
    // Its name is durable with its folder.
    let folder = path.parent().unwrap_or(path);
    let synced = fs::File::open(folder).and_then(|folder| folder.sync_all());
    synced.map_err(failed("cannot make durable", folder))?;
    let mut reader = Reader { file: BufReader::with_capacity(BUFFER, file), path, line: 0, digest: Sha256::new() };
    let mut content = Content::default();
    reader.expect(&Line::header(part.number, part.until)).await?;
    let mut rows = Rows::of(connection, number(part.number)).await?;
    while let Some((board, row)) = rows.next(connection).await? {
        reader.expect(&Line::row(&board, &row)).await?;
        content.count(&board, &row);
        if content.rows % 10_000 == 0 {
            progress(content.rows);
        }
    }
    reader.expect(&Line::End { rows: content.rows, boards: &content.boards }).await?;
    content.digest = reader.end().await?;
    Ok(content)
}

struct Reader<'a> {
    file: BufReader<File>,
    path: &'a Path,
    line: u64,
    digest: Sha256,
}

impl Reader<'_> {
    /// The next line is this one, byte for byte.
    async fn expect(&mut self, line: &Line<'_>) -> Result<(), Failure> {
        let (mut expected, mut found) = (Vec::new(), Vec::new());
        line.append_to(&mut expected)?;
        self.line += 1;
        self.file.read_until(b'\n', &mut found).await.map_err(failed("cannot read", self.path))?;
        if found != expected {
            return Err(self.differs());
        }
        self.digest.update(&found);
        Ok(())
    }

    /// Nothing is behind the trailer.
    async fn end(mut self) -> Result<[u8; 32], Failure> {
        self.line += 1;
        let rest = self.file.fill_buf().await.map_err(failed("cannot read", self.path))?;
        if rest.is_empty() { Ok(self.digest.finalize().into()) } else { Err(self.differs()) }
    }

    fn differs(&self) -> Failure {
        Failure::Refused(Wrong::Differs { file: self.path.display().to_string(), line: self.line }.into())
    }
}
