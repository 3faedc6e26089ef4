//! Keys that change while the server runs: the key file is read again, and which keys were revoked is asked of the store.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::accounts::AccountStore;
use scoreboard_core::{Chain, Clock, KeyId, KeyRing, RandomIds, Secret};

use crate::failure::{Failure, Result};
use crate::keys::{InForce, Keys};

/// How often. Within this time every server knows a new key, and refuses what a revoked one has signed.
const POLL: Duration = Duration::from_secs(2);

/// The ring of a server, and where its keys come from.
#[derive(Debug)]
pub(crate) struct KeyWatch {
    ring: KeyRing,
    file: PathBuf,
    store: Arc<dyn AccountStore>,
    /// By which it is decided when a key begins to sign, and when it is over: the same for all servers.
    clock: Arc<dyn Clock>,
    /// What was in force when it was last looked.
    known: InForce,
    /// What the store said last: it may be away.
    revoked: Vec<KeyId>,
}

impl KeyWatch {
    /// The ring as it is now; it changes with [`follow`](Self::follow).
    pub(crate) async fn begin(
        keys: &Keys,
        file: &Path,
        store: Arc<dyn AccountStore>,
        clock: Arc<dyn Clock>,
    ) -> Result<(Self, KeyRing)> {
        let revoked = store.revoked_keys().await?;
        let known = keys.in_force(&revoked, clock.now());
        let ring = KeyRing::random(&RandomIds);
        install(&ring, keys, &known)?;
        Ok((Self { ring: ring.clone(), file: file.to_owned(), store, clock, known, revoked }, ring))
    }

    /// Keeps the ring as the file and the store have it. Never returns.
    pub(crate) async fn follow(mut self) {
        let mut poll = tokio::time::interval(POLL);
        poll.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let mut complained = false;
        loop {
            poll.tick().await;
            match self.look().await {
                Ok(()) => complained = false,
                Err(failure) if !complained => {
                    complained = true;
                    tracing::error!(%failure, "the keys could not be looked at; those that are known go on");
                }
                Err(_) => {}
            }
        }
    }

    async fn look(&mut self) -> Result<()> {
        // What was revoked holds also where the file cannot be read, and the file where the store is away.
        match self.store.revoked_keys().await {
            Ok(revoked) => self.revoked = revoked,
            Err(error) => tracing::warn!(error = %Chain(&error), "revoked keys could not be read; trying again"),
        }
        let file = self.file.clone();
        let Some(keys) = tokio::task::spawn_blocking(move || Keys::load(&file)).await.map_err(Failure::new)?? else {
            return Ok(());
        };
        let found = keys.in_force(&self.revoked, self.clock.now());
        if found != self.known {
            install(&self.ring, &keys, &found)?;
            let (verify, open) = (ids(&found.verify), ids(&found.open));
            tracing::info!(%verify, %open, "the keys have changed: the first that verifies signs");
            self.known = found;
        }
        Ok(())
    }
}

fn install(ring: &KeyRing, keys: &Keys, found: &InForce) -> Result<()> {
    let mut verify = keys.with_secrets(&found.verify);
    if verify.is_empty() {
        // Nothing that was signed may be taken; a key that nobody has lets the rest of the server go on.
        tracing::error!(
            "every key of the key file was revoked: nothing that this server signs is good elsewhere or after its stop; give it a new key file"
        );
        let id = KeyId::new("all-revoked").expect("a slug");
        verify.push((id, Secret::from_bytes(scoreboard_core::IdSourceExt::secret(&RandomIds))));
    }
    Ok(ring.replace(verify, keys.with_secrets(&found.open))?)
}

fn ids(keys: &[KeyId]) -> String {
    keys.iter().map(|id| id.as_str()).collect::<Vec<_>>().join(", ")
}
