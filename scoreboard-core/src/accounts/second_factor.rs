//! Setting up a second factor, proving it, and giving it up.

use std::sync::Arc;
use std::time::Duration;

use uuid::Uuid;

use crate::accounts::factor::{Proof, Shown};
use crate::accounts::sealing::Sealing;
use crate::accounts::totp::{SECRET_BYTES, TotpSecret};
use crate::accounts::{
    AccountError, Accounts, Factor, FactorStore, MessageKind, Principal, Role, User, recovery_codes,
};
use crate::clock::Timestamp;
use crate::id_source::IdSourceExt;
use crate::ids::UserId;
use crate::verifier::KeyRing;
use zeroize::Zeroizing;

/// How long after a login one may set up a second factor without the password.
const FRESH: Duration = Duration::from_secs(15 * 60);
/// How often a change is tried that others get in the way of.
const ATTEMPTS: usize = 16;

/// Where second factors are kept, and what their secrets are sealed with.
#[derive(Debug)]
pub(super) struct SecondFactors {
    pub(super) store: Arc<dyn FactorStore>,
    sealing: Sealing,
}

impl SecondFactors {
    pub(super) fn new(store: Arc<dyn FactorStore>, ring: &KeyRing) -> Self {
        Self { store, sealing: Sealing::new(ring, "second-factors") }
    }

    /// Takes away what there is of a second factor. True if it was in force.
    pub(super) async fn remove(&self, user: UserId) -> Result<bool, AccountError> {
        for _ in 0..ATTEMPTS {
            let Some(factor) = self.store.factor(user).await? else { return Ok(false) };
            if self.store.replace_factor(user, Some(factor.stamp), None).await? {
                return Ok(factor.is_active());
            }
        }
        Err(AccountError::Busy)
    }

    /// The app's secret, if it can be opened.
    fn open(&self, factor: &Factor) -> Option<TotpSecret> {
        let opened = self.sealing.open(factor.user_id, &factor.secret);
        let secret =
            opened.and_then(|bytes| Some(TotpSecret::from_bytes(<&[u8; SECRET_BYTES]>::try_from(&**bytes).ok()?)));
        if secret.is_none() {
            tracing::error!(user.id = %factor.user_id,
                "the secret of a second factor cannot be opened: its key is no longer in the ring; recovery codes still work");
        }
        secret
    }
}

/// What an app needs, shown once.
#[derive(Clone)]
pub struct NewTotp {
    /// The secret in Base32, for typing it in.
    pub secret: String,
    /// The same as a URI, for a QR code.
    pub uri: String,
}

impl std::fmt::Debug for NewTotp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewTotp").finish_non_exhaustive()
    }
}

/// What a user's second factor is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FactorStatus {
    /// Whether it is asked for at a login.
    pub active: bool,
    /// Whether the user must have one.
    pub required: bool,
    /// How many recovery codes are left.
    pub recovery_codes_left: usize,
}

