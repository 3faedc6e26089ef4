//! The one definition of what applying changes does, for every store to share. Pure.

use std::collections::{HashMap, HashSet};

use crate::board::{BoardSpec, Season};
use crate::clock::Timestamp;
use crate::ids::{ActionId, BoardId, KindId, UserId};
use crate::store::{
    Admissions, AtMost, Change, LogRow, Origin, Outcome, Reached, Refusal, Restriction, RowDigest, Visibility,
};
use crate::version::Position;

/// What a store has read, under the locks of its transaction, before it decides a batch.
///
/// A store fills this with what the changes name, calls [`decide`](Self::decide), writes the [`Decided`] rows, and commits.
#[derive(Debug, Default)]
pub struct Batch {
    /// The boards that the changes name; one that is left out does not exist.
    pub boards: HashMap<BoardId, BoardState>,
    /// Those of the changes' ids that counted before, with their boards.
    pub counted: HashMap<ActionId, (BoardId, LogRow)>,
    /// What the users that the changes name have in their boards' current seasons, whoever is shown it; one that is left out has nothing.
    pub scores: HashMap<(BoardId, UserId), Reached>,
    /// Those of the users who are held, shadowed or banned.
    pub restrictions: HashMap<UserId, Restriction>,
    /// For each change with an [`AtMost`]: how many log rows of its kind its user has on its board since then.
    pub counts: HashMap<CountKey, u32>,
    /// Of the users who have a score: when their changes were admitted, as far as it matters. One that is left out has none.
    pub admissions: HashMap<(BoardId, UserId), Admissions>,
    /// Of the ids of [signed actions](Origin::Action), those below this one belong to a log that is archived: `None` where no log is.
    pub actions_from: Option<ActionId>,
}

/// What a count is of: board, user, kind, and the moment since when.
pub type CountKey = (BoardId, UserId, KindId, Timestamp);

/// A board as a batch finds and leaves it.
#[derive(Debug, Clone)]
pub struct BoardState {
    /// Its operator and order.
    pub spec: BoardSpec,
    /// Its season.
    pub season: Season,
    /// Where it stands.
    pub position: Position,
    /// Entries in the current season.
    pub total: u64,
    /// The digest of its newest row that has one.
    pub head: Option<RowDigest>,
}

/// What a store has to write.
#[derive(Debug, Default)]
pub struct Decided {
    /// One for each change, in order.
    pub outcomes: Vec<Outcome>,
    /// New log rows, in order.
    pub rows: Vec<(BoardId, LogRow)>,
    /// The scores that changed and are shown, each user's last one only.
    pub scores: HashMap<(BoardId, UserId), Reached>,
    /// What restricted users have now, each one's last only: kept aside, and what others are shown of them stays.
    pub withheld: HashMap<(BoardId, UserId), Reached>,
    /// Of those users when their changes were admitted, and of others nothing new: all that is to be kept beside `scores` and `withheld`.
    pub admissions: HashMap<(BoardId, UserId), Admissions>,
    /// The boards that moved.
    pub boards: HashMap<BoardId, BoardState>,
}

impl Batch {
    /// Decides each change against what the ones before it left, by the rules of
    /// [`ScoreStore::apply`](crate::ScoreStore::apply).
    #[must_use]
    pub fn decide(mut self, changes: &[Change]) -> Decided {
        let mut decided = Decided { outcomes: Vec::with_capacity(changes.len()), ..Decided::default() };
        for change in changes {
            let outcome = match self.decide_one(change, &mut decided) {
                Ok(outcome) => outcome,
                Err(refusal) => Outcome::Refused(refusal),
            };
            decided.outcomes.push(outcome);
        }
        decided.admissions = self.admissions;
        let moved: HashSet<&BoardId> = decided.rows.iter().map(|(board, _)| board).collect();
        decided.boards = self.boards.into_iter().filter(|(board, _)| moved.contains(board)).collect();
        decided
    }

    fn decide_one(&mut self, change: &Change, decided: &mut Decided) -> Result<Outcome, Refusal> {
        if let Some((board, row)) = self.counted.get(&change.action_id) {
            return if row.fingerprint == change.fingerprint {
                Ok(Outcome::Replayed(row.receipt(board, true)))
            } else {
                Err(Refusal::FingerprintMismatch)
            };
        }
        if change.origin == Origin::Correction {
            return Err(Refusal::Correction);
        }
        let board = self.boards.get_mut(&change.board).ok_or(Refusal::UnknownBoard)?;
        if change.origin == Origin::Action && self.actions_from.is_some_and(|from| change.action_id < from) {
            return Err(Refusal::Archived);
        }
        let restriction = self.restrictions.get(&change.user_id).copied();
        let visibility = match restriction {
            None => Visibility::Shown,
            Some(Restriction::Held) => Visibility::AsBefore,
            Some(Restriction::Shadowed) => Visibility::Nothing,
            Some(Restriction::Banned) => return Err(Refusal::Banned),
        };
        if board.season != change.season {
            return Err(Refusal::SeasonOver);
        }
        if let Some(AtMost { count, since }) = change.at_most {
            let key = (change.board.clone(), change.user_id, change.kind.clone(), since);
            let before = self.counts.get(&key).copied().unwrap_or(0);
            let here = decided.rows.iter().filter(|(board, row)| {
                *board == change.board && row.user_id == change.user_id && row.kind == change.kind && row.at >= since
            });
            if before as usize + here.count() >= count as usize {
                return Err(Refusal::AboveCount);
            }
        }
        let user = (change.board.clone(), change.user_id);
        if let (Some(admitted), Some(admissions)) = (&change.admitted, self.admissions.get(&user)) {
            admissions.room_for(admitted).map_err(Refusal::OverQuota)?;
        }
        let previous = self.scores.get(&user).copied();
        let score = board
            .spec
            .operator
            .apply(board.spec.direction, previous.map(|previous| previous.score), change.points)
            .ok_or(Refusal::ScoreOutOfRange)?;

        board.position.version = board.position.version.next();
        // Of who is not restricted, all that they have is shown.
        board.total += u64::from(previous.is_none() && restriction.is_none());
        let mut row = LogRow {
            position: board.position,
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
        row.digest = Some(RowDigest::of(board.head, &change.board, &row));
        board.head = row.digest;
        let receipt = row.receipt(&change.board, false);
        let reached = Reached::after(previous, score, board.position.version, change.at);
        if let Some(admitted) = &change.admitted {
            self.admissions.entry(user.clone()).or_default().add(admitted);
        }
        if previous != Some(reached) || restriction.is_some() || change.admitted.is_some() {
            self.scores.insert(user.clone(), reached);
            let kept = if restriction.is_none() { &mut decided.scores } else { &mut decided.withheld };
            kept.insert(user, reached);
        }
        self.counted.insert(change.action_id, (change.board.clone(), row.clone()));
        decided.rows.push((change.board.clone(), row));
        Ok(Outcome::Applied(receipt))
    }
}
