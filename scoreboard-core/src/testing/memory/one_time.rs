//! What may be taken once, in memory: the kit's own, for one process needs none.

use std::collections::HashMap;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use crate::clock::{Clock, Timestamp};
use crate::error::BackendError;
use crate::one_time::OneTimeStore;
use crate::testing::ManualClock;

/// What is kept, and until when.
type Kept = (Vec<u8>, Timestamp);

/// By a clock that a case moves.
#[derive(Debug)]
pub(super) struct InMemory {
    clock: ManualClock,
    kept: Mutex<HashMap<[u8; 32], Kept>>,
}

impl InMemory {
    pub(super) fn new(clock: ManualClock) -> Self {
        Self { clock, kept: Mutex::default() }
    }
}

#[async_trait]
impl OneTimeStore for InMemory {
    async fn put(&self, name: &[u8; 32], signed: &[u8], lifetime: Duration) -> Result<(), BackendError> {
        self.kept.lock().insert(*name, (signed.to_vec(), self.clock.now().plus(lifetime)));
        Ok(())
    }

    async fn take(&self, name: &[u8; 32]) -> Result<Option<Vec<u8>>, BackendError> {
        let taken = self.kept.lock().remove(name);
        Ok(taken.filter(|(_, until)| *until > self.clock.now()).map(|(signed, _)| signed))
    }
}
