//! What moderators' decisions do to the model, told without the code that stores share.

use std::collections::{BTreeMap, BTreeSet};

use crate::action::Fingerprint;
use crate::board::Season;
use crate::ids::{ActionId, BoardId, ModerationId, UserId};
use crate::score::{Points, Score};
use crate::store::{
    CarriedOut, Effects, LogRow, Moderated as Answer, Moderation, ModerationAct, ModerationRefusal, Origin, Own,
    Reached, Restriction, RowDigest, Shift, Visibility,
};
use crate::testing::model::oracle::{Model, ModelBoard};
use crate::version::{Position, Version};

/// What was decided so far.
#[derive(Debug, Clone, Default)]
pub(super) struct Moderated {
    carried_out: Vec<CarriedOut>,
    pub(super) void: BTreeSet<ActionId>,
    pub(super) restricted: BTreeMap<UserId, (Restriction, ModerationId)>,
}

impl Moderated {
    fn restricted_by(&self, user: UserId) -> Option<ModerationAct> {
        let (_, by) = self.restricted.get(&user)?;
        let decision = self.carried_out.iter().find(|carried_out| carried_out.moderation.id == *by)?;
        Some(decision.moderation.act.clone())
    }
}

/// The last version: all rows.
const ALL: Version = Version::new(u64::MAX);

impl ModelBoard {
    /// Up to which version others see what this user did who is held: before what a rule has found, if it was a rule and found it here, else
    /// that of the row by which they were held last.
    fn held_at(&self, user: UserId, by: Option<&ModerationAct>) -> Version {
        let holds =
            |row: &&LogRow| row.user_id == user && row.origin == Origin::Correction && row.kind.as_str() == "hold";
        let held = self.log.iter().filter(holds).map(|row| row.position.version).max().unwrap_or(Version::ZERO);
        match by {
            Some(ModerationAct::Hold { board, since, .. }) if *board == self.spec.id => {
                held.min(Version::new(since.get().saturating_sub(1)))
            }
            _ => held,
        }
    }

    fn correct(
        &mut self,
        moderation: &Moderation,
        user: UserId,
        step: u8,
        previous: Option<Reached>,
        corrected: Option<Reached>,
        visibility: Visibility,
    ) {
        let season = Season::FIRST.get().to_le_bytes();
        let pieces: [&[u8]; 5] =
            [moderation.id.as_bytes(), self.spec.id.as_str().as_bytes(), &season, user.as_bytes(), &[step]];
        let id = crate::encoding::uuid_for("scoreboard/correction/v1", &pieces);
        let mut row = LogRow {
            position: Position { version: self.position().version.next(), ..self.position() },
            action_id: ActionId::from_uuid(id),
            fingerprint: Fingerprint::from_bytes(*moderation.id.as_bytes()),
            season: Season::FIRST,
            user_id: user,
            kind: moderation.act.kind(),
            points: Points::ZERO,
            origin: Origin::Correction,
            previous,
            score: corrected.map_or(Score::ZERO, |corrected| corrected.score),
            at: moderation.at,
            corrected,
            visibility,
            digest: None,
        };
        row.digest = Some(RowDigest::of(self.head(), &self.spec.id, &row));
        self.log.push(row);
    }
}

impl Model {
    pub(super) fn moderate(&mut self, moderation: &Moderation) -> Answer {
        let known = self.moderated.carried_out.iter().find(|known| known.moderation.id == moderation.id);
        if let Some(known) = known {
            let same = known.moderation.act == moderation.act
                && known.moderation.by == moderation.by
                && known.moderation.reason == moderation.reason;
            return if same {
                Answer::Done(Effects { carried_out: known.clone(), replayed: true, shifts: Vec::new() })
            } else {
                Answer::Refused(ModerationRefusal::IdUsed)
            };
        }
        let mut after = self.clone();
        let changed = match &moderation.act {
            ModerationAct::Void { actions } | ModerationAct::Unvoid { actions } => {
                match after.turn(moderation, actions) {
                    Ok(changed) => changed,
                    Err(refusal) => return Answer::Refused(refusal),
                }
            }
            ModerationAct::Restrict { user_id, restriction } => {
                after.restrict(moderation, *user_id, Some(*restriction));
                0
            }
            ModerationAct::Lift { user_id } => {
                after.restrict(moderation, *user_id, None);
                0
            }
            ModerationAct::Hold { user_id, board, since } => {
                if !after.moderated.restricted.contains_key(user_id) {
                    after.hold(moderation, *user_id, board, *since);
                }
                0
            }
            ModerationAct::Conclude { user_id, actions, release, .. } => {
                match after.conclude(moderation, *user_id, actions, *release) {
                    Ok(changed) => changed,
                    Err(refusal) => return Answer::Refused(refusal),
                }
            }
        };
        let mut shifts = Vec::new();
        let mut corrections = 0;
        for ((id, before), after) in self.boards.iter().zip(after.boards.values()) {
            corrections += (after.log.len() - before.log.len()) as u64;
            let (had, has) = (before.scores(), after.scores());
            let users: BTreeSet<UserId> = had.keys().chain(has.keys()).copied().collect();
            for user_id in users {
                let (before, after) = (had.get(&user_id).copied(), has.get(&user_id).copied());
                if before != after {
                    shifts.push(Shift { board: id.clone(), season: Season::FIRST, user_id, before, after });
                }
            }
        }
        let carried_out = CarriedOut { moderation: moderation.clone(), changed, corrections };
        after.moderated.carried_out.push(carried_out.clone());
        *self = after;
        Answer::Done(Effects { carried_out, replayed: false, shifts })
    }

