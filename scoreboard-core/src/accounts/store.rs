//! Where accounts, sessions and the keys of trusted servers are kept.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::accounts::{Email, RevokedKeyStore, Role, User};
use crate::clock::Timestamp;
use crate::error::{BackendError, InvalidValue};
use crate::ids::{KeyId, SessionId, UserId};
use crate::names::DisplayNames;

/// A password, hashed: a PHC string (`$argon2id$…`) or a bcrypt one (`$2b$…`).
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Wraps a hash that a hasher made.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// Checks and wraps a hash that another system made: Argon2 or bcrypt, at a cost that this server can pay at each login.
    ///
    /// # Errors
    ///
    /// [`InvalidValue`] if it is no such hash, or one that takes more than a GiB, a hundred passes, or bcrypt's cost 16.
    pub fn from_foreign(text: &str) -> Result<Self, InvalidValue> {
        if crate::accounts::password::is_affordable(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidValue::new("password", "must be an Argon2 or bcrypt hash of bearable cost"))
        }
    }

    /// The text, for verifying and storing; it has no place in a log.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// The SHA-256 of a secret that is random enough to need no slow hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TokenHash([u8; 32]);

impl TokenHash {
    /// Hashes a secret.
    #[must_use]
    pub fn of(secret: &[u8]) -> Self {
        Self(crate::encoding::sha256("scoreboard/token/v1", &[secret]))
    }

    /// Wraps the bytes of a stored hash.
    #[must_use]
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The bytes, for storing.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenHash(…)")
    }
}

/// What became of a new user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum CreateUser {
    /// The account is there.
    Created,
    /// The e-mail address has an account already; nothing was changed.
    EmailTaken,
    /// The id has an account already; nothing was changed.
    IdTaken,
}

/// What became of another address for a user.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[must_use]
pub enum ReplaceEmail {
    /// It is theirs, and confirmed.
    Replaced,
    /// Somebody else has it; nothing was changed.
    EmailTaken,
    /// Their address was not the one that was to be replaced, or there is no such user; nothing was changed.
    NotTheirs,
}

/// Keeps users.
#[async_trait]
pub trait UserStore: DisplayNames {
    /// Creates an account. Durable on `Ok`; atomic: of two with one address, one is created.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the account was created whole, or not.
    async fn create_user(&self, user: &User, password: &PasswordHash) -> Result<CreateUser, BackendError>;

    /// The user with this id.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind) but `OutcomeUnknown` and `Full`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn user(&self, id: UserId) -> Result<Option<User>, BackendError>;

    /// The same, with the hash of their password.
    ///
    /// # Errors
    ///
    /// As [`user`](Self::user).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn user_with_password(&self, id: UserId) -> Result<Option<(User, PasswordHash)>, BackendError>;

    /// The user with this address, and the hash of their password.
    ///
    /// # Errors
    ///
    /// As [`user`](Self::user).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn user_by_email(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, BackendError>;

    /// Replaces a password hash, if it is still `old`: false if it is not, or there is no such user. Durable on `Ok`.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the hash is the old or the new one.
    async fn replace_password(&self, id: UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool, BackendError>;

    /// Sets a user's roles if they still are `from` (`user` is always among them): false if they are others, or there is no such user.
    ///
    /// Comparing and setting is one step. Durable on `Ok`; a repeat finds the roles `to` and answers true.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the roles are the old or the new ones.
    async fn set_roles(&self, id: UserId, from: &[Role], to: &[Role]) -> Result<bool, BackendError>;

    /// Notes that the user's address was shown to be theirs, if it still is this one: false if it is not, or there is no such user. Durable
    /// on `Ok`; a repeat answers true and keeps the first moment.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it was noted or was not.
    async fn confirm_email(&self, id: UserId, email: &Email, at: Timestamp) -> Result<bool, BackendError>;

    /// Gives a user the address `to` if theirs still is `from`, and notes that it was shown to be theirs at this moment, in one step. Durable
    /// on `Ok`; of two who are given one address at once, one has it. `to` is another address than `from`.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the address was replaced and confirmed, or nothing was changed.
    async fn replace_email(
        &self,
        id: UserId,
        from: &Email,
        to: &Email,
        at: Timestamp,
    ) -> Result<ReplaceEmail, BackendError>;

    /// When the user's address was shown to be theirs, if it was.
    ///
    /// # Errors
    ///
    /// As [`user`](Self::user).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn email_confirmed_at(&self, id: UserId) -> Result<Option<Timestamp>, BackendError>;

    /// Users with their password hashes in the order of ids, behind `after` if given, at most `limit`: for moving them elsewhere.
    ///
    /// # Errors
    ///
    /// As [`user`](Self::user).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn users(&self, after: Option<UserId>, limit: usize) -> Result<Vec<(User, PasswordHash)>, BackendError>;
}

/// One login: the family of all refresh tokens that came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Its name, which access tokens bear as `sid`.
    pub id: SessionId,
    /// Whose it is.
    pub user_id: UserId,
    /// When it began.
    pub created_at: Timestamp,
    /// When it ends, however often it is refreshed.
    pub expires_at: Timestamp,
}

