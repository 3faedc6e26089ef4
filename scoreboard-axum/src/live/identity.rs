//! Who is at the other end of a connection, once a ticket has said so.

use futures_util::FutureExt;
use scoreboard_core::UserId;
use scoreboard_core::accounts::{Accounts, SessionEnd};

use crate::problem::Problem;

/// Nobody, until a ticket is shown.
#[derive(Debug, Default)]
pub(crate) struct Identity(Option<SignedIn>);

#[derive(Debug)]
struct SignedIn {
    user_id: UserId,
    session: SessionEnd,
}

impl Identity {
    /// Takes a ticket, which is used up whatever comes of it. A connection stays with its first user: what was sent on it was for
    /// them. The same user may show a ticket of another session, which is then the one that counts.
    pub(crate) fn authenticate(&mut self, accounts: &Accounts, ticket: &str) -> Result<UserId, Problem> {
        let principal = accounts.redeem_ticket(ticket)?;
        let user_id = principal.user_id;
        if self.0.as_ref().is_some_and(|held| held.user_id != user_id) {
            return Err(Problem::forbidden("this connection is another user's"));
        }
        self.0 = Some(SignedIn { user_id, session: accounts.follow_session(principal.session_id) });
        Ok(user_id)
    }

    /// Who is here.
    pub(crate) fn user_id(&self) -> Option<UserId> {
        self.0.as_ref().map(|held| held.user_id)
    }

    /// Whether the session has been ended.
    pub(crate) fn is_signed_out(&mut self) -> bool {
        self.signed_out().now_or_never().is_some()
    }

    /// Returns once the session has been ended; never, where nobody is signed in.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub(crate) async fn signed_out(&mut self) {
        match &mut self.0 {
            Some(held) => held.session.ended().await,
            None => std::future::pending().await,
        }
    }
}
