//! `import`: what `export` wrote, applied once however often it is read.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::path::Path;

use scoreboard_core::accounts::CreateUser;
use scoreboard_core::{
    Audit, Board, BoardId, BoardSpec, Change, ChangeBoard, Effects, Epoch, HashChain, Head, Moderated, ModerationAct,
    Outcome, Reached, Receipt, Refusal, Season, UserId, Version,
};

use crate::failure::{Failure, Result};
use crate::place::Place;
use crate::progress::note;
use crate::settings::Settings;
use crate::store::Stores;
use crate::transfer::{BoardLine, Counts, DecisionLine, FactorLine, Header, Line, RowLine, UserLine};
use crate::verify::audit;

use reader::Reader;

mod reader;

/// How many rows are applied in one transaction.
const CHUNK: usize = 500;

/// What every JSON reader has exact.
const MAX_EPOCH: Epoch = Epoch::new((1 << 53) - 1);

/// Reads `file`, or standard input for `-`, into the database of the settings. No server may have a file open meanwhile; on PostgreSQL they may go on.
pub(crate) async fn run(settings: &Settings, file: &Path) -> Result<()> {
    let place = Place::of_command(settings)?;
    if let Place::Sqlite { files, .. } = &place {
        files.check_folder()?;
    }
    let reader = Reader::open(file)?;
    let _lock = place.claim()?;
    let stores = Stores::open(&place).await?;
    let done = Import::new(&stores, reader).run().await;
    stores.close().await;
    done.map(drop)
}

/// Where lines come from.
pub(super) trait Source {
    /// The next line and its number; `None` at the end.
    async fn next(&mut self) -> Result<Option<(u64, Line)>>;

    /// The number of the line that was read last.
    fn number(&self) -> u64;

    /// What is wrong with a line.
    fn bad(&self, number: u64, what: impl fmt::Display) -> Failure {
        Failure::new(format_args!("line {number}: {what}"))
    }
}

pub(super) struct Import<'a, S> {
    stores: &'a Stores,
    reader: S,
    /// The boards of the file.
    boards: BTreeMap<BoardId, Imported>,
    /// The latest of the file.
    epoch: Epoch,
    pending: Vec<(u64, RowLine, Change)>,
    read: Counts,
    new: Counts,
}

/// What a board folds to.
#[derive(Debug)]
pub(super) struct Folded {
    pub(super) version: Version,
    pub(super) scores: u64,
    pub(super) head: Option<Head>,
}

/// A board of the file.
struct Imported {
    spec: BoardSpec,
    /// Whether its log here was empty when the import began.
    empty: bool,
    /// The file's own log, folded so far: a line that does not follow from those before it is refused before it can count.
    version: Version,
    scores: HashMap<(Season, UserId), Reached>,
    chain: HashChain,
}

impl Imported {
    /// Folds the next row of the file.
    fn fold(&mut self, row: &RowLine) -> Result<(), String> {
        let expected = self.version.next();
        if row.version != expected {
            return Err(format!("has version {}, expected {expected}", row.version));
        }
        let user = (row.season, row.user_id);
        let previous = self.scores.get(&user).copied();
        let before = previous.map(|previous| previous.score);
        let folded = self.spec.operator.apply(self.spec.direction, before, row.points);
        // What a correction comes to, the decision says when it is carried out again.
        if folded != Some(row.score) && !row.is_correction() {
            let folded = folded.map_or_else(|| "a score out of range".to_owned(), |score| score.to_string());
            return Err(format!("comes to {folded} by the lines before it, but says score {}", row.score));
        }
        let log_row = row.to_log_row(previous)?;
        if !self.chain.takes(&log_row) {
            return Err("does not come to its digest: it was altered, or a line before it is not what was".to_owned());
        }
        self.version = expected;
        match log_row.after() {
            Some(reached) => drop(self.scores.insert(user, reached)),
            None => drop(self.scores.remove(&user)),
        }
        Ok(())
    }

