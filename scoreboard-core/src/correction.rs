//! The one definition of what a moderator's decision does to boards, for every store to share. Pure.

use std::collections::{HashMap, HashSet};

use crate::action::Fingerprint;
use crate::batch::BoardState;
use crate::board::{BoardSpec, Season};
use crate::encoding::uuid_for;
use crate::ids::{ActionId, BoardId, UserId};
use crate::score::{Points, Score};
use crate::store::{
    CarriedOut, Effects, LogRow, Moderation, ModerationAct, ModerationRefusal, Origin, Reached, Restriction, RowDigest,
    Shift, Visibility,
};
use crate::version::Version;

/// What a store has read, under the locks of its transaction, before it decides a decision's corrections.
///
/// A store fills this, calls [`decide`](Self::decide), writes the [`Corrections`], and commits.
#[derive(Debug, Default)]
pub struct Inquiry {
    /// The boards of the dossiers.
    pub boards: HashMap<BoardId, BoardState>,
    /// The entries of the dossiers' seasons, as they are shown.
    pub totals: HashMap<(BoardId, Season), u64>,
    /// For a decision about actions: each board, season and user of those that it turns. For one about a user: each board and season on which
    /// they have anything, or have had. For one about both: both.
    pub dossiers: Vec<Dossier>,
}

/// What a store knows of one user in one season of one board.
#[derive(Debug, Clone)]
pub struct Dossier {
    /// The board.
    pub board: BoardId,
    /// The season.
    pub season: Season,
    /// The user.
    pub user: UserId,
    /// What they may not.
    pub restriction: Option<Restriction>,
    /// What the decision by which they are so has done.
    pub restricted_by: Option<ModerationAct>,
    /// What they have.
    pub own: Option<Reached>,
    /// What others are shown.
    pub shown: Option<Reached>,
    /// Their log rows in version order, corrections too, as far as the log is whole. Not looked at where the decision does not
    /// [need](ModerationAct::needs_rows) them.
    pub rows: Vec<LogRow>,
    /// Those of the rows' ids that are void now.
    pub voided: HashSet<ActionId>,
    /// Whether an action of theirs that is archived was ever void: then nobody can tell what the rows that are left begin with.
    pub has_archived_voids: bool,
}

/// What a store has to write.
#[derive(Debug, Default)]
pub struct Corrections {
    /// New log rows, in order.
    pub rows: Vec<(BoardId, LogRow)>,
    /// What becomes of each user who has a row.
    pub places: Vec<Place>,
    /// The boards that moved.
    pub boards: HashMap<BoardId, BoardState>,
    /// The seasons whose totals are others.
    pub totals: HashMap<(BoardId, Season), u64>,
    /// Whose shown score is another one, by board, season and user.
    pub shifts: Vec<Shift>,
}

impl Corrections {
    /// What a decision does by them that turns so many actions, once they are written.
    #[must_use]
    pub fn effects(&self, moderation: &Moderation, turned: usize) -> Effects {
        let carried_out =
            CarriedOut { moderation: moderation.clone(), changed: turned as u64, corrections: self.rows.len() as u64 };
        Effects { carried_out, replayed: false, shifts: self.shifts.clone() }
    }
}

/// What a user has, and what of it is shown, after a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// The board.
    pub board: BoardId,
    /// The season.
    pub season: Season,
    /// The user.
    pub user: UserId,
    /// What they have.
    pub own: Option<Reached>,
    /// What others are shown.
    pub shown: Option<Reached>,
    /// Whether they are restricted, so that what they have is kept aside.
    pub is_restricted: bool,
}

/// A step from one state to the next: what the user has, and what of it is shown.
type Step = (Option<Reached>, Visibility);

