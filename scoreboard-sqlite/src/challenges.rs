//! Logins that wait for the second factor.

use scoreboard_core::Timestamp;
use scoreboard_core::accounts::{LoginChallenge, TokenHash};
use sqlx::Sqlite;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};

use crate::connection::{SqliteStore, commit};
use crate::error::Failure;
use crate::rows::Columns;

impl SqliteStore {
    pub(crate) async fn insert_challenge(&self, challenge: &LoginChallenge) -> Result<(), Failure> {
        let LoginChallenge { id, user_id, created_at, expires_at, tries, sent, code } = challenge;
        let insert = sqlx::query(
            "INSERT INTO login_challenges (id, user_id, created_at, expires_at, tries, sent, code) VALUES (?, ?, ?, ?, ?, ?, ?)",
        );
        let insert = insert
            .bind(id.as_bytes().as_slice())
            .bind(user_id.as_bytes().as_slice())
            .bind(created_at.as_millis())
            .bind(expires_at.as_millis())
            .bind(i64::from(*tries))
            .bind(i64::from(*sent))
            .bind(code.as_ref().map(|code| code.as_bytes().as_slice()));
        self.execute(insert).await.map(drop)
    }

    pub(crate) async fn count_try(
        &self,
        id: TokenHash,
        max_tries: u32,
        now: Timestamp,
    ) -> Result<Option<LoginChallenge>, Failure> {
        let update = sqlx::query(
            "UPDATE login_challenges SET tries = tries + 1 WHERE id = ?1 AND expires_at > ?2 AND tries < ?3
             RETURNING id, user_id, created_at, expires_at, tries, sent, code",
        );
        let update = update.bind(id.as_bytes().to_vec()).bind(now.as_millis()).bind(i64::from(max_tries));
        self.changed(update).await
    }

    pub(crate) async fn count_sent(
        &self,
        id: TokenHash,
        code: TokenHash,
        max_sent: u32,
        now: Timestamp,
    ) -> Result<Option<LoginChallenge>, Failure> {
        let update = sqlx::query(
            "UPDATE login_challenges SET sent = sent + 1, code = ?4 WHERE id = ?1 AND expires_at > ?2 AND sent < ?3
             RETURNING id, user_id, created_at, expires_at, tries, sent, code",
        );
        let update = update.bind(id.as_bytes().to_vec()).bind(now.as_millis()).bind(i64::from(max_sent));
        self.changed(update.bind(code.as_bytes().to_vec())).await
    }

    async fn changed(&self, update: Query<'_, Sqlite, SqliteArguments>) -> Result<Option<LoginChallenge>, Failure> {
        let mut tx = self.write().await?;
        let changed = update.fetch_optional(&mut *tx).await?.as_ref().map(decode).transpose()?;
        commit(tx).await?;
        Ok(changed)
    }

    /// Some at a time, so that no score waits behind them.
    pub(crate) async fn forget_over(&self, before: Timestamp) -> Result<u64, Failure> {
        const AT_ONCE: u64 = 500;
        let mut forgotten = 0;
        loop {
            let delete = sqlx::query(
                "DELETE FROM login_challenges WHERE id IN (SELECT id FROM login_challenges WHERE expires_at < ? LIMIT ?)",
            );
            let rows = self.execute(delete.bind(before.as_millis()).bind(AT_ONCE as i64)).await?;
            forgotten += rows;
            if rows < AT_ONCE {
                return Ok(forgotten);
            }
        }
    }
}

fn decode(row: &SqliteRow) -> Result<LoginChallenge, Failure> {
    let mut columns = Columns::of(row);
    let id = columns.bytes().map(TokenHash::from_bytes)?;
    let (user_id, created_at, expires_at) = (columns.user()?, columns.at()?, columns.at()?);
    let tries = u32::try_from(columns.count()?).map_err(Failure::stored)?;
    let sent = u32::try_from(columns.count()?).map_err(Failure::stored)?;
    let code: Option<&[u8]> = columns.take()?;
    let code = code.map(<[u8; 32]>::try_from).transpose().map_err(Failure::stored)?.map(TokenHash::from_bytes);
    Ok(LoginChallenge { id, user_id, created_at, expires_at, tries, sent, code })
}
