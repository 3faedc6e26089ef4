//! Defects of stores of what may be taken once.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::defects;
use crate::error::BackendError;
use crate::one_time::OneTimeStore;

defects! {
    /// What is taken stays.
    TakenAgain: |intact: dyn OneTimeStore| one_time_store = Altered::new(intact, Alteration::TakenAgain);
    /// It is looked whether it is there, and taken later.
    LookThenTake: |intact: dyn OneTimeStore| one_time_store = Altered::new(intact, Alteration::LookThenTake);
    /// Where nothing is kept there is something empty.
    UnknownIsEmpty: |intact: dyn OneTimeStore| one_time_store = Altered::new(intact, Alteration::UnknownIsEmpty);
    /// Names are cut short.
    NamesCutShort: |intact: dyn OneTimeStore| one_time_store = Altered::new(intact, Alteration::NamesCutShort);
    /// Names are kept as text.
    NamesAsText: |intact: dyn OneTimeStore| one_time_store = Altered::new(intact, Alteration::NamesAsText);
    /// What is empty is nothing.
    EmptyIsNone: |intact: dyn OneTimeStore| one_time_store = Altered::new(intact, Alteration::EmptyIsNone);
    /// Bytes end at the first that is zero.
    EndsAtZero: |intact: dyn OneTimeStore| one_time_store = Altered::new(intact, Alteration::EndsAtZero);
    /// Bytes are kept as text.
    KeptAsText: |intact: dyn OneTimeStore| one_time_store = Altered::new(intact, Alteration::KeptAsText);
    /// What nobody takes stays for ever.
    NeverExpires: |intact: dyn OneTimeStore| one_time_store = Altered::new(intact, Alteration::NeverExpires);
    /// It is over a millisecond too soon.
    ExpiresSoon: |intact: dyn OneTimeStore| one_time_store = Altered::new(intact, Alteration::ExpiresSoon);
    /// Lifetimes are kept in seconds, and what is begun of one counts.
    LifetimeInSeconds: |intact: dyn OneTimeStore| one_time_store = Altered::new(intact, Alteration::LifetimeInSeconds);
    /// All live as long as the first.
    FirstLifetimeForAll: |intact: dyn OneTimeStore| one_time_store = Altered::new(intact, Alteration::FirstLifetimeForAll);
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Alteration {
    TakenAgain,
    LookThenTake,
    UnknownIsEmpty,
    NamesCutShort,
    NamesAsText,
    EmptyIsNone,
    EndsAtZero,
    KeptAsText,
    NeverExpires,
    ExpiresSoon,
    LifetimeInSeconds,
    FirstLifetimeForAll,
}

struct Altered {
    intact: Arc<dyn OneTimeStore>,
    alteration: Alteration,
    /// What was taken, of those that let it be taken again.
    taken: Mutex<HashMap<[u8; 32], Vec<u8>>>,
    first_lifetime: Mutex<Option<Duration>>,
}

impl Altered {
    fn new(intact: Arc<dyn OneTimeStore>, alteration: Alteration) -> Self {
        Self { intact, alteration, taken: Mutex::default(), first_lifetime: Mutex::default() }
    }

    fn name(&self, name: &[u8; 32]) -> [u8; 32] {
        let mut altered = *name;
        match self.alteration {
            Alteration::NamesCutShort => altered[16..].fill(0),
            Alteration::NamesAsText => {
                altered.iter_mut().filter(|byte| !byte.is_ascii()).for_each(|byte| *byte = b'?');
            }
            _ => {}
        }
        altered
    }

    fn lifetime(&self, lifetime: Duration) -> Duration {
        match self.alteration {
            Alteration::NeverExpires => lifetime * 1000,
            Alteration::ExpiresSoon => lifetime - Duration::from_millis(1),
            Alteration::LifetimeInSeconds => Duration::from_secs(lifetime.as_secs() + 1),
            Alteration::FirstLifetimeForAll => *self.first_lifetime.lock().get_or_insert(lifetime),
            _ => lifetime,
        }
    }
}

impl fmt::Debug for Altered {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.alteration.fmt(f)
    }
}

#[async_trait]
impl OneTimeStore for Altered {
    async fn put(&self, name: &[u8; 32], signed: &[u8], lifetime: Duration) -> Result<(), BackendError> {
        let text = String::from_utf8_lossy(signed);
        let kept = match self.alteration {
            Alteration::EndsAtZero => signed.split(|byte| *byte == 0).next().unwrap_or_default(),
            Alteration::KeptAsText => text.as_bytes(),
            Alteration::EmptyIsNone if signed.is_empty() => return Ok(()),
            _ => signed,
        };
        self.intact.put(&self.name(name), kept, self.lifetime(lifetime)).await
    }

    async fn take(&self, name: &[u8; 32]) -> Result<Option<Vec<u8>>, BackendError> {
        let taken = self.intact.take(&self.name(name)).await?;
        match (self.alteration, &taken) {
            (Alteration::TakenAgain | Alteration::LookThenTake, Some(taken)) => {
                self.taken.lock().insert(*name, taken.clone());
            }
            (Alteration::TakenAgain | Alteration::LookThenTake, None) => {
                return Ok(self.taken.lock().get(name).cloned());
            }
            (Alteration::UnknownIsEmpty, None) => return Ok(Some(Vec::new())),
            _ => {}
        }
        if self.alteration == Alteration::LookThenTake {
            tokio::task::yield_now().await;
            self.taken.lock().remove(name);
        }
        Ok(taken)
    }
}
