//! Users, the names they are shown by, and the keys of trusted servers.

use std::collections::HashMap;

use async_trait::async_trait;
use scoreboard_core::accounts::{
    CreateUser, DisplayName, Email, PasswordHash, ReplaceEmail, Role, ServerCredential, ServerKey, ServerKeyStore,
    User, UserStore,
};
use scoreboard_core::{BackendError, DisplayNames, KeyId, Timestamp, UserId};
use sqlx::PgExecutor;
use sqlx::postgres::PgRow;

use crate::connection::PostgresStore;
use crate::error::Failure;
use crate::rows::{Columns, limit};

/// What [`decode`] reads.
macro_rules! select_users {
    ($rest:literal) => {
        concat!("SELECT id, email, display_name, moderator, admin, created_at, password FROM users ", $rest)
    };
}

/// What [`decode_key`] reads.
macro_rules! select_server_keys {
    ($rest:literal) => {
        concat!("SELECT id, secret, created_at, signs FROM server_keys ", $rest)
    };
}

#[async_trait]
impl DisplayNames for PostgresStore {
    async fn display_names(&self, users: &[UserId]) -> Result<HashMap<UserId, String>, BackendError> {
        let names = async { names(&mut *self.pool.acquire().await?, users).await };
        self.reads("display_names", names).await
    }
}

