//! Keys that sign actions, tokens and whatever else: made, listed and revoked.

use std::path::Path;
use std::time::Duration;

use scoreboard_core::{Clock, KeyId, SystemClock, Timestamp};

use crate::failure::Result;
use crate::keys::{InForce, Keys};
use crate::place::Place;
use crate::progress::{note, print};
use crate::settings::Settings;
use crate::store::Stores;

pub(super) async fn rotate(
    settings: &Settings,
    place: &Place,
    path: &Path,
    keep: usize,
    after: Duration,
) -> Result<()> {
    // Asked before the file is read: what another command writes meanwhile must not be overwritten.
    let now = if path.exists() { moment_of_rotation(settings, place).await } else { SystemClock.now() };
    let (mut keys, fresh) = Keys::load_or_create(path)?;
    if !fresh {
        keys.rotate(keep, after, now);
        keys.replace(path)?;
    }
    let ids: Vec<_> = keys.ids().map(|id| id.as_str()).collect();
    let (signs, older) = ids.split_first().map_or(("", [].as_slice()), |(signs, older)| (*signs, older));
    let older = if older.is_empty() { "none".to_owned() } else { older.join(", ") };
    let when = if fresh { "now".to_owned() } else { format!("in {} s", after.as_secs()) };
    print(&format!(
        "{signs} signs {when}, and is known to servers that read this file within 2 s; older keys that still verify: {older}"
    ))
}

/// Now, as the servers have it that are to sign by the new key from some moment on. A key must be had while the database is away too: then
/// this machine's own clock has to do, and it is said.
async fn moment_of_rotation(settings: &Settings, place: &Place) -> Timestamp {
    if let Place::Sqlite { .. } | Place::Memory = place {
        return SystemClock.now();
    }
    let asked = async {
        let stores = Stores::open_existing(settings).await?;
        let now = stores.now().await;
        stores.close().await;
        now
    };
    asked.await.unwrap_or_else(|failure| {
        note(format_args!("{failure}: when the new key begins to sign goes by this machine's clock"));
        SystemClock.now()
    })
}

/// The keys of the file with what each is good for.
pub(super) async fn list(stores: &Stores, path: &Path) -> Result<String> {
    let Some(keys) = Keys::load(path)? else { return Ok("no keys".to_owned()) };
    let revoked = stores.accounts.revoked_keys().await?;
    let InForce { verify, open } = keys.in_force(&revoked, stores.now().await?);
    let line = |id: &KeyId| {
        let what = match verify.iter().position(|other| other == id) {
            Some(0) => "signs",
            Some(_) => "verifies",
            None if revoked.contains(id) => "was revoked",
            None => "is over",
        };
        format!("{id} {what}\n")
    };
    Ok(verify.iter().chain(&open).map(line).collect())
}

/// Revokes a key for all servers of the database. The one that signs gets a successor at once.
pub(super) async fn revoke(stores: &Stores, path: &Path, id: &KeyId) -> Result<String> {
    let now = stores.now().await?;
    let mut successor = String::new();
    if let Some(mut keys) = Keys::load(path)? {
        let mut revoked = stores.accounts.revoked_keys().await?;
        revoked.push(id.clone());
        if keys.in_force(&revoked, now).verify.is_empty() {
            keys.rotate(usize::MAX, Duration::ZERO, now);
            // In the file first: no server shall be without a key that signs.
            keys.replace(path)?;
            if let Some(fresh) = keys.ids().next() {
                successor =
                    format!("; {fresh} signs from now on: give this key file to every server that has its own copy");
            }
        }
    }
    let first = stores.accounts.revoke_key(id, now).await?;
    let word = if first { "revoked" } else { "was revoked before:" };
    Ok(format!("{word} {id}: within 2 s every server refuses what it has signed{successor}"))
}
