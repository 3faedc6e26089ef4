//! Users, passwords, sessions and access tokens.
//!
//! [`Accounts`] is the handle that a server holds: it registers and logs in users over any [`AccountStore`], and tells by
//! a token alone, without I/O, who is asking. A login begins a **session**: the family of all refresh tokens that come of it.
//! Each refresh token works once, and is answered the same for ten seconds; presenting it later ends the family, since somebody has a copy.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::{Clock, SystemClock};
use crate::error::BackendError;
use crate::id_source::{IdSource, RandomIds};
use crate::ids::{SessionId, UserId};
use crate::one_time::OneTimeStore;
use crate::verifier::KeyRing;

mod address;
mod address_change;
mod challenge;
mod device;
mod factor;
mod factor_store;
mod jwks_issuer;
mod key_list;
mod known_tokens;
mod login;
mod mailed_registration;
mod mailed_token;
mod message;
mod outside;
mod password;
mod password_change;
mod password_reset;
mod recovery_codes;
mod refresh_token;
mod revocation;
mod revoked_key;
mod sealing;
mod second_factor;
mod sent_code;
mod server_key;
mod server_signature;
mod session;
mod session_list;
mod store;
mod ticket;
mod token;
mod token_key;
mod totp;
mod user;

pub use challenge::{FactorMethod, Login, PendingLogin};
pub use factor::Factor;
pub use factor_store::{FactorStore, LoginChallenge};
pub use jwks_issuer::JwksIssuer;
pub use key_list::{KeyState, SigningKey};
pub use login::Registration;
pub use message::{Message, MessageKind, Notifier};
pub use outside::OutsideIssuer;
pub use password::Hashing;
pub use revocation::SessionEnd;
pub use revoked_key::RevokedKeyStore;
pub use second_factor::{FactorStatus, NewTotp};
pub use server_key::ServerKeyError;
pub use server_signature::SignedRequest;
pub use session::{Principal, SignedIn};
pub use store::{
    AccountStore, CreateUser, PasswordHash, ReplaceEmail, Rotation, ServerCredential, ServerKey, ServerKeyStore,
    Session, SessionStore, TokenHash, UserStore,
};
pub use ticket::Ticket;
pub use token_key::{PublicTokenKey, TokenAlgorithm};
pub use user::{DisplayName, Email, Role, User};

use device::DeviceTokens;
use mailed_registration::MailedRegistrations;
use mailed_token::MailedTokens;
use password::PasswordGate;
use refresh_token::RefreshTokens;
use revocation::Revocations;
use second_factor::SecondFactors;
use sent_code::SentCodes;
use ticket::{TicketSignatures, Tickets};
use token::AccessTokens;

/// The numbers of [`Accounts`].
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct AccountsConfig {
    /// Who issues access tokens, and for whom they are: `iss` and `aud`. Default: `scoreboard`.
    pub issuer: String,
    /// How access tokens are signed. Default: HMAC-SHA256.
    pub token_algorithm: TokenAlgorithm,
    /// How long an access token is good. Default: 10 minutes.
    pub access_lifetime: Duration,
    /// How long a session lasts, however often it is refreshed. Default: 30 days.
    pub session_lifetime: Duration,
    /// For how long a refresh token that was used gets the same answer again, as long as what it got was not used: for clients that lost the
    /// answer, or ask twice at once. Default: 10 seconds.
    pub refresh_grace: Duration,
    /// The fewest characters of a new password. Default: 15, as for a password that is the only factor (NIST SP 800-63B-4 §3.1.1.2).
    pub min_password_chars: usize,
    /// How new passwords are hashed. Others are verified all the same, and hashed anew at the next login. Default: Argon2id.
    pub hashing: Hashing,
    /// How many passwords are hashed at once. Default: one less than the processors, at least one.
    pub hashing_permits: usize,
    /// How many more may wait for that; a further one is refused as busy. Default: 8.
    pub hashing_queue: usize,
    /// Whether an admin or a moderator may do nothing but set up a second factor, as long as there is none. Only where factors are kept.
    /// Default: yes.
    pub admins_need_factor: bool,
    /// Whether codes for a login may be mailed, to users with an app whose address is confirmed and who need not have one: weaker than the app.
    /// Only where mail is sent. Default: yes.
    pub mailed_codes: bool,
    /// Whether an account is made only once the mail to its address was read, so that nobody who asks for one learns who has one. Takes mail.
    /// Default: no.
    pub registers_by_mail: bool,
    /// Where the page is that links in mails lead to. Default: `http://127.0.0.1:8080/`.
    pub public_url: String,
    /// How many tickets may wait to be used; a further one is refused. Default: 65,536.
    pub max_tickets: usize,
}