/// What became of a refresh token that was presented.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Rotation {
    /// It was the session's newest: it is used up, and the next one is the newest.
    Rotated(Session),
    /// It was used just now, and what took its place, whose hash this is, is the newest still: nothing was changed. Its client lost the answer,
    /// or asked twice at once.
    Repeated {
        /// The session, which goes on.
        session: Session,
        /// The hash of the token that took its place.
        next: TokenHash,
    },
    /// It was used before: somebody has a copy, so the session has been ended.
    Reused(Session),
    /// It was never one, or its session is over.
    Refused,
}

/// Keeps sessions.
#[async_trait]
pub trait SessionStore: fmt::Debug + Send + Sync + 'static {
    /// Begins a session whose first refresh token has this hash. Durable on `Ok`.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session was begun or was not.
    async fn begin_session(&self, session: &Session, token: TokenHash) -> Result<(), BackendError>;

    /// Uses up a refresh token and puts `next` in its place, or finds that it was used before and ends its session, unless that was less than
    /// `grace` ago (also by a clock that is behind the one of then) and what took its place is the newest still.
    ///
    /// Atomic, durable on `Ok`: of many that present one token at once, one is `Rotated` and the others are `Repeated` with its `next`, or, with
    /// no grace, the first of them is `Reused`.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the token may have been used up; presenting it again after `grace` then ends the session.
    async fn rotate(
        &self,
        token: TokenHash,
        next: TokenHash,
        now: Timestamp,
        grace: Duration,
    ) -> Result<Rotation, BackendError>;

    /// Ends a session. Durable on `Ok`; a repeat changes nothing, and neither does an unknown id.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session was ended or was not.
    async fn end_session(&self, id: SessionId, now: Timestamp) -> Result<(), BackendError>;

    /// The sessions of a user that are neither ended nor over at `now`, the one that began last first.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind) but `OutcomeUnknown` and `Full`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, BackendError>;

    /// Ends the sessions of a user but for `except`, and gives those that it ended. One step, durable on `Ok`; those that were ended before
    /// stay as they are.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, they were ended or were not.
    async fn end_sessions_of(
        &self,
        user: UserId,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, BackendError>;

    /// The sessions that were ended, by logout or reuse, at or after `since`.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind) but `OutcomeUnknown` and `Full`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn ended_since(&self, since: Timestamp) -> Result<Vec<SessionId>, BackendError>;

    /// Forgets sessions that expired before `before`, with their tokens; gives how many.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, some were forgotten; call again.
    async fn forget_expired(&self, before: Timestamp) -> Result<u64, BackendError>;
}

/// A trusted game server's right to record results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerKey {
    /// Its name, in front of the secret in the key itself.
    pub id: KeyId,
    /// By what the server is known.
    pub credential: ServerCredential,
    /// When it was made.
    pub created_at: Timestamp,
}

/// By what a trusted game server is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ServerCredential {
    /// It shows a secret that has this hash.
    Secret(TokenHash),
    /// It signs its requests by the other half of this Ed25519 key.
    PublicKey([u8; 32]),
}

impl ServerCredential {
    /// 32 bytes, and whether they are a public key: for storing.
    #[must_use]
    pub const fn to_parts(&self) -> (&[u8; 32], bool) {
        match self {
            Self::Secret(hash) => (hash.as_bytes(), false),
            Self::PublicKey(key) => (key, true),
        }
    }

    /// What was stored.
    #[must_use]
    pub const fn from_parts(bytes: [u8; 32], is_public_key: bool) -> Self {
        if is_public_key { Self::PublicKey(bytes) } else { Self::Secret(TokenHash::from_bytes(bytes)) }
    }
}

/// Keeps the keys of trusted game servers.
#[async_trait]
pub trait ServerKeyStore: fmt::Debug + Send + Sync + 'static {
    /// Adds a key: false if its id is taken. Durable on `Ok`.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the key was added or was not.
    async fn add_server_key(&self, key: &ServerKey) -> Result<bool, BackendError>;

    /// The key of this id.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind) but `OutcomeUnknown` and `Full`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn server_key(&self, id: &KeyId) -> Result<Option<ServerKey>, BackendError>;

    /// All keys, sorted by their names.
    ///
    /// # Errors
    ///
    /// As [`server_key`](Self::server_key).
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn server_keys(&self) -> Result<Vec<ServerKey>, BackendError>;

    /// Takes a key away: false if there was none. Durable on `Ok`.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the key was taken away or was not.
    async fn remove_server_key(&self, id: &KeyId) -> Result<bool, BackendError>;
}

/// Everything that accounts need kept.
pub trait AccountStore: UserStore + SessionStore + ServerKeyStore + RevokedKeyStore {}

impl<T: UserStore + SessionStore + ServerKeyStore + RevokedKeyStore> AccountStore for T {}
