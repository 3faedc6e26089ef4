//! Where new ids and secrets come from, injected so that a test can repeat a run from its seed.

use std::fmt;

use rand::Rng;
use uuid::Uuid;

use crate::clock::Timestamp;

/// Gives random bytes fit for secrets, and ids made of them.
pub trait IdSource: fmt::Debug + Send + Sync + 'static {
    /// Fills `bytes` from a cryptographically secure generator.
    fn fill(&self, bytes: &mut [u8]);
}

/// What every [`IdSource`] can give.
pub trait IdSourceExt: IdSource {
    /// A UUIDv7 (RFC 9562 §5.7): the time in front, so that new ids sort behind older ones, then 74 random bits.
    fn uuid(&self, now: Timestamp) -> Uuid {
        let mut random = [0; 10];
        self.fill(&mut random);
        let millis = u64::try_from(now.as_millis()).expect("timestamps are never before 1970");
        uuid::Builder::from_unix_timestamp_millis(millis, &random).into_uuid()
    }

    /// A 256-bit secret.
    fn secret(&self) -> [u8; 32] {
        let mut bytes = [0; 32];
        self.fill(&mut bytes);
        bytes
    }
}

impl<T: IdSource + ?Sized> IdSourceExt for T {}

/// The operating system's generator, through this thread's reseeded ChaCha.
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl IdSource for RandomIds {
    #[expect(clippy::disallowed_methods, reason = "the one place that draws from the global generator")]
    fn fill(&self, bytes: &mut [u8]) {
        rand::rng().fill_bytes(bytes);
    }
}
