//! Sessions and their refresh tokens.

use std::time::Duration;

use async_trait::async_trait;
use scoreboard_core::accounts::{Rotation, Session, SessionStore, TokenHash};
use scoreboard_core::{BackendError, SessionId, Timestamp, UserId};

use crate::connection::{SqliteStore, commit};
use crate::error::Failure;
use crate::rows::Columns;

#[async_trait]
impl SessionStore for SqliteStore {
    async fn begin_session(&self, session: &Session, token: TokenHash) -> Result<(), BackendError> {
        self.begin(session, token).await.map_err(|failure| failure.during("begin_session"))
    }

    async fn rotate(
        &self,
        token: TokenHash,
        next: TokenHash,
        now: Timestamp,
        grace: Duration,
    ) -> Result<Rotation, BackendError> {
        self.present(token, next, now, grace).await.map_err(|failure| failure.during("rotate"))
    }

    async fn end_session(&self, id: SessionId, now: Timestamp) -> Result<(), BackendError> {
        let update = sqlx::query("UPDATE sessions SET ended_at = ?2 WHERE id = ?1 AND ended_at IS NULL")
            .bind(id.as_bytes().as_slice())
            .bind(now.as_millis());
        self.execute(update).await.map(drop).map_err(|failure| failure.during("end_session"))
    }

