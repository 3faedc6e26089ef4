//! Sessions and their refresh tokens.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::time::Duration;

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
    tokens: HashMap<TokenHash, Token>,
    /// Those that were ended, by when: who follows them asks often.
    ended: BTreeSet<(Timestamp, SessionId)>,
}

#[derive(Clone, Copy)]
struct Token {
    session: SessionId,
    /// When it was used, and what took its place.
    used: Option<(Timestamp, TokenHash)>,
}

impl Sessions {
    /// Ends a session if it was not ended before; true if so.
    fn end(&mut self, id: SessionId, now: Timestamp) -> bool {
        let Some(kept) = self.kept.get_mut(&id).filter(|kept| kept.ended_at.is_none()) else { return false };
        kept.ended_at = Some(now);
        self.ended.insert((now, id))
    }
}

struct Kept {
    session: Session,
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
            let repeat = kept.session == *session
                && sessions.tokens.get(&token).is_some_and(|token| token.session == session.id);
            return if repeat { Ok(()) } else { Err(refused("begin session", "the id names another session")) };
        }
        if sessions.tokens.contains_key(&token) {
            return Err(refused("begin session", "the token is known already"));
        }
        sessions.tokens.insert(token, Token { session: session.id, used: None });
        sessions.kept.insert(session.id, Kept { session: session.clone(), ended_at: None });
        Ok(())
    }

    async fn rotate(
        &self,
        token: TokenHash,
        next: TokenHash,
        now: Timestamp,
        grace: Duration,
    ) -> Result<Rotation, BackendError> {
        let mut sessions = self.sessions.lock();
        let Some(&Token { session, used }) = sessions.tokens.get(&token) else { return Ok(Rotation::Refused) };
        let Some(kept) = sessions.kept.get(&session).filter(|kept| !kept.is_over(now)) else {
            return Ok(Rotation::Refused);
        };
        let session = kept.session.clone();
        if let Some((used_at, next)) = used {
            let is_newest = sessions.tokens.get(&next).is_some_and(|next| next.used.is_none());
            if is_newest && now < used_at.plus(grace) {
                return Ok(Rotation::Repeated { session, next });
            }
            sessions.end(session.id, now);
            return Ok(Rotation::Reused(session));
        }
        if sessions.tokens.contains_key(&next) {
            return Err(refused("rotate", "the next token is known already"));
        }
        sessions.tokens.insert(token, Token { session: session.id, used: Some((now, next)) });
        sessions.tokens.insert(next, Token { session: session.id, used: None });
        Ok(Rotation::Rotated(session))
    }

    async fn end_session(&self, id: SessionId, now: Timestamp) -> Result<(), BackendError> {
        self.sessions.lock().end(id, now);
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
        let own = sessions.kept.values().filter(|kept| kept.session.user_id == user).map(|kept| kept.session.id);
        let mut others: Vec<_> = own.filter(|&id| Some(id) != except).collect();
        others.retain(|&id| sessions.end(id, now));
        Ok(others)
    }

    async fn ended_since(&self, since: Timestamp) -> Result<Vec<SessionId>, BackendError> {
        Ok(self.sessions.lock().ended.range((since, SessionId::MIN)..).map(|&(_, id)| id).collect())
    }

    async fn forget_expired(&self, before: Timestamp) -> Result<u64, BackendError> {
        let mut sessions = self.sessions.lock();
        let Sessions { kept, tokens, ended } = &mut *sessions;
        let count = kept.len();
        kept.retain(|_, kept| kept.session.expires_at >= before);
        tokens.retain(|_, token| kept.contains_key(&token.session));
        ended.retain(|(_, id)| kept.contains_key(id));
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

    async fn rotate(
        store: &MemoryAccountStore,
        token: TokenHash,
        next: TokenHash,
        now: i64,
    ) -> Result<Rotation, BackendError> {
        store.rotate(token, next, at(now), Duration::ZERO).await
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
        assert_eq!(rotate(&store, token(1), token(2), 1).await.unwrap(), Rotation::Rotated(session.clone()));
        assert_eq!(rotate(&store, token(2), token(3), 2).await.unwrap(), Rotation::Rotated(session.clone()));
        assert_eq!(rotate(&store, token(1), token(4), 3).await.unwrap(), Rotation::Reused(session.clone()));
        assert_eq!(rotate(&store, token(3), token(5), 4).await.unwrap(), Rotation::Refused);
        assert_eq!(rotate(&store, token(1), token(5), 4).await.unwrap(), Rotation::Refused);
        assert_eq!(store.ended_since(at(3)).await.unwrap(), [session.id]);
        assert!(store.ended_since(at(4)).await.unwrap().is_empty());
    }

    #[tokio::test]
    async fn a_session_that_is_over_gives_nothing() {
        let (store, session) = begun(1, 1000).await;
        assert_eq!(rotate(&store, token(1), token(2), 1000).await.unwrap(), Rotation::Refused);
        assert_eq!(rotate(&store, token(9), token(2), 0).await.unwrap(), Rotation::Refused);
        store.end_session(session.id, at(5)).await.unwrap();
        store.end_session(session.id, at(9)).await.unwrap();
        store.end_session(SessionId::from_bytes([9; 16]), at(9)).await.unwrap();
        assert!(store.ended_since(at(6)).await.unwrap().is_empty(), "a repeat changes nothing");
        assert_eq!(rotate(&store, token(1), token(2), 6).await.unwrap(), Rotation::Refused);
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
        let (store, session) = begun(1, 1000).await;
        store.end_session(session.id, at(5)).await.unwrap();
        assert_eq!(store.forget_expired(at(1000)).await.unwrap(), 0);
        assert_eq!(store.forget_expired(at(1001)).await.unwrap(), 1);
        {
            let sessions = store.sessions.lock();
            assert!(sessions.tokens.is_empty() && sessions.ended.is_empty());
        }
        assert_eq!(store.forget_expired(at(1001)).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn of_many_at_once_one_rotates() {
        let (store, session) = begun(1, 1000).await;
        let tries = (10..30).map(|n| rotate(&store, token(1), token(n), 1));
        let outcomes = futures_util::future::try_join_all(tries).await.unwrap();
        assert_eq!(outcomes.iter().filter(|o| **o == Rotation::Rotated(session.clone())).count(), 1);
        assert_eq!(outcomes.iter().filter(|o| **o == Rotation::Reused(session.clone())).count(), 1);
    }
}
