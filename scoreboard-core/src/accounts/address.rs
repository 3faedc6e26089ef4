//! Whether an address is its user's: shown by a token that was mailed there.

use std::sync::Arc;
use std::time::Duration;

use crate::accounts::mailed_token::MailedTokens;
use crate::accounts::{AccountError, Accounts, MessageKind, Notifier, Principal, User};
use crate::clock::Timestamp;

/// How long a mail may be answered.
const LIFETIME: Duration = Duration::from_secs(86_400);

impl Accounts {
    /// When the address of who is asking was confirmed, if it was.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`] if the account is gone, or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn address_confirmed_at(&self, principal: &Principal) -> Result<Option<Timestamp>, AccountError> {
        Ok(self.parts.store.email_confirmed_at(principal.user_id).await?)
    }

    /// Mails who is asking how to confirm their address.
    ///
    /// # Errors
    ///
    /// [`AccountError::NoMail`] if none is sent here, [`AccountError::Unauthorized`] if the account is gone, or a failure of the store or
    /// the notifier.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the mail is on its way or is not.
    pub async fn mail_confirmation(&self, principal: &Principal) -> Result<(), AccountError> {
        let user = self.me(principal).await?;
        self.send_confirmation(&user).await
    }

    /// Confirms an address by the token that was mailed there. A repeat changes nothing.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`] if the token is unknown or over, or the account has another address by now; or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it was confirmed or was not.
    pub async fn confirm_address(&self, token: &str) -> Result<(), AccountError> {
        let now = self.parts.clock.now();
        let claimed = MailedTokens::read(token).ok_or(AccountError::Unauthorized)?;
        let user = self.parts.store.user(claimed.user).await?.ok_or(AccountError::Unauthorized)?;
        let good = self.parts.address_tokens.is_good(&claimed, user.email.as_str(), now);
        if good && self.parts.store.confirm_email(user.id, &user.email, now).await? {
            Ok(())
        } else {
            Err(AccountError::Unauthorized)
        }
    }

    pub(super) async fn send_confirmation(&self, user: &User) -> Result<(), AccountError> {
        let mail = self.mail()?;
        let expires_at = self.parts.clock.now().plus(LIFETIME);
        let token = self.parts.address_tokens.issue(user.id, user.email.as_str(), expires_at);
        let url = &self.parts.config.public_url;
        let text = format!(
            "confirm that this is your address, within a day, at\n\n{url}#confirm={token}\n\nIf you have no account there, ignore this."
        );
        let mut message = self.message(user, MessageKind::ConfirmAddress, "confirm your address", &text);
        message.expires_at = Some(expires_at);
        Ok(mail.deliver(&message).await?)
    }

    pub(super) fn mail(&self) -> Result<&Arc<dyn Notifier>, AccountError> {
        self.parts.mail.as_ref().ok_or(AccountError::NoMail)
    }
}