impl Accounts {
    /// What the second factor of who is asking is.
    ///
    /// # Errors
    ///
    /// [`AccountError::NoFactors`] if none are kept, [`AccountError::Unauthorized`] if the account is gone, or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn factor_status(&self, principal: &Principal) -> Result<FactorStatus, AccountError> {
        let user = self.me(principal).await?;
        let factor = self.factors()?.store.factor(user.id).await?.filter(Factor::is_active);
        Ok(FactorStatus {
            active: factor.is_some(),
            required: self.must_have_factor(&user),
            recovery_codes_left: factor.map_or(0, |factor| factor.recovery_codes.len()),
        })
    }

    /// Begins to set up an authenticator app. It counts for nothing until a code of it was [confirmed](Self::confirm_totp); begun again, the
    /// secret before is void.
    ///
    /// The login has to be fresh, 15 minutes old at the most, or the password right: whoever finds an open page shall not lock its user out.
    ///
    /// # Errors
    ///
    /// [`AccountError::Stale`], [`AccountError::FactorActive`], [`AccountError::NoFactors`], [`AccountError::Busy`], or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it may have been begun with a secret that nobody has: begin again.
    pub async fn begin_totp(&self, principal: &Principal, password: Option<String>) -> Result<NewTotp, AccountError> {
        let factors = self.factors()?;
        let user = self.me(principal).await?;
        self.check_fresh(principal, &user, password).await?;
        let secret = TotpSecret::random(&*self.parts.ids);
        for _ in 0..ATTEMPTS {
            let there = factors.store.factor(user.id).await?;
            if there.as_ref().is_some_and(Factor::is_active) {
                return Err(AccountError::FactorActive);
            }
            let from = there.as_ref().map(|factor| factor.stamp);
            let begun = Factor {
                user_id: user.id,
                stamp: self.stamp(),
                secret: factors.sealing.seal(user.id, secret.as_bytes(), &*self.parts.ids),
                confirmed_at: None,
                last_step: None,
                recovery_codes: Vec::new(),
                wrong_at: there.map_or_else(Vec::new, |factor| factor.wrong_at),
            };
            if factors.store.replace_factor(user.id, from, Some(&begun)).await? {
                let uri = secret.uri(&self.parts.config.issuer, user.email.as_str());
                return Ok(NewTotp { secret: secret.to_base32(), uri });
            }
        }
        Err(AccountError::Busy)
    }

    /// Puts an app in force by its first right code, and gives ten recovery codes, which nobody can be given again. The user's other sessions
    /// end: none that began without the factor goes on beside it, be it of somebody who knows the password.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`] if the session is over, [`AccountError::WrongCode`], [`AccountError::TooManyCodes`], [`AccountError::FactorActive`]
    /// if one is in force already, [`AccountError::FactorMissing`] if none was begun, [`AccountError::NoFactors`], [`AccountError::Busy`], or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it may be in force with recovery codes that nobody has: [renew](Self::renew_recovery_codes) them; and other
    /// sessions may go on: [end](Self::end_other_sessions) them. So it is if the store fails in between.
    pub async fn confirm_totp(&self, principal: &Principal, code: &str) -> Result<Vec<String>, AccountError> {
        let user = principal.user_id;
        let now = self.parts.clock.now();
        // A token outlives its session by moments: whoever was put out of the account, by its password or by its mail, shall leave nothing behind.
        let sessions = self.parts.store.sessions_of(user, now).await?;
        if !sessions.iter().any(|session| session.id == principal.session_id) {
            return Err(AccountError::Unauthorized);
        }
        let codes = recovery_codes::random(&*self.parts.ids);
        self.change_by_proof(user, Proof::Totp(code), false, |mut right| {
            right.confirmed_at = Some(now);
            right.recovery_codes = codes.iter().map(|code| recovery_codes::hash(user, code)).collect();
            Some(right)
        })
        .await?;
        metrics::counter!("scoreboard_second_factors_total", "event" => "added").increment(1);
        self.end_other_sessions(principal).await?;
        self.tell(user, MessageKind::FactorAdded, "an authenticator app was set up for your account.").await;
        Ok(codes)
    }

    /// Gives the second factor up, by a code of the app or a recovery code.
    ///
    /// # Errors
    ///
    /// [`AccountError::WrongCode`], [`AccountError::TooManyCodes`], [`AccountError::FactorMissing`], [`AccountError::NoFactors`],
    /// [`AccountError::Busy`], or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it is in force or given up.
    pub async fn remove_factor(&self, principal: &Principal, code: &str) -> Result<(), AccountError> {
        self.change_by_proof(principal.user_id, proof_of(code), true, |_| None).await?;
        metrics::counter!("scoreboard_second_factors_total", "event" => "removed").increment(1);
        let what = "the authenticator app of your account was removed.";
        self.tell(principal.user_id, MessageKind::FactorRemoved, what).await;
        Ok(())
    }

    /// Makes ten new recovery codes, by a code of the app or an old recovery code; those before are void.
    ///
    /// # Errors
    ///
    /// As [`remove_factor`](Self::remove_factor).
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, there may be codes that nobody has: renew them again.
    pub async fn renew_recovery_codes(&self, principal: &Principal, code: &str) -> Result<Vec<String>, AccountError> {
        let user = principal.user_id;
        let codes = recovery_codes::random(&*self.parts.ids);
        self.change_by_proof(user, proof_of(code), true, |mut right| {
            right.recovery_codes = codes.iter().map(|code| recovery_codes::hash(user, code)).collect();
            Some(right)
        })
        .await?;
        let what = "the recovery codes of your account were renewed.";
        self.tell(user, MessageKind::RecoveryCodesRenewed, what).await;
        Ok(codes)
    }

    /// Shows a proof against a factor that is in force or, if not `active`, against one that was begun, and keeps what `change` makes of it if
    /// it is right. Nobody is told what a proof came to before that is kept: so a thousand at once are no more looks than one after the
    /// other.
    pub(super) async fn change_by_proof(
        &self,
        user: UserId,
        proof: Proof<'_>,
        active: bool,
        change: impl Fn(Factor) -> Option<Factor>,
    ) -> Result<(), AccountError> {
        let factors = self.factors()?;
        for _ in 0..ATTEMPTS {
            let factor = factors.store.factor(user).await?.ok_or(AccountError::FactorMissing)?;
            match (active, factor.is_active()) {
                (true, false) => return Err(AccountError::FactorMissing),
                (false, true) => return Err(AccountError::FactorActive),
                (true, true) | (false, false) => {}
            }
            let secret = factors.open(&factor);
            let shown = factor.show(proof, secret.as_ref(), self.parts.clock.now(), self.stamp());
            let (verdict, next) = match shown {
                Shown::TooMany(wait) => return Err(AccountError::TooManyCodes(wait)),
                Shown::Wrong(next) => (Err(AccountError::WrongCode), Some(next)),
                Shown::Right(mut next) => {
                    if let Some(secret) = secret.filter(|_| !factors.sealing.is_current(&next.secret)) {
                        next.secret = factors.sealing.seal(user, secret.as_bytes(), &*self.parts.ids);
                    }
                    (Ok(()), change(next))
                }
            };
            if factors.store.replace_factor(user, Some(factor.stamp), next.as_ref()).await? {
                return verdict;
            }
        }
        Err(AccountError::Busy)
    }

    pub(super) fn factors(&self) -> Result<&SecondFactors, AccountError> {
        self.parts.factors.as_ref().ok_or(AccountError::NoFactors)
    }

    /// Whether this user may do nothing but set up a second factor, as long as there is none: whoever decides about others.
    pub(super) fn must_have_factor(&self, user: &User) -> bool {
        let decides = user.roles.contains(&Role::Admin) || user.roles.contains(&Role::Moderator);
        self.parts.factors.is_some() && self.parts.config.admins_need_factor && decides
    }

    async fn check_fresh(
        &self,
        principal: &Principal,
        user: &User,
        password: Option<String>,
    ) -> Result<(), AccountError> {
        if let Some(password) = password {
            return self.check_password(user, Zeroizing::new(password)).await.map(drop);
        }
        self.check_login_fresh(principal).await
    }

    /// That who is asking has logged in 15 minutes ago at the most, by the second factor if there is one: for what whoever finds an open page,
    /// or a token, shall not do.
    ///
    /// # Errors
    ///
    /// [`AccountError::Stale`], or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn check_login_fresh(&self, principal: &Principal) -> Result<(), AccountError> {
        let now = self.parts.clock.now();
        let sessions = self.parts.store.sessions_of(principal.user_id, now).await?;
        let is_fresh = |began: Timestamp| now.since(began) <= FRESH;
        let own = sessions.iter().find(|session| session.id == principal.session_id);
        if own.is_some_and(|session| is_fresh(session.created_at)) { Ok(()) } else { Err(AccountError::Stale) }
    }

    fn stamp(&self) -> Uuid {
        self.parts.ids.uuid(self.parts.clock.now())
    }
}

/// What somebody typed where either is taken: an app's code is six digits, a recovery code is longer.
fn proof_of(code: &str) -> Proof<'_> {
    if code.trim().len() > 8 { Proof::RecoveryCode(code) } else { Proof::Totp(code) }
}
