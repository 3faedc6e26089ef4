//! Defects of account stores.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::defects;
use crate::accounts::{
    AccountStore, CreateUser, Email, PasswordHash, ReplaceEmail, RevokedKeyStore, Role, Rotation, ServerCredential,
    ServerKey, ServerKeyStore, Session, SessionStore, TokenHash, User, UserStore,
};
use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::ids::{KeyId, SessionId, UserId};
use crate::names::DisplayNames;

type Result<T> = std::result::Result<T, BackendError>;

defects! {
    /// A used token is refused, and its session goes on.
    ReuseIgnored: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::ReuseIgnored);
    /// A used token is taken again.
    UsedTokenTaken: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::UsedTokenTaken);
    /// Whether a token was used is looked up before it is used up.
    CheckThenRotate: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::CheckThenRotate);
    /// A token that was just used ends its session too.
    NoGrace: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::NoGrace);
    /// A used token is answered with what took its place for ever.
    GraceForEver: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::GraceForEver);
    /// A token that was just used is answered with what took its place, be that used as well.
    UsedGivenAgain: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::UsedGivenAgain);
    /// Who repeats is told that what he offers is in force.
    OfferedTold: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::OfferedTold);
    /// Sessions have no end.
    NeverExpires: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::NeverExpires);
    /// A session that was ended goes on.
    EndIgnored: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::EndIgnored);
    /// What was ended at the moment itself is not listed.
    EndedAfter: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::EndedAfter);
    /// What expires at the moment itself is forgotten.
    ForgetsTooSoon: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::ForgetsTooSoon);
    /// Sessions that are over or ended are listed too.
    OverListed: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::OverListed);
    /// The session that is to stay is ended with the others.
    AllEnded: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::AllEnded);
    /// A taken address is answered as if the account were made.
    TakenAddressTold: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::TakenAddressTold);
    /// A password is replaced, whatever it was.
    PasswordOverwritten: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::PasswordOverwritten);
    /// Roles are added to those there are.
    RolesAdded: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::RolesAdded);
    /// Roles are set, whatever they were.
    RolesOverwritten: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::RolesOverwritten);
    /// An address is confirmed that is another by now.
    AnyAddressConfirmed: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::AnyAddressConfirmed);
    /// An address is replaced, whatever it was.
    AddressOverwritten: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::AddressOverwritten);
    /// An address that another has is answered as if it were replaced.
    TakenAddressGiven: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::TakenAddressGiven);
    /// The user behind whom a list goes on is listed again.
    ListRepeats: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::ListRepeats);
    /// A server key takes the place of one of the same id.
    ServerKeyReplaced: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::ServerKeyReplaced);
    /// A server key that was removed is still found.
    ServerKeyKept: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::ServerKeyKept);
    /// Of server keys, only those that show a secret are listed.
    SigningServerKeyHidden: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::SigningServerKeyHidden);
    /// Only the key that was revoked first is listed.
    RevokedKeyForgotten: |store: dyn AccountStore| account_store = Altered::new(store, Alteration::RevokedKeyForgotten);
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Alteration {
    RevokedKeyForgotten,
    ReuseIgnored,
    UsedTokenTaken,
    CheckThenRotate,
    NoGrace,
    GraceForEver,
    UsedGivenAgain,
    OfferedTold,
    NeverExpires,
    EndIgnored,
    EndedAfter,
    ForgetsTooSoon,
    OverListed,
    AllEnded,
    TakenAddressTold,
    PasswordOverwritten,
    RolesAdded,
    RolesOverwritten,
    AnyAddressConfirmed,
    AddressOverwritten,
    TakenAddressGiven,
    ListRepeats,
    ServerKeyReplaced,
    ServerKeyKept,
    SigningServerKeyHidden,
}

struct Altered {
    store: Arc<dyn AccountStore>,
    alteration: Alteration,
    used: Mutex<HashSet<TokenHash>>,
    /// The sessions of rotated tokens, and what took their place.
    rotated: Mutex<HashMap<TokenHash, (Session, TokenHash)>>,
}