    fn turn(&mut self, moderation: &Moderation, actions: &[ActionId]) -> Result<u64, ModerationRefusal> {
        let counted = |action: ActionId| self.action(action).filter(|(_, row)| row.origin != Origin::Correction);
        let unknown: Vec<_> = actions.iter().copied().filter(|action| counted(*action).is_none()).collect();
        if !unknown.is_empty() {
            return Err(ModerationRefusal::UnknownActions(unknown));
        }
        let before = self.moderated.void.clone();
        for action in actions {
            match &moderation.act {
                ModerationAct::Unvoid { .. } => self.moderated.void.remove(action),
                _ => self.moderated.void.insert(*action),
            };
        }
        let turned: BTreeSet<ActionId> = before.symmetric_difference(&self.moderated.void).copied().collect();
        let by: BTreeMap<UserId, ModerationAct> = self
            .moderated
            .restricted
            .keys()
            .filter_map(|user| Some((*user, self.moderated.restricted_by(*user)?)))
            .collect();
        let Moderated { void, restricted, .. } = &self.moderated;
        for (id, board) in &mut self.boards {
            let users: BTreeSet<UserId> =
                board.log.iter().filter(|row| turned.contains(&row.action_id)).map(|row| row.user_id).collect();
            let of = |own: BTreeMap<UserId, Option<Reached>>, user| match own.get(&user) {
                Some(None) => Err(ModerationRefusal::ScoreOutOfRange { board: id.clone(), user }),
                Some(Some(reached)) => Ok(Some(*reached)),
                None => Ok(None),
            };
            for user in users {
                let had = of(board.own(&before, |_| ALL), user)?;
                let has = of(board.own(void, |_| ALL), user)?;
                let visibility = match restricted.get(&user) {
                    None => Visibility::Shown,
                    Some((Restriction::Shadowed | Restriction::Banned, _)) => Visibility::Nothing,
                    Some((Restriction::Held, _)) => {
                        let shown = of(board.own(void, |user| board.held_at(user, by.get(&user))), user)?;
                        if shown != board.scores().get(&user).copied() {
                            board.correct(moderation, user, 0, had, shown, Visibility::Shown);
                            board.correct(moderation, user, 1, shown, has, Visibility::AsBefore);
                            continue;
                        }
                        Visibility::AsBefore
                    }
                };
                if had != has {
                    board.correct(moderation, user, 0, had, has, visibility);
                }
            }
        }
        Ok(turned.len() as u64)
    }

    fn restrict(&mut self, moderation: &Moderation, user: UserId, restriction: Option<Restriction>) {
        if self.moderated.restricted.get(&user).map(|(restriction, _)| *restriction) == restriction {
            return;
        }
        let visibility = match restriction {
            None | Some(Restriction::Held) => Visibility::Shown,
            Some(Restriction::Shadowed | Restriction::Banned) => Visibility::Nothing,
        };
        for board in self.boards.values_mut() {
            if board.log.iter().any(|row| row.user_id == user) {
                let has = board.own(&self.moderated.void, |_| ALL).get(&user).copied().flatten();
                board.correct(moderation, user, 0, has, has, visibility);
            }
        }
        match restriction {
            Some(restriction) => drop(self.moderated.restricted.insert(user, (restriction, moderation.id))),
            None => drop(self.moderated.restricted.remove(&user)),
        }
    }

    fn hold(&mut self, moderation: &Moderation, user: UserId, there: &BoardId, since: Version) {
        let until = Version::new(since.get().saturating_sub(1));
        for board in self.boards.values_mut().filter(|board| board.log.iter().any(|row| row.user_id == user)) {
            let has = board.own(&self.moderated.void, |_| ALL).get(&user).copied().flatten();
            let is_there = board.spec.id == *there
                && board.log.iter().any(|row| {
                    row.user_id == user && row.origin != Origin::Correction && row.position.version >= since
                });
            let shown =
                if is_there { board.own(&self.moderated.void, |_| until).get(&user).copied().flatten() } else { has };
            board.correct(moderation, user, 0, has, shown, Visibility::Shown);
            if shown != has {
                board.correct(moderation, user, 1, shown, has, Visibility::AsBefore);
            }
        }
        self.moderated.restricted.insert(user, (Restriction::Held, moderation.id));
    }

    /// Voids, and then releases whom a rule holds: what both make of a board is one row.
    fn conclude(
        &mut self,
        moderation: &Moderation,
        user: UserId,
        actions: &[ActionId],
        release: bool,
    ) -> Result<u64, ModerationRefusal> {
        let before = self.clone();
        let changed = self.turn(moderation, actions)?;
        if release && matches!(self.moderated.restricted_by(user), Some(ModerationAct::Hold { .. })) {
            for (id, board) in &mut self.boards {
                let was = &before.boards[id];
                if was.log.iter().any(|row| row.user_id == user) {
                    board.log.retain(|row| row.user_id != user || row.position.version <= was.position().version);
                    let had = was.own(&before.moderated.void, |_| ALL).get(&user).copied().flatten();
                    let has = board.own(&self.moderated.void, |_| ALL).get(&user).copied().flatten();
                    board.correct(moderation, user, 0, had, has, Visibility::Shown);
                }
            }
            self.moderated.restricted.remove(&user);
        }
        Ok(changed)
    }

    pub(super) fn own(&self, id: &BoardId, user: UserId) -> Option<Own> {
        let (restriction, _) = self.moderated.restricted.get(&user)?;
        let board = self.boards.get(id)?;
        let reached = board.own(&self.moderated.void, |_| ALL).get(&user).copied().flatten();
        Some(Own { restriction: *restriction, season: Season::FIRST, position: board.position(), reached })
    }

    pub(super) fn moderations(&self) -> Vec<CarriedOut> {
        self.moderated.carried_out.iter().rev().cloned().collect()
    }
}
