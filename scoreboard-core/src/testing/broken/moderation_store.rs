//! Defects of stores of decisions.

use std::collections::HashSet;
use std::sync::Arc;

use async_trait::async_trait;

use super::defects;
use crate::board::Season;
use crate::error::BackendError;
use crate::ids::{ActionId, BoardId, ModerationId, UserId};
use crate::store::{
    CarriedOut, Effects, LogRow, Moderated, Moderation, ModerationAct, ModerationStore, Own, Restricted, Restriction,
};
use crate::version::Version;

defects! {
    /// Each attempt is a decision of its own.
    CarriedOutTwice: |store: dyn ModerationStore| moderation_store = Altered { store, alteration: Alteration::CarriedOutTwice };
    /// A preview does what it tells.
    PreviewCarriesOut: |store: dyn ModerationStore| moderation_store = Altered { store, alteration: Alteration::PreviewCarriesOut };
    /// A preview leaves the last user out.
    PreviewTellsLess: |store: dyn ModerationStore| moderation_store = Altered { store, alteration: Alteration::PreviewTellsLess };
    /// What is void is not unvoided.
    NeverUnvoids: |store: dyn ModerationStore| moderation_store = Altered { store, alteration: Alteration::NeverUnvoids };
    /// Each action is a decision of its own.
    ActionByAction: |store: dyn ModerationStore| moderation_store = Altered { store, alteration: Alteration::ActionByAction };
    /// Who is to be banned is shadowed.
    BanShadows: |store: dyn ModerationStore| moderation_store = Altered { store, alteration: Alteration::BanShadows };
    /// Who is to be shadowed is held.
    ShadowHolds: |store: dyn ModerationStore| moderation_store = Altered { store, alteration: Alteration::ShadowHolds };
    /// Who is held goes on.
    HoldDoesNothing: |store: dyn ModerationStore| moderation_store = Altered { store, alteration: Alteration::HoldDoesNothing };
    /// Corrections go back to the first, wherever they are to end.
    CorrectionsFromTheBegin: |store: dyn ModerationStore| moderation_store = Altered { store, alteration: Alteration::CorrectionsFromTheBegin };
    /// Whom a rule is to hold is held as if by people.
    RuleHoldsFromNow: |store: dyn ModerationStore| moderation_store = Altered { store, alteration: Alteration::RuleHoldsFromNow };
    /// The end of a case lets everybody go.
    ConcludeLifts: |store: dyn ModerationStore| moderation_store = Altered { store, alteration: Alteration::ConcludeLifts };
    /// Who decides is not looked at.
    AnybodyDecides: |store: dyn ModerationStore| moderation_store = Altered { store, alteration: Alteration::AnybodyDecides };
    /// Decisions come oldest first.
    OldestFirst: |store: dyn ModerationStore| moderation_store = Altered { store, alteration: Alteration::OldestFirst };
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Alteration {
    CarriedOutTwice,
    PreviewCarriesOut,
    PreviewTellsLess,
    NeverUnvoids,
    ActionByAction,
    BanShadows,
    ShadowHolds,
    HoldDoesNothing,
    CorrectionsFromTheBegin,
    RuleHoldsFromNow,
    ConcludeLifts,
    AnybodyDecides,
    OldestFirst,
}

#[derive(Debug)]
struct Altered {
    store: Arc<dyn ModerationStore>,
    alteration: Alteration,
}

/// The same decision under another id.
fn another(moderation: &Moderation, number: usize) -> Moderation {
    let mut id = *moderation.id.as_bytes();
    id[0] = u8::try_from(number + 1).expect("few");
    Moderation { id: ModerationId::from_bytes(id), ..moderation.clone() }
}

impl Altered {
    fn spoilt(&self, moderation: &Moderation) -> Moderation {
        let mut spoilt = moderation.clone();
        match (self.alteration, &mut spoilt.act) {
            (Alteration::NeverUnvoids, ModerationAct::Unvoid { actions }) => actions.clear(),
            (Alteration::BanShadows, ModerationAct::Restrict { restriction, .. })
                if *restriction == Restriction::Banned =>
            {
                *restriction = Restriction::Shadowed;
            }
            (Alteration::ShadowHolds, ModerationAct::Restrict { restriction, .. })
                if *restriction == Restriction::Shadowed =>
            {
                *restriction = Restriction::Held;
            }
            (Alteration::HoldDoesNothing, ModerationAct::Restrict { restriction: Restriction::Held, user_id }) => {
                spoilt.act = ModerationAct::Lift { user_id: *user_id };
            }
            (Alteration::RuleHoldsFromNow, ModerationAct::Hold { user_id, .. }) => {
                spoilt.act = ModerationAct::Restrict { user_id: *user_id, restriction: Restriction::Held };
            }
            (Alteration::ConcludeLifts, ModerationAct::Conclude { user_id, release: true, .. }) => {
                spoilt.act = ModerationAct::Lift { user_id: *user_id };
            }
            (Alteration::AnybodyDecides, _) => spoilt.by = "anybody".to_owned(),
            _ => {}
        }
        spoilt
    }
}

#[async_trait]
impl ModerationStore for Altered {
    async fn moderate(&self, moderation: &Moderation) -> Result<Moderated, BackendError> {
        let answer = self.store.moderate(&self.spoilt(moderation)).await?;
        match (self.alteration, &answer) {
            (Alteration::CarriedOutTwice, Moderated::Done(Effects { replayed: true, .. })) => {
                self.store.moderate(&another(moderation, 0)).await
            }
            (Alteration::ActionByAction, Moderated::Refused(_)) => {
                for (number, action) in moderation.act.actions().iter().enumerate() {
                    let act = ModerationAct::Void { actions: vec![*action] };
                    let _ = self.store.moderate(&Moderation { act, ..another(moderation, number) }).await?;
                }
                Ok(answer)
            }
            _ => Ok(answer),
        }
    }

    async fn preview(&self, moderation: &Moderation) -> Result<Moderated, BackendError> {
        match self.alteration {
            Alteration::PreviewCarriesOut => self.store.moderate(moderation).await,
            Alteration::PreviewTellsLess => Ok(match self.store.preview(moderation).await? {
                Moderated::Done(mut effects) => {
                    effects.shifts.pop();
                    Moderated::Done(effects)
                }
                refused @ Moderated::Refused(_) => refused,
            }),
            _ => self.store.preview(moderation).await,
        }
    }

    async fn moderation(&self, id: ModerationId) -> Result<Option<CarriedOut>, BackendError> {
        self.store.moderation(id).await
    }

    async fn moderations(&self, before: Option<ModerationId>, limit: usize) -> Result<Vec<CarriedOut>, BackendError> {
        let mut found = self.store.moderations(before, limit).await?;
        if self.alteration == Alteration::OldestFirst {
            found.reverse();
        }
        Ok(found)
    }

    async fn restriction(&self, user: UserId) -> Result<Option<Restricted>, BackendError> {
        self.store.restriction(user).await
    }

    async fn own(&self, board: &BoardId, season: Option<Season>, user: UserId) -> Result<Option<Own>, BackendError> {
        self.store.own(board, season, user).await
    }

    async fn voided(&self, actions: &[ActionId]) -> Result<HashSet<ActionId>, BackendError> {
        self.store.voided(actions).await
    }

    async fn corrections(
        &self,
        board: &BoardId,
        user: UserId,
        after: Version,
        before: Version,
        limit: usize,
    ) -> Result<Vec<LogRow>, BackendError> {
        let after = if self.alteration == Alteration::CorrectionsFromTheBegin { Version::ZERO } else { after };
        self.store.corrections(board, user, after, before, limit).await
    }
}
