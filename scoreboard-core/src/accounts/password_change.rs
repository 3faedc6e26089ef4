//! Another password, by who knows the old one.

use zeroize::Zeroizing;

use crate::accounts::password::Verified;
use crate::accounts::{AccountError, Accounts, FieldProblem, MessageKind, PasswordHash, Principal, User};

impl Accounts {
    /// Changes the password of who is asking and ends their other sessions: whoever knew the old one is out.
    ///
    /// # Errors
    ///
    /// [`AccountError::Invalid`] naming `newPassword`, [`AccountError::WrongPassword`], [`AccountError::Busy`] if there is no room to hash or
    /// somebody else changed it meanwhile, or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the password is the old or the new one; the sessions that there were before are ended if it is the new one.
    pub async fn change_password(&self, principal: &Principal, old: String, new: String) -> Result<(), AccountError> {
        let (old, new) = (Zeroizing::new(old), Zeroizing::new(new));
        if let Some(problem) = self.password_problem(&new) {
            return Err(AccountError::Invalid(vec![FieldProblem { field: "newPassword", problem }]));
        }
        let user = self.me(principal).await?;
        let known = self.check_password(&user, old).await?;
        let hash = self.parts.passwords.hash(new, &*self.parts.ids).await?;
        // Before, so that a process that is killed in between leaves none of them beside the new password; and after, for those that have begun
        // meanwhile.
        self.end_other_sessions(principal).await?;
        if !self.parts.store.replace_password(user.id, &known, &hash).await? {
            return Err(AccountError::Busy);
        }
        self.end_other_sessions(principal).await?;
        self.tell(user.id, MessageKind::PasswordChanged, "your password was changed.").await;
        Ok(())
    }

    /// The hash of the user's password, if this is it.
    pub(super) async fn check_password(
        &self,
        user: &User,
        password: Zeroizing<String>,
    ) -> Result<PasswordHash, AccountError> {
        let known = self.parts.store.user_with_password(user.id).await?;
        let (_, hash) = known.ok_or(AccountError::Unauthorized)?;
        match self.parts.passwords.verify(password, Some(hash.clone()), &*self.parts.ids).await? {
            Verified::No => Err(AccountError::WrongPassword),
            Verified::Yes | Verified::Upgrade(_) => Ok(hash),
        }
    }
}
