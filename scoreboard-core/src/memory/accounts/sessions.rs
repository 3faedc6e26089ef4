//! Sessions and their refresh tokens.

use std::collections::{BTreeMap, HashMap};

use async_trait::async_trait;

use super::{MemoryAccountStore, refused};
use crate::accounts::{Rotation, Session, SessionStore, TokenHash};
use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::ids::{SessionId, UserId};

#[derive(Default)]
pub(super) struct Sessions {
    kept: BTreeMap<SessionId, Kept>,
    /// Every token there ever was, so that a used one is known again.
    tokens: HashMap<TokenHash, SessionId>,
}

struct Kept {
    session: Session,
    newest: TokenHash,
    ended_at: Option<Timestamp>,
}

impl Kept {
    fn is_over(&self, now: Timestamp) -> bool {
        self.ended_at.is_some() || self.session.expires_at <= now
    }
}

#[async_trait]
impl SessionStore for MemoryAccountStore {
    async fn begin_session(&self, session: &Session, token: TokenHash) -> Result<(), BackendError> {
        let mut sessions = self.sessions.lock();
        if let Some(kept) = sessions.kept.get(&session.id) {
            let repeat = kept.session == *session && sessions.tokens.get(&token) == Some(&session.id);
            return if repeat { Ok(()) } else { Err(refused("begin session", "the id names another session")) };
        }
        if sessions.tokens.contains_key(&token) {
            return Err(refused("begin session", "the token is known already"));
        }
        sessions.tokens.insert(token, session.id);
        sessions.kept.insert(session.id, Kept { session: session.clone(), newest: token, ended_at: None });
        Ok(())
    }

    async fn rotate(&self, token: TokenHash, next: TokenHash, now: Timestamp) -> Result<Rotation, BackendError> {
        let mut sessions = self.sessions.lock();
        let Sessions { kept, tokens } = &mut *sessions;
        let Some(kept) = tokens.get(&token).and_then(|id| kept.get_mut(id)) else { return Ok(Rotation::Refused) };
        if kept.is_over(now) {
            return Ok(Rotation::Refused);
        }
        if kept.newest != token {
            kept.ended_at = Some(now);
            return Ok(Rotation::Reused(kept.session.clone()));
        }
        if tokens.contains_key(&next) {
            return Err(refused("rotate", "the next token is known already"));
        }
        kept.newest = next;
        tokens.insert(next, kept.session.id);
        Ok(Rotation::Rotated(kept.session.clone()))
    }