    /// What a board that was empty must have come to: as far as the file goes, with the file's newest digest if all of its rows have one.
    fn is_come_to(&self, version: Version, head: Option<Head>) -> bool {
        let all_have_digests = self.chain.whole_from() == Some(Version::ZERO.next());
        let is_same = version == self.version && (head == self.chain.head() || !all_have_digests);
        !self.empty || is_same || version > self.version
    }
}

impl<'a, S: Source> Import<'a, S> {
    pub(super) fn new(stores: &'a Stores, reader: S) -> Self {
        let (read, new) = (Counts::default(), Counts::default());
        Self { stores, reader, boards: BTreeMap::new(), epoch: Epoch::default(), pending: Vec::new(), read, new }
    }

    /// Applies all of it, and folds what it has become.
    pub(super) async fn run(mut self) -> Result<BTreeMap<BoardId, Folded>> {
        let read = self.lines().await;
        // What stands before a bad line counts; the bad line is what to tell, even if this fails too.
        let applied = if read.is_err() { self.apply().await } else { Ok(()) };
        match (read, applied) {
            (Ok(()), Ok(())) => {}
            (Err(failure), Ok(())) => {
                return Err(Failure::new(format_args!(
                    "{failure}; what stands before it is imported ({} were new)",
                    self.new
                )));
            }
            (Err(failure), Err(_)) | (Ok(()), Err(failure)) => return Err(failure),
        }
        if self.new.rows > 0 {
            self.stores.scores.raise_epoch(self.epoch).await?;
        }
        note(format_args!("read {}; new: {}", self.read, self.new));
        self.verify().await
    }

    async fn lines(&mut self) -> Result<()> {
        let Some((number, line)) = self.reader.next().await? else {
            return Err(self.reader.bad(1, "the file is empty"));
        };
        match line {
            Line::Header(header) => header.check().map_err(|what| self.reader.bad(number, what))?,
            Line::Board(_) | Line::User(_) | Line::Factor(_) | Line::Row(_) | Line::Decision(_) | Line::End(_) => {
                return Err(self.reader.bad(number, "is not the header of an export"));
            }
        }
        while let Some((number, line)) = self.reader.next().await? {
            match line {
                Line::Header(Header { .. }) => return Err(self.reader.bad(number, "is a second header")),
                Line::Board(board) => self.board(number, board).await?,
                Line::User(user) => self.user(number, user).await?,
                Line::Factor(factor) => self.factor(number, factor).await?,
                Line::Row(row) => self.row(number, row).await?,
                Line::Decision(decision) => self.decision(number, decision).await?,
                Line::End(counts) => {
                    self.apply().await?;
                    return self.end(number, counts).await;
                }
            }
        }
        let number = self.reader.number() + 1;
        Err(self.reader.bad(number, "the trailer is missing: the file was cut off here"))
    }

    async fn end(&mut self, number: u64, counts: Counts) -> Result<()> {
        if counts != self.read {
            return Err(self.reader.bad(number, format_args!("the trailer says {counts}, the file has {}", self.read)));
        }
        match self.reader.next().await? {
            None => Ok(()),
            Some((number, _)) => Err(self.reader.bad(number, "stands behind the trailer")),
        }
    }

