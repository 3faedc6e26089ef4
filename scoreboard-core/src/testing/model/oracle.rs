//! What boards do, told without any thought of speed, and without the code that stores share.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::board::{Board, BoardSpec, Season};
use crate::entry::{PageQuery, Range, Ranked, RankedPage, RankedUsers, ScoreRank};
use crate::ids::{ActionId, BoardId, UserId};
use crate::ranking::{Direction, Operator, OrderKey, RankStyle, TieBreak};
use crate::score::{Points, Score};
use crate::store::{
    Change, ChangeBoard, CreateBoard, LogRow, Origin, Outcome, Reached, Receipt, Refusal, Restriction, RowDigest, Scan,
    Visibility,
};
use crate::testing::model::moderated::Moderated;
use crate::version::{Epoch, Position, Version};

/// Boards as lists of log rows: every read folds and sorts them anew.
#[derive(Debug, Clone, Default)]
pub(super) struct Model {
    pub(super) boards: BTreeMap<BoardId, ModelBoard>,
    pub(super) moderated: Moderated,
}

#[derive(Debug, Clone)]
pub(super) struct ModelBoard {
    pub(super) spec: BoardSpec,
    epoch: Epoch,
    pub(super) log: Vec<LogRow>,
    /// When changes were admitted that count.
    admitted: Vec<(UserId, i64)>,
}

/// An entry in the board's order: who, and what they have.
type Place = (UserId, Reached);

impl ModelBoard {
    pub(super) fn position(&self) -> Position {
        Position { epoch: self.epoch, version: Version::new(self.log.len() as u64) }
    }

    pub(super) fn head(&self) -> Option<RowDigest> {
        self.log.last().and_then(|row| row.digest)
    }

    /// What is shown of each user: what their last row that says so has left.
    pub(super) fn scores(&self) -> BTreeMap<UserId, Reached> {
        let mut scores: BTreeMap<UserId, Reached> = BTreeMap::new();
        for row in &self.log {
            let new = Reached { score: row.score, version: row.position.version, at: row.at };
            let after = match (row.origin, row.previous) {
                (Origin::Correction, _) => row.corrected,
                (_, Some(previous)) if previous.score == row.score => Some(previous),
                _ => Some(new),
            };
            match (row.visibility, after) {
                (Visibility::AsBefore, _) => {}
                (Visibility::Shown, Some(after)) => drop(scores.insert(row.user_id, after)),
                (Visibility::Shown, None) | (Visibility::Nothing, _) => drop(scores.remove(&row.user_id)),
            }
        }
        scores
    }

    /// What each user has by their rows up to a version, without those that are void; `None` if a score leaves its range.
    pub(super) fn own(
        &self,
        void: &BTreeSet<ActionId>,
        until: impl Fn(UserId) -> Version,
    ) -> BTreeMap<UserId, Option<Reached>> {
        let mut own: BTreeMap<UserId, Option<Reached>> = BTreeMap::new();
        let counts = |row: &&LogRow| {
            row.origin != Origin::Correction
                && !void.contains(&row.action_id)
                && row.position.version <= until(row.user_id)
        };
        for row in self.log.iter().filter(counts) {
            let has = own.get(&row.user_id).copied();
            if has == Some(None) {
                continue;
            }
            let has = has.flatten();
            let score = self.score_after(has, row.points);
            let new = score.map(|score| match has {
                Some(has) if has.score == score => has,
                _ => Reached { score, version: row.position.version, at: row.at },
            });
            own.insert(row.user_id, new);
        }
        own
    }

    fn score_after(&self, previous: Option<Reached>, points: Points) -> Option<Score> {
        /// Both ends of the range of scores.
        const MAX: i128 = (1 << 53) - 1;
        let before = previous.map(|previous| i128::from(previous.score.get()));
        let points = i128::from(points.get());
        let after = match self.spec.operator {
            Operator::Increment => before.unwrap_or(0) + points,
            Operator::Decrement => before.unwrap_or(0) - points,
            Operator::Set => points,
            Operator::Best if self.spec.direction == Direction::Ascending => before.unwrap_or(points).min(points),
            Operator::Best => before.unwrap_or(points).max(points),
        };
        (-MAX..=MAX).contains(&after).then(|| Score::new(i64::try_from(after).expect("in range")).expect("in range"))
    }

