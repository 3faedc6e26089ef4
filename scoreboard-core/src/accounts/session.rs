//! Sessions: going on, ending, and telling who is asking.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::accounts::{AccountError, Accounts, PasswordHash, Rotation, Session, TokenHash, User};
use crate::clock::Timestamp;
use crate::id_source::IdSourceExt;
use crate::ids::{SessionId, UserId};

/// How many sessions a user may have; a further one takes the place of the one that began first.
const MAX_SESSIONS: usize = 100;

/// What a login or a refresh gives.
#[derive(Clone)]
pub struct SignedIn {
    /// The access token: who shows it is the user, until it expires.
    pub token: String,
    /// How long it is good.
    pub expires_in: Duration,
    /// Gets the next pair of tokens, once; for ten seconds, the same again.
    pub refresh_token: String,
    /// Who signed in.
    pub user: User,
    /// Whether the tokens are good for nothing but setting up a second factor, which this user must have. What comes of the refresh token
    /// once there is one is good for all.
    pub must_enrol: bool,
    /// After a login: sent with the next one from the same device, it keeps the tries there apart from those of strangers
    /// ([`login_subject`](Accounts::login_subject)). It opens nothing.
    pub device_token: Option<String>,
}

impl std::fmt::Debug for SignedIn {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SignedIn").field("user", &self.user.id).finish_non_exhaustive()
    }
}

/// Who is asking, by a valid access token.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Principal {
    /// The user.
    pub user_id: UserId,
    /// The login that the token came of.
    pub session_id: SessionId,
    /// When the token expires.
    pub expires_at: Timestamp,
    /// Whether what goes on by the token ends with it: true of an [outside issuer's](crate::accounts::OutsideIssuer), of whose sessions nothing else
    /// is known here. A session of ours goes on by its refresh tokens until it is [ended](Accounts::follow_session).
    pub ends_with_token: bool,
}

impl Accounts {
    /// Who shows this access token. Asks nobody: the signature, the claims and the list of ended sessions in this process decide.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`], or [`AccountError::FactorRequired`] if the token is good for setting up a second factor alone.
    pub fn authenticate(&self, token: &str) -> Result<Principal, AccountError> {
        let (principal, must_enrol) = self.recognise(token)?;
        if must_enrol { Err(AccountError::FactorRequired) } else { Ok(principal) }
    }

    /// The same for what one may do who still has to set up a second factor: that itself, and what is needed on the way.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`].
    pub fn authenticate_enrolling(&self, token: &str) -> Result<Principal, AccountError> {
        self.recognise(token).map(|(principal, _)| principal)
    }

    fn recognise(&self, token: &str) -> Result<(Principal, bool), AccountError> {
        let known = self.parts.tokens.verify(token, self.parts.clock.now()).ok_or(AccountError::Unauthorized)?;
        if self.is_revoked(known.0.session_id) { Err(AccountError::Unauthorized) } else { Ok(known) }
    }

    /// Trades a refresh token for the next pair of tokens. A token that was traded just now gets the same refresh token again, as long as
    /// that was not used ([`refresh_grace`](crate::accounts::AccountsConfig::refresh_grace)); one that was traded before ends its session.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`], or the store's failure: if its kind is
    /// [`OutcomeUnknown`](crate::ErrorKind::OutcomeUnknown), the token may be used up. Try again at once with the same.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the token may be used up: try again at once with the same.
    pub async fn refresh(&self, refresh_token: &str) -> Result<SignedIn, AccountError> {
        let presented = URL_SAFE_NO_PAD.decode(refresh_token).map_err(|_| AccountError::Unauthorized)?;
        let now = self.parts.clock.now();
        let tokens = &self.parts.refresh_tokens;
        let next = tokens.next(&presented);
        let grace = self.parts.config.refresh_grace;
        match self.parts.store.rotate(TokenHash::of(&presented), TokenHash::of(&next), now, grace).await? {
            Rotation::Rotated(session) => self.go_on(&session, &next, now).await,
            Rotation::Repeated { session, next } => {
                let next = tokens.find(&presented, next).ok_or(AccountError::Unauthorized)?;
                metrics::counter!("scoreboard_refresh_repeats_total").increment(1);
                self.go_on(&session, &next, now).await
            }
            Rotation::Reused(session) => {
                tracing::warn!(session.id = %session.id, user.id = %session.user_id,
                    "a refresh token was used twice: its session has been ended");
                metrics::counter!("scoreboard_refresh_reuse_total").increment(1);
                self.revoke(session.id, now);
                Err(AccountError::Unauthorized)
            }
            Rotation::Refused => Err(AccountError::Unauthorized),
        }
    }

