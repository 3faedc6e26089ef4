//! What moderators decided: which actions are void, and who is restricted.

use std::collections::{HashMap, HashSet};

use async_trait::async_trait;

use super::{MemoryScoreStore, Truth};
use crate::board::Season;
use crate::correction::{Corrections, Inquiry};
use crate::error::BackendError;
use crate::ids::{ActionId, BoardId, ModerationId, UserId};
use crate::store::{
    CarriedOut, Effects, LogRow, Moderated as Answer, Moderation, ModerationAct, ModerationRefusal, ModerationStore,
    Origin, Own, Restricted, Restriction,
};
use crate::version::Version;

/// The decisions that were carried out, and what holds by them.
#[derive(Default)]
pub(super) struct Moderated {
    /// Oldest first.
    carried_out: Vec<CarriedOut>,
    void: HashSet<ActionId>,
    restricted: HashMap<UserId, (Restriction, ModerationId)>,
}

impl Moderated {
    pub(super) fn restriction(&self, user: UserId) -> Option<Restriction> {
        self.restricted.get(&user).map(|(restriction, _)| *restriction)
    }

    /// What the decision has done by which this user is restricted.
    fn restricted_by(&self, user: UserId) -> Option<ModerationAct> {
        let (_, by) = self.restricted.get(&user)?;
        self.place_of(*by).map(|place| self.carried_out[place].moderation.act.clone())
    }

    fn place_of(&self, id: ModerationId) -> Option<usize> {
        self.carried_out.iter().position(|carried_out| carried_out.moderation.id == id)
    }
}

/// What a decision comes to, before anything of it is written.
struct Weighed {
    /// The actions that count otherwise.
    turned: HashSet<ActionId>,
    corrections: Corrections,
    effects: Effects,
}

impl Truth {
    /// Weighs a decision; one that was carried out before, or is refused, is answered as such.
    fn weigh(&self, moderation: &Moderation) -> Result<Weighed, Box<Answer>> {
        if let Some(place) = self.moderated.place_of(moderation.id) {
            let carried_out = &self.moderated.carried_out[place];
            return Err(Box::new(carried_out.answer_again(moderation)));
        }
        let refused = |refusal| Box::new(Answer::Refused(refusal));
        let (turned, inquiry) = self.inquire(&moderation.act).map_err(refused)?;
        let corrections = inquiry.decide(moderation).map_err(refused)?;
        let effects = corrections.effects(moderation, turned.len());
        Ok(Weighed { turned, corrections, effects })
    }

    /// Which actions the act turns, and what is known of those whom it concerns.
    fn inquire(&self, act: &ModerationAct) -> Result<(HashSet<ActionId>, Inquiry), ModerationRefusal> {
        let mut turned = HashSet::new();
        let mut inquiry = Inquiry::default();
        let mut keys = HashSet::new();
        if let Some(to_void) = act.voids() {
            let found: Vec<_> = act.actions().iter().map(|action| (*action, self.counted(*action))).collect();
            let unknown: Vec<_> = found.iter().filter(|(_, row)| row.is_none()).map(|(action, _)| *action).collect();
            if !unknown.is_empty() {
                return Err(ModerationRefusal::UnknownActions(unknown));
            }
            for (action, row) in found {
                let Some((board, row)) = row else { continue };
                if self.moderated.void.contains(&action) != to_void {
                    turned.insert(action);
                    keys.insert((board, row.season, row.user_id));
                }
            }
        }
        let concerned = act.user();
        let mut users: HashSet<(BoardId, UserId)> =
            keys.iter().map(|(board, _, user)| (board.clone(), *user)).collect();
        users.extend(concerned.iter().flat_map(|user| self.boards.keys().map(|board| (board.clone(), *user))));
        for (board, user) in users {
            self.read_dossiers(&board, user, &mut inquiry);
        }
        inquiry.dossiers.retain(|dossier| {
            Some(dossier.user) == concerned || keys.contains(&(dossier.board.clone(), dossier.season, dossier.user))
        });
        Ok((turned, inquiry))
    }

    /// The row of an action that counted; a correction is none.
    fn counted(&self, action: ActionId) -> Option<(BoardId, LogRow)> {
        self.action(action).filter(|(_, row)| row.origin != Origin::Correction)
    }

