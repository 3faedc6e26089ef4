//! Signing actions, and telling signed ones from forged ones.

use std::fmt;

use crate::action::{Claims, SignedAction};
use crate::error::Rejection;

mod derived;
mod hmac;
mod keys;

#[cfg(feature = "accounts")]
pub(crate) use derived::Derived;
pub(crate) use derived::Macs;
pub use hmac::HmacVerifier;
pub use keys::{KeyRing, Secret};

/// Signs actions when they start and checks them when they are handed in. Pure: no clock, no I/O.
///
/// It answers for the signature alone. Whose action it is, and when it may be handed in, the pipeline checks itself.
pub trait ActionVerifier: fmt::Debug + Send + Sync + 'static {
    /// Signs the claims with the current key.
    fn sign(&self, claims: Claims) -> SignedAction;

    /// Checks that [`sign`](Self::sign) made this action, with a key that still counts, and that no field was altered.
    /// The comparison takes the same time wherever a difference lies.
    ///
    /// # Errors
    ///
    /// [`Rejection::SignatureInvalid`], without saying why.
    fn verify(&self, action: &SignedAction) -> Result<(), Rejection>;
}
