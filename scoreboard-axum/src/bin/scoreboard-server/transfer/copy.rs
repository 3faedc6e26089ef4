//! `copy`: everything but keys, sessions and incidents from one database into another, through no file.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;

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
use crate::transfer::import::{Folded, Import, Source};
use crate::transfer::tables::Tables;
use crate::verify::audit;

/// How many lines may be on their way.
const ON_THE_WAY: usize = 2000;

/// Reads all that is at the first URL and puts it where the second leads, as `export` and `import` do. The first may be in use; of the second
/// no server may have a file open.
pub(crate) async fn run(settings: &Settings, flags: &CopyFlags) -> Result<()> {
    let CopyFlags { from, to, from_accounts, to_accounts, tables } = flags;
    if !settings.accounts_url.is_empty() && from_accounts.is_none() && to_accounts.is_none() {
        return Err(Failure::new(
            "setting `accounts_url`: of which side? Say it with --from-accounts or --to-accounts, or users are where nobody looks",
        ));
    }
    let at = |url: &str, accounts: &Option<String>| Settings {
        database_url: url.to_owned(),
        accounts_url: accounts.clone().unwrap_or_default(),
        // Those of the settings are of another place, and nothing of them is copied.
        replica_urls: Vec::new(),
        analytics_url: String::new(),
        ..settings.clone()
    };
    for (url, accounts) in [(from, from_accounts), (to, to_accounts)] {
        if accounts.is_some() && !url.starts_with("postgres") {
            return Err(Failure::new(format_args!("{url}: a file holds its users too")));
        }
    }
    if from == to {
        return Err(Failure::new("--from and --to are the same database"));
    }
    let place = Place::of_command(&at(to, to_accounts))?;
    if tables.tables {
        let mut tables = Tables::open(from, tables).await?;
        return into(&place, async |to| copy_tables(&mut tables, to).await).await;
    }
    let from = Stores::open_existing(&at(from, from_accounts)).await?;
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
) -> Result<BTreeMap<BoardId, Folded>> {
    let (sender, receiver) = channel(ON_THE_WAY);
    let read = async move {
        let mut outgoing = Outgoing { sender, about: None };
        if let Err(failure) = read(&mut outgoing).await {
            // The other side tells it, with what is there by then.
            let _ = outgoing.sender.send(Err(failure)).await;
        }
    };
    let copied = Copied { receiver, number: 0, about: VecDeque::new() };
    let ((), written) = join!(read, Import::new(to, copied).run());
    written
}

/// Folds what was read as well, and compares it with what was written.
async fn compare(from: &Stores, written: &BTreeMap<BoardId, Folded>) -> Result<()> {
    for (board, folded) in written {
        match audit(from, board).await? {
            Audit::Clean { position, scores, head, digests_from }
                if (position.version, scores) == (folded.version, folded.scores) =>
            {
                // Rows of a release that knew of no digests have them on one side alone.
                if digests_from == Some(Version::ZERO.next()) && head != folded.head {
                    return Err(Failure::new(format_args!("{board}: has another log where it comes from")));
                }
                note(format_args!("{board}: clean and the same where it comes from"));
            }
            Audit::Clean { position, scores, .. } => note(format_args!(
                "{board}: clean up to version {} ({scores} scores) where it comes from; copy again for what was counted meanwhile",
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

/// A line, and what it is called where it comes from.
type Named = (Line, Option<String>);

/// Lines on their way to the other side.
pub(super) struct Outgoing {
    sender: Sender<Result<Named>>,
    about: Option<String>,
}

impl Outgoing {
    /// What the next line is called where it comes from.
    pub(super) fn name(&mut self, name: String) -> &mut Self {
        self.about = Some(name);
        self
    }
}

impl Sink for Outgoing {
    async fn write(&mut self, line: Line) -> Result<()> {
        // The other side has ended, and says why.
        self.sender.send(Ok((line, self.about.take()))).await.map_err(|_| Failure::new("nobody takes what is read"))
    }
}

/// Lines from the other side. What ended the reading comes as the last.
struct Copied {
    receiver: Receiver<Result<Named>>,
    number: u64,
    /// Of the last lines, as many as may be wrong at once.
    about: VecDeque<Option<String>>,
}

impl Source for Copied {
    async fn next(&mut self) -> Result<Option<(u64, Line)>> {
        let Some(line) = self.receiver.recv().await else { return Ok(None) };
        let (line, about) = line?;
        self.number += 1;
        if self.about.len() == ON_THE_WAY {
            self.about.pop_front();
        }
        self.about.push_back(about);
        Ok(Some((self.number, line)))
    }

    fn number(&self) -> u64 {
        self.number
    }

    /// There is no file with numbers of lines: it is called what it is called where it comes from.
    fn bad(&self, number: u64, what: impl fmt::Display) -> Failure {
        let back = self.number.checked_sub(number).and_then(|back| usize::try_from(back).ok());
        let at = back.and_then(|back| self.about.len().checked_sub(back + 1));
        match at.and_then(|at| self.about[at].as_deref()) {
            Some(name) => Failure::new(format_args!("{name}: {what}")),
            None => Failure::new(what),
        }
    }
}