    fn read_dossiers(&self, id: &BoardId, user: UserId, inquiry: &mut Inquiry) {
        let Some(board) = self.boards.get(id) else { return };
        for mut dossier in board.dossiers(user) {
            let is_void = |row: &&LogRow| self.moderated.void.contains(&row.action_id);
            dossier.voided = dossier.rows.iter().filter(is_void).map(|row| row.action_id).collect();
            dossier.restriction = self.moderated.restriction(user);
            dossier.restricted_by = self.moderated.restricted_by(user);
            inquiry.totals.insert((id.clone(), dossier.season), board.total(dossier.season));
            inquiry.dossiers.push(dossier);
        }
        inquiry.boards.insert(id.clone(), board.state());
    }

    fn carry_out(&mut self, weighed: Weighed) -> Effects {
        let Weighed { turned, corrections, effects } = weighed;
        for (id, row) in corrections.rows {
            self.actions.insert(row.action_id, (id.clone(), row.position.version));
            self.moved(&id).append(row);
        }
        for place in corrections.places {
            self.moved(&place.board).place(&place);
        }
        let Moderation { id, act, .. } = &effects.carried_out.moderation;
        match act {
            ModerationAct::Void { .. } => self.moderated.void.extend(turned),
            ModerationAct::Unvoid { .. } => self.moderated.void.retain(|action| !turned.contains(action)),
            ModerationAct::Restrict { user_id, restriction } => {
                if self.moderated.restriction(*user_id) != Some(*restriction) {
                    self.moderated.restricted.insert(*user_id, (*restriction, *id));
                }
            }
            ModerationAct::Lift { user_id } => drop(self.moderated.restricted.remove(user_id)),
            ModerationAct::Hold { user_id, .. } => {
                self.moderated.restricted.entry(*user_id).or_insert((Restriction::Held, *id));
            }
            ModerationAct::Conclude { user_id, release, .. } => {
                self.moderated.void.extend(turned);
                let by = self.moderated.restricted_by(*user_id);
                if *release && matches!(by, Some(ModerationAct::Hold { .. })) {
                    self.moderated.restricted.remove(user_id);
                }
            }
        }
        self.moderated.carried_out.push(effects.carried_out.clone());
        effects
    }
}

#[async_trait]
impl ModerationStore for MemoryScoreStore {
    async fn moderate(&self, moderation: &Moderation) -> Result<Answer, BackendError> {
        let mut truth = self.truth.write();
        Ok(match truth.weigh(moderation) {
            Ok(weighed) => Answer::Done(truth.carry_out(weighed)),
            Err(answer) => *answer,
        })
    }

    async fn preview(&self, moderation: &Moderation) -> Result<Answer, BackendError> {
        Ok(match self.truth.read().weigh(moderation) {
            Ok(weighed) => Answer::Done(weighed.effects),
            Err(answer) => *answer,
        })
    }

    async fn moderation(&self, id: ModerationId) -> Result<Option<CarriedOut>, BackendError> {
        let moderated = &self.truth.read().moderated;
        Ok(moderated.place_of(id).map(|place| moderated.carried_out[place].clone()))
    }

    async fn moderations(&self, before: Option<ModerationId>, limit: usize) -> Result<Vec<CarriedOut>, BackendError> {
        let moderated = &self.truth.read().moderated;
        let end = before.map_or(moderated.carried_out.len(), |before| moderated.place_of(before).unwrap_or(0));
        Ok(moderated.carried_out[..end].iter().rev().take(limit).cloned().collect())
    }

    async fn restriction(&self, user: UserId) -> Result<Option<Restricted>, BackendError> {
        let truth = self.truth.read();
        let found = truth.moderated.restricted.get(&user);
        Ok(found.map(|(restriction, by)| Restricted { restriction: *restriction, moderation_id: *by }))
    }

    async fn own(&self, board: &BoardId, season: Option<Season>, user: UserId) -> Result<Option<Own>, BackendError> {
        let truth = self.truth.read();
        let Some(restriction) = truth.moderated.restriction(user) else { return Ok(None) };
        let found = truth.boards.get(board).and_then(|board| board.own_in(season, user));
        Ok(found.map(|(season, position, reached)| Own { restriction, season, position, reached }))
    }

    async fn voided(&self, actions: &[ActionId]) -> Result<HashSet<ActionId>, BackendError> {
        let void = &self.truth.read().moderated.void;
        Ok(actions.iter().copied().filter(|action| void.contains(action)).collect())
    }

    async fn corrections(
        &self,
        board: &BoardId,
        user: UserId,
        after: Version,
        before: Version,
        limit: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        let truth = self.truth.read();
        let board = truth.boards.get(board);
        Ok(board.map(|board| board.corrections(user, after, before, limit)).unwrap_or_default())
    }
}
