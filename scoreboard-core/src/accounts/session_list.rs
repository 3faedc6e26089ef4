//! A user's sessions: which there are, and ending those that are not wanted.

use crate::accounts::{AccountError, Accounts, Principal, Session};
use crate::ids::SessionId;

impl Accounts {
    /// The sessions of who is asking, the one that began last first.
    ///
    /// # Errors
    ///
    /// The store's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn sessions(&self, principal: &Principal) -> Result<Vec<Session>, AccountError> {
        Ok(self.parts.store.sessions_of(principal.user_id, self.parts.clock.now()).await?)
    }

    /// Ends one session of who is asking, be it the one that asks.
    ///
    /// # Errors
    ///
    /// [`AccountError::NoSession`] if it is another's, was ended, or never was: never said which; or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session was ended or was not.
    pub async fn end_session(&self, principal: &Principal, session: SessionId) -> Result<(), AccountError> {
        let own = self.sessions(principal).await?;
        if !own.iter().any(|known| known.id == session) {
            return Err(AccountError::NoSession);
        }
        let now = self.parts.clock.now();
        self.parts.store.end_session(session, now).await?;
        self.revoke(session, now);
        Ok(())
    }

    /// Ends all sessions of who is asking but the one that asks.
    ///
    /// # Errors
    ///
    /// The store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, they were ended or were not.
    pub async fn end_other_sessions(&self, principal: &Principal) -> Result<(), AccountError> {
        let now = self.parts.clock.now();
        let except = Some(principal.session_id);
        for session in self.parts.store.end_sessions_of(principal.user_id, except, now).await? {
            self.revoke(session, now);
        }
        Ok(())
    }
}
