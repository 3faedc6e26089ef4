//! What moderators decide, and the stores that carry it out: actions that no longer count, users who are held, shadowed or banned.

use std::collections::HashSet;
use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::board::Season;
use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::ids::{ActionId, BoardId, IncidentId, KindId, ModerationId, UserId};
use crate::store::{LogRow, Reached};
use crate::version::{Position, Version};

/// A decision: who, when, why, and what. Kept for good; its id makes it count once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Moderation {
    /// The key under which it is carried out once.
    pub id: ModerationId,
    /// When it was decided.
    pub at: Timestamp,
    /// Who decided it, in a word that the log can be searched for: a user's id, or whoever used the command line.
    pub by: String,
    /// Why.
    pub reason: String,
    /// What is to be done.
    #[serde(flatten)]
    pub act: ModerationAct,
}

/// What a decision does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "act", rename_all = "lowercase", rename_all_fields = "camelCase")]
pub enum ModerationAct {
    /// These actions do not count, as if they had never been done.
    Void {
        /// Which.
        actions: Vec<ActionId>,
    },
    /// These actions count again.
    Unvoid {
        /// Which.
        actions: Vec<ActionId>,
    },
    /// This user is held, shadowed or banned, on all boards, whatever they were before.
    Restrict {
        /// Who.
        user_id: UserId,
        /// Which of the three.
        restriction: Restriction,
    },
    /// This user is as any other again: what they have is shown.
    Lift {
        /// Who.
        user_id: UserId,
    },
    /// This user is held, and so is what they did on one board from a version on: others see what they had before. Who is held, shadowed or
    /// banned already stays so, and nothing is done. By this a fraud rule holds somebody until people have decided.
    Hold {
        /// Who.
        user_id: UserId,
        /// On which board they did it.
        board: BoardId,
        /// The version of the first thing that they did.
        since: Version,
    },
    /// People have decided about a user whom a rule holds: these actions of theirs do not count, and if it is so, they are as any other again.
    /// Whom people hold, shadow or ban stays so.
    Conclude {
        /// The incident that they have decided.
        incident: IncidentId,
        /// Whether it was fraud.
        confirmed: bool,
        /// About whom.
        user_id: UserId,
        /// What does not count.
        actions: Vec<ActionId>,
        /// Whether the rule's hold ends.
        release: bool,
    },
}

const VOID: &str = "void";
const UNVOID: &str = "unvoid";
const CONCLUDE: &str = "conclude";

impl ModerationAct {
    /// The kind that its corrections bear in the log.
    #[must_use]
    pub fn kind(&self) -> KindId {
        let word = match self {
            Self::Void { .. } => VOID,
            Self::Unvoid { .. } => UNVOID,
            Self::Restrict { restriction, .. } => restriction.act(),
            Self::Lift { .. } => "lift",
            Self::Hold { .. } => Restriction::Held.act(),
            Self::Conclude { .. } => CONCLUDE,
        };
        KindId::new(word).expect("the words of measures are slugs")
    }

    /// Whether corrections of this kind come of a decision about actions, and not of one about a user alone.
    pub(crate) fn is_about_actions(kind: &KindId) -> bool {
        [VOID, UNVOID, CONCLUDE].contains(&kind.as_str())
    }

    /// The actions that it is about; none where it is about a user alone.
    #[must_use]
    pub fn actions(&self) -> &[ActionId] {
        match self {
            Self::Void { actions } | Self::Unvoid { actions } | Self::Conclude { actions, .. } => actions,
            Self::Restrict { .. } | Self::Lift { .. } | Self::Hold { .. } => &[],
        }
    }

    /// The user that it is about; `None` where it is about actions alone.
    #[must_use]
    pub const fn user(&self) -> Option<UserId> {
        match self {
            Self::Void { .. } | Self::Unvoid { .. } => None,
            Self::Restrict { user_id, .. }
            | Self::Lift { user_id }
            | Self::Hold { user_id, .. }
            | Self::Conclude { user_id, .. } => Some(*user_id),
        }
    }

