//! Users, passwords, sessions and access tokens.
//!
//! [`Accounts`] is the handle that a server holds: it registers and logs in users over any [`AccountStore`], and tells by
//! a token alone, without I/O, who is asking. A login begins a **session**: the family of all refresh tokens that come of it.
//! Each refresh token works once; presenting a used one ends the family, since somebody has a copy.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::error::BackendError;
use crate::id_source::{IdSource, RandomIds};
use crate::ids::{SessionId, UserId};
use crate::verifier::KeyRing;

mod known_tokens;
mod login;
mod password;
mod revocation;
mod server_key;
mod session;
mod store;
mod ticket;
mod token;
mod user;

pub use login::Registration;
pub use password::Hashing;
pub use revocation::SessionEnd;
pub use server_key::ServerKeyError;
pub use session::{Principal, SignedIn};
pub use store::{
    AccountStore, CreateUser, PasswordHash, Rotation, ServerKey, ServerKeyStore, Session, SessionStore, TokenHash,
    UserStore,
};
pub use ticket::Ticket;
pub use user::{DisplayName, Email, Role, User};

use password::PasswordGate;
use revocation::Revocations;
use ticket::Tickets;
use token::AccessTokens;

/// The numbers of [`Accounts`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountsConfig {
    /// Who issues access tokens, and for whom they are: `iss` and `aud`. Default: `scoreboard`.
    pub issuer: String,
    /// How long an access token is good. Default: 10 minutes.
    pub access_lifetime: Duration,
    /// How long a session lasts, however often it is refreshed. Default: 30 days.
    pub session_lifetime: Duration,
    /// The fewest characters of a new password. Default: 15, as for a password that is the only factor (NIST SP 800-63B-4 §3.1.1.2).
    pub min_password_chars: usize,
    /// How new passwords are hashed. Others are verified all the same, and hashed anew at the next login. Default: Argon2id.
    pub hashing: Hashing,
    /// How many passwords are hashed at once. Default: one less than the processors, at least one.
    pub hashing_permits: usize,
    /// How many more may wait for that; a further one is refused as busy. Default: 8.
    pub hashing_queue: usize,
    /// How many tickets may wait to be used; a further one is refused. Default: 65,536.
    pub max_tickets: usize,
}

impl Default for AccountsConfig {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            issuer: "scoreboard".to_owned(),
            access_lifetime: Duration::from_secs(600),
            session_lifetime: Duration::from_secs(30 * 86_400),
            min_password_chars: 15,
            hashing: Hashing::default(),
            hashing_permits: (processors - 1).max(1),
            hashing_queue: 8,
            max_tickets: 65_536,
        }
    }
}

/// A field of a request that breaks a rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldProblem {
    /// The field, as it is called on the wire.
    pub field: &'static str,
    /// The rule, in words.
    pub problem: String,
}

/// Why a call of [`Accounts`] did not do what was asked.
#[derive(Debug, Clone, thiserror::Error)]
#[non_exhaustive]
pub enum AccountError {
    /// Fields that break rules.
    #[error("some fields are not valid")]
    Invalid(Vec<FieldProblem>),
    /// The address has an account.
    #[error("the e-mail address is taken")]
    EmailTaken,
    /// Wrong or unknown credentials, or a token that is forged, expired or revoked: never said which.
    #[error("not signed in, or the credentials are wrong")]
    Unauthorized,
    /// Too many passwords are being hashed.
    #[error("too many logins at once")]
    Busy,
    /// Too many tickets wait to be used.
    #[error("too many tickets at once")]
    TooManyTickets,
    /// The store failed.
    #[error(transparent)]
    Backend(#[from] BackendError),
}

/// Registers users, logs them in, and tells who is asking. Cloning clones the handle.
///
/// ```
/// # #[tokio::main(flavor = "current_thread")]
/// # async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::sync::Arc;
/// use scoreboard_core::accounts::{Accounts, Registration};
/// use scoreboard_core::memory::MemoryAccountStore;
/// use scoreboard_core::{KeyRing, RandomIds};
///
/// let store = Arc::new(MemoryAccountStore::default());
/// let accounts = Accounts::builder(store, &KeyRing::random(&RandomIds)).build();
/// let user = accounts
///     .register(Registration {
///         email: "ada@example.org".to_owned(),
///         password: "correct horse battery staple".to_owned(),
///         display_name: "Ada".to_owned(),
///     })
///     .await?;
/// let signed_in = accounts.login("ada@example.org", "correct horse battery staple".to_owned()).await?;
/// assert_eq!(accounts.authenticate(&signed_in.token)?.user_id, user.id);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Accounts {
    parts: Arc<Parts>,
}

#[derive(Debug)]
struct Parts {
    store: Arc<dyn AccountStore>,
    tokens: AccessTokens,
    passwords: PasswordGate,
    revocations: Revocations,
    tickets: Tickets,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    config: AccountsConfig,
}

/// Builds [`Accounts`].
#[derive(Debug)]
#[must_use]
pub struct AccountsBuilder {
    store: Arc<dyn AccountStore>,
    ring: KeyRing,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    config: AccountsConfig,
}

impl AccountsBuilder {
    /// Asks this clock.
    pub fn with_clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = clock;
        self
    }

    /// Draws ids and secrets from here.
    pub fn with_ids(mut self, ids: Arc<dyn IdSource>) -> Self {
        self.ids = ids;
        self
    }

    /// Uses these numbers.
    pub fn with_config(mut self, config: AccountsConfig) -> Self {
        self.config = config;
        self
    }

    /// The accounts.
    #[must_use]
    pub fn build(self) -> Accounts {
        let Self { store, ring, clock, ids, config } = self;
        let parts = Parts {
            tokens: AccessTokens::new(&ring, &config.issuer),
            passwords: PasswordGate::new(config.hashing, config.hashing_permits, config.hashing_queue, &*ids),
            revocations: Revocations::default(),
            tickets: Tickets::new(config.max_tickets),
            store,
            clock,
            ids,
            config,
        };
        Accounts { parts: Arc::new(parts) }
    }
}

impl Accounts {
    /// Begins to build accounts over this store, with tokens signed by keys derived from this ring.
    pub fn builder(store: Arc<dyn AccountStore>, ring: &KeyRing) -> AccountsBuilder {
        AccountsBuilder {
            store,
            ring: ring.clone(),
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            config: AccountsConfig::default(),
        }
    }

    /// The store behind.
    #[must_use]
    pub fn store(&self) -> &Arc<dyn AccountStore> {
        &self.parts.store
    }

    /// What a user may do, asked of the store: for acts that must not rest on an older answer.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`] if there is no such user, or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn roles(&self, user: UserId) -> Result<Vec<Role>, AccountError> {
        let user = self.parts.store.user(user).await?.ok_or(AccountError::Unauthorized)?;
        Ok(user.roles)
    }

    fn is_revoked(&self, session: SessionId) -> bool {
        self.parts.revocations.contains(session)
    }
}