impl Altered {
    fn new(store: Arc<dyn AccountStore>, alteration: Alteration) -> Self {
        Self { store, alteration, used: Mutex::default(), rotated: Mutex::default() }
    }

    fn is(&self, alteration: Alteration) -> bool {
        self.alteration == alteration
    }
}

impl fmt::Debug for Altered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.alteration.fmt(f)
    }
}

#[async_trait]
impl DisplayNames for Altered {
    async fn display_names(&self, users: &[UserId]) -> Result<HashMap<UserId, String>> {
        self.store.display_names(users).await
    }
}

#[async_trait]
impl UserStore for Altered {
    async fn create_user(&self, user: &User, password: &PasswordHash) -> Result<CreateUser> {
        let created = self.store.create_user(user, password).await?;
        let taken = self.is(Alteration::TakenAddressTold) && created == CreateUser::EmailTaken;
        Ok(if taken { CreateUser::Created } else { created })
    }

    async fn user(&self, id: UserId) -> Result<Option<User>> {
        self.store.user(id).await
    }

    async fn user_with_password(&self, id: UserId) -> Result<Option<(User, PasswordHash)>> {
        self.store.user_with_password(id).await
    }

    async fn user_by_email(&self, email: &Email) -> Result<Option<(User, PasswordHash)>> {
        self.store.user_by_email(email).await
    }

    async fn replace_password(&self, id: UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool> {
        if self.is(Alteration::PasswordOverwritten)
            && let Some((_, there)) = self.store.user_with_password(id).await?
        {
            return self.store.replace_password(id, &there, new).await;
        }
        self.store.replace_password(id, old, new).await
    }

    async fn set_roles(&self, id: UserId, from: &[Role], to: &[Role]) -> Result<bool> {
        let there = self.store.user(id).await?.map_or(Vec::new(), |user| user.roles);
        if self.is(Alteration::RolesAdded) {
            return self.store.set_roles(id, from, &[to, &there].concat()).await;
        }
        let from = if self.is(Alteration::RolesOverwritten) { &there } else { from };
        self.store.set_roles(id, from, to).await
    }

    async fn confirm_email(&self, id: UserId, email: &Email, at: Timestamp) -> Result<bool> {
        match self.store.user(id).await? {
            Some(user) if self.is(Alteration::AnyAddressConfirmed) => {
                self.store.confirm_email(id, &user.email, at).await
            }
            _ => self.store.confirm_email(id, email, at).await,
        }
    }

    async fn replace_email(&self, id: UserId, from: &Email, to: &Email, at: Timestamp) -> Result<ReplaceEmail> {
        let there = self.store.user(id).await?.map(|user| user.email);
        let from = there.as_ref().filter(|_| self.is(Alteration::AddressOverwritten)).unwrap_or(from);
        let replaced = self.store.replace_email(id, from, to, at).await?;
        let taken = self.is(Alteration::TakenAddressGiven) && replaced == ReplaceEmail::EmailTaken;
        Ok(if taken { ReplaceEmail::Replaced } else { replaced })
    }

    async fn email_confirmed_at(&self, id: UserId) -> Result<Option<Timestamp>> {
        self.store.email_confirmed_at(id).await
    }

    async fn users(&self, after: Option<UserId>, limit: usize) -> Result<Vec<(User, PasswordHash)>> {
        let mut users = self.store.users(after, limit).await?;
        if self.is(Alteration::ListRepeats)
            && let Some(after) = after
            && !users.is_empty()
        {
            let all = self.store.users(None, usize::MAX).await?;
            users.splice(0..0, all.into_iter().filter(|(user, _)| user.id == after));
            users.truncate(limit.max(2));
        }
        Ok(users)
    }
}

#[async_trait]
impl SessionStore for Altered {
    async fn begin_session(&self, session: &Session, token: TokenHash) -> Result<()> {
        self.store.begin_session(session, token).await
    }

