//! What may be taken once, by whichever node is asked first.

use std::time::Duration;

use async_trait::async_trait;
use scoreboard_core::{BackendError, OneTimeStore};

use crate::error::Failure;
use crate::handle::Redis;

/// A [`OneTimeStore`] that all processes on one Redis share.
///
/// Each is a key of its own, with its lifetime, and taken by `GETDEL`: one step, in a cluster too.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use std::time::Duration;
/// use scoreboard_core::OneTimeStore;
/// use scoreboard_redis::{Redis, RedisOneTimeStore};
///
/// let shared = RedisOneTimeStore::new(Redis::from_url("redis://localhost")?);
/// shared.put(&[7; 32], b"signed", Duration::from_secs(30)).await?;
/// assert!(shared.take(&[7; 32]).await?.is_some() && shared.take(&[7; 32]).await?.is_none());
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct RedisOneTimeStore(Redis);

impl RedisOneTimeStore {
    /// On this Redis.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        Self(redis)
    }

    async fn try_put(&self, name: &[u8; 32], signed: &[u8], lifetime: Duration) -> Result<(), Failure> {
        let mut put = redis::pipe();
        let millis = u64::try_from(lifetime.as_millis()).unwrap_or(u64::MAX).max(1);
        put.cmd("SET").arg(self.0.namespace().one_time(name)).arg(signed).arg("PX").arg(millis).ignore();
        self.0.pipeline(&put).await
    }

    async fn try_take(&self, name: &[u8; 32]) -> Result<Option<Vec<u8>>, Failure> {
        let mut take = redis::pipe();
        take.cmd("GETDEL").arg(self.0.namespace().one_time(name));
        let (taken,) = self.0.pipeline(&take).await?;
        Ok(taken)
    }
}

#[async_trait]
impl OneTimeStore for RedisOneTimeStore {
    async fn put(&self, name: &[u8; 32], signed: &[u8], lifetime: Duration) -> Result<(), BackendError> {
        self.try_put(name, signed, lifetime).await.map_err(|failure| failure.during("put"))
    }

    async fn take(&self, name: &[u8; 32]) -> Result<Option<Vec<u8>>, BackendError> {
        self.try_take(name).await.map_err(|failure| failure.during("take"))
    }
}