impl Default for AccountsConfig {
    fn default() -> Self {
        let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            issuer: "scoreboard".to_owned(),
            token_algorithm: TokenAlgorithm::default(),
            access_lifetime: Duration::from_secs(600),
            session_lifetime: Duration::from_secs(30 * 86_400),
            refresh_grace: Duration::from_secs(10),
            min_password_chars: 15,
            hashing: Hashing::default(),
            hashing_permits: (processors - 1).max(1),
            hashing_queue: 8,
            admins_need_factor: true,
            mailed_codes: true,
            registers_by_mail: false,
            public_url: "http://127.0.0.1:8080/".to_owned(),
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
    /// The token is good for setting up a second factor alone, which this user must have.
    #[error("a second factor has to be set up first")]
    FactorRequired,
    /// The login is too old for what was asked, and no password came with it.
    #[error("the login is too old for this: log in again, or send the password")]
    Stale,
    /// A second factor is in force.
    #[error("there is a second factor already")]
    FactorActive,
    /// No second factor is in force, or none was begun.
    #[error("there is no second factor")]
    FactorMissing,
    /// No mail is sent here.
    #[error("no mail is sent here")]
    NoMail,
    /// Second factors are not kept here.
    #[error("second factors are not kept here")]
    NoFactors,
    /// The code, shown by who is signed in, is wrong or was used.
    #[error("the code is wrong, or was used")]
    WrongCode,
    /// Too many wrong codes were shown: none is looked at for so long.
    #[error("too many wrong codes")]
    TooManyCodes(Duration),
    /// The password, shown by who is signed in, is wrong.
    #[error("the password is wrong")]
    WrongPassword,
    /// There is no such session of this user.
    #[error("there is no such session")]
    NoSession,
    /// Too much of the same is under way.
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
/// let login = accounts.login("ada@example.org", "correct horse battery staple".to_owned()).await?;
/// let signed_in = login.signed_in().ok_or("a second factor is asked for")?;
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
    factors: Option<SecondFactors>,
    mail: Option<Arc<dyn Notifier>>,
    texts: Option<Arc<dyn Notifier>>,
    reset_tokens: MailedTokens,
    address_tokens: MailedTokens,
    change_tokens: MailedTokens,
    registrations: MailedRegistrations,
    sent_codes: SentCodes,
    outside: Vec<Arc<dyn OutsideIssuer>>,
    ring: KeyRing,
    tokens: AccessTokens,
    refresh_tokens: RefreshTokens,
    device_tokens: DeviceTokens,
    passwords: PasswordGate,
    revocations: Revocations,
    tickets: Tickets,
    ticket_signatures: TicketSignatures,
    shared_tickets: Option<Arc<dyn OneTimeStore>>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    config: AccountsConfig,
}

/// Builds [`Accounts`].
#[derive(Debug)]
#[must_use]
pub struct AccountsBuilder {
    store: Arc<dyn AccountStore>,
    factors: Option<Arc<dyn FactorStore>>,
    mail: Option<Arc<dyn Notifier>>,
    texts: Option<Arc<dyn Notifier>>,
    outside: Vec<Arc<dyn OutsideIssuer>>,
    shared_tickets: Option<Arc<dyn OneTimeStore>>,
    ring: KeyRing,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn IdSource>,
    config: AccountsConfig,
}

impl AccountsBuilder {
    /// Keeps second factors here; without, there are none.
    pub fn with_factors(mut self, factors: Arc<dyn FactorStore>) -> Self {
        self.factors = Some(factors);
        self
    }

    /// Sends mail by this: what users are told of, and codes and links for them. Without, none is sent.
    pub fn with_mail(mut self, mail: Arc<dyn Notifier>) -> Self {
        self.mail = Some(mail);
        self
    }

    /// Sends codes for a login as texts by this. Without, none are.
    pub fn with_texts(mut self, texts: Arc<dyn Notifier>) -> Self {
        self.texts = Some(texts);
        self
    }

    /// Takes tokens of this issuer too, for [`identify`](Accounts::identify). May be called for each of several.
    pub fn with_outside_issuer(mut self, issuer: Arc<dyn OutsideIssuer>) -> Self {
        self.outside.push(issuer);
        self
    }

    /// Keeps tickets here, so that each is good at all nodes that do; without, each is good at the node that gave it.
    pub fn with_shared_tickets(mut self, shared: Arc<dyn OneTimeStore>) -> Self {
        self.shared_tickets = Some(shared);
        self
    }

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
        let Self { store, factors, mail, texts, outside, shared_tickets, ring, clock, ids, config } = self;
        let parts = Parts {
            factors: factors.map(|store| SecondFactors::new(store, &ring)),
            mail,
            texts,
            outside,
            reset_tokens: MailedTokens::new(&ring, "password-reset"),
            address_tokens: MailedTokens::new(&ring, "address-confirmation"),
            change_tokens: MailedTokens::new(&ring, "address-change"),
            registrations: MailedRegistrations::new(&ring),
            sent_codes: SentCodes::new(&ring),
            tokens: AccessTokens::new(&ring, &config.issuer, config.token_algorithm),
            refresh_tokens: RefreshTokens::new(&ring),
            device_tokens: DeviceTokens::new(&ring),
            passwords: PasswordGate::new(config.hashing, config.hashing_permits, config.hashing_queue, &*ids),
            revocations: Revocations::default(),
            tickets: Tickets::new(config.max_tickets),
            ticket_signatures: TicketSignatures::new(&ring),
            shared_tickets,
            ring,
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
            factors: None,
            mail: None,
            texts: None,
            outside: Vec::new(),
            shared_tickets: None,
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
    /// [`AccountError::Unauthorized`] if there is no such user, [`AccountError::FactorRequired`] if they decide about others, must have a second
    /// factor for it and have none, whatever their token says: it may be older than their role, or than the end of their factor; or the
    /// store's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn roles(&self, user: UserId) -> Result<Vec<Role>, AccountError> {
        let user = self.parts.store.user(user).await?.ok_or(AccountError::Unauthorized)?;
        if self.must_have_factor(&user) && !self.has_factor(user.id).await? {
            return Err(AccountError::FactorRequired);
        }
        Ok(user.roles)
    }

    /// Whether accounts are to be made by [mail](Self::mail_registration), as the configuration says.
    #[must_use]
    pub fn registers_by_mail(&self) -> bool {
        self.parts.config.registers_by_mail
    }

    /// The public halves of the keys that access tokens are verified with, the one that signs first: none where they are signed by HMAC.
    #[must_use]
    pub fn public_token_keys(&self) -> Vec<PublicTokenKey> {
        self.parts.tokens.public()
    }

    fn is_revoked(&self, session: SessionId) -> bool {
        self.parts.revocations.contains(session)
    }
}
