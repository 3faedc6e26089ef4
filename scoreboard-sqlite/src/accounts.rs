//! Users, the names they are shown by, and the keys of trusted servers.

use std::collections::HashMap;

use async_trait::async_trait;
use scoreboard_core::accounts::{
    CreateUser, DisplayName, Email, PasswordHash, ReplaceEmail, Role, ServerCredential, ServerKey, ServerKeyStore,
    User, UserStore,
};
use scoreboard_core::{BackendError, DisplayNames, KeyId, Timestamp, UserId};
use sqlx::SqliteExecutor;
use sqlx::sqlite::SqliteRow;

use crate::connection::{SqliteStore, commit};
use crate::error::Failure;
use crate::json::hex_array;
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
impl DisplayNames for SqliteStore {
    async fn display_names(&self, users: &[UserId]) -> Result<HashMap<UserId, String>, BackendError> {
        async { names(&mut *self.reader().await?, users).await }
            .await
            .map_err(|failure| failure.during("display_names"))
    }
}

#[async_trait]
impl UserStore for SqliteStore {
    async fn create_user(&self, user: &User, password: &PasswordHash) -> Result<CreateUser, BackendError> {
        self.insert_user(user, password).await.map_err(|failure| failure.during("create_user"))
    }

    async fn user(&self, id: UserId) -> Result<Option<User>, BackendError> {
        let found = self.user_of_id(id).await.map_err(|failure| failure.during("user"))?;
        Ok(found.map(|(user, _)| user))
    }

    async fn user_with_password(&self, id: UserId) -> Result<Option<(User, PasswordHash)>, BackendError> {
        self.user_of_id(id).await.map_err(|failure| failure.during("user_with_password"))
    }

    async fn user_by_email(&self, email: &Email) -> Result<Option<(User, PasswordHash)>, BackendError> {
        let found = sqlx::query(select_users!("WHERE email = ?")).bind(email.as_str());
        let found = async { found.fetch_optional(&mut *self.reader().await?).await?.as_ref().map(decode).transpose() };
        found.await.map_err(|failure: Failure| failure.during("user_by_email"))
    }

    async fn replace_password(&self, id: UserId, old: &PasswordHash, new: &PasswordHash) -> Result<bool, BackendError> {
        let update = sqlx::query("UPDATE users SET password = ?3 WHERE id = ?1 AND password = ?2")
            .bind(id.as_bytes().as_slice())
            .bind(old.expose())
            .bind(new.expose());
        self.execute(update).await.map(|rows| rows > 0).map_err(|failure| failure.during("replace_password"))
    }

    async fn set_roles(&self, id: UserId, from: &[Role], to: &[Role]) -> Result<bool, BackendError> {
        let update = sqlx::query(
            "UPDATE users SET moderator = ?2, admin = ?3
             WHERE id = ?1 AND (moderator, admin) IN (VALUES (?2, ?3), (?4, ?5))",
        )
        .bind(id.as_bytes().as_slice())
        .bind(to.contains(&Role::Moderator))
        .bind(to.contains(&Role::Admin))
        .bind(from.contains(&Role::Moderator))
        .bind(from.contains(&Role::Admin));
        self.execute(update).await.map(|rows| rows > 0).map_err(|failure| failure.during("set_roles"))
    }

    async fn confirm_email(&self, id: UserId, email: &Email, at: Timestamp) -> Result<bool, BackendError> {
        // A repeat writes what is there, so that it counts a row as well.
        let insert = sqlx::query(
            "INSERT INTO confirmed_addresses (user_id, confirmed_at) SELECT id, ?3 FROM users WHERE id = ?1 AND email = ?2
             ON CONFLICT (user_id) DO UPDATE SET confirmed_at = confirmed_addresses.confirmed_at",
        );
        let insert = insert.bind(id.as_bytes().as_slice()).bind(email.as_str()).bind(at.as_millis());
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
            sqlx::query_scalar("SELECT confirmed_at FROM confirmed_addresses WHERE user_id = ?1")
                .bind(id.as_bytes().as_slice());
        let at = async { Ok(at.fetch_optional(&mut *self.reader().await?).await?) };
        let at = at.await.map_err(|failure: Failure| failure.during("email_confirmed_at"))?;
        Ok(at.map(Timestamp::from_millis))
    }

    async fn users(&self, after: Option<UserId>, count: usize) -> Result<Vec<(User, PasswordHash)>, BackendError> {
        let found = sqlx::query(select_users!("WHERE id > ? ORDER BY id LIMIT ?"))
            // Nothing sorts before the empty string of bytes.
            .bind(after.as_ref().map_or(&[][..], |user| user.as_bytes().as_slice()))
            .bind(limit(count));
        let found =
            async { found.fetch_all(&mut *self.reader().await?).await?.iter().map(decode).collect::<Result<_, _>>() };
        found.await.map_err(|failure: Failure| failure.during("users"))
    }
}

#[async_trait]
impl ServerKeyStore for SqliteStore {
    async fn add_server_key(&self, key: &ServerKey) -> Result<bool, BackendError> {
        let (bytes, is_public_key) = key.credential.to_parts();
        let insert = sqlx::query(
            "INSERT INTO server_keys (id, secret, created_at, signs) VALUES (?, ?, ?, ?) ON CONFLICT (id) DO NOTHING",
        )
        .bind(key.id.as_str())
        .bind(bytes.as_slice())
        .bind(key.created_at.as_millis())
        .bind(is_public_key);
        self.execute(insert).await.map(|rows| rows > 0).map_err(|failure| failure.during("add_server_key"))
    }