    async fn rotate(&self, token: TokenHash, next: TokenHash, now: Timestamp, grace: Duration) -> Result<Rotation> {
        let was_used = self.used.lock().contains(&token);
        match self.alteration {
            Alteration::ReuseIgnored if was_used => return Ok(Rotation::Refused),
            Alteration::UsedTokenTaken | Alteration::CheckThenRotate => {
                tokio::task::yield_now().await;
                let session = self.rotated.lock().get(&token).cloned();
                if let Some((session, _)) = session
                    && (self.is(Alteration::UsedTokenTaken) || !was_used)
                {
                    return Ok(Rotation::Rotated(session));
                }
            }
            Alteration::UsedGivenAgain => {
                if let Some((session, next)) = self.rotated.lock().get(&token).cloned() {
                    return Ok(Rotation::Repeated { session, next });
                }
            }
            _ => {}
        }
        let grace = match self.alteration {
            Alteration::NoGrace => Duration::ZERO,
            Alteration::GraceForEver => Duration::MAX,
            _ => grace,
        };
        let now = if self.is(Alteration::NeverExpires) { Timestamp::from_millis(0) } else { now };
        let mut rotation = self.store.rotate(token, next, now, grace).await?;
        if let Rotation::Rotated(session) = &rotation {
            self.used.lock().insert(token);
            self.rotated.lock().insert(token, (session.clone(), next));
        }
        if self.is(Alteration::OfferedTold)
            && let Rotation::Repeated { next: told, .. } = &mut rotation
        {
            *told = next;
        }
        Ok(rotation)
    }

    async fn end_session(&self, id: SessionId, now: Timestamp) -> Result<()> {
        if self.is(Alteration::EndIgnored) {
            return Ok(());
        }
        self.store.end_session(id, now).await
    }

    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>> {
        let now = if self.is(Alteration::OverListed) { Timestamp::from_millis(0) } else { now };
        self.store.sessions_of(user, now).await
    }

    async fn end_sessions_of(&self, user: UserId, except: Option<SessionId>, now: Timestamp) -> Result<Vec<SessionId>> {
        let except = except.filter(|_| !self.is(Alteration::AllEnded));
        self.store.end_sessions_of(user, except, now).await
    }

    async fn ended_since(&self, since: Timestamp) -> Result<Vec<SessionId>> {
        let later = u64::from(self.is(Alteration::EndedAfter));
        self.store.ended_since(since.plus(std::time::Duration::from_millis(later))).await
    }

    async fn forget_expired(&self, before: Timestamp) -> Result<u64> {
        let later = u64::from(self.is(Alteration::ForgetsTooSoon));
        self.store.forget_expired(before.plus(std::time::Duration::from_millis(later))).await
    }
}

#[async_trait]
impl ServerKeyStore for Altered {
    async fn add_server_key(&self, key: &ServerKey) -> Result<bool> {
        if self.is(Alteration::ServerKeyReplaced) {
            self.store.remove_server_key(&key.id).await?;
        }
        self.store.add_server_key(key).await
    }

    async fn server_key(&self, id: &KeyId) -> Result<Option<ServerKey>> {
        self.store.server_key(id).await
    }

    async fn server_keys(&self) -> Result<Vec<ServerKey>> {
        let mut keys = self.store.server_keys().await?;
        if self.is(Alteration::SigningServerKeyHidden) {
            keys.retain(|key| matches!(key.credential, ServerCredential::Secret(_)));
        }
        Ok(keys)
    }

    async fn remove_server_key(&self, id: &KeyId) -> Result<bool> {
        if self.is(Alteration::ServerKeyKept) {
            return Ok(self.store.server_key(id).await?.is_some());
        }
        self.store.remove_server_key(id).await
    }
}

#[async_trait]
impl RevokedKeyStore for Altered {
    async fn revoke_key(&self, id: &KeyId, at: Timestamp) -> Result<bool> {
        let forgotten = self.is(Alteration::RevokedKeyForgotten) && !self.store.revoked_keys().await?.is_empty();
        if forgotten { Ok(true) } else { self.store.revoke_key(id, at).await }
    }

    async fn revoked_keys(&self) -> Result<Vec<KeyId>> {
        self.store.revoked_keys().await
    }
}
