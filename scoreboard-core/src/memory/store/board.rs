//! One board: its log, and the scores that it folds to.

use std::collections::{BTreeMap, HashMap, HashSet};

use super::season::SeasonScores;
use crate::batch::BoardState;
use crate::board::{Board, BoardSpec, Season};
use crate::clock::Timestamp;
use crate::correction::{Dossier, Place};
use crate::entry::{PageQuery, RankedPage, RankedUsers, ScoreRank};
use crate::ids::{KindId, UserId};
use crate::rank_index::IndexPage;
use crate::ranking::RankStyle;
use crate::score::Score;
use crate::store::{Admissions, ChangeBoard, LogRow, ModerationAct, Origin, Reached, RowDigest, Scan};
use crate::version::{Epoch, Position, Version};

pub(super) struct StoredBoard {
    spec: BoardSpec,
    season: Season,
    /// The store's.
    epoch: Epoch,
    /// The row of version n is at n − 1.
    log: Vec<LogRow>,
    /// Where in the log each user's rows are, rising.
    rows_of: HashMap<UserId, Vec<usize>>,
    /// When each user's changes of a kind count, sorted: a day's number is found without reading all that came before.
    times_of: HashMap<(UserId, KindId), Vec<Timestamp>>,
    /// Every season there ever was.
    seasons: BTreeMap<Season, SeasonScores>,
}

impl StoredBoard {
    pub(super) fn new(spec: BoardSpec, epoch: Epoch) -> Self {
        let first = SeasonScores::new(spec.order());
        Self {
            spec,
            season: Season::FIRST,
            epoch,
            log: Vec::new(),
            rows_of: HashMap::new(),
            times_of: HashMap::new(),
            seasons: BTreeMap::from([(Season::FIRST, first)]),
        }
    }

    pub(super) fn change(&mut self, from: &BoardSpec, to: &BoardSpec) -> ChangeBoard {
        let changed = self.board().decide_change(from, to);
        if changed == ChangeBoard::Changed {
            if self.log.is_empty() {
                // Only then may the order be another one, and nobody is in it yet.
                self.seasons.insert(self.season, SeasonScores::new(to.order()));
            }
            self.spec = to.clone();
        }
        changed
    }

    pub(super) fn set_epoch(&mut self, epoch: Epoch) {
        self.epoch = epoch;
    }

    fn position(&self) -> Position {
        Position { epoch: self.epoch, version: Version::new(self.log.len() as u64) }
    }

    fn current(&self) -> &SeasonScores {
        self.seasons.get(&self.season).expect("the current season is kept from its start")
    }

    pub(super) fn board(&self) -> Board {
        let Position { epoch, version } = self.position();
        let total = self.current().total();
        let (spec, season, log_after, head) = (self.spec.clone(), self.season, Version::ZERO, self.head());
        Board { spec, season, epoch, version, total, log_after, head }
    }

    pub(super) fn state(&self) -> BoardState {
        BoardState {
            spec: self.spec.clone(),
            season: self.season,
            position: self.position(),
            total: self.current().total(),
            head: self.head(),
        }
    }

    fn head(&self) -> Option<RowDigest> {
        self.log.last().and_then(|row| row.digest)
    }

    /// What a user has in the current season, whoever is shown it.
    pub(super) fn own(&self, user: UserId) -> Option<Reached> {
        self.current().own(user)
    }

    pub(super) fn count(&self, user: UserId, kind: &KindId, since: Timestamp) -> u32 {
        let Some(times) = self.times_of.get(&(user, kind.clone())) else { return 0 };
        let count = times.len() - times.partition_point(|at| *at < since);
        u32::try_from(count).unwrap_or(u32::MAX)
    }

    pub(super) fn append(&mut self, row: LogRow) {
        self.rows_of.entry(row.user_id).or_default().push(self.log.len());
        if row.origin == Origin::Correction {
            self.log.push(row);
            return;
        }
        let times = self.times_of.entry((row.user_id, row.kind.clone())).or_default();
        // Almost always the last place: changes are made in the order of time, but for clocks that disagree.
        times.insert(times.partition_point(|at| *at <= row.at), row.at);
        self.log.push(row);
    }

    pub(super) fn set_score(&mut self, user: UserId, reached: Reached) {
        self.scores_of(self.season).set(user, reached);
    }

    pub(super) fn withhold(&mut self, user: UserId, reached: Reached) {
        self.scores_of(self.season).withhold(user, reached);
    }

    pub(super) fn admissions(&self, user: UserId) -> Option<&Admissions> {
        self.current().admissions(user)
    }

    pub(super) fn keep_admissions(&mut self, user: UserId, admissions: Admissions) {
        self.scores_of(self.season).keep_admissions(user, admissions);
    }

