//! Registering and logging in.

use zeroize::Zeroizing;

use crate::accounts::password::Verified;
use crate::accounts::{
    AccountError, Accounts, CreateUser, DisplayName, Email, FieldProblem, Login, PasswordHash, Role, User,
};
use crate::error::Chain;
use crate::id_source::IdSourceExt;
use crate::ids::UserId;

/// A new account, as somebody typed it.
#[derive(Clone)]
pub struct Registration {
    /// What they will log in with.
    pub email: String,
    /// In clear.
    pub password: String,
    /// The name to show.
    pub display_name: String,
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration").finish_non_exhaustive()
    }
}

/// The same once it keeps the rules.
pub(super) struct Wanted {
    pub(super) email: Email,
    pub(super) name: DisplayName,
    pub(super) password: Zeroizing<String>,
}

/// The most characters of a password.
const MAX_PASSWORD_CHARS: usize = 128;

impl Accounts {
    /// Makes an account.
    ///
    /// # Errors
    ///
    /// [`AccountError::Invalid`] naming every field that breaks a rule, [`AccountError::EmailTaken`], [`AccountError::Busy`],
    /// or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the account was made whole, or not.
    pub async fn register(&self, registration: Registration) -> Result<User, AccountError> {
        let Wanted { email, name: display_name, password } = self.wanted(registration)?;
        let hash = self.parts.passwords.hash(password, &*self.parts.ids).await?;
        let now = self.parts.clock.now();
        let id = UserId::from_uuid(self.parts.ids.uuid(now));
        let user = User { id, email, display_name, roles: vec![Role::User], created_at: now };
        match self.parts.store.create_user(&user, &hash).await? {
            CreateUser::Created => {
                self.welcome(&user).await;
                Ok(user)
            }
            CreateUser::EmailTaken | CreateUser::IdTaken => Err(AccountError::EmailTaken),
        }
    }

    /// Begins a session for who knows the password, or, for a user with a second factor, a login that waits for it.
    ///
    /// A wrong password and an unknown address give the same answer in the same time.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`], [`AccountError::Busy`] if there is no room to hash, or the password or the second factor became another
    /// meanwhile; or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, a session may have begun of which nobody has the tokens.
    pub async fn login(&self, email: &str, password: String) -> Result<Login, AccountError> {
        let password = Zeroizing::new(password);
        let known = match Email::new(email) {
            Ok(email) => self.parts.store.user_by_email(&email).await?,
            Err(_) => None,
        };
        let (user, hash) = known.unzip();
        let verified = self.parts.passwords.verify(password, hash.clone(), &*self.parts.ids).await?;
        let (Some(user), Some(old)) = (user, hash) else { return Err(AccountError::Unauthorized) };
        let hash = match verified {
            Verified::No => return Err(AccountError::Unauthorized),
            Verified::Yes => old,
            Verified::Upgrade(new) => self.upgrade(&user, old, new).await,
        };
        self.password_was_right(user, &hash).await
    }

    /// What was typed, if it keeps the rules.
    pub(super) fn wanted(&self, registration: Registration) -> Result<Wanted, AccountError> {
        let Registration { email, password, display_name } = registration;
        let password = Zeroizing::new(password);
        let mut problems = Vec::new();
        let mut note = |field, problem: String| problems.push(FieldProblem { field, problem });
        let email = Email::new(&email).map_err(|error| note("email", error.to_string())).ok();
        if let Some(problem) = self.password_problem(&password) {
            note("password", problem);
        }
        let name = DisplayName::new(&display_name).map_err(|error| note("displayName", error.to_string())).ok();
        match (email, name) {
            (Some(email), Some(name)) if problems.is_empty() => Ok(Wanted { email, name, password }),
            _ => Err(AccountError::Invalid(problems)),
        }
    }

    /// Asks for the address to be confirmed, where mail is sent. The account is there either way, and the mail can be asked for again.
    async fn welcome(&self, user: &User) {
        match self.send_confirmation(user).await {
            Ok(()) | Err(AccountError::NoMail) => {}
            Err(error) => {
                tracing::warn!(user.id = %user.id, error = %Chain(&error), "an address was not asked to be confirmed");
            }
        }
    }

    /// Keeps the better hash, and gives the one that holds. If that fails, the old one is as good as before, so the login goes on.
    async fn upgrade(&self, user: &User, old: PasswordHash, new: PasswordHash) -> PasswordHash {
        match self.parts.store.replace_password(user.id, &old, &new).await {
            Ok(true) => new,
            Ok(false) => old,
            Err(error) => {
                tracing::warn!(user.id = %user.id, error = %Chain(&error), "a password hash was not upgraded");
                old
            }
        }
    }

    pub(super) fn password_problem(&self, password: &str) -> Option<String> {
        let (chars, min) = (password.chars().count(), self.parts.config.min_password_chars);
        let max_bytes = self.parts.passwords.hashing().max_bytes();
        if chars < min || chars > MAX_PASSWORD_CHARS {
            Some(format!("must have {min} to {MAX_PASSWORD_CHARS} characters"))
        } else if password.len() > max_bytes {
            Some(format!("must have at most {max_bytes} bytes"))
        } else {
            None
        }
    }
}
