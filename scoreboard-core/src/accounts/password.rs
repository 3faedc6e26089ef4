//! Hashing passwords, slowly on purpose, where it holds up nothing else.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use argon2::password_hash::phc;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::accounts::{AccountError, PasswordHash};
use crate::id_source::{IdSource, IdSourceExt};

/// How new passwords are hashed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Hashing {
    /// Argon2id (RFC 9106), one lane.
    Argon2id {
        /// Memory in KiB.
        memory_kib: u32,
        /// Passes over it.
        iterations: u32,
    },
    /// bcrypt, for systems that must share hashes with one that knows nothing else. Takes at most 71 bytes.
    Bcrypt {
        /// The binary logarithm of the rounds, at least 10.
        cost: u32,
    },
}

impl Default for Hashing {
    /// Argon2id with 19 MiB and two passes (OWASP Password Storage Cheat Sheet).
    fn default() -> Self {
        Self::Argon2id { memory_kib: 19 * 1024, iterations: 2 }
    }
}

impl Hashing {
    /// The most bytes of a password: what is longer would be cut off silently (bcrypt), or is no password (512).
    pub(super) const fn max_bytes(self) -> usize {
        match self {
            Self::Argon2id { .. } => 512,
            Self::Bcrypt { .. } => 71,
        }
    }

    fn hash(self, password: &[u8], salt: &[u8; 16]) -> Option<PasswordHash> {
        match self {
            Self::Argon2id { memory_kib, iterations } => {
                let params = Params::new(memory_kib, iterations, 1, None).ok()?;
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                let hash: phc::PasswordHash = argon2.hash_password_with_salt(password, salt).ok()?;
                Some(PasswordHash::new(hash.to_string()))
            }
            Self::Bcrypt { cost } => {
                let parts = bcrypt::non_truncating_hash_with_salt(password, cost, *salt).ok()?;
                Some(PasswordHash::new(parts.format_for_version(bcrypt::Version::TwoB)))
            }
        }
    }

    /// Whether this is how `hash` was made.
    fn made(self, hash: &PasswordHash) -> bool {
        let text = hash.expose();
        match self {
            Self::Argon2id { memory_kib, iterations } => {
                text.starts_with(&format!("$argon2id$v=19$m={memory_kib},t={iterations},p=1$"))
            }
            Self::Bcrypt { cost } => text.starts_with(&format!("$2b${cost:02}$")),
        }
    }
}

fn verify(password: &[u8], hash: &PasswordHash) -> bool {
    let text = hash.expose();
    if text.starts_with("$argon2") {
        // The parameters are those of the hash, not those of this value.
        phc::PasswordHash::new(text).is_ok_and(|hash| Argon2::default().verify_password(password, &hash).is_ok())
    } else {
        // What is too long for bcrypt is wrong, and takes as long: else the time would tell how an account's password is hashed.
        let max = Hashing::Bcrypt { cost: 0 }.max_bytes();
        let right = bcrypt::non_truncating_verify(&password[..password.len().min(max)], text).unwrap_or(false);
        right && password.len() <= max
    }
}

/// Whether a hash is one that [`verify`] knows and can afford: a login must not take minutes because of what was imported.
pub(super) fn is_affordable(text: &str) -> bool {
    const MAX_KIB: u32 = 1 << 20;
    if let Some(bcrypt) = text.strip_prefix("$2") {
        let cost = bcrypt.get(..5).and_then(|head| head.strip_suffix('$')?.get(2..)?.parse::<u32>().ok());
        return text.len() == 60 && cost.is_some_and(|cost| (4..=16).contains(&cost));
    }
    let params = phc::PasswordHash::new(text).ok().filter(|_| text.starts_with("$argon2"));
    params
        .and_then(|hash| Params::try_from(&hash).ok())
        .is_some_and(|params| params.m_cost() <= MAX_KIB && params.t_cost() <= 100 && params.p_cost() <= 64)
}

/// What a verified password showed.
pub(super) enum Verified {
    /// Wrong.
    No,
    /// Right.
    Yes,
    /// Right, but hashed in an old way: this is the new hash.
    Upgrade(PasswordHash),
}

/// Hashes on threads of its own, a bounded number at once, with a bounded queue before it.
#[derive(Debug)]
pub(super) struct PasswordGate {
    hashing: Hashing,
    permits: Arc<Semaphore>,
    waiting: AtomicUsize,
    queue: usize,
    /// What is verified where there is no user, so that both take the same time.
    decoy: PasswordHash,
}

impl PasswordGate {
    pub(super) fn new(hashing: Hashing, permits: usize, queue: usize, ids: &dyn IdSource) -> Self {
        let decoy = hashing.hash(&ids.secret(), &salt(ids)).expect("the hashing parameters are valid");
        Self { hashing, permits: Arc::new(Semaphore::new(permits.max(1))), waiting: AtomicUsize::new(0), queue, decoy }
    }

    pub(super) const fn hashing(&self) -> Hashing {
        self.hashing
    }

    pub(super) async fn hash(
        &self,
        password: Zeroizing<String>,
        ids: &dyn IdSource,
    ) -> Result<PasswordHash, AccountError> {
        let (hashing, salt) = (self.hashing, salt(ids));
        let hash = self.run(move || hashing.hash(password.as_bytes(), &salt)).await?;
        Ok(hash.expect("the length was checked, and the parameters at construction"))
    }

