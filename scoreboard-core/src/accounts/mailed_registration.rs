//! An account that is made once the mail to its address was read, so that asking for one tells nobody who has one.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::accounts::login::Wanted;
use crate::accounts::mailed_token::MailedTokens;
use crate::accounts::sealing::Sealing;
use crate::accounts::{
    AccountError, Accounts, CreateUser, DisplayName, Email, MessageKind, PasswordHash, Registration, Role, User,
};
use crate::id_source::IdSourceExt;
use crate::ids::UserId;
use crate::verifier::KeyRing;

/// How long a mail may be answered.
const LIFETIME: Duration = Duration::from_secs(86_400);

/// Carries in a mail what an account is to be: sealed, for the hash of a password is in it, and signed.
#[derive(Debug)]
pub(super) struct MailedRegistrations {
    tokens: MailedTokens,
    sealing: Sealing,
}

/// What is sealed.
#[derive(Serialize, Deserialize)]
struct Pending {
    email: Email,
    name: DisplayName,
    password: String,
}

impl MailedRegistrations {
    pub(super) fn new(ring: &KeyRing) -> Self {
        let purpose = "registration";
        Self { tokens: MailedTokens::new(ring, purpose), sealing: Sealing::new(ring, purpose) }
    }
}

impl Accounts {
    /// Mails to an address how to make the account that was asked for. Nothing is kept of it until then, and whether somebody has the address is
    /// told nobody but them: they are mailed that they have an account, and the answer is the same, as late.
    ///
    /// # Errors
    ///
    /// [`AccountError::Invalid`] naming every field that breaks a rule, [`AccountError::NoMail`] if none is sent here, [`AccountError::Busy`],
    /// or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the mail is on its way or is not.
    pub async fn mail_registration(&self, registration: Registration) -> Result<(), AccountError> {
        let mail = self.mail()?;
        let Wanted { email, name, password } = self.wanted(registration)?;
        let hash = self.parts.passwords.hash(password, &*self.parts.ids).await?;
        let now = self.parts.clock.now();
        let message = if let Some((user, _)) = self.parts.store.user_by_email(&email).await? {
            let text = format!(
                "somebody, you we hope, wanted to make an account with your address. You have one already: log in with it, or set another password, \
                 at\n\n{}\n\nIf it was not you, there is nothing to do.",
                self.parts.config.public_url
            );
            self.message(&user, MessageKind::AlreadyRegistered, "you have an account", &text)
        } else {
            let id = UserId::from_uuid(self.parts.ids.uuid(now));
            let expires_at = now.plus(LIFETIME);
            let token = self.registration_token(
                id,
                &Pending { email: email.clone(), name: name.clone(), password: hash.expose().to_owned() },
            );
            let text = format!(
                "somebody, you we hope, wants to make an account with your address. To have it, go within a day to\n\n{}#register={token}\n\nIf it was \
                 not you, ignore this: there is no account.",
                self.parts.config.public_url
            );
            let user = User { id, email, display_name: name, roles: vec![Role::User], created_at: now };
            let mut message = self.message(&user, MessageKind::Registration, "your account", &text);
            message.expires_at = Some(expires_at);
            message
        };
        self.hand_over(&**mail, &message).await;
        Ok(())
    }

    /// Makes the account by the token that was mailed to its address, which is confirmed with it. It works once.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`] if the token is unknown, over, or was used, or somebody has the address by now: never said which; or the
    /// store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the account was made or was not, and its address may not be confirmed.
    pub async fn complete_registration(&self, token: &str) -> Result<User, AccountError> {
        let (id, pending) = self.registered(token).ok_or(AccountError::Unauthorized)?;
        let now = self.parts.clock.now();
        let user =
            User { id, email: pending.email, display_name: pending.name, roles: vec![Role::User], created_at: now };
        match self.parts.store.create_user(&user, &PasswordHash::new(pending.password)).await? {
            CreateUser::Created => {}
            CreateUser::EmailTaken | CreateUser::IdTaken => return Err(AccountError::Unauthorized),
        }
        self.parts.store.confirm_email(user.id, &user.email, now).await?;
        Ok(user)
    }

    fn registration_token(&self, id: UserId, pending: &Pending) -> String {
        let MailedRegistrations { tokens, sealing } = &self.parts.registrations;
        let plain = Zeroizing::new(serde_json::to_vec(pending).expect("texts encode"));
        let sealed = URL_SAFE_NO_PAD.encode(sealing.seal(id, &plain, &*self.parts.ids));
        let signed = tokens.issue(id, &sealed, self.parts.clock.now().plus(LIFETIME));
        format!("{signed}~{sealed}")
    }

    /// Signed by a key that verifies still: one that only opens what it sealed may have leaked.
    fn registered(&self, token: &str) -> Option<(UserId, Pending)> {
        let MailedRegistrations { tokens, sealing } = &self.parts.registrations;
        let (signed, sealed) = token.split_once('~')?;
        let claimed = MailedTokens::read(signed)?;
        if !tokens.is_good(&claimed, sealed, self.parts.clock.now()) {
            return None;
        }
        let plain = sealing.open(claimed.user, &URL_SAFE_NO_PAD.decode(sealed).ok()?)?;
        Some((claimed.user, serde_json::from_slice(&plain).ok()?))
    }
}
