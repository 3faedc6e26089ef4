//! The suite of [`ModerationStore`]: each function is one case, and its documentation the rule.
//!
//! Run by [`moderation_store_conformance!`](crate::moderation_store_conformance).

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::ids::{ActionId, ModerationId};
use crate::store::{
    Effects, Moderated, Moderation, ModerationAct, ModerationRefusal, ModerationStore, Receipt, Restriction,
};
use crate::testing::fixture::ModerationStoreFixture;
use crate::testing::play::{Play, at, user};

mod deciding;
mod holding;
mod previewing;
mod restricting;
mod together;
mod voiding;

pub use deciding::*;
pub use holding::*;
pub use previewing::*;
pub use restricting::*;
pub use together::*;
pub use voiding::*;

/// Who decides about the board that is played on.
#[derive(Clone)]
struct Moderator {
    store: Arc<dyn ModerationStore>,
    made: Arc<AtomicU64>,
}

impl Moderator {
    fn new(f: &impl ModerationStoreFixture) -> Self {
        Self { store: f.moderation_store(), made: Arc::default() }
    }

    /// A decision of its own, not carried out yet.
    fn decision(&self, act: ModerationAct) -> Moderation {
        let made = self.made.fetch_add(1, Ordering::Relaxed);
        Moderation {
            id: ModerationId::from_bytes(u128::from(made).to_be_bytes()),
            at: at(5_000 + i64::try_from(made).expect("few decisions")),
            by: "a moderator".to_owned(),
            reason: "'why' \"not\"? äß".to_owned(),
            act,
        }
    }

    async fn moderate(&self, decision: &Moderation) -> Moderated {
        self.store.moderate(decision).await.expect("moderate answers")
    }

    /// Carries out a decision that must be carried out. Whoever answers from memory learns of it by being asked where the boards are.
    async fn done(&self, play: &Play, act: ModerationAct) -> Effects {
        let effects = done(self.moderate(&self.decision(act)).await);
        play.board().await;
        effects
    }

    async fn refused(&self, act: ModerationAct) -> ModerationRefusal {
        match self.moderate(&self.decision(act)).await {
            Moderated::Refused(refusal) => refusal,
            Moderated::Done(effects) => panic!("the decision must be refused, but: {effects:?}"),
        }
    }

    async fn void(&self, play: &Play, receipts: &[&Receipt]) -> Effects {
        self.done(play, ModerationAct::Void { actions: ids(receipts) }).await
    }

    async fn unvoid(&self, play: &Play, receipts: &[&Receipt]) -> Effects {
        self.done(play, ModerationAct::Unvoid { actions: ids(receipts) }).await
    }

    async fn restrict(&self, play: &Play, number: u64, restriction: Restriction) -> Effects {
        self.done(play, ModerationAct::Restrict { user_id: user(number), restriction }).await
    }

    async fn lift(&self, play: &Play, number: u64) -> Effects {
        self.done(play, ModerationAct::Lift { user_id: user(number) }).await
    }

    /// What a restricted user has.
    async fn own(&self, play: &Play, number: u64) -> Option<i64> {
        let own = self.store.own(play.id(), None, user(number)).await.expect("own answers");
        own.expect("the user is restricted").reached.map(|reached| reached.score.get())
    }
}

fn ids(receipts: &[&Receipt]) -> Vec<ActionId> {
    receipts.iter().map(|receipt| receipt.action_id).collect()
}

#[track_caller]
fn done(moderated: Moderated) -> Effects {
    match moderated {
        Moderated::Done(effects) => effects,
        Moderated::Refused(refusal) => panic!("the decision must be carried out, but: {refusal}"),
    }
}
