//! Before the update: signing an action when it starts.

use crate::action::{Claims, SignedAction};
use crate::error::{Error, Rejection, Result};
use crate::fraud::IssueVerdict;
use crate::id_source::IdSourceExt;
use crate::ids::{ActionId, BoardId, KindId, UserId};
use crate::pipeline::Scoreboard;
use crate::score::Points;
use crate::store::ScoreStore;

/// What a user is about to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssueRequest {
    /// Where it shall count.
    pub board: BoardId,
    /// What it is.
    pub kind: KindId,
    /// What it shall be worth; only for kinds with a range.
    pub points: Option<Points>,
}

impl IssueRequest {
    /// An action of a kind with fixed points.
    #[must_use]
    pub const fn new(board: BoardId, kind: KindId) -> Self {
        Self { board, kind, points: None }
    }

    /// An action of a kind with a range, worth this much.
    #[must_use]
    pub const fn with_points(mut self, points: Points) -> Self {
        self.points = Some(points);
        self
    }
}

impl Scoreboard {
    /// Signs an action that starts now. Its points come from the board's catalogue.
    ///
    /// # Errors
    ///
    /// [`Rejection::UnknownBoard`], [`Rejection::UnknownKind`] or [`Rejection::PointsNotAllowed`];
    /// [`Error::RateLimited`] while the user has too many actions under way; or a backend's failure.
    ///
    /// # Cancel safety
    ///
    /// The action may be counted as under way though nobody has it, until it expires.
    pub async fn issue(&self, user: UserId, request: IssueRequest) -> Result<SignedAction> {
        let now = self.parts.clock.now();
        let board = self.catalogue(&request.board, now).await?;
        let kind = board.spec.kind(&request.kind).ok_or(Rejection::UnknownKind(request.kind))?;
        let claims = Claims {
            id: ActionId::from_uuid(self.parts.ids.uuid(now)),
            board: request.board,
            season: board.season,
            kind: kind.kind.clone(),
            user_id: user,
            points: kind.points.resolve(request.points).map_err(Rejection::PointsNotAllowed)?,
            issued_at: now,
            not_before: now.plus(kind.min_duration()),
            expires_at: now.plus(kind.lifetime()),
        };
        let mut verdict = self.parts.fraud.on_issue(&claims, now).await?;
        if let IssueVerdict::Wait { waited_for, .. } = &verdict
            && self.settle(user, waited_for).await?
        {
            verdict = self.parts.fraud.on_issue(&claims, now).await?;
        }
        match verdict {
            IssueVerdict::Allow => Ok(self.parts.verifier.sign(claims)),
            IssueVerdict::Wait { usage, .. } => Err(Error::RateLimited(usage)),
        }
    }

    /// Finds out which of these actions have counted, by way of another node or for who has gone away, and says so to the fraud rules. True if
    /// any has.
    async fn settle(&self, user: UserId, actions: &[ActionId]) -> Result<bool> {
        let mut any = false;
        for &action in actions {
            if self.parts.store.action(action).await?.is_some() {
                self.parts.fraud.on_settled(user, action);
                any = true;
            }
        }
        Ok(any)
    }
}