    /// Whether the actions are to be void, or to count again; `None` where it turns none.
    #[must_use]
    pub const fn voids(&self) -> Option<bool> {
        match self {
            Self::Void { .. } | Self::Conclude { .. } => Some(true),
            Self::Unvoid { .. } => Some(false),
            Self::Restrict { .. } | Self::Lift { .. } | Self::Hold { .. } => None,
        }
    }

    /// Whether it takes users' rows on this board to decide it.
    #[must_use]
    pub fn needs_rows(&self, board: &BoardId) -> bool {
        match self {
            Self::Void { .. } | Self::Unvoid { .. } | Self::Conclude { .. } => true,
            Self::Restrict { .. } | Self::Lift { .. } => false,
            Self::Hold { board: there, .. } => there == board,
        }
    }
}

/// What a user may not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub enum Restriction {
    /// What they do from now on counts for nobody else yet: others see what they had.
    Held,
    /// They stand on no board, and see themselves on it.
    Shadowed,
    /// They stand on no board, and nothing of them is taken.
    Banned,
}

impl Restriction {
    /// What one does to a user to make them so.
    const fn act(self) -> &'static str {
        match self {
            Self::Held => "hold",
            Self::Shadowed => "shadow",
            Self::Banned => "ban",
        }
    }
}

/// A user who is held, shadowed or banned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct Restricted {
    /// Which of the three.
    pub restriction: Restriction,
    /// By which decision: it says since when, by whom and why.
    pub moderation_id: ModerationId,
}

/// What a restricted user has on a board, which others are not shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Own {
    /// What they may not.
    pub restriction: Restriction,
    /// The season.
    pub season: Season,
    /// When it is true.
    pub position: Position,
    /// What they have; `None` if nothing.
    pub reached: Option<Reached>,
}

/// A decision that was carried out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "camelCase")]
pub struct CarriedOut {
    /// The decision.
    #[serde(flatten)]
    pub moderation: Moderation,
    /// How many actions count otherwise than before.
    pub changed: u64,
    /// How many rows the logs got.
    pub corrections: u64,
}

impl CarriedOut {
    /// What to answer who hands in a decision with this one's id.
    pub fn answer_again(&self, moderation: &Moderation) -> Moderated {
        let Moderation { by, reason, act, .. } = &self.moderation;
        // When it was decided is when it was carried out first: who tries again need not know.
        if (by, reason, act) == (&moderation.by, &moderation.reason, &moderation.act) {
            Moderated::Done(Effects { carried_out: self.clone(), replayed: true, shifts: Vec::new() })
        } else {
            Moderated::Refused(ModerationRefusal::IdUsed)
        }
    }
}

/// What others are shown of a user, before and after a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    /// On which board.
    pub board: BoardId,
    /// In which season.
    pub season: Season,
    /// Whose.
    pub user_id: UserId,
    /// What was shown.
    pub before: Option<Reached>,
    /// What is shown.
    pub after: Option<Reached>,
}

/// What a decision did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effects {
    /// The decision, with its counts.
    pub carried_out: CarriedOut,
    /// Whether it was carried out before, and nothing was done now.
    pub replayed: bool,
    /// All whose shown score is another one, by board, season and user. Told once: none, where it was carried out before.
    pub shifts: Vec<Shift>,
}

/// What became of a decision.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Moderated {
    /// It is carried out, durably, or was before.
    Done(Effects),
    /// Nothing was changed.
    Refused(ModerationRefusal),
}

/// Why a decision was not carried out.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModerationRefusal {
    /// The id is that of another decision.
    #[error("another decision bears this id")]
    IdUsed,
    /// These actions never counted here, or are archived.
    #[error("{} of the actions never counted here, or are archived; the first is {}", .0.len(), First(.0))]
    UnknownActions(Vec<ActionId>),
    /// What this user had cannot be told without rows that are archived.
    #[error("what user {user} has on `{board}` cannot be told without rows that are archived")]
    Archived {
        /// Where.
        board: BoardId,
        /// Who.
        user: UserId,
    },
    /// This user's score would leave ±(2^53 − 1).
    #[error("the score of user {user} on `{board}` would leave its range")]
    ScoreOutOfRange {
        /// Where.
        board: BoardId,
        /// Who.
        user: UserId,
    },
    /// Nobody decides about themselves, and nobody's own points count again by their own word.
    #[error("nobody decides about themselves")]
    OneselfDecided,
    /// This user's rows do not come to what they have.
    #[error("the log of user {user} on `{board}` does not come to what they have: run `verify`")]
    Differs {
        /// Where.
        board: BoardId,
        /// Who.
        user: UserId,
    },
}

