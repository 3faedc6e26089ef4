//! Users whom somebody else signs in: the embedding game's own login.

use std::fmt;

use crate::accounts::{AccountError, Accounts, Principal};
use crate::clock::Timestamp;

/// Tells who shows a token that somebody else has issued.
///
/// Such users score, read and watch as others do. They have no account here, so nothing of accounts is open to them: no password, no second
/// factor, no sessions, no roles.
pub trait OutsideIssuer: fmt::Debug + Send + Sync + 'static {
    /// Who shows this token; `None` unless it is this issuer's, unaltered and in its time. Called for each request: no I/O.
    ///
    /// The user's id must be no account's here: [`UserId::for_name`](crate::UserId::for_name) gives such. The session's id stands for the login there:
    /// the same for all tokens of one login, if that can be told.
    fn principal(&self, token: &str, now: Timestamp) -> Option<Principal>;
}

impl Accounts {
    /// Who shows this token, be it one of ours, as for [`authenticate`](Self::authenticate), or one of an outside issuer. For what all users
    /// may do, with an account here or not.
    ///
    /// # Errors
    ///
    /// As [`authenticate`](Self::authenticate).
    pub fn identify(&self, token: &str) -> Result<Principal, AccountError> {
        self.or_outside(self.authenticate(token), token)
    }

    /// The same for what one may read who still has to set up a second factor.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`].
    pub fn identify_reader(&self, token: &str) -> Result<Principal, AccountError> {
        self.or_outside(self.authenticate_enrolling(token), token)
    }

    fn or_outside(&self, own: Result<Principal, AccountError>, token: &str) -> Result<Principal, AccountError> {
        let Err(AccountError::Unauthorized) = own else { return own };
        let now = self.parts.clock.now();
        let found = self.parts.outside.iter().find_map(|issuer| issuer.principal(token, now));
        // Whatever the issuer says: nothing here would tell of the end of its sessions.
        let outside = found.map(|principal| Principal { ends_with_token: true, ..principal });
        outside.ok_or(AccountError::Unauthorized)
    }
}