    async fn board(&mut self, number: u64, line: BoardLine) -> Result<()> {
        let BoardLine { spec, season, version, epoch } = line;
        if epoch > MAX_EPOCH {
            return Err(self.reader.bad(number, format_args!("the epoch is above {MAX_EPOCH}")));
        }
        self.epoch = self.epoch.max(epoch);
        spec.check().map_err(|error| self.reader.bad(number, error))?;
        self.read.boards += 1;
        let store = &self.stores.scores;
        let found: Board = match store.board(&spec.id).await? {
            Some(found) => found,
            None => {
                let _ = store.create_board(&spec).await?;
                self.new.boards += 1;
                let gone = || self.reader.bad(number, "the board was created and is not there");
                store.board(&spec.id).await?.ok_or_else(gone)?
            }
        };
        if found.season != season {
            let what =
                format_args!("the board `{}` is in season {}, the file's in season {season}", spec.id, found.season);
            return Err(self.reader.bad(number, what));
        }
        if found.version < version {
            // Before the first row of it counts: whoever watched it where it comes from takes these versions for new ones.
            store.raise_epoch(epoch).await?;
        }
        let empty = found.version == Version::ZERO;
        if empty && found.spec != spec {
            // Nothing has counted on it, so the file's catalogue is as good as the sample one.
            match store.change_board(&found.spec, &spec).await? {
                ChangeBoard::Changed => {}
                ChangeBoard::Unknown | ChangeBoard::OrderIsFixed | ChangeBoard::ChangedMeanwhile => {
                    return Err(self.reader.bad(number, "the board was changed by somebody else meanwhile"));
                }
            }
        }
        if !empty && !found.spec.folds_as(&spec) {
            let what = format_args!("the board `{}` has a log with another operator, direction or tie-break", spec.id);
            return Err(self.reader.bad(number, what));
        }
        let id = spec.id.clone();
        let chain = HashChain::of(&id);
        let imported = Imported { spec, empty, version: Version::ZERO, scores: HashMap::new(), chain };
        if self.boards.insert(id.clone(), imported).is_some() {
            return Err(self.reader.bad(number, format_args!("the board `{id}` is in the file twice")));
        }
        Ok(())
    }

    async fn user(&mut self, number: u64, line: UserLine) -> Result<()> {
        let (user, password) = line.into_account().map_err(|what| self.reader.bad(number, what))?;
        self.read.users += 1;
        let store = &self.stores.accounts;
        let found = match store.create_user(&user, &password).await? {
            CreateUser::Created => {
                self.new.users += 1;
                return Ok(());
            }
            CreateUser::IdTaken | CreateUser::EmailTaken => store.user(user.id).await?,
        };
        match found {
            // What the account has become since, in name, roles or password, stays.
            Some(found) if found.email == user.email => Ok(()),
            Some(_) => {
                Err(self.reader.bad(number, format_args!("user {} is here with another e-mail address", user.id)))
            }
            None => {
                let what = format_args!("the e-mail address of user {} belongs to another user here", user.id);
                Err(self.reader.bad(number, what))
            }
        }
    }

    /// What has become of a second factor here since stays.
    async fn factor(&mut self, number: u64, line: FactorLine) -> Result<()> {
        let factor = line.into_factor().map_err(|what| self.reader.bad(number, what))?;
        self.stores.factors.replace_factor(factor.user_id, None, Some(&factor)).await?;
        Ok(())
    }

    async fn row(&mut self, number: u64, row: RowLine) -> Result<()> {
        let change = row.to_change().map_err(|what| self.reader.bad(number, what))?;
        let Some(board) = self.boards.get_mut(&row.board) else {
            return Err(self.reader.bad(number, format_args!("the board `{}` is not in the file", row.board)));
        };
        board.fold(&row).map_err(|what| self.reader.bad(number, format_args!("action {}: {what}", row.id)))?;
        self.read.rows += 1;
        if row.is_correction() {
            // The decision before it has made it.
            return Ok(());
        }
        self.pending.push((number, row, change));
        if self.pending.len() >= CHUNK { self.apply().await } else { Ok(()) }
    }

    /// Carries a decision out again, behind all that counted before it.
    async fn decision(&mut self, number: u64, line: DecisionLine) -> Result<()> {
        self.apply().await?;
        let DecisionLine { decision, changed, corrections, since_action } = line;
        if let (ModerationAct::Hold { board, since, .. }, Some(action)) = (&decision.act, since_action) {
            let found = self.stores.scores.action(action).await?;
            if found.is_none_or(|(there, row)| (&there, row.position.version) != (board, *since)) {
                let what =
                    "holds what was done from a version on that is another one here: the board had a log of its own";
                return Err(self.reader.bad(number, format_args!("decision {}: {what}", decision.id)));
            }
        }
        let store = &self.stores.moderation;
        let done = |moderated| match moderated {
            Moderated::Done(Effects { carried_out, replayed, .. }) => Ok((carried_out, replayed)),
            Moderated::Refused(refusal) => {
                Err(self.reader.bad(number, format_args!("decision {}: {refusal}", decision.id)))
            }
        };
        // Where boards had logs of their own, there is more to put right, or less.
        if self.boards.values().all(|board| board.empty) {
            let (here, _) = done(store.preview(&decision).await?)?;
            if (here.changed, here.corrections) != (changed, corrections) {
                let what = format_args!(
                    "decision {}: turns {} actions by {} corrections, the file says {changed} by {corrections}",
                    decision.id, here.changed, here.corrections
                );
                return Err(self.reader.bad(number, what));
            }
        }
        let (here, replayed) = done(store.moderate(&decision).await?)?;
        self.read.decisions += 1;
        if !replayed {
            self.new.decisions += 1;
            self.new.rows += here.corrections;
        }
        Ok(())
    }

