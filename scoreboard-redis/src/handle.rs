//! The handle that every adapter of this crate calls Redis by.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Object, Pool, PoolError, TimeoutType};
use futures_util::FutureExt;
use redis::aio::PubSub;
use redis::{FromRedisValue, Pipeline, ScriptInvocation, Value};
use scoreboard_core::{BackendError, IdSource, InvalidValue};
use tokio::time::{Instant, timeout, timeout_at};

use crate::breaker::Breaker;
use crate::config::Config;
use crate::connection::Connector;
use crate::error::{self, Failure};
use crate::keys::Namespace;
use crate::measures;

/// A Redis: one server, the master behind sentinels, or a cluster, through a pool of connections, a time limit and a circuit breaker.
///
/// Cloning it clones the handle: the connections and the breaker are shared.
///
/// No call waits longer than [`Config::call_timeout`]. Where Redis does not answer, the breaker opens and calls fail at once, but for
/// one now and then that looks whether it is back. The metric `scoreboard_breaker_state` is 1 while it is open; it is one for the
/// process, so make one handle and clone it.
///
/// ```
/// use scoreboard_redis::{Config, Redis};
/// let redis = Redis::new(&Config::from_url("redis://localhost")?)?;
/// assert!(!redis.is_broken(), "nothing was asked of it yet");
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone)]
pub struct Redis(Arc<Inner>);

struct Inner {
    pool: Pool<Connector>,
    breaker: Breaker,
    namespace: Namespace,
    ids: Arc<dyn IdSource>,
    call_timeout: Duration,
    /// How long making a connection may take in all.
    patience: Duration,
}

impl fmt::Debug for Redis {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Redis")
            .field("namespace", &self.0.namespace)
            .field("connections", &self.0.pool.status().size)
            .field("broken", &self.is_broken())
            .finish_non_exhaustive()
    }
}

impl Redis {
    /// A handle on the Redis that `config` names. It connects when it is first called: a server that is away shows then, and is looked
    /// for again.
    ///
    /// # Errors
    ///
    /// `Refused` if the certificates in [`Config::tls_roots`] cannot be read, or the addresses of a cluster do not go together.
    pub fn new(config: &Config) -> Result<Self, BackendError> {
        choose_cryptography();
        measures::describe();
        let connector = Connector::new(config).map_err(error::refused)?;
        let patience = connector.patience(config.connect_timeout);
        let pool = Pool::builder(connector)
            .max_size(config.connections.max(1))
            .wait_timeout(Some(config.call_timeout))
            .create_timeout(Some(patience))
            .runtime(Runtime::Tokio1)
            // The connection that was used last is used next: the others show how many are needed, and what one caller sends
            // one after the other goes one way.
            .queue_mode(deadpool::managed::QueueMode::Lifo)
            .build()
            .map_err(error::refused)?;
        Ok(Self(Arc::new(Inner {
            pool,
            breaker: Breaker::new(config.breaker_failures, config.probe_interval),
            namespace: config.namespace.clone(),
            ids: config.ids.clone(),
            call_timeout: config.call_timeout,
            patience,
        })))
    }

    /// A handle on the Redis that a URL names; see [`Config::from_url`].
    ///
    /// # Errors
    ///
    /// `Refused` if the URL names none; otherwise as [`new`](Self::new).
    pub fn from_url(url: &str) -> Result<Self, BackendError> {
        let config = Config::from_url(url).map_err(|invalid: InvalidValue| error::refused(invalid))?;
        Self::new(&config)
    }

    /// Whether the breaker is open: calls are answered `Unavailable` at once.
    #[must_use]
    pub fn is_broken(&self) -> bool {
        self.0.breaker.is_open()
    }

