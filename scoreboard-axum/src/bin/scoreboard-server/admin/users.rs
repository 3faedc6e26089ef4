//! Accounts and roles.

use scoreboard_core::accounts::{AccountError, Accounts, Email, Registration, Role, User};
use scoreboard_core::{KeyRing, RandomIds};

use crate::failure::{Failure, Result};
use crate::password;
use crate::settings::Settings;
use crate::store::Stores;

pub(super) async fn create(
    settings: &Settings,
    stores: &Stores,
    email: String,
    display_name: String,
    roles: Vec<Role>,
) -> Result<String> {
    let password = password::read()?;
    // Nothing is signed here, so any ring will do.
    let ring = KeyRing::random(&RandomIds);
    let accounts = Accounts::builder(stores.accounts.clone(), &ring).with_config(settings.accounts.config()).build();
    let registration = Registration { email, password, display_name };
    let user = accounts.register(registration).await.map_err(|error| explain(&error))?;
    if roles.iter().any(|role| *role != Role::User) {
        set(stores, &user, roles).await?;
    }
    Ok(format!("created user {}", user.id))
}

pub(super) async fn grant(stores: &Stores, email: &Email, role: Role) -> Result<String> {
    let user = find(stores, email).await?;
    let roles = user.roles.iter().copied().chain([role]).collect();
    set(stores, &user, roles).await
}

pub(super) async fn revoke(stores: &Stores, email: &Email, role: Role) -> Result<String> {
    if role == Role::User {
        return Err(Failure::new("every user has the role `user`: it cannot be revoked"));
    }
    let user = find(stores, email).await?;
    let roles = user.roles.iter().copied().filter(|held| *held != role).collect();
    set(stores, &user, roles).await
}

async fn find(stores: &Stores, email: &Email) -> Result<User> {
    let found = stores.accounts.user_by_email(email).await?;
    found.map(|(user, _)| user).ok_or_else(|| Failure::new(format_args!("there is no user {}", email.as_str())))
}

async fn set(stores: &Stores, user: &User, mut roles: Vec<Role>) -> Result<String> {
    roles.push(Role::User);
    roles.sort_unstable();
    roles.dedup();
    if !stores.accounts.set_roles(user.id, &roles).await? {
        return Err(Failure::new(format_args!("there is no user {}", user.id)));
    }
    let roles: Vec<_> = roles.iter().map(Role::to_string).collect();
    Ok(format!("user {} has the roles {}", user.id, roles.join(", ")))
}

fn explain(error: &AccountError) -> Failure {
    match error {
        AccountError::Invalid(problems) => {
            let problems: Vec<_> =
                problems.iter().map(|problem| format!("{}: {}", problem.field, problem.problem)).collect();
            Failure::new(problems.join("; "))
        }
        other => Failure::because("cannot create the user", other),
    }
}