    async fn server_key(&self, id: &KeyId) -> Result<Option<ServerKey>, BackendError> {
        async { key(&mut *self.reader().await?, id).await }.await.map_err(|failure| failure.during("server_key"))
    }

    async fn server_keys(&self) -> Result<Vec<ServerKey>, BackendError> {
        let found = sqlx::query(select_server_keys!("ORDER BY id"));
        let keys = async {
            found.fetch_all(&mut *self.reader().await?).await?.iter().map(decode_key).collect::<Result<_, _>>()
        };
        keys.await.map_err(|failure: Failure| failure.during("server_keys"))
    }

    async fn remove_server_key(&self, id: &KeyId) -> Result<bool, BackendError> {
        let delete = sqlx::query("DELETE FROM server_keys WHERE id = ?").bind(id.as_str());
        self.execute(delete).await.map(|rows| rows > 0).map_err(|failure| failure.during("remove_server_key"))
    }
}

impl SqliteStore {
    async fn user_of_id(&self, id: UserId) -> Result<Option<(User, PasswordHash)>, Failure> {
        let found = sqlx::query(select_users!("WHERE id = ?")).bind(id.as_bytes().as_slice());
        found.fetch_optional(&mut *self.reader().await?).await?.as_ref().map(decode).transpose()
    }

    async fn insert_user(&self, user: &User, password: &PasswordHash) -> Result<CreateUser, Failure> {
        let mut tx = self.write().await?;
        let inserted = sqlx::query(
            "INSERT INTO users (id, email, display_name, password, moderator, admin, created_at)
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        )
        .bind(user.id.as_bytes().as_slice())
        .bind(user.email.as_str())
        .bind(user.display_name.as_str())
        .bind(password.expose())
        .bind(user.roles.contains(&Role::Moderator))
        .bind(user.roles.contains(&Role::Admin))
        .bind(user.created_at.as_millis())
        .execute(&mut *tx)
        .await?;
        if inserted.rows_affected() > 0 {
            commit(tx).await?;
            return Ok(CreateUser::Created);
        }
        let email_taken: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE email = ?)")
            .bind(user.email.as_str())
            .fetch_one(&mut *tx)
            .await?;
        Ok(if email_taken { CreateUser::EmailTaken } else { CreateUser::IdTaken })
    }

    async fn move_address(&self, id: UserId, from: &Email, to: &Email, at: Timestamp) -> Result<ReplaceEmail, Failure> {
        let mut tx = self.write().await?;
        // What another has is left alone.
        let moved = sqlx::query("UPDATE OR IGNORE users SET email = ?3 WHERE id = ?1 AND email = ?2")
            .bind(id.as_bytes().as_slice())
            .bind(from.as_str())
            .bind(to.as_str())
            .execute(&mut *tx)
            .await?;
        if moved.rows_affected() == 0 {
            let is_theirs: bool =
                sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM users WHERE id = ?1 AND email = ?2)")
                    .bind(id.as_bytes().as_slice())
                    .bind(from.as_str())
                    .fetch_one(&mut *tx)
                    .await?;
            return Ok(if is_theirs { ReplaceEmail::EmailTaken } else { ReplaceEmail::NotTheirs });
        }
        sqlx::query(
            "INSERT INTO confirmed_addresses (user_id, confirmed_at) VALUES (?1, ?2)
             ON CONFLICT (user_id) DO UPDATE SET confirmed_at = excluded.confirmed_at",
        )
        .bind(id.as_bytes().as_slice())
        .bind(at.as_millis())
        .execute(&mut *tx)
        .await?;
        commit(tx).await?;
        Ok(ReplaceEmail::Replaced)
    }
}

async fn names(executor: impl SqliteExecutor<'_>, users: &[UserId]) -> Result<HashMap<UserId, String>, Failure> {
    let rows = sqlx::query(
        "SELECT users.id, users.display_name
         FROM json_each(?) AS named CROSS JOIN users ON users.id = unhex(named.value)",
    )
    .bind(hex_array(users.iter().map(UserId::as_bytes)))
    .fetch_all(executor)
    .await?;
    let mut names = HashMap::with_capacity(rows.len());
    for row in &rows {
        let mut columns = Columns::of(row);
        names.insert(columns.user()?, columns.take()?);
    }
    Ok(names)
}

async fn key(executor: impl SqliteExecutor<'_>, id: &KeyId) -> Result<Option<ServerKey>, Failure> {
    let row = sqlx::query(select_server_keys!("WHERE id = ?")).bind(id.as_str()).fetch_optional(executor).await?;
    row.as_ref().map(decode_key).transpose()
}

fn decode_key(row: &SqliteRow) -> Result<ServerKey, Failure> {
    let mut columns = Columns::of(row);
    let id = KeyId::new(columns.take()?)?;
    let (bytes, created_at) = (columns.bytes()?, columns.at()?);
    Ok(ServerKey { id, credential: ServerCredential::from_parts(bytes, columns.take()?), created_at })
}

fn decode(row: &SqliteRow) -> Result<(User, PasswordHash), Failure> {
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