    /// Asks for a sign of life, for a health check.
    ///
    /// # Errors
    ///
    /// Whatever a call would fail with now: `Unavailable` if Redis is away or the breaker is open, `Refused` if the URL, the user or the
    /// password is wrong, or any other [`ErrorKind`](scoreboard_core::ErrorKind) that the server causes. The source says which in a
    /// sentence.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    pub async fn check(&self) -> Result<(), BackendError> {
        let mut ping = redis::pipe();
        // In a cluster, the node that this key would lie on.
        ping.cmd("EXISTS").arg(self.0.namespace.check());
        self.pipeline::<Value>(&ping).await.map(drop).map_err(|failure| failure.during("check"))
    }

    pub(crate) fn namespace(&self) -> &Namespace {
        &self.0.namespace
    }

    pub(crate) fn ids(&self) -> &dyn IdSource {
        &*self.0.ids
    }

    /// A name that no other process has, nor another adapter of this one.
    pub(crate) fn name(&self) -> String {
        let mut bytes = [0; 8];
        self.ids().fill(&mut bytes);
        hex::encode(bytes)
    }

    pub(crate) fn is_cluster(&self) -> bool {
        self.0.pool.manager().is_cluster()
    }

    /// Runs a script by its hash, and loads it first where the server does not know it.
    pub(crate) async fn script<T: FromRedisValue>(&self, script: &ScriptInvocation<'_>) -> Result<T, Failure> {
        self.call(Request::Script(script)).await
    }

    /// Sends several commands in one go. They are not one step: others may come between them.
    pub(crate) async fn pipeline<T: FromRedisValue>(&self, commands: &Pipeline) -> Result<T, Failure> {
        self.call(Request::Pipeline(commands)).await
    }

    /// A connection that listens.
    pub(crate) async fn listener(&self) -> Result<PubSub, Failure> {
        let connecting = self.0.pool.manager().listener();
        let connected = timeout(self.0.patience, connecting).await.map_err(|_| Failure::NotConnected)?;
        connected.map_err(Failure::Connect)
    }

    async fn call<T: FromRedisValue>(&self, request: Request<'_>) -> Result<T, Failure> {
        let Inner { breaker, pool, .. } = &*self.0;
        if !breaker.admits() {
            return Err(Failure::Open);
        }
        let answer = self.ask(request).await;
        match &answer {
            Err(failure) if failure.opens_the_breaker() => {
                let opens = breaker.failed();
                if opens {
                    tracing::warn!(error = %failure, "Redis failed several times in a row; calls are answered without it");
                }
                // A connection to a cluster goes on without the node that failed, and finds its heir by itself.
                if opens || (failure.ends_connections() && !self.is_cluster()) {
                    pool.manager().end_connections();
                }
            }
            // An answer, whatever it says of one key.
            _ => {
                if breaker.succeeded() {
                    tracing::info!("Redis is back");
                }
            }
        }
        answer
    }

    async fn ask<T: FromRedisValue>(&self, request: Request<'_>) -> Result<T, Failure> {
        let deadline = Instant::now() + self.0.call_timeout;
        let mut connection = self.connection(deadline).await?;
        let connection = &mut *connection;
        let answer = async {
            match request {
                Request::Script(script) => script.invoke_async(connection).await,
                Request::Pipeline(commands) => commands.query_async(connection).await,
            }
        };
        timeout_at(deadline, answer).await.map_err(|_| Failure::TimedOut)?.map_err(Failure::Command)
    }

    /// An idle connection, or a new one. A new one is made in a task of its own: making it may take longer than this call has, and
    /// the next one finds it ready.
    async fn connection(&self, deadline: Instant) -> Result<Object<Connector>, Failure> {
        let pool = self.0.pool.clone();
        let mut getting = Box::pin(async move { pool.get().await });
        let gotten = match (&mut getting).now_or_never() {
            Some(gotten) => gotten,
            None => {
                let gotten = timeout_at(deadline, tokio::spawn(getting)).await;
                let gotten = gotten.map_err(|_| {
                    let pool = self.0.pool.status();
                    if pool.size < pool.max_size { Failure::NotConnected } else { Failure::NoConnection }
                })?;
                gotten.map_err(|_| Failure::Gone)?
            }
        };
        gotten.map_err(|error| match error {
            PoolError::Backend(error) => Failure::Connect(error),
            PoolError::Timeout(TimeoutType::Wait) => Failure::NoConnection,
            _ => Failure::NotConnected,
        })
    }
}

/// What is sent.
enum Request<'a> {
    Script(&'a ScriptInvocation<'a>),
    Pipeline(&'a Pipeline),
}

/// TLS is spoken by way of aws-lc, like everything else here that needs cryptography, unless the program has chosen already. Without a choice
/// rustls would have none to fall back on where several are compiled in.
fn choose_cryptography() {
    if rustls::crypto::CryptoProvider::get_default().is_none() {
        // Lost against another thread, there is one all the same.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    }
}
