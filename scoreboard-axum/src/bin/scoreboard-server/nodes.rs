//! What several servers of one database share beside it: announcements always; limits, what users have under way, tickets, and cached answers where there
//! is a Redis. Servers of different databases that have one Redis share limits there, and what users have under way: nothing of boards.

use std::sync::Arc;

use scoreboard_axum::{App, Limits};
use scoreboard_core::accounts::AccountsBuilder;
use scoreboard_core::memory::{InProcessBroadcaster, MemoryOutstanding, MemoryRateLimiter};
use scoreboard_core::{
    Broadcaster, Builder, Chain, Clock, ErrorKind, FallbackLimiter, FallbackOutstanding, KeyRing, OneWriter,
    OutstandingActions, RateLimiter, Scoreboard, Turns,
};
use scoreboard_postgres::{PostgresBroadcaster, PostgresTurns};
use scoreboard_redis::{
    Namespace, Redis, RedisBoardCache, RedisBroadcaster, RedisOneTimeStore, RedisOutstanding, RedisPeers,
    RedisRateLimiter,
};

use crate::failure::{Failure, Result};
use crate::place::Place;
use crate::settings::{self, Settings};
use crate::store::Stores;

/// The other servers, seen from this one.
#[derive(Debug)]
pub(crate) struct Nodes {
    limiter: Arc<dyn RateLimiter>,
    redis: Option<Redis>,
    /// What names the store in Redis, where several servers have one.
    store: Option<String>,
    /// Whether others may write where this server does.
    share_a_store: bool,
}