    pub(super) fn place(&mut self, place: &Place) {
        self.scores_of(place.season).place(place);
    }

    fn scores_of(&mut self, season: Season) -> &mut SeasonScores {
        let order = self.spec.order();
        self.seasons.entry(season).or_insert_with(|| SeasonScores::new(order))
    }

    pub(super) fn row(&self, version: Version) -> Option<&LogRow> {
        self.log.get(index_behind(version).checked_sub(1)?)
    }

    pub(super) fn log(&self, after: Version, limit: usize) -> Vec<LogRow> {
        self.log.iter().skip(index_behind(after)).take(limit).cloned().collect()
    }

    pub(super) fn history(&self, user: UserId, before: Option<Version>, limit: usize) -> Vec<LogRow> {
        self.newest_first(user, before).filter(|row| row.origin != Origin::Correction).take(limit).cloned().collect()
    }

    pub(super) fn corrections(&self, user: UserId, after: Version, before: Version, limit: usize) -> Vec<LogRow> {
        let rows = self.newest_first(user, Some(before)).take_while(|row| row.position.version > after);
        let of_actions = |row: &&LogRow| row.origin == Origin::Correction && ModerationAct::is_about_actions(&row.kind);
        rows.filter(of_actions).take(limit).cloned().collect()
    }

    fn newest_first(&self, user: UserId, before: Option<Version>) -> impl Iterator<Item = &LogRow> {
        let rows = self.rows_of.get(&user).map(Vec::as_slice).unwrap_or_default();
        let end = match before {
            Some(before) => rows.partition_point(|row| self.log[*row].position.version < before),
            None => rows.len(),
        };
        rows[..end].iter().rev().map(|row| &self.log[*row])
    }

    /// The seasons in which a user has rows, and what is known of the user there.
    pub(super) fn dossiers(&self, user: UserId) -> Vec<Dossier> {
        let rows = self.rows_of.get(&user).map(Vec::as_slice).unwrap_or_default().iter().map(|row| &self.log[*row]);
        let mut seasons: BTreeMap<Season, Vec<LogRow>> = BTreeMap::new();
        for row in rows {
            seasons.entry(row.season).or_default().push(row.clone());
        }
        let dossier = |(season, rows)| {
            let scores = self.seasons.get(&season);
            Dossier {
                board: self.spec.id.clone(),
                season,
                user,
                restriction: None,
                restricted_by: None,
                own: scores.and_then(|scores| scores.own(user)),
                shown: scores.and_then(|scores| scores.score(user)),
                rows,
                voided: HashSet::new(),
                has_archived_voids: false,
            }
        };
        seasons.into_iter().map(dossier).collect()
    }

    pub(super) fn total(&self, season: Season) -> u64 {
        self.seasons.get(&season).map_or(0, SeasonScores::total)
    }

    /// What a user has in a season, or the current one; `None` if the board never had it.
    pub(super) fn own_in(&self, season: Option<Season>, user: UserId) -> Option<(Season, Position, Option<Reached>)> {
        let season = season.unwrap_or(self.season);
        Some((season, self.position(), self.seasons.get(&season)?.own(user)))
    }

    pub(super) fn page(&self, query: PageQuery) -> Option<RankedPage> {
        let season = query.season.unwrap_or(self.season);
        let scores = self.seasons.get(&season)?;
        let IndexPage { entries, has_previous, has_next } = scores.page(query.range, query.style);
        Some(RankedPage { season, position: self.position(), total: scores.total(), entries, has_previous, has_next })
    }

    pub(super) fn standings(&self, season: Option<Season>, style: RankStyle, users: &[UserId]) -> Option<RankedUsers> {
        let season = season.unwrap_or(self.season);
        let scores = self.seasons.get(&season)?;
        let entries = scores.standings(style, users);
        Some(RankedUsers { season, position: self.position(), total: scores.total(), entries })
    }

    pub(super) fn score_rank(&self, style: RankStyle, score: Score) -> ScoreRank {
        let Position { epoch, version } = self.position();
        let scores = self.current();
        let key = self.spec.order().key(score, version.next());
        ScoreRank { rank: scores.ahead_of(key).rank(style), total: scores.total(), epoch, version }
    }

    pub(super) fn scan(&self, season: Season, after: Option<UserId>, limit: usize) -> Option<Scan> {
        let scores = self.seasons.get(&season)?;
        Some(Scan { position: self.position(), total: scores.total(), scores: scores.scan(after, limit) })
    }
}

/// Where the row behind the one of this version is.
fn index_behind(version: Version) -> usize {
    usize::try_from(version.get()).unwrap_or(usize::MAX)
}
