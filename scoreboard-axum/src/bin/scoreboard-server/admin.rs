//! `admin`: what an operator changes, beside a running server or without one.

use scoreboard_core::{Epoch, Restriction};

use crate::cli::Admin;
use crate::failure::Result;
use crate::keys::Keys;
use crate::place::Place;
use crate::progress::print;
use crate::settings::Settings;
use crate::store::Stores;

mod boards;
mod incidents;
mod kinds;
mod moderation;
mod server_keys;
mod signing_keys;
mod users;

/// Does what was asked, and says so.
pub(crate) async fn run(settings: &Settings, command: Admin) -> Result<()> {
    let place = Place::of_command(settings)?;
    if let Admin::RotateKeys { keep, after } = command {
        if let Place::Sqlite { files, .. } = &place {
            files.check_folder()?;
        }
        let file = key_file(settings, &place)?;
        return signing_keys::rotate(settings, &place, &file, keep, std::time::Duration::from_secs(after)).await;
    }
    // What makes something new may come before the first start.
    let makes_something =
        matches!(command, Admin::CreateUser { .. } | Admin::CreateBoard { .. } | Admin::CreateServerKey { .. });
    let begins = matches!(&place, Place::Sqlite { files, .. } if !files.database.exists());
    let stores = if makes_something { Stores::open(&place).await? } else { Stores::open_existing(settings).await? };
    if begins && let Some(file) = place.key_file(settings)? {
        // With the database come its keys, as at a first start: later, one without the other is a loss.
        Keys::load_or_create(&file)?;
    }
    let done = match &command {
        Admin::ListKeys => signing_keys::list(&stores, &key_file(settings, &place)?).await,
        Admin::RevokeKey { id } => signing_keys::revoke(&stores, &key_file(settings, &place)?, id).await,
        _ => change(settings, &stores, command).await,
    };
    stores.close().await;
    print(&done?)
}

async fn change(settings: &Settings, stores: &Stores, command: Admin) -> Result<String> {
    match command {
        Admin::CreateUser { email, display_name, role } => {
            users::create(settings, stores, email, display_name, role).await
        }
        Admin::GrantRole { email, role } => users::grant(stores, &email, role).await,
        Admin::RevokeRole { email, role } => users::revoke(stores, &email, role).await,
        Admin::RemoveSecondFactor { email } => users::remove_factor(stores, &email).await,
        Admin::CreateBoard { board, spec } => boards::create(stores, board, spec).await,
        Admin::ChangeBoard { board, spec } => boards::change(stores, board, spec).await,
        Admin::ListBoards => boards::list(stores).await,
        Admin::SetKind { board, kind, kind_flags } => kinds::set(stores, board, kind, &kind_flags).await,
        Admin::RemoveKind { board, kind } => kinds::remove(stores, board, &kind).await,
        Admin::CreateServerKey { name, signing } => server_keys::create(stores, &name, signing).await,
        Admin::RemoveServerKey { name } => server_keys::remove(stores, &name).await,
        Admin::Void { which, decision } => moderation::void(stores, which, decision).await,
        Admin::Unvoid { which, decision } => moderation::unvoid(stores, which, decision).await,
        Admin::Hold { user, decision } => moderation::restrict(stores, user, Restriction::Held, decision).await,
        Admin::Shadow { user, decision } => moderation::restrict(stores, user, Restriction::Shadowed, decision).await,
        Admin::Ban { user, decision } => moderation::restrict(stores, user, Restriction::Banned, decision).await,
        Admin::Release { user, decision } | Admin::Unban { user, decision } => {
            moderation::lift(stores, user, decision).await
        }
        Admin::ConfirmIncident { incident, void, case } => incidents::confirm(stores, incident, void, case).await,
        Admin::DismissIncident { incident, case } => incidents::dismiss(stores, incident, case).await,
        Admin::Moderations { limit } => moderation::list(stores, limit.into()).await,
        Admin::Incidents { limit } => incidents::list(stores, limit.into()).await,
        Admin::RaiseEpoch => raise_epoch(stores).await,
        Admin::RotateKeys { .. } | Admin::ListKeys | Admin::RevokeKey { .. } => {
            unreachable!("needs the key file, so it was done before")
        }
    }
}

fn key_file(settings: &Settings, place: &Place) -> Result<std::path::PathBuf> {
    Ok(place.key_file(settings)?.expect("what is kept has keys that are kept"))
}

async fn raise_epoch(stores: &Stores) -> Result<String> {
    let scores = &stores.scores;
    let now = scores.raise_epoch(Epoch::default()).await?;
    Ok(format!("epoch {} has begun; it was {now}", scores.raise_epoch(now).await?))
}