    fn places(&self) -> Vec<Place> {
        let mut places: Vec<_> = self.scores().into_iter().collect();
        places.sort_by(|(_, a), (_, b)| self.compare((a.score, a.version), (b.score, b.version)));
        places
    }

    /// Less is nearer the top.
    fn compare(&self, a: (Score, Version), b: (Score, Version)) -> Ordering {
        let by_score = match self.spec.direction {
            Direction::Descending => b.0.cmp(&a.0),
            Direction::Ascending => a.0.cmp(&b.0),
        };
        let by_version = match self.spec.tie_break {
            TieBreak::Earliest => a.1.cmp(&b.1),
            TieBreak::Latest => b.1.cmp(&a.1),
        };
        by_score.then(by_version)
    }

    /// Where a place lies, seen from a key.
    fn compare_with_key(&self, place: &Place, key: OrderKey) -> Ordering {
        let turn = |turned: bool, value: i64| if turned { -value } else { value };
        let score = turn(self.spec.direction == Direction::Descending, key.score);
        let version = turn(self.spec.tie_break == TieBreak::Latest, key.tie);
        let score = Score::new(score).expect("the model is asked for keys of entries only");
        let version = Version::new(u64::try_from(version).expect("the model is asked for keys of entries only"));
        self.compare((place.1.score, place.1.version), (score, version))
    }

    fn ranked(&self, places: &[Place], index: usize, style: RankStyle) -> Ranked {
        let (user_id, reached) = places[index];
        let ahead = &places[..index];
        let better = ahead.iter().filter(|(_, other)| other.score != reached.score);
        let before = match style {
            RankStyle::Ordinal => ahead.len(),
            RankStyle::Competition => better.count(),
            RankStyle::Dense => better.map(|(_, other)| other.score).collect::<BTreeSet<_>>().len(),
        };
        let (score, at) = (reached.score, reached.at);
        Ranked { rank: before as u64 + 1, user_id, score, reached: reached.version, updated_at: at }
    }

    fn apply(&self, change: &Change, moderated: &Moderated) -> Result<LogRow, Refusal> {
        let visibility = match moderated.restricted.get(&change.user_id) {
            None => Visibility::Shown,
            Some((Restriction::Held, _)) => Visibility::AsBefore,
            Some((Restriction::Shadowed, _)) => Visibility::Nothing,
            Some((Restriction::Banned, _)) => return Err(Refusal::Banned),
        };
        if change.season != Season::FIRST {
            return Err(Refusal::SeasonOver);
        }
        if let Some(at_most) = change.at_most {
            let alike = |row: &&LogRow| {
                row.origin != Origin::Correction
                    && row.user_id == change.user_id
                    && row.kind == change.kind
                    && row.at >= at_most.since
            };
            if self.log.iter().filter(alike).count() >= at_most.count as usize {
                return Err(Refusal::AboveCount);
            }
        }
        if let Some(admitted) = change.admitted {
            let (limit, period) = (admitted.quota().limit.get() as usize, admitted.quota().period.as_millis() as i64);
            let times = self.admitted.iter().filter(|(user, _)| *user == change.user_id).map(|(_, at)| *at);
            let mut before: Vec<i64> = times.clone().collect();
            before.sort_unstable();
            let at = admitted.at().as_millis();
            // Each window in which it would be.
            let is_over = (at - period + 1..=at)
                .any(|start| times.clone().filter(|at| (start..start + period).contains(at)).count() >= limit);
            if is_over {
                let wait = before[before.len() - limit] + period - at;
                return Err(Refusal::OverQuota(Duration::from_millis(wait.max(1).cast_unsigned())));
            }
        }
        let own = self.own(&moderated.void, |_| Version::new(u64::MAX));
        let previous = own.get(&change.user_id).copied().flatten();
        let score = self.score_after(previous, change.points).ok_or(Refusal::ScoreOutOfRange)?;
        let mut row = LogRow {
            position: Position { version: self.position().version.next(), ..self.position() },
            action_id: change.action_id,
            fingerprint: change.fingerprint,
            season: change.season,
            user_id: change.user_id,
            kind: change.kind.clone(),
            points: change.points,
            origin: change.origin,
            previous,
            score,
            at: change.at,
            corrected: None,
            visibility,
            digest: None,
        };
        row.digest = Some(RowDigest::of(self.head(), &self.spec.id, &row));
        Ok(row)
    }
}