    /// Applies what is pending in one transaction.
    async fn apply(&mut self) -> Result<()> {
        let pending = std::mem::take(&mut self.pending);
        let changes: Vec<Change> = pending.iter().map(|(_, _, change)| change.clone()).collect();
        let outcomes = self.stores.scores.apply(&changes).await?;
        // All of the chunk counts now, whatever one of its rows turns out to be.
        self.new.rows += outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Applied(_))).count() as u64;
        for ((number, row, _), outcome) in pending.iter().zip(&outcomes) {
            let what = match outcome {
                Outcome::Applied(receipt) => self.differs(row, receipt),
                Outcome::Replayed(receipt) => self.differs(row, receipt),
                Outcome::Refused(refusal) => Some(explain(*refusal).to_owned()),
            };
            if let Some(what) = what {
                return Err(self.reader.bad(*number, format_args!("action {}: {what}", row.id)));
            }
        }
        Ok(())
    }

    /// What a receipt says otherwise than the file, where it must say the same.
    fn differs(&self, row: &RowLine, receipt: &Receipt) -> Option<String> {
        if receipt.board != row.board {
            return Some(format!("it counted on the board `{}` here", receipt.board));
        }
        let same = (receipt.user_id, receipt.season, receipt.points, receipt.applied_at)
            == (row.user_id, row.season, row.points, row.at);
        if !same {
            return Some("it counted for another user, season, time or number of points here".to_owned());
        }
        // A board that had a log of its own goes on from there: its versions and scores come out otherwise.
        let must_match = self.boards.get(&row.board).is_none_or(|board| board.empty);
        let (here, there) = ((receipt.version, receipt.score), (row.version, row.score));
        (must_match && here != there).then(|| {
            format!("comes to version {} and score {}, the file says {} and {}", here.0, here.1, there.0, there.1)
        })
    }

    async fn verify(&self) -> Result<BTreeMap<BoardId, Folded>> {
        let mut folded = BTreeMap::new();
        for (id, board) in &self.boards {
            match audit(self.stores, id).await? {
                Audit::Clean { position, head, .. } if !board.is_come_to(position.version, head) => {
                    let what = "has come to another log than the file's: a decision or a correction is missing in it";
                    return Err(Failure::new(format_args!("{id}: {what}")));
                }
                Audit::Clean { position, scores, head, .. } => {
                    note(format_args!("{id}: clean up to version {} ({scores} scores)", position.version));
                    folded.insert(id.clone(), Folded { version: position.version, scores, head });
                }
                Audit::Differs(difference) => return Err(Failure::new(format_args!("{id}: differs {difference}"))),
                Audit::UnknownBoard => return Err(Failure::new(format_args!("{id}: is gone"))),
            }
        }
        Ok(folded)
    }
}

const fn explain(refusal: Refusal) -> &'static str {
    match refusal {
        Refusal::UnknownBoard => "its board is gone",
        Refusal::SeasonOver => "its season is not the board's",
        Refusal::ScoreOutOfRange => "the score would leave its range",
        Refusal::FingerprintMismatch => "another action of this id counted here",
        Refusal::AboveCount => "it would be above its number a day",
        Refusal::OverQuota(_) => "it would be above its user's quota",
        Refusal::Banned => "its user is banned here",
        Refusal::Correction => "it is a correction, and those are made by decisions alone",
        Refusal::Archived => "it is of a time whose log is archived here: whether it counted cannot be told",
    }
}