    async fn go_on(&self, session: &Session, next: &[u8; 32], now: Timestamp) -> Result<SignedIn, AccountError> {
        let user = self.parts.store.user(session.user_id).await?.ok_or(AccountError::Unauthorized)?;
        let must_enrol = self.must_have_factor(&user) && !self.has_factor(user.id).await?;
        Ok(self.signed_in(user, session.id, next, now, must_enrol))
    }

    /// Ends the session; its access tokens are refused from now on.
    ///
    /// # Errors
    ///
    /// The store's failure.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the session was ended or was not.
    pub async fn logout(&self, principal: &Principal) -> Result<(), AccountError> {
        let now = self.parts.clock.now();
        self.parts.store.end_session(principal.session_id, now).await?;
        self.revoke(principal.session_id, now);
        Ok(())
    }

    /// The account of who is asking.
    ///
    /// # Errors
    ///
    /// [`AccountError::Unauthorized`] if it is gone, or the store's failure.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn me(&self, principal: &Principal) -> Result<User, AccountError> {
        self.parts.store.user(principal.user_id).await?.ok_or(AccountError::Unauthorized)
    }

    /// Begins a session of a user whose password was the one of this hash, and who has shown a second factor or has none to show.
    ///
    /// A password that is changed, and a factor that is put in force, end the sessions that there are. So this one is there before it is looked
    /// whether both still are what they were: either it is ended with the others, or it finds what has changed.
    pub(super) async fn begin(
        &self,
        user: User,
        password: &PasswordHash,
        has_factor: bool,
    ) -> Result<SignedIn, AccountError> {
        let must_enrol = !has_factor && self.must_have_factor(&user);
        let now = self.parts.clock.now();
        let secret = self.parts.ids.secret();
        let session = Session {
            id: SessionId::from_uuid(self.parts.ids.uuid(now)),
            user_id: user.id,
            created_at: now,
            expires_at: now.plus(self.parts.config.session_lifetime),
        };
        self.parts.store.begin_session(&session, TokenHash::of(&secret)).await?;
        let now_theirs = self.parts.store.user_with_password(user.id).await?;
        let has_still = now_theirs.is_some_and(|(_, theirs)| theirs == *password);
        if !has_still || (!has_factor && self.parts.factors.is_some() && self.has_factor(user.id).await?) {
            self.parts.store.end_session(session.id, now).await?;
            return Err(AccountError::Busy);
        }
        self.make_room(&session, now).await?;
        let device_token = Some(self.parts.device_tokens.issue(&user.email, now, &*self.parts.ids));
        Ok(SignedIn { device_token, ..self.signed_in(user, session.id, &secret, now, must_enrol) })
    }

    /// Ends the sessions of a user beside this one that began longest ago, if there are too many: else whoever signs in again and again makes
    /// each look at all of them ever dearer.
    async fn make_room(&self, beside: &Session, now: Timestamp) -> Result<(), AccountError> {
        let others = self.parts.store.sessions_of(beside.user_id, now).await?.into_iter();
        for session in others.filter(|other| other.id != beside.id).skip(MAX_SESSIONS - 1) {
            self.parts.store.end_session(session.id, now).await?;
            self.revoke(session.id, now);
        }
        Ok(())
    }

    fn signed_in(
        &self,
        user: User,
        session: SessionId,
        secret: &[u8; 32],
        now: Timestamp,
        must_enrol: bool,
    ) -> SignedIn {
        let expires_in = self.parts.config.access_lifetime;
        let token = self.parts.tokens.issue(user.id, session, now, expires_in, must_enrol);
        let refresh_token = URL_SAFE_NO_PAD.encode(secret);
        SignedIn { token, expires_in, refresh_token, user, must_enrol, device_token: None }
    }

    pub(super) async fn has_factor(&self, user: UserId) -> Result<bool, AccountError> {
        let factor = self.factors()?.store.factor(user).await?;
        Ok(factor.is_some_and(|factor| factor.is_active()))
    }

    pub(super) fn revoke(&self, session: SessionId, now: Timestamp) {
        self.parts.revocations.end(session, now);
    }
}