fn receipt(board: &BoardId, row: &LogRow, replayed: bool) -> Receipt {
    Receipt {
        action_id: row.action_id,
        board: board.clone(),
        season: row.season,
        user_id: row.user_id,
        points: row.points,
        previous_score: row.previous.map(|previous| previous.score),
        score: row.score,
        rank: None,
        epoch: row.position.epoch,
        version: row.position.version,
        applied_at: row.at,
        replayed,
        is_shown: row.visibility == Visibility::Shown,
    }
}

/// What a [`ScoreStore`](crate::ScoreStore) answers to the same calls. The epoch of a board is the store's to choose, so
/// it is given.
impl Model {
    pub(super) fn create_board(&mut self, spec: &BoardSpec, epoch: Epoch) -> CreateBoard {
        if self.boards.contains_key(&spec.id) {
            return CreateBoard::AlreadyExists;
        }
        self.boards
            .insert(spec.id.clone(), ModelBoard { spec: spec.clone(), epoch, log: Vec::new(), admitted: Vec::new() });
        CreateBoard::Created
    }

    pub(super) fn change_board(&mut self, from: &BoardSpec, to: &BoardSpec) -> ChangeBoard {
        let Some(board) = self.boards.get_mut(&to.id) else { return ChangeBoard::Unknown };
        if board.spec == *to {
            return ChangeBoard::Changed;
        }
        if board.spec != *from {
            return ChangeBoard::ChangedMeanwhile;
        }
        let order = |spec: &BoardSpec| (spec.operator, spec.direction, spec.tie_break);
        if !board.log.is_empty() && order(from) != order(to) {
            return ChangeBoard::OrderIsFixed;
        }
        board.spec = to.clone();
        ChangeBoard::Changed
    }

    /// The spec of a board, if it is there.
    pub(super) fn spec(&self, board: &BoardId) -> Option<&BoardSpec> {
        self.boards.get(board).map(|board| &board.spec)
    }

    pub(super) fn apply(&mut self, changes: &[Change]) -> Vec<Outcome> {
        let mut outcomes = Vec::new();
        for change in changes {
            outcomes.push(match self.action(change.action_id) {
                Some((board, row)) if row.fingerprint == change.fingerprint => {
                    Outcome::Replayed(receipt(&board, &row, true))
                }
                Some(_) => Outcome::Refused(Refusal::FingerprintMismatch),
                None => match self.boards.get_mut(&change.board) {
                    None => Outcome::Refused(Refusal::UnknownBoard),
                    Some(board) => match board.apply(change, &self.moderated) {
                        Err(refusal) => Outcome::Refused(refusal),
                        Ok(row) => {
                            let receipt = receipt(&change.board, &row, false);
                            board.log.push(row);
                            board.admitted.extend(change.admitted.map(|by| (change.user_id, by.at().as_millis())));
                            Outcome::Applied(receipt)
                        }
                    },
                },
            });
        }
        outcomes
    }

    pub(super) fn board(&self, id: &BoardId) -> Option<Board> {
        let board = self.boards.get(id)?;
        let Position { epoch, version } = board.position();
        let total = board.places().len() as u64;
        let (spec, season, log_after, head) = (board.spec.clone(), Season::FIRST, Version::ZERO, board.head());
        Some(Board { spec, season, epoch, version, total, log_after, head })
    }

    pub(super) fn boards(&self) -> Vec<Board> {
        self.boards.keys().filter_map(|id| self.board(id)).collect()
    }

    pub(super) fn action(&self, action: ActionId) -> Option<(BoardId, LogRow)> {
        self.boards.iter().find_map(|(id, board)| {
            let row = board.log.iter().find(|row| row.action_id == action)?;
            Some((id.clone(), row.clone()))
        })
    }

