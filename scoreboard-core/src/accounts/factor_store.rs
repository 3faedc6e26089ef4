//! Where second factors are kept, and the logins that wait for one.

use std::fmt;

use async_trait::async_trait;
use uuid::Uuid;

use crate::accounts::{Factor, TokenHash};
use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::ids::UserId;

/// A login whose password was right, and that waits for the second factor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LoginChallenge {
    /// The hash of what its client holds.
    pub id: TokenHash,
    /// Who is logging in.
    pub user_id: UserId,
    /// When the password was right.
    pub created_at: Timestamp,
    /// From when on nothing is taken for it.
    pub expires_at: Timestamp,
    /// How many codes were tried.
    pub tries: u32,
    /// How many codes were sent.
    pub sent: u32,
    /// The one that was sent last, hashed.
    pub code: Option<TokenHash>,
}

/// Keeps second factors, and the logins that wait for one: what a store of accounts may lack.
///
/// A store decides nothing: [`Factor`] is one state, compared and replaced as a whole, so that of all who change it at once one does and
/// the others look again.
#[async_trait]
pub trait FactorStore: fmt::Debug + Send + Sync + 'static {
    /// The second factor of a user, begun or in force.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind) but `OutcomeUnknown` and `Full`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn factor(&self, user: UserId) -> Result<Option<Factor>, BackendError>;

    /// Puts `to` in the place of the user's factor, or takes that away, if its stamp still is `from` (`None`: if there is none): false if
    /// it is not, and then nothing was changed.
    ///
    /// Comparing and replacing is one step. Durable on `Ok`.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind); `Refused` if `to` is another user's.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the state is the old or the new one.
    async fn replace_factor(&self, user: UserId, from: Option<Uuid>, to: Option<&Factor>)
    -> Result<bool, BackendError>;

    /// Factors in the order of their users' ids, behind `after` if given, at most `limit`: for moving them elsewhere.
    ///
    /// # Errors
    ///
    /// As [`factor`](Self::factor).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn factors(&self, after: Option<UserId>, limit: usize) -> Result<Vec<Factor>, BackendError>;

    /// Keeps a login that waits. Durable on `Ok`.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind); `Refused` if there is one of this id.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it is kept or is not.
    async fn begin_challenge(&self, challenge: &LoginChallenge) -> Result<(), BackendError>;

    /// Counts a try, and gives the login as it is then; `None` if there is none of this id, it is over at `now`, or `max_tries` were made.
    ///
    /// One step, durable on `Ok`: of many at once, `max_tries` are answered.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the try may have been counted.
    async fn try_challenge(
        &self,
        id: TokenHash,
        max_tries: u32,
        now: Timestamp,
    ) -> Result<Option<LoginChallenge>, BackendError>;

    /// Counts a code that is about to be sent and puts it in the place of the one before, and gives the login as it is then; `None` if
    /// there is none of this id, it is over at `now`, or `max_sent` were sent.
    ///
    /// One step, durable on `Ok`.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the code may have been counted and put in place.
    async fn set_challenge_code(
        &self,
        id: TokenHash,
        code: TokenHash,
        max_sent: u32,
        now: Timestamp,
    ) -> Result<Option<LoginChallenge>, BackendError>;

    /// Takes a login away: true for one caller alone. Durable on `Ok`.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it was taken away or was not.
    async fn end_challenge(&self, id: TokenHash) -> Result<bool, BackendError>;

    /// Forgets logins that were over before `before`; gives how many.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, some were forgotten; call again.
    async fn forget_challenges(&self, before: Timestamp) -> Result<u64, BackendError>;
}