#[async_trait]
impl UserStore for PostgresStore {
    async fn create_user(&self, user: &User, password: &PasswordHash) -> Result<CreateUser, BackendError> {
        self.writes("create_user", self.insert_user(user, password)).await
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, BackendError> {
        Ok(self.reads("user", self.user_of_id(id)).await?.map(|(user, _)| user))
    }

    async fn user_with_password(&self, id: UserId) -> Result<Option<(User, PasswordHash)>, BackendError> {
        self.reads("user_with_password", self.user_of_id(id)).await
    }

    async fn user_by_email(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, BackendError> {
        let found = sqlx::query(select_users!("WHERE email = $1")).bind(email.as_str());
        let found =
            async { found.fetch_optional(&mut *self.pool.acquire().await?).await?.as_ref().map(decode).transpose() };
        self.reads("user_by_email", found).await
    }

    async fn replace_password(&self, id: UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool, BackendError> {
        let update = sqlx::query("UPDATE users SET password = $3 WHERE id = $1 AND password = $2")
            .bind(id.as_uuid())
            .bind(old.expose())
            .bind(new.expose());
        self.execute(update).await.map(|rows| rows > 0).map_err(|failure| failure.during("replace_password"))
    }

    async fn set_roles(&self, id: UserId, from: &[Role], to: &[Role]) -> Result<bool, BackendError> {
        let update = sqlx::query(
            "UPDATE users SET moderator = $2, admin = $3
             WHERE id = $1 AND (moderator, admin) IN (($2, $3), ($4, $5))",
        )
        .bind(id.as_uuid())
        .bind(to.contains(&Role::Moderator))
        .bind(to.contains(&Role::Admin))
        .bind(from.contains(&Role::Moderator))
        .bind(from.contains(&Role::Admin));
        self.execute(update).await.map(|rows| rows > 0).map_err(|failure| failure.during("set_roles"))
    }

    async fn confirm_email(&self, id: UserId, email: &Email, at: Timestamp) -> Result<bool, BackendError> {
        // A repeat writes what is there, so that it counts a row as well.
        let insert = sqlx::query(
            "INSERT INTO confirmed_addresses (user_id, confirmed_at) SELECT id, $3 FROM users WHERE id = $1 AND email = $2
             ON CONFLICT (user_id) DO UPDATE SET confirmed_at = confirmed_addresses.confirmed_at",
        );
        let insert = insert.bind(id.as_uuid()).bind(email.as_str()).bind(at.as_millis());
        self.execute(insert).await.map(|rows| rows > 0).map_err(|failure| failure.during("confirm_email"))
    }

    async fn replace_email(
        &self,
        id: UserId,
        from: &Email,
        to: &Email,
        at: Timestamp,
    ) -> Result<ReplaceEmail, BackendError> {
        self.move_address(id, from, to, at).await.map_err(|failure| failure.during("replace_email"))
    }

    async fn email_confirmed_at(&self, id: UserId) -> Result<Option<Timestamp>, BackendError> {
        let at: sqlx::query::QueryScalar<'_, _, i64, _> =
            sqlx::query_scalar("SELECT confirmed_at FROM confirmed_addresses WHERE user_id = $1").bind(id.as_uuid());
        let at = async { Ok(at.fetch_optional(&mut *self.pool.acquire().await?).await?) };
        let at = self.reads("email_confirmed_at", at).await?;
        Ok(at.map(Timestamp::from_millis))
    }

    async fn users(&self, after: Option<UserId>, count: usize) -> Result<Vec<(User, PasswordHash)>, BackendError> {
        // No id sorts before every other, so the first page has a statement of its own.
        let found = match after {
            Some(after) => sqlx::query(select_users!("WHERE id > $2 ORDER BY id LIMIT $1"))
                .bind(limit(count))
                .bind(after.as_uuid()),
            None => sqlx::query(select_users!("ORDER BY id LIMIT $1")).bind(limit(count)),
        };
        self.reads("users", async {
            found.fetch_all(&mut *self.pool.acquire().await?).await?.iter().map(decode).collect()
        })
        .await
    }
}

#[async_trait]
impl ServerKeyStore for PostgresStore {
    async fn add_server_key(&self, key: &ServerKey) -> Result<bool, BackendError> {
        let (bytes, is_public_key) = key.credential.to_parts();
        let insert = sqlx::query(
            "INSERT INTO server_keys (id, secret, created_at, signs) VALUES ($1, $2, $3, $4) ON CONFLICT (id) DO NOTHING",
        )
        .bind(key.id.as_str())
        .bind(bytes.as_slice())
        .bind(key.created_at.as_millis())
        .bind(is_public_key);
        self.execute(insert).await.map(|rows| rows > 0).map_err(|failure| failure.during("add_server_key"))
    }

    async fn server_key(&self, id: &KeyId) -> Result<Option<ServerKey>, BackendError> {
        let key = async { key(&mut *self.pool.acquire().await?, id).await };
        self.reads("server_key", key).await
    }

    async fn server_keys(&self) -> Result<Vec<ServerKey>, BackendError> {
        // By the bytes, whatever the database's collation: names are ASCII.
        let found = sqlx::query(select_server_keys!("ORDER BY id COLLATE \"C\""));
        let keys = async { found.fetch_all(&mut *self.pool.acquire().await?).await?.iter().map(decode_key).collect() };
        self.reads("server_keys", keys).await
    }

    async fn remove_server_key(&self, id: &KeyId) -> Result<bool, BackendError> {
        let delete = sqlx::query("DELETE FROM server_keys WHERE id = $1").bind(id.as_str());
        self.execute(delete).await.map(|rows| rows > 0).map_err(|failure| failure.during("remove_server_key"))
    }
}

impl PostgresStore {
    async fn user_of_id(&self, id: UserId) -> Result<Option<(User, PasswordHash)>, Failure> {
        let found = sqlx::query(select_users!("WHERE id = $1")).bind(id.as_uuid());
        found.fetch_optional(&mut *self.pool.acquire().await?).await?.as_ref().map(decode).transpose()
    }

    async fn insert_user(&self, user: &User, password: &PasswordHash) -> Result<CreateUser, Failure> {
        let insert = sqlx::query(
            "INSERT INTO users (id, email, display_name, password, moderator, admin, created_at)
             VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING",
        )
        .bind(user.id.as_uuid())
        .bind(user.email.as_str())
        .bind(user.display_name.as_str())
        .bind(password.expose())
        .bind(user.roles.contains(&Role::Moderator))
        .bind(user.roles.contains(&Role::Admin))
        .bind(user.created_at.as_millis());
        if self.execute(insert).await? > 0 {
            return Ok(CreateUser::Created);
        }
        // What it ran into was committed before it gave way, and no user ever goes.
        let email_taken: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE email = $1)")
            .bind(user.email.as_str())
            .fetch_one(&mut *self.pool.acquire().await?)
            .await?;
        Ok(if email_taken { CreateUser::EmailTaken } else { CreateUser::IdTaken })
    }

    async fn move_address(&self, id: UserId, from: &Email, to: &Email, at: Timestamp) -> Result<ReplaceEmail, Failure> {
        let moved = sqlx::query(
            "WITH given AS (
                 UPDATE users SET email = $3
                 WHERE id = $1 AND email = $2 AND NOT EXISTS (SELECT 1 FROM users WHERE email = $3) RETURNING id)
             INSERT INTO confirmed_addresses (user_id, confirmed_at) SELECT id, $4 FROM given
             ON CONFLICT (user_id) DO UPDATE SET confirmed_at = excluded.confirmed_at",
        )
        .bind(id.as_uuid())
        .bind(from.as_str())
        .bind(to.as_str())
        .bind(at.as_millis());
        match self.execute(moved).await {
            Ok(0) => {}
            Ok(_) => return Ok(ReplaceEmail::Replaced),
            // Somebody took it at the same moment.
            Err(failure) if failure.is_of_a_taken_address() => return Ok(ReplaceEmail::EmailTaken),
            Err(failure) => return Err(failure),
        }
        let is_theirs: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE id = $1 AND email = $2)")
            .bind(id.as_uuid())
            .bind(from.as_str())
            .fetch_one(&mut *self.pool.acquire().await?)
            .await?;
        Ok(if is_theirs { ReplaceEmail::EmailTaken } else { ReplaceEmail::NotTheirs })
    }
}