    async fn end_session(&self, id: SessionId, now: Timestamp) -> Result<(), BackendError> {
        if let Some(kept) = self.sessions.lock().kept.get_mut(&id) {
            kept.ended_at.get_or_insert(now);
        }
        Ok(())
    }

    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, BackendError> {
        let sessions = self.sessions.lock();
        let own = sessions.kept.values().filter(|kept| kept.session.user_id == user && !kept.is_over(now));
        let mut own: Vec<_> = own.map(|kept| kept.session.clone()).collect();
        own.sort_by_key(|session| std::cmp::Reverse((session.created_at, session.id)));
        Ok(own)
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, BackendError> {
        let mut sessions = self.sessions.lock();
        let own = sessions.kept.values_mut().filter(|kept| kept.session.user_id == user && kept.ended_at.is_none());
        let ended = own.filter(|kept| Some(kept.session.id) != except).map(|kept| {
            kept.ended_at = Some(now);
            kept.session.id
        });
        Ok(ended.collect())
    }

    async fn ended_since(&self, since: Timestamp) -> Result<Vec<SessionId>, BackendError> {
        let ended = |kept: &&Kept| kept.ended_at.is_some_and(|at| at >= since);
        Ok(self.sessions.lock().kept.values().filter(ended).map(|kept| kept.session.id).collect())
    }

    async fn forget_expired(&self, before: Timestamp) -> Result<u64, BackendError> {
        let mut sessions = self.sessions.lock();
        let Sessions { kept, tokens } = &mut *sessions;
        let count = kept.len();
        kept.retain(|_, kept| kept.session.expires_at >= before);
        tokens.retain(|_, id| kept.contains_key(id));
        Ok((count - kept.len()) as u64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_millis(millis)
    }

    fn token(n: u8) -> TokenHash {
        TokenHash::from_bytes([n; 32])
    }

    async fn begun(n: u8, expires: i64) -> (MemoryAccountStore, Session) {
        let store = MemoryAccountStore::new();
        let id = SessionId::from_bytes([n; 16]);
        let session = Session { id, user_id: UserId::from_bytes([1; 16]), created_at: at(0), expires_at: at(expires) };
        store.begin_session(&session, token(n)).await.unwrap();
        (store, session)
    }

    #[tokio::test]
    async fn a_token_used_twice_ends_its_session() {
        let (store, session) = begun(1, 1000).await;
        assert_eq!(store.rotate(token(1), token(2), at(1)).await.unwrap(), Rotation::Rotated(session.clone()));
        assert_eq!(store.rotate(token(2), token(3), at(2)).await.unwrap(), Rotation::Rotated(session.clone()));
        assert_eq!(store.rotate(token(1), token(4), at(3)).await.unwrap(), Rotation::Reused(session.clone()));
        assert_eq!(store.rotate(token(3), token(5), at(4)).await.unwrap(), Rotation::Refused);
        assert_eq!(store.rotate(token(1), token(5), at(4)).await.unwrap(), Rotation::Refused);
        assert_eq!(store.ended_since(at(3)).await.unwrap(), [session.id]);
        assert!(store.ended_since(at(4)).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_session_that_is_over_gives_nothing() {
        let (store, session) = begun(1, 1000).await;
        assert_eq!(store.rotate(token(1), token(2), at(1000)).await.unwrap(), Rotation::Refused);
        assert_eq!(store.rotate(token(9), token(2), at(0)).await.unwrap(), Rotation::Refused);
        store.end_session(session.id, at(5)).await.unwrap();
        store.end_session(session.id, at(9)).await.unwrap();
        store.end_session(SessionId::from_bytes([9; 16]), at(9)).await.unwrap();
        assert!(store.ended_since(at(6)).await.unwrap().is_empty(), "a repeat changes nothing");
        assert_eq!(store.rotate(token(1), token(2), at(6)).await.unwrap(), Rotation::Refused);
    }

    #[tokio::test]
    async fn beginning_again_is_the_same_beginning_or_refused() {
        let (store, session) = begun(1, 1000).await;
        store.begin_session(&session, token(1)).await.unwrap();
        assert!(store.begin_session(&session, token(2)).await.is_err());
        let other = Session { id: SessionId::from_bytes([2; 16]), ..session };
        assert!(store.begin_session(&other, token(1)).await.is_err());
    }

    #[tokio::test]
    async fn expired_sessions_are_forgotten_with_their_tokens() {
        let (store, _) = begun(1, 1000).await;
        assert_eq!(store.forget_expired(at(1000)).await.unwrap(), 0);
        assert_eq!(store.forget_expired(at(1001)).await.unwrap(), 1);
        assert!(store.sessions.lock().tokens.is_empty());
        assert_eq!(store.forget_expired(at(1001)).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn of_many_at_once_one_rotates() {
        let (store, session) = begun(1, 1000).await;
        let tries = (10..30).map(|n| store.rotate(token(1), token(n), at(1)));
        let outcomes = futures_util::future::try_join_all(tries).await.unwrap();
        assert_eq!(outcomes.iter().filter(|o| **o == Rotation::Rotated(session.clone())).count(), 1);
        assert_eq!(outcomes.iter().filter(|o| **o == Rotation::Reused(session.clone())).count(), 1);
    }
}