/// The first of some, if there is one.
struct First<'a>(&'a [ActionId]);

impl fmt::Display for First<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.first().map_or(Ok(()), |first| first.fmt(f))
    }
}

/// An ability of a [`ScoreStore`](crate::ScoreStore): decisions of moderators, reversible, on the same data.
///
/// - **The fold.** What a user has in a season is the fold of their log rows in version order without those that are void now. So
///   what is not void any more brings the first state back, its place among equals included.
/// - **Corrections.** Whoever has or is shown something else than before has a row for it in the board's log, of origin
///   [`Correction`](crate::Origin::Correction), with the board's next version: who follows the log needs nothing else. Its fingerprint is the
///   decision's id, its id is derived from decision, board, season and user.
/// - **One predicate.** Whoever is shadowed or banned stands on no board of any season: in no page, standing, rank, scan or total. What
///   they have is kept aside, and answered by [`own`](Self::own) alone.
/// - **No gap.** A change that is applied after a decision returned is decided by it: one of somebody who is banned is refused as
///   [`Banned`](crate::Refusal::Banned), those of somebody shadowed or held count for them alone.
#[async_trait]
pub trait ModerationStore: fmt::Debug + Send + Sync + 'static {
    /// Carries a decision out, in one transaction, durably on `Ok`.
    ///
    /// One whose id was carried out before, with the same act, reason and author, changes nothing and is answered as replayed. Actions that
    /// are void already are not voided twice, and so on: a decision that finds nothing to do is kept all the same. An action may be named
    /// on any board; a correction is no action.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind). After `OutcomeUnknown`, call again with the same decision.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it was carried out wholly or not at all; call again with the same decision to find out.
    async fn moderate(&self, moderation: &Moderation) -> Result<Moderated, BackendError>;

    /// What [`moderate`](Self::moderate) would do now. Changes nothing.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind) but `OutcomeUnknown` and `Full`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn preview(&self, moderation: &Moderation) -> Result<Moderated, BackendError>;

    /// The decision with this id, if it was carried out.
    ///
    /// # Errors
    ///
    /// As [`preview`](Self::preview).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn moderation(&self, id: ModerationId) -> Result<Option<CarriedOut>, BackendError>;

    /// What was carried out, newest first, before the one given, at most `limit`. None before one that is not there.
    ///
    /// # Errors
    ///
    /// As [`preview`](Self::preview).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn moderations(&self, before: Option<ModerationId>, limit: usize) -> Result<Vec<CarriedOut>, BackendError>;

    /// What this user may not; `None` if they are as any other.
    ///
    /// # Errors
    ///
    /// As [`preview`](Self::preview).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn restriction(&self, user: UserId) -> Result<Option<Restricted>, BackendError>;

    /// What a restricted user has, in a season or the current one; `None` if they are as any other, or there is no such board or season.
    ///
    /// # Errors
    ///
    /// As [`preview`](Self::preview).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn own(&self, board: &BoardId, season: Option<Season>, user: UserId) -> Result<Option<Own>, BackendError>;

    /// Which of these actions are void now.
    ///
    /// # Errors
    ///
    /// As [`preview`](Self::preview).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn voided(&self, actions: &[ActionId]) -> Result<HashSet<ActionId>, BackendError>;

    /// The corrections of a user on a board that decisions about actions have made, behind one version and before another, newest first, at most
    /// `limit`, as far as the log is whole. Those by which they were restricted, or no longer, are not among them. Empty for an unknown board.
    ///
    /// # Errors
    ///
    /// As [`preview`](Self::preview).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn corrections(
        &self,
        board: &BoardId,
        user: UserId,
        after: Version,
        before: Version,
        limit: usize,
    ) -> Result<Vec<LogRow>, BackendError>;
}