    async fn sessions_of(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, BackendError> {
        self.of_user(user, now).await.map_err(|failure| failure.during("sessions_of"))
    }

    async fn end_sessions_of(
        &self,
        user: UserId,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, BackendError> {
        self.end_of_user(user, except, now).await.map_err(|failure| failure.during("end_sessions_of"))
    }

    async fn ended_since(&self, since: Timestamp) -> Result<Vec<SessionId>, BackendError> {
        self.ended(since).await.map_err(|failure| failure.during("ended_since"))
    }

    async fn forget_expired(&self, before: Timestamp) -> Result<u64, BackendError> {
        self.forget(before).await.map_err(|failure| failure.during("forget_expired"))
    }
}

impl SqliteStore {
    async fn begin(&self, session: &Session, token: TokenHash) -> Result<(), Failure> {
        let mut tx = self.write().await?;
        sqlx::query("INSERT INTO sessions (id, user_id, created_at, expires_at) VALUES (?, ?, ?, ?)")
            .bind(session.id.as_bytes().as_slice())
            .bind(session.user_id.as_bytes().as_slice())
            .bind(session.created_at.as_millis())
            .bind(session.expires_at.as_millis())
            .execute(&mut *tx)
            .await?;
        sqlx::query("INSERT INTO refresh_tokens (hash, session) VALUES (?, ?)")
            .bind(token.as_bytes().as_slice())
            .bind(session.id.as_bytes().as_slice())
            .execute(&mut *tx)
            .await?;
        commit(tx).await
    }

    async fn present(
        &self,
        token: TokenHash,
        next: TokenHash,
        now: Timestamp,
        grace: Duration,
    ) -> Result<Rotation, Failure> {
        let mut tx = self.write().await?;
        let row = sqlx::query(
            "SELECT sessions.id, sessions.user_id, sessions.created_at, sessions.expires_at, shown.used_at, newest.hash
             FROM refresh_tokens AS shown JOIN sessions ON sessions.id = shown.session
                  LEFT JOIN refresh_tokens AS newest ON newest.hash = shown.next AND newest.used_at IS NULL
             WHERE shown.hash = ? AND sessions.ended_at IS NULL AND sessions.expires_at > ?",
        )
        .bind(token.as_bytes().as_slice())
        .bind(now.as_millis())
        .fetch_optional(&mut *tx)
        .await?;
        let Some(row) = row else { return Ok(Rotation::Refused) };
        let mut columns = Columns::of(&row);
        let session = decode(&mut columns)?;
        let used_at = columns.take::<Option<i64>>()?.map(Timestamp::from_millis);
        let newest: Option<Vec<u8>> = columns.take()?;
        let newest = newest.map(<[u8; 32]>::try_from).transpose().map_err(|_| Failure::stored("a hash of 32 bytes"))?;

        if let Some(used_at) = used_at {
            if let Some(next) = newest.filter(|_| now < used_at.plus(grace)) {
                return Ok(Rotation::Repeated { session, next: TokenHash::from_bytes(next) });
            }
            sqlx::query("UPDATE sessions SET ended_at = ? WHERE id = ?")
                .bind(now.as_millis())
                .bind(session.id.as_bytes().as_slice())
                .execute(&mut *tx)
                .await?;
            commit(tx).await?;
            return Ok(Rotation::Reused(session));
        }
        sqlx::query("UPDATE refresh_tokens SET used_at = ?, next = ? WHERE hash = ?")
            .bind(now.as_millis())
            .bind(next.as_bytes().as_slice())
            .bind(token.as_bytes().as_slice())
            .execute(&mut *tx)
            .await?;
        sqlx::query("INSERT INTO refresh_tokens (hash, session) VALUES (?, ?)")
            .bind(next.as_bytes().as_slice())
            .bind(session.id.as_bytes().as_slice())
            .execute(&mut *tx)
            .await?;
        commit(tx).await?;
        Ok(Rotation::Rotated(session))
    }

    async fn of_user(&self, user: UserId, now: Timestamp) -> Result<Vec<Session>, Failure> {
        let rows = sqlx::query(
            "SELECT id, user_id, created_at, expires_at FROM sessions
             WHERE user_id = ?1 AND ended_at IS NULL AND expires_at > ?2 ORDER BY created_at DESC, id DESC",
        );
        let rows =
            rows.bind(user.as_bytes().as_slice()).bind(now.as_millis()).fetch_all(&mut *self.reader().await?).await?;
        rows.iter().map(|row| decode(&mut Columns::of(row))).collect()
    }

    async fn end_of_user(
        &self,
        user: UserId,
        except: Option<SessionId>,
        now: Timestamp,
    ) -> Result<Vec<SessionId>, Failure> {
        let update = sqlx::query(
            "UPDATE sessions SET ended_at = ?3 WHERE user_id = ?1 AND ended_at IS NULL AND id IS NOT ?2 RETURNING id",
        );
        let update = update
            .bind(user.as_bytes().as_slice())
            .bind(except.as_ref().map(|id| id.as_bytes().as_slice()))
            .bind(now.as_millis());
        let mut tx = self.write().await?;
        let rows = update.fetch_all(&mut *tx).await?;
        commit(tx).await?;
        rows.iter().map(|row| Columns::of(row).bytes().map(SessionId::from_bytes)).collect()
    }

    async fn ended(&self, since: Timestamp) -> Result<Vec<SessionId>, Failure> {
        let rows = sqlx::query("SELECT id FROM sessions WHERE ended_at >= ? ORDER BY ended_at, id")
            .bind(since.as_millis())
            .fetch_all(&mut *self.reader().await?)
            .await?;
        rows.iter().map(|row| Columns::of(row).bytes().map(SessionId::from_bytes)).collect()
    }

    /// Some at a time, so that no score waits behind a night's worth of sessions.
    async fn forget(&self, before: Timestamp) -> Result<u64, Failure> {
        const AT_ONCE: u64 = 500;
        let mut forgotten = 0;
        loop {
            let delete =
                sqlx::query("DELETE FROM sessions WHERE id IN (SELECT id FROM sessions WHERE expires_at < ? LIMIT ?)")
                    .bind(before.as_millis())
                    .bind(AT_ONCE as i64);
            let rows = self.execute(delete).await?;
            forgotten += rows;
            if rows < AT_ONCE {
                return Ok(forgotten);
            }
        }
    }
}

fn decode(columns: &mut Columns<'_>) -> Result<Session, Failure> {
    Ok(Session {
        id: columns.bytes().map(SessionId::from_bytes)?,
        user_id: columns.user()?,
        created_at: columns.at()?,
        expires_at: columns.at()?,
    })
}