async fn names(executor: impl PgExecutor<'_>, users: &[UserId]) -> Result<HashMap<UserId, String>, Failure> {
    let rows = sqlx::query(
        "SELECT users.id, users.display_name
         FROM users WHERE users.id = ANY ($1)",
    )
    .bind(Vec::from_iter(users.iter().map(UserId::as_uuid)))
    .fetch_all(executor)
    .await?;
    let mut names = HashMap::with_capacity(rows.len());
    for row in &rows {
        let mut columns = Columns::of(row);
        names.insert(columns.user()?, columns.take()?);
    }
    Ok(names)
}

async fn key(executor: impl PgExecutor<'_>, id: &KeyId) -> Result<Option<ServerKey>, Failure> {
    let row = sqlx::query(select_server_keys!("WHERE id = $1")).bind(id.as_str()).fetch_optional(executor).await?;
    row.as_ref().map(decode_key).transpose()
}

fn decode_key(row: &PgRow) -> Result<ServerKey, Failure> {
    let mut columns = Columns::of(row);
    let id = KeyId::new(columns.take()?)?;
    let (bytes, created_at) = (columns.bytes()?, columns.at()?);
    Ok(ServerKey { id, credential: ServerCredential::from_parts(bytes, columns.take()?), created_at })
}

fn decode(row: &PgRow) -> Result<(User, PasswordHash), Failure> {
    let mut columns = Columns::of(row);
    let id = columns.user()?;
    let email = Email::from_store(columns.take()?);
    let display_name = DisplayName::from_store(columns.take()?);
    let mut roles = vec![Role::User];
    for role in [Role::Moderator, Role::Admin] {
        if columns.take()? {
            roles.push(role);
        }
    }
    let user = User { id, email, display_name, roles, created_at: columns.at()? };
    Ok((user, PasswordHash::new(columns.take::<String>()?)))
}
