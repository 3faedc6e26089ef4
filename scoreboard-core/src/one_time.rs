//! What one node keeps for all, until one of them takes it.

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;

use crate::error::BackendError;

/// Keeps what one node has given out, each under a name that is a secret's hash and for a while, until one of all nodes takes it: so any can accept it, and none does
/// twice.
///
/// It is trusted to hand out once, and with nothing else: what is put here is signed, so whoever can write here can lose it, and make up none.
#[async_trait]
pub trait OneTimeStore: fmt::Debug + Send + Sync + 'static {
    /// Keeps this under a name that nobody else has drawn, as long as `lifetime` says, to the millisecond.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind): it may be kept.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it is kept or not.
    async fn put(&self, name: &[u8; 32], signed: &[u8], lifetime: Duration) -> Result<(), BackendError>;

    /// Takes what is kept under a name, if it is there: of many at once one gets it.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind): it may be taken, and nobody has got it.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, it is taken or not.
    async fn take(&self, name: &[u8; 32]) -> Result<Option<Vec<u8>>, BackendError>;
}
