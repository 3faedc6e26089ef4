//! Messages to users, and the trait of what carries them.

use std::fmt;

use async_trait::async_trait;
use uuid::Uuid;

use crate::accounts::{Accounts, Email, User};
use crate::clock::Timestamp;
use crate::error::{BackendError, Chain};
use crate::id_source::IdSourceExt;
use crate::ids::UserId;

/// What a message is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum MessageKind {
    /// A code for a login.
    LoginCode,
    /// How to set another password.
    PasswordReset,
    /// How to make the account that was asked for.
    Registration,
    /// Somebody has asked for an account with an address that has one.
    AlreadyRegistered,
    /// How to confirm an address.
    ConfirmAddress,
    /// How to make this the address of an account that has another one.
    ChangeAddress,
    /// The account has another address: told to the one that it had.
    AddressChanged,
    /// A second factor was set up.
    FactorAdded,
    /// The second factor was given up.
    FactorRemoved,
    /// A recovery code was used.
    RecoveryCodeUsed,
    /// There are new recovery codes, and those before are void.
    RecoveryCodesRenewed,
    /// The password was changed.
    PasswordChanged,
    /// The fraud rules found something. It goes to those who look into it, not to the user whom it is about.
    Incident,
}

impl MessageKind {
    /// As programs call it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::LoginCode => "login_code",
            Self::PasswordReset => "password_reset",
            Self::Registration => "registration",
            Self::AlreadyRegistered => "already_registered",
            Self::ConfirmAddress => "confirm_address",
            Self::ChangeAddress => "change_address",
            Self::AddressChanged => "address_changed",
            Self::FactorAdded => "factor_added",
            Self::FactorRemoved => "factor_removed",
            Self::RecoveryCodeUsed => "recovery_code_used",
            Self::RecoveryCodesRenewed => "recovery_codes_renewed",
            Self::PasswordChanged => "password_changed",
            Self::Incident => "incident",
        }
    }
}

/// A message to one user, ready to be carried.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// Its name, the same however often it is tried: who gets it twice can tell.
    pub id: Uuid,
    /// What it is about.
    pub kind: MessageKind,
    /// To whom; of an [incident](MessageKind::Incident), about whom.
    pub user_id: UserId,
    /// Where to, by mail.
    pub email: Email,
    /// One line.
    pub subject: String,
    /// Plain text. It may hold a code or a link that lets somebody in: it has no place in a log.
    pub text: String,
    /// From when on it is of no use, and not tried any more.
    pub expires_at: Option<Timestamp>,
}

impl fmt::Debug for Message {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { id, kind, user_id, .. } = self;
        let mut shown = f.debug_struct("Message");
        shown.field("id", id).field("kind", kind).field("user_id", user_id).finish_non_exhaustive()
    }
}

/// Carries messages to users: by mail, as texts, or by whatever a game has.
#[async_trait]
pub trait Notifier: fmt::Debug + Send + Sync + 'static {
    /// Takes a message. `Ok` says that it was taken, not that it has arrived: what is tried again is tried by the notifier itself. A message
    /// may arrive twice, by the same [`id`](Message::id).
    ///
    /// A request waits for this: it returns at once, and refuses what it has no room for.
    ///
    /// # Errors
    ///
    /// [`Overloaded`](crate::ErrorKind::Overloaded) if there is no room, any other [`ErrorKind`](crate::ErrorKind) if it was not taken.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the message was taken or was not.
    async fn deliver(&self, message: &Message) -> Result<(), BackendError>;
}

impl Accounts {
    /// Addresses a message to a user. Without their name: whoever registers an address writes what they like there, and it may be a stranger's.
    pub(super) fn message(&self, user: &User, kind: MessageKind, subject: &str, text: &str) -> Message {
        Message {
            id: self.parts.ids.uuid(self.parts.clock.now()),
            kind,
            user_id: user.id,
            email: user.email.clone(),
            subject: format!("{}: {subject}", self.parts.config.issuer),
            text: format!("Hello,\n\n{text}\n"),
            expires_at: None,
        }
    }

    /// Gives a message away whose sender must not learn whether it could be: that there is somebody to write to.
    pub(super) async fn hand_over(&self, mail: &dyn Notifier, message: &Message) {
        if let Err(error) = mail.deliver(message).await {
            let (user, kind) = (message.user_id, message.kind.as_str());
            tracing::warn!(user.id = %user, kind, error = %Chain(&error), "a mail was not sent");
        }
    }

    /// Tells a user of a change that they should know of if it was not theirs. That it cannot be told does not take the change back.
    pub(super) async fn tell(&self, user: UserId, kind: MessageKind, what: &str) {
        let Some(mail) = &self.parts.mail else { return };
        let told = async {
            let Some(user) = self.parts.store.user(user).await? else { return Ok(()) };
            let text = format!(
                "{what}\n\nIf that was you, there is nothing to do. If not, somebody else is in your account: set another password at once, at\n{}",
                self.parts.config.public_url
            );
            mail.deliver(&self.message(&user, kind, what.trim_end_matches('.'), &text)).await
        };
        if let Err(error) = told.await {
            tracing::warn!(user.id = %user, kind = kind.as_str(), error = %Chain(&error), "a user was not told of a change");
        }
    }
}