impl Inquiry {
    /// Decides the corrections.
    ///
    /// # Errors
    ///
    /// [`OneselfDecided`](ModerationRefusal::OneselfDecided), or the first dossier, by board, season and user, that stands against it: nothing
    /// is to be written then.
    pub fn decide(mut self, moderation: &Moderation) -> Result<Corrections, ModerationRefusal> {
        let mut dossiers = std::mem::take(&mut self.dossiers);
        dossiers.sort_by(|a, b| (&a.board, a.season, a.user).cmp(&(&b.board, b.season, b.user)));
        // Else who is banned, and still has their role, would let themselves in again.
        let concerned = dossiers.iter().map(|dossier| dossier.user).chain(moderation.act.user());
        if concerned.into_iter().any(|user| user.to_string() == moderation.by) {
            return Err(ModerationRefusal::OneselfDecided);
        }
        let turned: HashSet<ActionId> = moderation.act.actions().iter().copied().collect();
        let kind = moderation.act.kind();
        let mut corrections = Corrections::default();
        for dossier in dossiers {
            let board = self.boards.get_mut(&dossier.board).expect("a store reads the boards of its dossiers");
            let (steps, restriction) = match &moderation.act {
                ModerationAct::Void { .. } => (dossier.refold(&board.spec, &turned, true)?, dossier.restriction),
                ModerationAct::Unvoid { .. } => (dossier.refold(&board.spec, &turned, false)?, dossier.restriction),
                ModerationAct::Restrict { restriction, .. } => {
                    (dossier.restrict(Some(*restriction)), Some(*restriction))
                }
                ModerationAct::Lift { .. } => (dossier.restrict(None), None),
                ModerationAct::Hold { board: there, since, .. } => {
                    let since = (*there == dossier.board).then_some(*since);
                    (dossier.hold(&board.spec, since)?, dossier.restriction.or(Some(Restriction::Held)))
                }
                ModerationAct::Conclude { release, .. } => dossier.conclude(&board.spec, &turned, *release)?,
            };
            let (mut own, mut shown) = (dossier.own, dossier.shown);
            for (number, (after, visibility)) in steps.iter().enumerate() {
                board.position.version = board.position.version.next();
                let mut row = LogRow {
                    position: board.position,
                    action_id: dossier.id_of(moderation, number),
                    fingerprint: Fingerprint::from_bytes(*moderation.id.as_bytes()),
                    season: dossier.season,
                    user_id: dossier.user,
                    kind: kind.clone(),
                    points: Points::ZERO,
                    origin: Origin::Correction,
                    previous: own,
                    score: after.map_or(Score::ZERO, |after| after.score),
                    at: moderation.at,
                    corrected: *after,
                    visibility: *visibility,
                    digest: None,
                };
                row.digest = Some(RowDigest::of(board.head, &dossier.board, &row));
                board.head = row.digest;
                own = *after;
                shown = row.shown_after(shown);
                corrections.rows.push((dossier.board.clone(), row));
            }
            if !steps.is_empty() {
                let place = Place {
                    board: dossier.board,
                    season: dossier.season,
                    user: dossier.user,
                    own,
                    shown,
                    is_restricted: restriction.is_some(),
                };
                corrections.settle(&mut self.totals, place, dossier.shown);
            }
        }
        let moved: HashSet<&BoardId> = corrections.rows.iter().map(|(board, _)| board).collect();
        let mut boards: HashMap<_, _> = self.boards.into_iter().filter(|(board, _)| moved.contains(board)).collect();
        for ((id, season), total) in &corrections.totals {
            if let Some(board) = boards.get_mut(id).filter(|board| board.season == *season) {
                board.total = *total;
            }
        }
        corrections.boards = boards;
        Ok(corrections)
    }
}

impl Corrections {
    /// Takes in what a user comes to, of whom something else was shown before.
    fn settle(&mut self, totals: &mut HashMap<(BoardId, Season), u64>, place: Place, before: Option<Reached>) {
        let (board, season, after) = (place.board.clone(), place.season, place.shown);
        if before.is_some() != after.is_some() {
            let total = totals.get_mut(&(board.clone(), season)).expect("a store reads the totals of its dossiers");
            *total = if after.is_some() { *total + 1 } else { total.saturating_sub(1) };
            self.totals.insert((board.clone(), season), *total);
        }
        if before != after {
            self.shifts.push(Shift { board, season, user_id: place.user, before, after });
        }
        self.places.push(place);
    }
}

