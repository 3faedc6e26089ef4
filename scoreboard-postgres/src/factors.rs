//! Second factors.

use async_trait::async_trait;
use scoreboard_core::accounts::{Factor, FactorStore, LoginChallenge, TokenHash};
use scoreboard_core::{BackendError, Timestamp, UserId};
use sqlx::postgres::PgRow;
use uuid::Uuid;

use crate::connection::PostgresStore;
use crate::error::Failure;
use crate::rows::{Columns, limit};

/// What [`decode`] reads.
macro_rules! select_factors {
    ($rest:literal) => {
        concat!("SELECT user_id, stamp, secret, confirmed_at, last_step, recovery_codes, wrong_at FROM factors ", $rest)
    };
}

#[async_trait]
impl FactorStore for PostgresStore {
    async fn factor(&self, user: UserId) -> Result<Option<Factor>, BackendError> {
        let found = sqlx::query(select_factors!("WHERE user_id = $1")).bind(user.as_uuid());
        let found =
            async { found.fetch_optional(&mut *self.pool.acquire().await?).await?.as_ref().map(decode).transpose() };
        self.reads("factor", found).await
    }

    async fn replace_factor(
        &self,
        user: UserId,
        from: Option<Uuid>,
        to: Option<&Factor>,
    ) -> Result<bool, BackendError> {
        if to.is_some_and(|to| to.user_id != user) {
            return Err(Failure::Refused("the factor is another user's".into()).during("replace_factor"));
        }
        let replaced = match (from, to) {
            (Some(from), None) => self.take_factor_away(user, from).await,
            (Some(from), Some(to)) => self.update_factor(from, to).await,
            (None, Some(to)) => self.insert_factor(to).await,
            (None, None) => return self.factor(user).await.map(|factor| factor.is_none()),
        };
        replaced.map_err(|failure| failure.during("replace_factor"))
    }

    async fn factors(&self, after: Option<UserId>, count: usize) -> Result<Vec<Factor>, BackendError> {
        // No id sorts before every other, so the first page has a statement of its own.
        let found = match after {
            Some(after) => sqlx::query(select_factors!("WHERE user_id > $2 ORDER BY user_id LIMIT $1"))
                .bind(limit(count))
                .bind(after.as_uuid()),
            None => sqlx::query(select_factors!("ORDER BY user_id LIMIT $1")).bind(limit(count)),
        };
        self.reads("factors", async {
            found.fetch_all(&mut *self.pool.acquire().await?).await?.iter().map(decode).collect()
        })
        .await
    }

    async fn begin_challenge(&self, challenge: &LoginChallenge) -> Result<(), BackendError> {
        self.insert_challenge(challenge).await.map_err(|failure| failure.during("begin_challenge"))
    }

    async fn try_challenge(
        &self,
        id: TokenHash,
        max_tries: u32,
        now: Timestamp,
    ) -> Result<Option<LoginChallenge>, BackendError> {
        self.writes("try_challenge", self.count_try(id, max_tries, now)).await
    }

    async fn set_challenge_code(
        &self,
        id: TokenHash,
        code: TokenHash,
        max_sent: u32,
        now: Timestamp,
    ) -> Result<Option<LoginChallenge>, BackendError> {
        self.writes("set_challenge_code", self.count_sent(id, code, max_sent, now)).await
    }

    async fn end_challenge(&self, id: TokenHash) -> Result<bool, BackendError> {
        let delete = sqlx::query("DELETE FROM login_challenges WHERE id = $1").bind(id.as_bytes().as_slice());
        self.execute(delete).await.map(|rows| rows > 0).map_err(|failure| failure.during("end_challenge"))
    }

    async fn forget_challenges(&self, before: Timestamp) -> Result<u64, BackendError> {
        self.forget_over(before).await.map_err(|failure| failure.during("forget_challenges"))
    }
}

impl PostgresStore {
    async fn insert_factor(&self, factor: &Factor) -> Result<bool, Failure> {
        let insert = sqlx::query(
            "INSERT INTO factors (user_id, stamp, secret, confirmed_at, last_step, recovery_codes, wrong_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (user_id) DO NOTHING",
        );
        let insert = insert
            .bind(factor.user_id.as_uuid())
            .bind(factor.stamp)
            .bind(factor.secret.as_slice())
            .bind(factor.confirmed_at.map(Timestamp::as_millis))
            .bind(factor.last_step.map(u64::cast_signed))
            .bind(codes(factor))
            .bind(times(factor));
        Ok(self.execute(insert).await? > 0)
    }

    async fn update_factor(&self, from: Uuid, factor: &Factor) -> Result<bool, Failure> {
        let update = sqlx::query(
            "UPDATE factors
             SET stamp = $3, secret = $4, confirmed_at = $5, last_step = $6, recovery_codes = $7, wrong_at = $8
             WHERE user_id = $1 AND stamp = $2",
        );
        let update = update
            .bind(factor.user_id.as_uuid())
            .bind(from)
            .bind(factor.stamp)
            .bind(factor.secret.as_slice())
            .bind(factor.confirmed_at.map(Timestamp::as_millis))
            .bind(factor.last_step.map(u64::cast_signed))
            .bind(codes(factor))
            .bind(times(factor));
        Ok(self.execute(update).await? > 0)
    }

    async fn take_factor_away(&self, user: UserId, from: Uuid) -> Result<bool, Failure> {
        let delete =
            sqlx::query("DELETE FROM factors WHERE user_id = $1 AND stamp = $2").bind(user.as_uuid()).bind(from);
        Ok(self.execute(delete).await? > 0)
    }
}

fn codes(factor: &Factor) -> Vec<Vec<u8>> {
    factor.recovery_codes.iter().map(|code| code.as_bytes().to_vec()).collect()
}

fn times(factor: &Factor) -> Vec<i64> {
    factor.wrong_at.iter().map(|at| at.as_millis()).collect()
}

fn decode(row: &PgRow) -> Result<Factor, Failure> {
    let mut columns = Columns::of(row);
    let (user_id, stamp, secret) = (columns.user()?, columns.take()?, columns.take()?);
    let confirmed_at = columns.take::<Option<i64>>()?.map(Timestamp::from_millis);
    let last_step = columns.take::<Option<i64>>()?.map(i64::cast_unsigned);
    let hash = |bytes: Vec<u8>| {
        let bytes: Result<[u8; 32], _> = bytes.as_slice().try_into();
        bytes.map(TokenHash::from_bytes).map_err(Failure::stored)
    };
    let recovery_codes = columns.take::<Vec<Vec<u8>>>()?.into_iter().map(hash).collect::<Result<_, _>>()?;
    let wrong_at = columns.take::<Vec<i64>>()?.into_iter().map(Timestamp::from_millis).collect();
    Ok(Factor { user_id, stamp, secret, confirmed_at, last_step, recovery_codes, wrong_at })
}
