//! Another address: asked for by who has just logged in, and theirs once the mail to it was read.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::accounts::mailed_token::MailedTokens;
use crate::accounts::{
    AccountError, Accounts, Email, FieldProblem, MessageKind, PasswordHash, Principal, ReplaceEmail,
};

/// How long a mail may be answered.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

impl Accounts {
    /// Mails to another address how to make it that of the account of who is asking. Until then nothing is changed, and whether somebody else
    /// has the address is told nobody: to one that is taken nothing is sent, and the answer is the same.
    ///
    /// The login has to be fresh, 15 minutes old at the most, by the second factor if there is one: who has the address can set another
    /// password.
    ///
    /// # Errors
    ///
    /// [`AccountError::Invalid`] naming `email`, [`AccountError::Stale`], [`AccountError::NoMail`] if none is sent here,
    /// [`AccountError::Unauthorized`] if the account is gone, or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the mail is on its way or is not.
    pub async fn mail_address_change(&self, principal: &Principal, email: &str) -> Result<(), AccountError> {
        let mail = self.mail()?;
        let invalid = |problem: String| AccountError::Invalid(vec![FieldProblem { field: "email", problem }]);
        let new = Email::new(email).map_err(|error| invalid(error.to_string()))?;
        self.check_login_fresh(principal).await?;
        let asks = self.parts.store.user_with_password(principal.user_id).await?;
        let (user, password) = asks.ok_or(AccountError::Unauthorized)?;
        if new == user.email {
            return Err(invalid("must be another than it is".to_owned()));
        }
        if self.parts.store.user_by_email(&new).await?.is_some() {
            return Ok(());
        }
        let expires_at = self.parts.clock.now().plus(LIFETIME);
        let token = self.parts.change_tokens.issue(user.id, &state(&password, &user.email, &new), expires_at);
        let text = format!(
            "somebody, you we hope, wants this to be the address of their account. If so, within {} minutes go to\n\n{}#address={token}~{}\n\nIf it was \
             not you, ignore this: nothing is changed.",
            LIFETIME.as_secs() / 60,
            self.parts.config.public_url,
            URL_SAFE_NO_PAD.encode(new.as_str()),
        );
        let mut message = self.message(&user, MessageKind::ChangeAddress, "your new address", &text);
        message.email = new;
        message.expires_at = Some(expires_at);
        self.hand_over(&**mail, &message).await;
        Ok(())
    }

    /// Gives an account another address by the token that was mailed there, and tells the address before. It works once, and not after the
    /// password was changed. Sessions and a second factor stay.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`] if the token is unknown, over, or was used, or somebody else has the address by now: never said which;
    /// or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the address is the one before or the new one, and the one before may not have been told.
    pub async fn change_address(&self, token: &str) -> Result<(), AccountError> {
        let now = self.parts.clock.now();
        let (token, new) = token.split_once('~').ok_or(AccountError::Unauthorized)?;
        let new = URL_SAFE_NO_PAD.decode(new).ok().and_then(|new| Email::new(std::str::from_utf8(&new).ok()?).ok());
        let (claimed, new) = MailedTokens::read(token).zip(new).ok_or(AccountError::Unauthorized)?;
        let claims = self.parts.store.user_with_password(claimed.user).await?;
        let (user, password) = claims.ok_or(AccountError::Unauthorized)?;
        if !self.parts.change_tokens.is_good(&claimed, &state(&password, &user.email, &new), now) {
            return Err(AccountError::Unauthorized);
        }
        match self.parts.store.replace_email(user.id, &user.email, &new, now).await? {
            ReplaceEmail::Replaced => {}
            ReplaceEmail::EmailTaken | ReplaceEmail::NotTheirs => return Err(AccountError::Unauthorized),
        }
        if let Some(mail) = &self.parts.mail {
            let text = format!(
                "your account has another address now, and mails about it go there.\n\nIf that was you, there is nothing to do. If not, somebody \
                 else is in your account: set another password at once, at\n{}",
                self.parts.config.public_url
            );
            let message = self.message(&user, MessageKind::AddressChanged, "your account has another address", &text);
            self.hand_over(&**mail, &message).await;
        }
        Ok(())
    }
}

/// What makes a token void once it is another: it works once, for these two addresses, and ends with the password.
fn state(password: &PasswordHash, old: &Email, new: &Email) -> String {
    format!("{}\n{}\n{}", password.expose(), old.as_str(), new.as_str())
}
