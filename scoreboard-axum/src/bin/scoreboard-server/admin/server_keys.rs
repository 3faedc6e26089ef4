//! Keys of trusted game servers.

use scoreboard_core::accounts::Accounts;
use scoreboard_core::{KeyId, KeyRing, RandomIds};

use crate::failure::{Failure, Result};
use crate::progress::note;
use crate::store::Stores;

pub(super) async fn create(stores: &Stores, name: &KeyId, signing: bool) -> Result<String> {
    // Nothing is signed here, so any ring will do.
    let accounts = Accounts::builder(stores.accounts.clone(), &KeyRing::random(&RandomIds));
    let accounts = accounts.with_clock(stores.clock().await?).build();
    let made =
        if signing { accounts.create_signing_server_key(name).await } else { accounts.create_server_key(name).await };
    let key = made.map_err(|error| Failure::because("cannot create the key", &error))?;
    note(format_args!("the key of `{name}`, shown this once:"));
    Ok(key)
}

pub(super) async fn remove(stores: &Stores, name: &KeyId) -> Result<String> {
    if stores.accounts.remove_server_key(name).await? {
        Ok(format!("removed the key of `{name}`"))
    } else {
        Err(Failure::new(format_args!("there is no key `{name}`")))
    }
}
