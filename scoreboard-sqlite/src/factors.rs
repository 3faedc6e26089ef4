//! Second factors.

use async_trait::async_trait;
use scoreboard_core::accounts::{Factor, FactorStore, LoginChallenge, TokenHash};
use scoreboard_core::{BackendError, ErrorKind, Timestamp, UserId};
use sqlx::sqlite::SqliteRow;
use uuid::Uuid;

use crate::connection::SqliteStore;
use crate::error::Failure;
use crate::rows::{Columns, limit};

/// What [`decode`] reads.
macro_rules! select_factors {
    ($rest:literal) => {
        concat!("SELECT user_id, stamp, secret, confirmed_at, last_step, recovery_codes, wrong_at FROM factors ", $rest)
    };
}

#[async_trait]
impl FactorStore for SqliteStore {
    async fn factor(&self, user: UserId) -> Result<Option<Factor>, BackendError> {
        let found = sqlx::query(select_factors!("WHERE user_id = ?")).bind(user.as_bytes().as_slice());
        let found = async { found.fetch_optional(&mut *self.reader().await?).await?.as_ref().map(decode).transpose() };
        found.await.map_err(|failure: Failure| failure.during("factor"))
    }

    async fn replace_factor(
        &self,
        user: UserId,
        from: Option<Uuid>,
        to: Option<&Factor>,
    ) -> Result<bool, BackendError> {
        if to.is_some_and(|to| to.user_id != user) {
            let refused = BackendError::new(ErrorKind::Refused, "sqlite", "replace_factor");
            return Err(refused.because("the factor is another user's"));
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
        let found = sqlx::query(select_factors!("WHERE user_id > ? ORDER BY user_id LIMIT ?"))
            // Nothing sorts before the empty string of bytes.
            .bind(after.as_ref().map_or(&[][..], |user| user.as_bytes().as_slice()))
            .bind(limit(count));
        let found =
            async { found.fetch_all(&mut *self.reader().await?).await?.iter().map(decode).collect::<Result<_, _>>() };
        found.await.map_err(|failure: Failure| failure.during("factors"))
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
        self.count_try(id, max_tries, now).await.map_err(|failure| failure.during("try_challenge"))
    }

    async fn set_challenge_code(
        &self,
        id: TokenHash,
        code: TokenHash,
        max_sent: u32,
        now: Timestamp,
    ) -> Result<Option<LoginChallenge>, BackendError> {
        self.count_sent(id, code, max_sent, now).await.map_err(|failure| failure.during("set_challenge_code"))
    }

    async fn end_challenge(&self, id: TokenHash) -> Result<bool, BackendError> {
        let delete = sqlx::query("DELETE FROM login_challenges WHERE id = ?").bind(id.as_bytes().as_slice());
        self.execute(delete).await.map(|rows| rows > 0).map_err(|failure| failure.during("end_challenge"))
    }

    async fn forget_challenges(&self, before: Timestamp) -> Result<u64, BackendError> {
        self.forget_over(before).await.map_err(|failure| failure.during("forget_challenges"))
    }
}

impl SqliteStore {
    async fn insert_factor(&self, factor: &Factor) -> Result<bool, Failure> {
        let insert = sqlx::query(
            "INSERT INTO factors (user_id, stamp, secret, confirmed_at, last_step, recovery_codes, wrong_at)
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (user_id) DO NOTHING",
        );
        let insert = insert
            .bind(factor.user_id.as_bytes().as_slice())
            .bind(factor.stamp.as_bytes().as_slice())
            .bind(factor.secret.as_slice())
            .bind(factor.confirmed_at.map(Timestamp::as_millis))
            .bind(factor.last_step.map(u64::cast_signed))
            .bind(joined_codes(factor))
            .bind(joined_times(factor));
        Ok(self.execute(insert).await? > 0)
    }

    async fn update_factor(&self, from: Uuid, factor: &Factor) -> Result<bool, Failure> {
        let update = sqlx::query(
            "UPDATE factors SET stamp = ?3, secret = ?4, confirmed_at = ?5, last_step = ?6, recovery_codes = ?7, wrong_at = ?8
             WHERE user_id = ?1 AND stamp = ?2",
        );
        let update = update
            .bind(factor.user_id.as_bytes().as_slice())
            .bind(from.as_bytes().as_slice())
            .bind(factor.stamp.as_bytes().as_slice())
            .bind(factor.secret.as_slice())
            .bind(factor.confirmed_at.map(Timestamp::as_millis))
            .bind(factor.last_step.map(u64::cast_signed))
            .bind(joined_codes(factor))
            .bind(joined_times(factor));
        Ok(self.execute(update).await? > 0)
    }

    async fn take_factor_away(&self, user: UserId, from: Uuid) -> Result<bool, Failure> {
        let delete = sqlx::query("DELETE FROM factors WHERE user_id = ? AND stamp = ?")
            .bind(user.as_bytes().as_slice())
            .bind(from.as_bytes().as_slice());
        Ok(self.execute(delete).await? > 0)
    }
}

fn joined_codes(factor: &Factor) -> Vec<u8> {
    factor.recovery_codes.iter().flat_map(|code| *code.as_bytes()).collect()
}

fn joined_times(factor: &Factor) -> Vec<u8> {
    factor.wrong_at.iter().flat_map(|at| at.as_millis().to_be_bytes()).collect()
}

fn decode(row: &SqliteRow) -> Result<Factor, Failure> {
    let mut columns = Columns::of(row);
    Ok(Factor {
        user_id: columns.user()?,
        stamp: columns.bytes().map(Uuid::from_bytes)?,
        secret: columns.take()?,
        confirmed_at: columns.take::<Option<i64>>()?.map(Timestamp::from_millis),
        last_step: columns.take::<Option<i64>>()?.map(i64::cast_unsigned),
        recovery_codes: parts(columns.take()?)?.into_iter().map(TokenHash::from_bytes).collect(),
        wrong_at: parts(columns.take()?)?.into_iter().map(i64::from_be_bytes).map(Timestamp::from_millis).collect(),
    })
}

/// Takes apart what stands one behind the other.
fn parts<const N: usize>(joined: &[u8]) -> Result<Vec<[u8; N]>, Failure> {
    match joined.as_chunks::<N>() {
        (parts, []) => Ok(parts.to_vec()),
        (_, [..]) => Err(Failure::stored(format!("{} bytes are no parts of {N}", joined.len()))),
    }
}