    /// Verifies a password against a hash, or against the decoy if there is none: then it is never right.
    pub(super) async fn verify(
        &self,
        password: Zeroizing<String>,
        hash: Option<PasswordHash>,
        ids: &dyn IdSource,
    ) -> Result<Verified, AccountError> {
        let (hashing, salt) = (self.hashing, salt(ids));
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.decoy.clone());
        self.run(move || {
            if !verify(password.as_bytes(), &hash) || !known {
                return Verified::No;
            }
            if hashing.made(&hash) {
                return Verified::Yes;
            }
            hashing.hash(password.as_bytes(), &salt).map_or(Verified::Yes, Verified::Upgrade)
        })
        .await
    }

    async fn run<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Result<T, AccountError> {
        let permit = match self.permits.clone().try_acquire_owned() {
            Ok(permit) => permit,
            Err(_) => {
                let _place = Place::take(&self.waiting, self.queue).ok_or(AccountError::Busy)?;
                self.permits.clone().acquire_owned().await.map_err(|_| AccountError::Busy)?
            }
        };
        let work = move || {
            // Held until the thread is done, even if nobody waits any more.
            let _permit = permit;
            work()
        };
        tokio::task::spawn_blocking(work).await.map_err(|_| AccountError::Busy)
    }
}

fn salt(ids: &dyn IdSource) -> [u8; 16] {
    let mut salt = [0; 16];
    ids.fill(&mut salt);
    salt
}

/// A place in the queue, given back when dropped.
struct Place<'a>(&'a AtomicUsize);

impl<'a> Place<'a> {
    fn take(waiting: &'a AtomicUsize, queue: usize) -> Option<Self> {
        let room = |n: usize| (n < queue).then_some(n + 1);
        waiting.fetch_update(Ordering::AcqRel, Ordering::Acquire, room).ok().map(|_| Self(waiting))
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::id_source::RandomIds;

    const CHEAP: Hashing = Hashing::Argon2id { memory_kib: 8, iterations: 1 };

    fn secret(text: &str) -> Zeroizing<String> {
        Zeroizing::new(text.to_owned())
    }

    #[tokio::test]
    async fn a_bcrypt_hash_is_verified_and_upgraded() {
        let gate = PasswordGate::new(CHEAP, 1, 1, &RandomIds);
        // The vector of the bcrypt crate's own documentation: cost 4, "hunter2".
        let old = Hashing::Bcrypt { cost: 4 }.hash(b"hunter2", &[7; 16]).expect("valid");
        assert!(old.expose().starts_with("$2b$04$"));
        let verified = gate.verify(secret("hunter2"), Some(old.clone()), &RandomIds).await.expect("not busy");
        let Verified::Upgrade(new) = verified else { panic!("not upgraded") };
        assert!(new.expose().starts_with("$argon2id$"));
        assert!(matches!(gate.verify(secret("hunter2"), Some(new), &RandomIds).await, Ok(Verified::Yes)));
        assert!(matches!(gate.verify(secret("hunter3"), Some(old), &RandomIds).await, Ok(Verified::No)));
        assert!(matches!(gate.verify(secret("hunter2"), None, &RandomIds).await, Ok(Verified::No)));
    }

    #[test]
    fn what_would_take_for_ever_is_not_taken_over() {
        let good = [
            Hashing::default().hash(b"x", &[7; 16]).expect("valid"),
            Hashing::Bcrypt { cost: 4 }.hash(b"x", &[7; 16]).expect("valid"),
        ];
        for hash in good {
            assert!(is_affordable(hash.expose()), "{}", hash.expose());
            for costly in [hash.expose().replace("t=2", "t=4294967295"), hash.expose().replace("$04$", "$31$")] {
                assert_eq!(is_affordable(&costly), costly == hash.expose(), "{costly}");
            }
        }
        for bad in ["", "$2b$", "$2x€$", "$2b$é4$", "$argon2id$", "secret", "$1$abc"] {
            assert!(!is_affordable(bad), "{bad}");
        }
    }

    #[test]
    fn nothing_is_cut_off_at_72_bytes() {
        let long = "x".repeat(73);
        assert!(Hashing::Bcrypt { cost: 4 }.hash(long.as_bytes(), &[7; 16]).is_none());
        let hash = Hashing::Bcrypt { cost: 4 }.hash(&long.as_bytes()[..71], &[7; 16]).expect("71 bytes fit");
        assert!(!verify(long.as_bytes(), &hash));
        let argon2 = CHEAP.hash(long.as_bytes(), &[7; 16]).expect("any length");
        assert!(verify(long.as_bytes(), &argon2) && !verify(&long.as_bytes()[..72], &argon2));
    }

    #[tokio::test]
    async fn beyond_the_queue_it_is_busy() {
        let gate = Arc::new(PasswordGate::new(CHEAP, 1, 1, &RandomIds));
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let spawn = |work: Box<dyn FnOnce() + Send>| {
            let gate = gate.clone();
            tokio::spawn(async move { gate.run(work).await })
        };
        let running = spawn(Box::new(move || assert!(wait.recv().is_err(), "the sender is only dropped")));
        while gate.permits.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        let waiting = spawn(Box::new(|| ()));
        while gate.waiting.load(Ordering::Acquire) == 0 {
            tokio::task::yield_now().await;
        }
        assert!(matches!(gate.run(|| ()).await, Err(AccountError::Busy)));
        drop(release);
        running.await.expect("no panic").expect("ran");
        waiting.await.expect("no panic").expect("ran");
    }
}
