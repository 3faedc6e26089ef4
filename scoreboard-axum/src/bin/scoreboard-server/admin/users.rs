//! Accounts and roles.

use scoreboard_core::accounts::{AccountError, Accounts, Email, Registration, Role};
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
    let accounts = Accounts::builder(stores.accounts.clone(), &ring).with_config(settings.accounts_config());
    let accounts = accounts.with_clock(stores.clock().await?).build();
    let registration = Registration { email, password, display_name };
    let user = accounts.register(registration).await.map_err(|error| explain(&error))?;
    if roles.iter().any(|role| *role != Role::User) {
        stores.accounts.set_roles(user.id, &user.roles, &held(roles)).await?;
    }
    Ok(format!("created user {}", user.id))
}

pub(super) async fn grant(stores: &Stores, email: &Email, role: Role) -> Result<String> {
    edit(stores, email, |held| held.into_iter().chain([role]).collect()).await
}

pub(super) async fn revoke(stores: &Stores, email: &Email, role: Role) -> Result<String> {
    if role == Role::User {
        return Err(Failure::new("every user has the role `user`: it cannot be revoked"));
    }
    edit(stores, email, |held| held.into_iter().filter(|held| *held != role).collect()).await
}

/// Whoever asks for this should be sure who they are talking to: the password is all that is left.
pub(super) async fn remove_factor(stores: &Stores, email: &Email) -> Result<String> {
    let Some((user, _)) = stores.accounts.user_by_email(email).await? else {
        return Err(Failure::new(format_args!("there is no user {}", email.as_str())));
    };
    let Some(factor) = stores.factors.factor(user.id).await? else {
        return Ok(format!("user {} has no second factor", user.id));
    };
    if stores.factors.replace_factor(user.id, Some(factor.stamp), None).await? {
        Ok(format!("user {} has no second factor any more", user.id))
    } else {
        Err(Failure::new("the second factor was used meanwhile: try again if it is to go all the same"))
    }
}

/// Changes a user's roles: again, if somebody else changed them meanwhile, so that neither change is lost.
async fn edit(stores: &Stores, email: &Email, change: impl Fn(Vec<Role>) -> Vec<Role>) -> Result<String> {
    const TRIES: usize = 100;
    for _ in 0..TRIES {
        let found = stores.accounts.user_by_email(email).await?;
        let Some((user, _)) = found else {
            return Err(Failure::new(format_args!("there is no user {}", email.as_str())));
        };
        let to = held(change(user.roles.clone()));
        if stores.accounts.set_roles(user.id, &user.roles, &to).await? {
            let roles: Vec<_> = to.iter().map(Role::to_string).collect();
            return Ok(format!("user {} has the roles {}", user.id, roles.join(", ")));
        }
    }
    Err(Failure::new(format_args!("the roles of {} are changed by somebody else all the time", email.as_str())))
}

/// Sorted, each once, `user` among them.
fn held(mut roles: Vec<Role>) -> Vec<Role> {
    roles.push(Role::User);
    roles.sort_unstable();
    roles.dedup();
    roles
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
