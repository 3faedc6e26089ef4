//! What only moderators and admins may. It is counted as what they read, and their roles are asked of the store, not of the token: one that was
//! taken away is gone at once.

use axum::http::request::Parts;
use axum::response::Response;
use scoreboard_core::UserId;
use scoreboard_core::accounts::{AccountError, Principal, Role};

use crate::problem::{Code, Problem};
use crate::rate_limit::{Subject, limited};
use crate::state::AppState;

impl AppState {
    /// Token, quota and role of who reviews; then what the route does.
    pub(super) async fn reviewing(
        &self,
        parts: Parts,
        route: impl AsyncFnOnce(Principal, Parts) -> Result<Response, Problem>,
    ) -> Result<Response, Problem> {
        self.staff(parts, reviews, "only moderators and admins may", route).await
    }

    /// The same of what only admins may.
    pub(super) async fn administering(
        &self,
        parts: Parts,
        route: impl AsyncFnOnce(Principal, Parts) -> Result<Response, Problem>,
    ) -> Result<Response, Problem> {
        self.staff(parts, |roles| roles.contains(&Role::Admin), "only admins may", route).await
    }

    async fn staff(
        &self,
        parts: Parts,
        may: fn(&[Role]) -> bool,
        refusal: &'static str,
        route: impl AsyncFnOnce(Principal, Parts) -> Result<Response, Problem>,
    ) -> Result<Response, Problem> {
        let principal = self.signed_in(&parts)?;
        let usage = self.limits.read(Subject::User(principal.user_id)).await?;
        limited(usage, async {
            if !may(&self.accounts.roles(principal.user_id).await?) {
                return Err(Problem::forbidden(refusal));
            }
            route(principal, parts).await
        })
        .await
    }

    /// What cannot be taken back without a trace takes a fresh login, not only a token that somebody has found.
    pub(super) async fn stepped_up(&self, principal: &Principal) -> Result<(), Problem> {
        match self.accounts.check_login_fresh(principal).await {
            Err(AccountError::Stale) => Err(Problem::step_up()),
            fresh => Ok(fresh?),
        }
    }

    /// Whether somebody may be given what is to be reviewed.
    pub(super) async fn is_reviewer(&self, user: UserId) -> Result<bool, Problem> {
        match self.accounts.roles(user).await {
            Ok(roles) => Ok(reviews(&roles)),
            Err(AccountError::Unauthorized | AccountError::FactorRequired) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

impl Problem {
    /// What is asked takes a login that is not so old.
    pub(super) fn step_up() -> Self {
        Self::new(Code::StepUpRequired, "log in again, and send the same request")
    }
}

fn reviews(roles: &[Role]) -> bool {
    roles.contains(&Role::Moderator) || roles.contains(&Role::Admin)
}
