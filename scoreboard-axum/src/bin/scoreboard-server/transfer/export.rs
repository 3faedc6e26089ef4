//! `export`: everything but keys and sessions, true at one moment of each board, beside a running server.

use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use scoreboard_core::{Board, Version};

use crate::failure::{Failure, Result};
use crate::progress::{Progress, note};
use crate::settings::Settings;
use crate::store::Stores;
use crate::transfer::{BoardLine, Counts, FactorLine, Header, Line, RowLine, UserLine};

/// How many rows or users are read at once.
const CHUNK: usize = 1000;

/// Writes `file`, or standard output for `-`.
pub(crate) async fn run(settings: &Settings, file: &Path, users: bool) -> Result<()> {
    let stores = Stores::open_existing(settings).await?;
    let counts = async {
        let mut lines = Lines::create(file)?;
        let counts = everything(&stores, &mut lines, users).await?;
        lines.finish()?;
        Ok::<_, Failure>(counts)
    };
    let counts = counts.await;
    stores.close().await;
    note(format_args!("exported {}", counts?));
    Ok(())
}

/// Reads all of it, each board up to where it is now.
pub(super) async fn everything(stores: &Stores, lines: &mut impl Sink, users: bool) -> Result<Counts> {
    let mut counts = Counts::default();
    lines.write(Line::Header(Header::new(users))).await?;
    // Whoever is in a log up to these versions had an account before: users are read after this, and none is missing.
    let boards = stores.scores.boards().await?;
    for Board { spec, season, version, epoch, log_after, .. } in &boards {
        if *log_after > Version::ZERO {
            let id = &spec.id;
            return Err(Failure::new(format_args!(
                "the log of `{id}` begins behind version {log_after}, what was before is archived: an export would not be whole; copy the \
                 database by its own means"
            )));
        }
        counts.boards += 1;
        let (season, version, epoch) = (*season, *version, *epoch);
        lines.write(Line::Board(BoardLine { spec: spec.clone(), season, version, epoch })).await?;
    }
    // What is decided from now on has its rows behind those versions.
    if !stores.moderation.moderations(None, 1).await?.is_empty() {
        return Err(moderated());
    }
    if users {
        counts.users = all_users(stores, lines).await?;
        all_factors(stores, lines).await?;
    }
    for board in &boards {
        counts.rows += log(stores, lines, board).await?;
    }
    lines.write(Line::End(counts)).await?;
    Ok(counts)
}

/// An export knows changes alone.
fn moderated() -> Failure {
    Failure::new(
        "moderators have decided what counts here, for which an export has no words yet: copy the database by its own means",
    )
}

async fn all_users(stores: &Stores, lines: &mut impl Sink) -> Result<u64> {
    let mut progress = Progress::new("reading users", 0, "users");
    let (mut after, mut count) = (None, 0);
    loop {
        let chunk = stores.accounts.users(after, CHUNK).await?;
        let Some((last, _)) = chunk.last() else { return Ok(count) };
        after = Some(last.id);
        for (user, password) in chunk {
            count += 1;
            lines.write(Line::User(UserLine::new(user, &password))).await?;
        }
        progress.at(count, 0);
    }
}

/// They go where their users go, or a password alone would do there.
async fn all_factors(stores: &Stores, lines: &mut impl Sink) -> Result<()> {
    let mut after = None;
    loop {
        let chunk = stores.factors.factors(after, CHUNK).await?;
        let Some(last) = chunk.last() else { return Ok(()) };
        after = Some(last.user_id);
        for line in chunk.into_iter().filter_map(FactorLine::new) {
            lines.write(Line::Factor(line)).await?;
        }
    }
}

async fn log(stores: &Stores, lines: &mut impl Sink, board: &Board) -> Result<u64> {
    let Board { spec, version: end, .. } = board;
    let mut progress = Progress::new(format!("reading {}", spec.id), end.get(), "changes");
    let mut done = Version::ZERO;
    while done < *end {
        let left = usize::try_from(end.get() - done.get()).unwrap_or(CHUNK);
        let rows = stores.scores.log(&spec.id, done, CHUNK.min(left)).await?;
        if rows.is_empty() {
            let id = &spec.id;
            return Err(Failure::new(format_args!(
                "the log of `{id}` ends at version {done}, not {end}: run `verify`"
            )));
        }
        for row in &rows {
            let Some(line) = RowLine::new(&spec.id, row) else { return Err(moderated()) };
            lines.write(Line::Row(line)).await?;
            done = row.position.version;
        }
        progress.at(done.get(), end.get());
    }
    Ok(end.get())
}

/// Where lines go.
pub(super) trait Sink {
    async fn write(&mut self, line: Line) -> Result<()>;
}

/// A file, or standard output.
struct Lines {
    out: BufWriter<Box<dyn Write>>,
    file: Option<File>,
    name: String,
}

impl Lines {
    /// A new file that its owner alone can read: it holds password hashes.
    fn create(path: &Path) -> Result<Self> {
        if path == Path::new("-") {
            return Ok(Self {
                out: BufWriter::new(Box::new(io::stdout())),
                file: None,
                name: "standard output".to_owned(),
            });
        }
        let name = path.display().to_string();
        let cannot = |error: io::Error| Failure::because(format_args!("cannot create {}", path.display()), &error);
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path).map_err(cannot)?;
        let out = BufWriter::new(Box::new(file.try_clone().map_err(cannot)?) as Box<dyn Write>);
        Ok(Self { out, file: Some(file), name })
    }

    fn finish(mut self) -> Result<()> {
        self.out
            .flush()
            .and_then(|()| self.file.as_ref().map_or(Ok(()), File::sync_all))
            .map_err(|error| self.cannot_write(&error))
    }

    fn cannot_write(&self, error: &io::Error) -> Failure {
        Failure::new(format_args!("cannot write to {}: {error}", self.name))
    }
}

impl Sink for Lines {
    async fn write(&mut self, line: Line) -> Result<()> {
        serde_json::to_writer(&mut self.out, &line)
            .map_err(io::Error::from)
            .and_then(|()| self.out.write_all(b"\n"))
            .map_err(|error| self.cannot_write(&error))
    }
}
