//! Who is at the other end of a connection, once a ticket has said so.

use std::time::Duration;

use futures_util::FutureExt;
use scoreboard_core::accounts::{AccountError, Accounts, Principal, SessionEnd};
use scoreboard_core::{Chain, Timestamp, UserId};
use tokio::time::{Instant, timeout_at};

use crate::problem::Problem;

/// Nobody, until a ticket is shown.
#[derive(Debug, Default)]
pub(crate) struct Identity(Option<SignedIn>);

#[derive(Debug)]
struct SignedIn {
    user_id: UserId,
    session: SessionEnd,
    /// When it is over at the latest, whoever ends it or not.
    over_at: Option<Instant>,
}

impl Identity {
    /// Takes a ticket, which is used up whatever comes of it. A connection stays with its first user: what was sent on it was for
    /// them. The same user may show a ticket of another session, which is then the one that counts.
    pub(crate) async fn authenticate(
        &mut self,
        accounts: &Accounts,
        now: Timestamp,
        ticket: &str,
    ) -> Result<UserId, Problem> {
        let principal = accounts.redeem_ticket(ticket).await.map_err(refused)?;
        let user_id = principal.user_id;
        if self.0.as_ref().is_some_and(|held| held.user_id != user_id) {
            return Err(Problem::forbidden("this connection is another user's"));
        }
        let over_at = principal.ends_with_token.then(|| Instant::now() + left(&principal, now));
        self.0 = Some(SignedIn { user_id, session: accounts.follow_session(principal.session_id), over_at });
        Ok(user_id)
    }

    /// Who is here.
    pub(crate) fn user_id(&self) -> Option<UserId> {
        self.0.as_ref().map(|held| held.user_id)
    }

    /// Whether the session has been ended, or is over.
    pub(crate) fn is_signed_out(&mut self) -> bool {
        self.signed_out().now_or_never().is_some()
    }

    /// Returns once the session has been ended, or is over with its token, where it was somebody else who issued that; never, where nobody is
    /// signed in.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub(crate) async fn signed_out(&mut self) {
        match &mut self.0 {
            Some(SignedIn { session, over_at: Some(over_at), .. }) => {
                let _ = timeout_at(*over_at, session.ended()).await;
            }
            Some(held) => held.session.ended().await,
            None => std::future::pending().await,
        }
    }
}

/// Whoever shows what is no ticket may do so as often as it pleases: where those cannot be looked up, that is no news for the log each time.
fn refused(error: AccountError) -> Problem {
    match error {
        AccountError::Backend(error) => {
            tracing::debug!(error = %Chain(&error), "a ticket could not be looked up");
            Problem::unavailable("tickets cannot be looked up at the moment: ask for another")
        }
        other => other.into(),
    }
}

/// How long a token is still good.
fn left(principal: &Principal, now: Timestamp) -> Duration {
    let millis = principal.expires_at.as_millis().saturating_sub(now.as_millis());
    Duration::from_millis(u64::try_from(millis).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use scoreboard_core::accounts::{AccountsConfig, Hashing, Registration};
    use scoreboard_core::memory::MemoryAccountStore;
    use scoreboard_core::{Clock, KeyRing, RandomIds, SystemClock};

    use super::*;

    #[tokio::test]
    async fn who_has_signed_out_is_known_at_once() {
        let mut config = AccountsConfig::default();
        config.hashing = Hashing::Argon2id { memory_kib: 32, iterations: 1 };
        let store = Arc::new(MemoryAccountStore::default());
        let accounts = Accounts::builder(store, &KeyRing::random(&RandomIds)).with_config(config).build();
        let (email, password) = ("ada@example.org".to_owned(), "correct horse battery staple".to_owned());
        let registration =
            Registration { email: email.clone(), password: password.clone(), display_name: "ada".to_owned() };
        accounts.register(registration).await.unwrap();
        let principal =
            accounts.authenticate(&accounts.login(&email, password).await.unwrap().signed_in().unwrap().token).unwrap();
        let mut identity = Identity::default();
        assert!(!identity.is_signed_out(), "nobody is here");
        let ticket = accounts.issue_ticket(&principal).await.unwrap();
        identity.authenticate(&accounts, SystemClock.now(), &ticket.text).await.unwrap();
        assert_eq!((identity.user_id(), identity.is_signed_out()), (Some(principal.user_id), false));
        accounts.logout(&principal).await.unwrap();
        assert!(identity.is_signed_out());
    }
}