    pub(super) fn page(&self, id: &BoardId, query: PageQuery) -> Option<RankedPage> {
        let board = self.boards.get(id)?;
        let places = board.places();
        let total = places.len();
        let (start, end) = match query.range {
            Range::Top { limit } => (0, limit),
            Range::After { key, limit } => {
                let start = places.iter().filter(|place| board.compare_with_key(place, key).is_le()).count();
                (start, start + limit)
            }
            Range::Before { key, limit } => {
                let end = places.iter().filter(|place| board.compare_with_key(place, key).is_lt()).count();
                (end.saturating_sub(limit), end)
            }
            Range::Around { user, radius } => match places.iter().position(|(other, _)| *other == user) {
                None => (0, 0),
                Some(middle) => {
                    let size = (2 * radius + 1).min(total);
                    let start = middle.saturating_sub(radius).min(total - size);
                    (start, start + size)
                }
            },
        };
        let end = end.min(total);
        Some(RankedPage {
            season: Season::FIRST,
            position: board.position(),
            total: total as u64,
            entries: (start..end).map(|index| board.ranked(&places, index, query.style)).collect(),
            has_previous: start > 0,
            has_next: end < total,
        })
    }

    pub(super) fn standings(&self, id: &BoardId, style: RankStyle, users: &[UserId]) -> Option<RankedUsers> {
        let board = self.boards.get(id)?;
        let places = board.places();
        let find = |user: &UserId| {
            let index = places.iter().position(|(other, _)| other == user)?;
            Some(board.ranked(&places, index, style))
        };
        let entries = users.iter().map(find).collect();
        let total = places.len() as u64;
        Some(RankedUsers { season: Season::FIRST, position: board.position(), total, entries })
    }

    pub(super) fn score_rank(&self, id: &BoardId, style: RankStyle, score: Score) -> Option<ScoreRank> {
        let mut board = self.boards.get(id)?.clone();
        let (total, Position { epoch, version }) = (board.places().len() as u64, board.position());
        // A new user reaches it now.
        let newcomer = UserId::from_bytes(*b"a new, unknown u");
        let at = crate::Timestamp::from_millis(0);
        board.log.push(LogRow {
            position: Position { epoch, version: version.next() },
            action_id: ActionId::from_bytes([0; 16]),
            fingerprint: crate::Fingerprint::from_bytes([0; 16]),
            season: Season::FIRST,
            user_id: newcomer,
            kind: "any".parse().expect("a slug"),
            points: crate::Points::ZERO,
            origin: crate::Origin::Record,
            previous: None,
            score,
            at,
            corrected: None,
            visibility: Visibility::Shown,
            digest: None,
        });
        let places = board.places();
        let index = places.iter().position(|(user, _)| *user == newcomer)?;
        Some(ScoreRank { rank: board.ranked(&places, index, style).rank, total, epoch, version })
    }

    pub(super) fn history(&self, id: &BoardId, user: UserId, before: Option<Version>, limit: usize) -> Vec<LogRow> {
        let rows = self.boards.get(id).into_iter().flat_map(|board| board.log.iter().rev());
        let older = |row: &&LogRow| row.user_id == user && before.is_none_or(|before| row.position.version < before);
        let rows = rows.filter(|row| row.origin != Origin::Correction);
        rows.filter(older).take(limit).cloned().collect()
    }

    pub(super) fn log(&self, id: &BoardId, after: Version, limit: usize) -> Vec<LogRow> {
        let rows = self.boards.get(id).into_iter().flat_map(|board| &board.log);
        rows.filter(|row| row.position.version > after).take(limit).cloned().collect()
    }

    pub(super) fn scan(&self, id: &BoardId, after: Option<UserId>, limit: usize) -> Option<Scan> {
        let board = self.boards.get(id)?;
        let scores = board.scores();
        let total = scores.len() as u64;
        let behind = scores.into_iter().filter(|(user, _)| after.is_none_or(|after| *user > after));
        Some(Scan { position: board.position(), total, scores: behind.take(limit).collect() })
    }
}