impl Nodes {
    /// Reaches for the Redis of the settings, if they name one. That it is away is no reason not to start; that it is the wrong one is.
    pub(crate) async fn meet(settings: &Settings, place: &Place, stores: &Stores) -> Result<Self> {
        // Beside a file, there are the commands.
        let share_a_store = matches!(place, Place::Postgres { .. } | Place::Sqlite { .. });
        let here = Arc::new(MemoryRateLimiter::default());
        let Some(config) = settings.redis.config().map_err(Failure::new)? else {
            return Ok(Self { limiter: here, redis: None, store: None, share_a_store });
        };
        let cannot =
            |error: &(dyn std::error::Error + 'static)| Failure::because("cannot use the Redis of `redis.url`", error);
        let redis = Redis::new(&config).map_err(|error| cannot(cause(&error)))?;
        match redis.check().await {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::Refused => return Err(cannot(cause(&error))),
            Err(error) => tracing::warn!(
                error = %Chain(&error),
                "Redis is not there yet: until it is, this server counts its part of the quotas and keeps answers by itself; \
                 `redis.url` begins with rediss where Redis speaks TLS, and with redis where it does not"
            ),
        }
        let shared = Arc::new(RedisRateLimiter::new(redis.clone()));
        let limiter = Arc::new(FallbackLimiter::new(shared, here, settings.redis.nodes).halving(Limits::OF_STRANGERS));
        let store = match place {
            Place::Postgres { .. } => Some(stores.identity().await?),
            Place::Memory | Place::Sqlite { .. } => None,
        };
        Ok(Self { limiter, redis: Some(redis), store, share_a_store })
    }

    /// Tells all servers of the place where its boards are.
    pub(crate) fn broadcaster(&self, place: &Place) -> Arc<dyn Broadcaster> {
        match (self.of_boards(), place) {
            (Some((redis, store)), _) => Arc::new(RedisBroadcaster::new(redis, store)),
            (None, Place::Postgres { config, .. }) => Arc::new(PostgresBroadcaster::start(config)),
            (None, Place::Memory | Place::Sqlite { .. }) => Arc::new(InProcessBroadcaster::default()),
        }
    }

    /// Where the servers of this store tell each other of its boards, and what names it there. A file or memory has one server.
    fn of_boards(&self) -> Option<(Redis, &str)> {
        self.redis.clone().zip(self.store.as_deref())
    }

    /// Counts with the others what users have under way; by itself where there is no Redis, or it is gone.
    pub(crate) fn outstanding(&self) -> Arc<dyn OutstandingActions> {
        let here = Arc::new(MemoryOutstanding::default());
        match &self.redis {
            Some(redis) => Arc::new(FallbackOutstanding::new(Arc::new(RedisOutstanding::new(redis.clone())), here)),
            None => here,
        }
    }

    /// Lets tickets of one server be shown at any.
    pub(crate) fn share_tickets(&self, accounts: AccountsBuilder) -> AccountsBuilder {
        match self.of_boards() {
            Some((redis, _)) => accounts.with_shared_tickets(Arc::new(RedisOneTimeStore::new(redis))),
            None => accounts,
        }
    }

    /// Lets one of the servers write for all, where they can speak to each other.
    pub(crate) fn one_writer(
        &self,
        stores: &Stores,
        place: &Place,
        ring: &KeyRing,
        clock: &Arc<dyn Clock>,
    ) -> Option<OneWriter> {
        let (redis, store) = self.of_boards()?;
        let peers = RedisPeers::new(redis, ring, store);
        Some(OneWriter::new(stores.scores.clone(), turns(place), Arc::new(peers), clock.clone()))
    }

    /// Lets the scoreboard count, keep and write with the others.
    pub(crate) fn join(&self, builder: Builder, place: &Place, writer: Option<&OneWriter>) -> Builder {
        let builder = builder.with_limiter(self.limiter.clone());
        let turns = match writer {
            Some(writer) => Some(Arc::new(writer.clone()) as Arc<dyn Turns>),
            None => turns(place),
        };
        let builder = match turns {
            Some(turns) => builder.with_turns(turns),
            None => builder,
        };
        match self.of_boards() {
            Some((redis, store)) => builder.with_shared_cache(Arc::new(RedisBoardCache::new(redis, store))),
            None => builder,
        }
    }

    /// Keeps this server's answers as new as what the others have written, and writes for them.
    pub(crate) fn follow(&self, scoreboard: &Scoreboard, writer: Option<OneWriter>) {
        if self.share_a_store {
            tokio::spawn(scoreboard.clone().follow());
        }
        if let Some(writer) = writer {
            tokio::spawn(writer.serve(scoreboard.store()));
        }
    }

    /// The same limits for what no scoreboard counts, and Redis as a part of the server's health.
    pub(crate) fn attend(&self, app: App) -> App {
        let app = app.with_limiter(self.limiter.clone());
        match self.redis.clone() {
            Some(redis) => app.with_cache_check(move || {
                let redis = redis.clone();
                Box::pin(async move { redis.check().await })
            }),
            None => app,
        }
    }
}

/// How the servers of a place write one after the other.
fn turns(place: &Place) -> Option<Arc<dyn Turns>> {
    match place {
        Place::Postgres { config, .. } => Some(Arc::new(PostgresTurns::new(config))),
        Place::Memory | Place::Sqlite { .. } => None,
    }
}

/// What is behind an error that only says where it happened.
fn cause<'a>(error: &'a (dyn std::error::Error + 'static)) -> &'a (dyn std::error::Error + 'static) {
    error.source().unwrap_or(error)
}

impl settings::Redis {
    /// `None` without a URL; the error is the rule that a setting breaks.
    pub(crate) fn config(&self) -> Result<Option<scoreboard_redis::Config>, String> {
        if self.url.is_empty() {
            return Ok(None);
        }
        let config = scoreboard_redis::Config::from_url(&self.url).map_err(|invalid| invalid.to_string())?;
        let namespace = self.namespace.parse::<Namespace>().map_err(|invalid| invalid.to_string())?;
        Ok(Some(scoreboard_redis::Config {
            namespace,
            connections: self.connections,
            call_timeout: std::time::Duration::from_millis(self.timeout_ms),
            ..config
        }))
    }
}