impl Dossier {
    /// The steps to what the user has when these actions are void, or are no longer.
    fn refold(
        &self,
        spec: &BoardSpec,
        turned: &HashSet<ActionId>,
        is_void: bool,
    ) -> Result<Vec<Step>, ModerationRefusal> {
        self.check_whole(spec)?;
        let voided = self.voided_with(turned, is_void);
        let own = self.fold_all(spec, &voided)?;
        let mut steps = Vec::new();
        match self.restriction {
            None if own != self.own => steps.push((own, Visibility::Shown)),
            Some(Restriction::Shadowed | Restriction::Banned) if own != self.own => {
                steps.push((own, Visibility::Nothing));
            }
            Some(Restriction::Held) => {
                // Others are shown what counted when the user was held: that is put right first, then what the user has.
                let shown = self.fold_until(spec, &voided, self.held_at().unwrap_or(Version::ZERO))?;
                if shown != self.shown {
                    steps.push((shown, Visibility::Shown));
                }
                if own != self.own || !steps.is_empty() {
                    steps.push((own, Visibility::AsBefore));
                }
            }
            _ => {}
        }
        Ok(steps)
    }

    /// That the rows come to what the user has, and to what is shown of it.
    fn check_whole(&self, spec: &BoardSpec) -> Result<(), ModerationRefusal> {
        // Where the beginning is archived, rows that do not come to what the user has say that it is needed.
        let begins_later = self.rows.first().is_some_and(|row| row.previous.is_some());
        let is_held = self.restriction == Some(Restriction::Held);
        let (board, user) = (self.board.clone(), self.user);
        let held_at = self.held_at();
        if self.has_archived_voids || (is_held && begins_later && held_at.is_none()) {
            return Err(ModerationRefusal::Archived { board, user });
        }
        let held_at = held_at.unwrap_or(Version::ZERO);
        let is_whole = self.fold(spec, &self.voided, None) == Ok(self.own)
            && (!is_held || self.fold(spec, &self.voided, Some(held_at)) == Ok(self.shown));
        match (is_whole, begins_later) {
            (true, _) => Ok(()),
            (false, true) => Err(ModerationRefusal::Archived { board, user }),
            (false, false) => Err(ModerationRefusal::Differs { board, user }),
        }
    }

    /// What is void of the rows when these actions are, or are no longer.
    fn voided_with(&self, turned: &HashSet<ActionId>, is_void: bool) -> HashSet<ActionId> {
        let mut voided = self.voided.clone();
        for row in self.rows.iter().filter(|row| turned.contains(&row.action_id)) {
            let _ = if is_void { voided.insert(row.action_id) } else { voided.remove(&row.action_id) };
        }
        voided
    }

    /// The steps by which a rule holds the user: others see what they had before this version of the board, if it is this one's.
    fn hold(&self, spec: &BoardSpec, since: Option<Version>) -> Result<Vec<Step>, ModerationRefusal> {
        if self.restriction.is_some() {
            return Ok(Vec::new());
        }
        let is_since = |row: &LogRow| since.is_some_and(|since| row.position.version >= since);
        if let Some(since) = since
            && self.rows.iter().any(|row| row.origin != Origin::Correction && is_since(row))
        {
            self.check_whole(spec)?;
            let shown = self.fold_until(spec, &self.voided, before(since))?;
            if shown != self.own {
                return Ok(vec![(shown, Visibility::Shown), (self.own, Visibility::AsBefore)]);
            }
        }
        Ok(self.restrict(Some(Restriction::Held)))
    }

    /// The steps by which people end a rule's case: what is void then, and whether the hold ends; and what the user may not afterwards.
    fn conclude(
        &self,
        spec: &BoardSpec,
        turned: &HashSet<ActionId>,
        release: bool,
    ) -> Result<(Vec<Step>, Option<Restriction>), ModerationRefusal> {
        let turns = self.rows.iter().any(|row| turned.contains(&row.action_id));
        let is_released = release && matches!(self.restricted_by, Some(ModerationAct::Hold { .. }));
        Ok(match (turns, is_released) {
            (false, false) => (Vec::new(), self.restriction),
            (true, false) => (self.refold(spec, turned, true)?, self.restriction),
            (false, true) => (self.restrict(None), None),
            (true, true) => {
                self.check_whole(spec)?;
                (vec![(self.fold_all(spec, &self.voided_with(turned, true))?, Visibility::Shown)], None)
            }
        })
    }

