//! A forgotten password: another is set by who can read the account's mail.

use std::time::Duration;

use zeroize::Zeroizing;

use crate::accounts::mailed_token::MailedTokens;
use crate::accounts::{AccountError, Accounts, Email, FieldProblem, MessageKind, PasswordHash, Role, User};
use crate::clock::Timestamp;
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
    /// replaces. What stands in the mail behind a full stop is not looked at here: it is a
    /// [device token](crate::accounts::SignedIn::device_token), by which the login that follows waits for no stranger.
    ///
    /// Where the address was confirmed before, a second factor stays in force, and so does that of who decides about others. Where nobody had ever
    /// shown that they read the mail of this address, whoever does so now is its owner, and the address is confirmed: a second
    /// factor that was set up before may be somebody else's, and is removed.
    ///
    /// # Errors
    ///
    /// [`AccountError::Invalid`] naming `password`, [`AccountError::Unauthorized`] if the token is unknown, over, or was used,
    /// [`AccountError::Busy`], or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the password is the old or the new one; the sessions that there were before are ended if it is the new one. A
    /// second factor that is to go may still be there: then the address is not confirmed yet, and setting a password by another mail removes it.
    pub async fn reset_password(&self, token: &str, password: String) -> Result<(), AccountError> {
        let password = Zeroizing::new(password);
        let now = self.parts.clock.now();
        let token = token.split_once('.').map_or(token, |(token, _)| token);
        let claimed = MailedTokens::read(token).ok_or(AccountError::Unauthorized)?;
        let claims = self.parts.store.user_with_password(claimed.user).await?;
        let (user, old) = claims.ok_or(AccountError::Unauthorized)?;
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
        self.end_sessions(user.id).await?;
        // Behind the end of all sessions, so that nobody sets up another factor by one of them.
        let removed = self.take_possession(&user, now).await?;
        self.tell(user.id, MessageKind::PasswordChanged, "your password was changed.").await;
        if removed {
            metrics::counter!("scoreboard_second_factors_total", "event" => "removed").increment(1);
            let what = "the authenticator app of your account was removed with its old password.";
            self.tell(user.id, MessageKind::FactorRemoved, what).await;
        }
        Ok(())
    }

    /// Who reads the mail of an address has it: confirms one that nobody had confirmed, and removes what its account got from who could not read
    /// the mail. True if that was a second factor in force.
    ///
    /// The factor goes first, for with the address confirmed it would stay; and again behind it, for whoever set it up may have been about to set up
    /// another.
    async fn take_possession(&self, user: &User, now: Timestamp) -> Result<bool, AccountError> {
        let store = &self.parts.store;
        if store.email_confirmed_at(user.id).await?.is_some() {
            return Ok(false);
        }
        let Some(factors) = &self.parts.factors else {
            store.confirm_email(user.id, &user.email, now).await?;
            return Ok(false);
        };
        // Who decides about others got that role from somebody who knew them, and is not to be had by a mailbox. Their address stays unconfirmed
        // as long as they have a factor.
        if user.roles.iter().any(|role| *role != Role::User) {
            if !self.has_factor(user.id).await? {
                store.confirm_email(user.id, &user.email, now).await?;
            }
            return Ok(false);
        }
        let removed = factors.remove(user.id).await?;
        store.confirm_email(user.id, &user.email, now).await?;
        Ok(factors.remove(user.id).await? || removed)
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
