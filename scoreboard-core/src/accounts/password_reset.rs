//! A forgotten password: another is set by who can read the account's mail.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::accounts::mailed_token::MailedTokens;
use crate::accounts::{AccountError, Accounts, Email, FieldProblem, MessageKind, PasswordHash};
use crate::ids::UserId;

/// How long a mail may be answered.
const LIFETIME: Duration = Duration::from_secs(30 * 60);

impl Accounts {
    /// Mails the user of this address how to set another password. Whether there is one is told nobody: where there is none nothing is
    /// sent, and the answer is the same.
    ///
    /// # Errors
    ///
    /// [`AccountError::NoMail`] if none is sent here, or a failure of the store. One of the notifier goes to the log alone.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the mail is on its way or is not.
    pub async fn forgot_password(&self, email: &str) -> Result<(), AccountError> {
        let mail = self.mail()?;
        let Ok(email) = Email::new(email) else { return Ok(()) };
        let Some((user, hash)) = self.parts.store.user_by_email(&email).await? else { return Ok(()) };
        let now = self.parts.clock.now();
        let expires_at = now.plus(LIFETIME);
        let token = self.parts.reset_tokens.issue(user.id, &state(&hash, &user.email), expires_at);
        // Whoever guesses without end takes each try at the account as soon as there is one. Who reads the mail has tries of their own.
        let device = self.parts.device_tokens.issue(&user.email, now, &*self.parts.ids);
        let text = format!(
            "somebody, you we hope, has asked to set another password. Do it within {} minutes at\n\n{}#reset={token}.{device}\n\nIf it was not you, there is \
             nothing to do: the password stays as it is.",
            LIFETIME.as_secs() / 60,
            self.parts.config.public_url,
        );
        let mut message = self.message(&user, MessageKind::PasswordReset, "set another password", &text);
        message.expires_at = Some(expires_at);
        self.hand_over(&**mail, &message).await;
        Ok(())
    }

    /// Sets another password by a token that was mailed, and ends all sessions. It works once: the token stands for the password that it
    /// replaces. A second factor stays in force. What stands in the mail behind a full stop is not looked at here: it is a
    /// [device token](crate::accounts::SignedIn::device_token), by which the login that follows waits for no stranger.
    ///
    /// # Errors
    ///
    /// [`AccountError::Invalid`] naming `password`, [`AccountError::Unauthorized`] if the token is unknown, over, or was used,
    /// [`AccountError::Busy`], or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the password is the old or the new one; the sessions that there were before are ended if it is the new one.
    pub async fn reset_password(&self, token: &str, password: String) -> Result<(), AccountError> {
        let password = Zeroizing::new(password);
        let now = self.parts.clock.now();
        let token = token.split_once('.').map_or(token, |(token, _)| token);
        let claimed = MailedTokens::read(token).ok_or(AccountError::Unauthorized)?;
        let user = self.parts.store.user(claimed.user).await?.ok_or(AccountError::Unauthorized)?;
        let (user, old) = self.parts.store.user_by_email(&user.email).await?.ok_or(AccountError::Unauthorized)?;
        if !self.parts.reset_tokens.is_good(&claimed, &state(&old, &user.email), now) {
            return Err(AccountError::Unauthorized);
        }
        if let Some(problem) = self.password_problem(&password) {
            return Err(AccountError::Invalid(vec![FieldProblem { field: "password", problem }]));
        }
        let new = self.parts.passwords.hash(password, &*self.parts.ids).await?;
        // Before and after, as at a change.
        self.end_sessions(user.id).await?;
        if !self.parts.store.replace_password(user.id, &old, &new).await? {
            return Err(AccountError::Unauthorized);
        }
        // Who reads the mail of an address has it. But that shall not open a way around a second factor by the same mail: codes for a login
        // go to confirmed addresses.
        if self.parts.factors.is_none() || !self.has_factor(user.id).await? {
            self.parts.store.confirm_email(user.id, &user.email, now).await?;
        }
        self.end_sessions(user.id).await?;
        self.tell(user.id, MessageKind::PasswordChanged, "your password was changed.").await;
        Ok(())
    }

    async fn end_sessions(&self, user: UserId) -> Result<(), AccountError> {
        let now = self.parts.clock.now();
        for session in self.parts.store.end_sessions_of(user, None, now).await? {
            self.revoke(session, now);
        }
        Ok(())
    }
}

/// What makes a token void once it is another: it works once, and only while the mailbox that it was sent to is the account's.
fn state(password: &PasswordHash, email: &Email) -> String {
    format!("{}\n{}", password.expose(), email.as_str())
}