    /// The step by which the user is restricted, or no longer.
    fn restrict(&self, restriction: Option<Restriction>) -> Vec<Step> {
        if restriction == self.restriction {
            return Vec::new();
        }
        let visibility = match restriction {
            // Who is held is seen as they are now; what they do from now on is not.
            None | Some(Restriction::Held) => Visibility::Shown,
            Some(Restriction::Shadowed | Restriction::Banned) => Visibility::Nothing,
        };
        // One that shows nothing new is due as well: the log says since when somebody is held.
        vec![(self.own, visibility)]
    }

    /// Up to which version what a held user did here counts for others; `None` where nothing says so, for they had nothing when they were held.
    fn held_at(&self) -> Option<Version> {
        let hold = ModerationAct::Restrict { user_id: self.user, restriction: Restriction::Held }.kind();
        let is_hold = |row: &&LogRow| row.origin == Origin::Correction && row.kind == hold;
        let held_at = self.rows.iter().rev().find(is_hold).map(|row| row.position.version)?;
        Some(match &self.restricted_by {
            Some(ModerationAct::Hold { board, since, .. }) if *board == self.board => held_at.min(before(*since)),
            _ => held_at,
        })
    }

    /// The id of a correction: the same decision makes the same one, and no two the same.
    fn id_of(&self, moderation: &Moderation, number: usize) -> ActionId {
        let pieces: [&[u8]; 5] = [
            moderation.id.as_bytes(),
            self.board.as_str().as_bytes(),
            &self.season.get().to_le_bytes(),
            self.user.as_bytes(),
            &[u8::try_from(number).expect("a decision takes two steps at most")],
        ];
        ActionId::from_uuid(uuid_for("scoreboard/correction/v1", &pieces))
    }

    /// What all rows come to without those that are void.
    fn fold_all(&self, spec: &BoardSpec, voided: &HashSet<ActionId>) -> Result<Option<Reached>, ModerationRefusal> {
        self.fold(spec, voided, None).map_err(|_| self.out_of_range())
    }

    /// What the rows up to a version come to without those that are void.
    fn fold_until(
        &self,
        spec: &BoardSpec,
        voided: &HashSet<ActionId>,
        until: Version,
    ) -> Result<Option<Reached>, ModerationRefusal> {
        self.fold(spec, voided, Some(until)).map_err(|_| self.out_of_range())
    }

    fn out_of_range(&self) -> ModerationRefusal {
        ModerationRefusal::ScoreOutOfRange { board: self.board.clone(), user: self.user }
    }

    /// What the rows come to without those that are void: all of them, or those up to a version.
    fn fold(
        &self,
        spec: &BoardSpec,
        voided: &HashSet<ActionId>,
        until: Option<Version>,
    ) -> Result<Option<Reached>, OutOfRange> {
        let mut has = self.rows.first().and_then(|row| row.previous);
        let is_in_time = |row: &&LogRow| until.is_none_or(|until| row.position.version <= until);
        let counts = |row: &&LogRow| row.origin != Origin::Correction && !voided.contains(&row.action_id);
        for row in self.rows.iter().take_while(is_in_time).filter(counts) {
            let before = has.map(|has| has.score);
            let score = spec.operator.apply(spec.direction, before, row.points).ok_or(OutOfRange)?;
            has = Some(Reached::after(has, score, row.position.version, row.at));
        }
        Ok(has)
    }
}

const fn before(version: Version) -> Version {
    Version::new(version.get().saturating_sub(1))
}

/// A score on the way left its range.
#[derive(Debug, PartialEq, Eq)]
struct OutOfRange;
