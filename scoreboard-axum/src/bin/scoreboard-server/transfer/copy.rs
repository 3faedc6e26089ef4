//! `copy`: everything but keys and sessions from one database into another, through no file.

use std::collections::BTreeMap;

use scoreboard_core::{Audit, Board, BoardId, BoardSpec, Season, Version};
use tokio::join;
use tokio::sync::mpsc::{Receiver, Sender, channel};

use crate::cli::CopyFlags;
use crate::failure::{Failure, Result};
use crate::place::Place;
use crate::progress::note;
use crate::settings::Settings;
use crate::store::Stores;
use crate::transfer::Line;
use crate::transfer::export::{Sink, everything};
use crate::transfer::import::{Import, Source};
use crate::transfer::tables::Tables;
use crate::verify::audit;

/// How many lines may be on their way.
const ON_THE_WAY: usize = 2000;

/// Reads all that is at the first URL and puts it where the second leads, as `export` and `import` do. The first may be in use; of the second
/// no server may have a file open.
pub(crate) async fn run(settings: &Settings, flags: &CopyFlags) -> Result<()> {
    let at = |url: &str| Settings {
        database_url: url.to_owned(),
        // Those of the settings are of another place.
        replica_urls: Vec::new(),
        accounts_url: String::new(),
        analytics_url: String::new(),
        ..settings.clone()
    };
    let CopyFlags { from, to, tables } = flags;
    if from == to {
        return Err(Failure::new("--from and --to are the same database"));
    }
    let place = Place::of_command(&at(to))?;
    if tables.tables {
        let mut tables = Tables::open(from, tables).await?;
        return into(&place, async |to| copy_tables(&mut tables, to).await).await;
    }
    let from = Stores::open_existing(&at(from)).await?;
    let done = into(&place, async |to| copy(&from, to).await).await;
    from.close().await;
    done
}

/// Opens the place for this process alone while it is written to.
async fn into(place: &Place, write: impl AsyncFnOnce(&Stores) -> Result<()>) -> Result<()> {
    let _lock = place.claim()?;
    let to = Stores::open(place).await?;
    let done = write(&to).await;
    to.close().await;
    done
}

/// The scores come to a board as it is there, or to one that is made for them.
async fn copy_tables(from: &mut Tables<'_>, to: &Stores) -> Result<()> {
    let board = from.board();
    let (spec, season) = match to.scores.board(board).await? {
        Some(Board { spec, season, .. }) => (spec, season),
        None => (BoardSpec::new(board.clone()), Season::new(1)),
    };
    transfer(to, async |outgoing| from.read(&spec, season, outgoing).await).await.map(drop)
}

async fn copy(from: &Stores, to: &Stores) -> Result<()> {
    let written = transfer(to, async |outgoing| everything(from, outgoing, true).await.map(drop)).await?;
    compare(from, &written).await
}

/// Reads and writes side by side.
async fn transfer(
    to: &Stores,
    read: impl AsyncFnOnce(&mut Outgoing) -> Result<()>,
) -> Result<BTreeMap<BoardId, (Version, u64)>> {
    let (sender, receiver) = channel(ON_THE_WAY);
    let read = async move {
        let mut outgoing = Outgoing(sender);
        if let Err(failure) = read(&mut outgoing).await {
            // The other side tells it, with what is there by then.
            let _ = outgoing.0.send(Err(failure)).await;
        }
    };
    let ((), written) = join!(read, Import::new(to, Copied { receiver, number: 0 }).run());
    written
}

/// Folds what was read as well, and compares it with what was written.
async fn compare(from: &Stores, written: &BTreeMap<BoardId, (Version, u64)>) -> Result<()> {
    for (board, &(version, scores)) in written {
        match audit(from, board).await? {
            Audit::Clean { position, scores: there } if (position.version, there) == (version, scores) => {
                note(format_args!("{board}: clean and the same where it comes from"));
            }
            Audit::Clean { position, scores: there } => note(format_args!(
                "{board}: clean up to version {} ({there} scores) where it comes from; copy again for what was counted meanwhile",
                position.version
            )),
            Audit::Differs(difference) => {
                return Err(Failure::new(format_args!("{board}: differs {difference} where it comes from")));
            }
            Audit::UnknownBoard => return Err(Failure::new(format_args!("{board}: is gone where it comes from"))),
        }
    }
    Ok(())
}

/// Lines on their way to the other side.
struct Outgoing(Sender<Result<Line>>);

impl Sink for Outgoing {
    async fn write(&mut self, line: Line) -> Result<()> {
        // The other side has ended, and says why.
        self.0.send(Ok(line)).await.map_err(|_| Failure::new("nobody takes what is read"))
    }
}

/// Lines from the other side. What ended the reading comes as the last.
struct Copied {
    receiver: Receiver<Result<Line>>,
    number: u64,
}

impl Source for Copied {
    async fn next(&mut self) -> Result<Option<(u64, Line)>> {
        let Some(line) = self.receiver.recv().await else { return Ok(None) };
        self.number += 1;
        Ok(Some((self.number, line?)))
    }

    fn number(&self) -> u64 {
        self.number
    }
}
