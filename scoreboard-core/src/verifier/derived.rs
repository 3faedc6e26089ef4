//! What is made of a ring's keys, and made anew when they change.

use std::fmt;
use std::sync::Arc;

use hmac::{Hmac, KeyInit};
use parking_lot::RwLock;
use sha2::Sha256;

use super::{KeyRing, Secret};
use crate::ids::KeyId;

type Make<T> = Box<dyn Fn(&KeyRing) -> T + Send + Sync>;

/// What signs or verifies, as the ring is now. Whoever [gets](Self::get) it for one step uses one state of the ring in that step.
pub(crate) struct Derived<T> {
    ring: KeyRing,
    make: Make<T>,
    /// With the number of the ring's state that it was made of.
    made: RwLock<(u64, Arc<T>)>,
}

/// A purpose's keys for HMAC-SHA256, the one that signs first, with the key schedule done: signing clones it.
pub(crate) type Macs = Derived<Vec<(KeyId, Hmac<Sha256>)>>;

impl<T> Derived<T> {
    pub(crate) fn new(ring: &KeyRing, make: impl Fn(&KeyRing) -> T + Send + Sync + 'static) -> Self {
        let number = ring.number();
        let made = RwLock::new((number, Arc::new(make(ring))));
        Self { ring: ring.clone(), make: Box::new(make), made }
    }

    pub(crate) fn get(&self) -> Arc<T> {
        // Read before the keys are: what is made below is of this state, or of a newer one and then made once more.
        let number = self.ring.number();
        {
            let made = self.made.read();
            if made.0 == number {
                return made.1.clone();
            }
        }
        let fresh = Arc::new((self.make)(&self.ring));
        let mut made = self.made.write();
        if made.0 < number {
            *made = (number, fresh);
        }
        made.1.clone()
    }
}

impl Macs {
    pub(crate) fn of(ring: &KeyRing, purpose: &'static str) -> Self {
        let keyed = |(id, secret): (KeyId, Secret)| {
            (id, Hmac::new_from_slice(secret.expose()).expect("HMAC takes keys of any length"))
        };
        Self::new(ring, move |ring| ring.derive(purpose).into_iter().map(keyed).collect())
    }
}

impl<T> fmt::Debug for Derived<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Derived").field(&self.ring).finish()
    }
}
