//! `export`: everything but keys, sessions and incidents, true at one moment of each board, beside a running server.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use scoreboard_core::{Board, BoardId, Version};

use crate::failure::{Failure, Result};
use crate::progress::{Progress, note};
use crate::settings::Settings;
use crate::store::Stores;
use crate::transfer::{BoardLine, Counts, DecisionLine, FactorLine, Header, Line, RowLine, UserLine};

use decided::{Decided, decided};

mod decided;

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
    // Whoever is in a log up to these versions had an account before: users are read after this, and none is missing.
    let boards = stores.scores.boards().await?;
    for Board { spec, log_after, .. } in &boards {
        if *log_after > Version::ZERO {
            let id = &spec.id;
            return Err(Failure::new(format_args!(
                "the log of `{id}` begins behind version {log_after}, what was before is archived: an export would not be whole; copy the \
                 database by its own means"
            )));
        }
    }
    let decisions = decided(stores, &boards).await?;
    lines.write(Line::Header(Header::new(users, !decisions.is_empty()))).await?;
    for Board { spec, season, version, epoch, .. } in &boards {
        counts.boards += 1;
        let (season, version, epoch) = (*season, *version, *epoch);
        lines.write(Line::Board(BoardLine { spec: spec.clone(), season, version, epoch })).await?;
    }
    if users {
        counts.users = all_users(stores, lines).await?;
        all_factors(stores, lines).await?;
    }
    let mut logs: BTreeMap<&BoardId, Log<'_>> =
        boards.iter().map(|board| (&board.spec.id, Log { board, done: Version::ZERO })).collect();
    for Decided { carried_out, behind, through, since_action } in decisions {
        // No further than the decision needs it: what was done later is decided by it.
        for (board, version) in &behind {
            counts.rows += log_of(&mut logs, board)?.write(*version, stores, lines).await?;
        }
        counts.decisions += 1;
        let (decision, changed, corrections) = (carried_out.moderation, carried_out.changed, carried_out.corrections);
        lines.write(Line::Decision(DecisionLine { decision, changed, corrections, since_action })).await?;
        for (board, version) in &through {
            counts.rows += log_of(&mut logs, board)?.write(*version, stores, lines).await?;
        }
    }
    for board in &boards {
        counts.rows += log_of(&mut logs, &board.spec.id)?.write(board.version, stores, lines).await?;
    }
    lines.write(Line::End(counts)).await?;
    Ok(counts)
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

fn log_of<'l, 'b>(logs: &'l mut BTreeMap<&BoardId, Log<'b>>, board: &BoardId) -> Result<&'l mut Log<'b>> {
    logs.get_mut(board).ok_or_else(|| Failure::new(format_args!("the board `{board}` is gone")))
}

/// A board's log, written as far as this.
struct Log<'a> {
    board: &'a Board,
    done: Version,
}

impl Log<'_> {
    /// Goes on to this version; gives how many rows that were.
    async fn write(&mut self, to: Version, stores: &Stores, lines: &mut impl Sink) -> Result<u64> {
        let Board { spec, version: end, .. } = self.board;
        let begun = self.done;
        let mut progress = Progress::new(format!("reading {}", spec.id), end.get(), "changes");
        while self.done < to {
            let left = usize::try_from(to.get() - self.done.get()).unwrap_or(CHUNK);
            let rows = stores.scores.log(&spec.id, self.done, CHUNK.min(left)).await?;
            if rows.is_empty() {
                return Err(ends_early(self.board, self.done));
            }
            for row in &rows {
                lines.write(Line::Row(RowLine::new(&spec.id, row))).await?;
                self.done = row.position.version;
            }
            progress.at(self.done.get(), end.get());
        }
        Ok(self.done.get().saturating_sub(begun.get()))
    }
}

fn ends_early(board: &Board, done: Version) -> Failure {
    let (id, end) = (&board.spec.id, board.version);
    Failure::new(format_args!("the log of `{id}` ends at version {done}, not {end}: run `verify`"))
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
