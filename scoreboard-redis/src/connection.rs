//! How connections are made, to any of the three layouts.

use std::fmt;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleError, RecycleResult};
use redis::aio::{ConnectionLike, MultiplexedConnection, PubSub};
use redis::cluster::ClusterClient;
use redis::cluster_async::ClusterConnection;
use redis::io::tcp::TcpSettings;
use redis::sentinel::{SentinelClient, SentinelClientBuilder, SentinelServerType};
use redis::{
    AsyncConnectionConfig, Client, Cmd, ConnectionAddr, ConnectionInfo, Pipeline, RedisError, RedisFuture, RedisResult,
    TlsCertificates, TlsMode, Value,
};
use tokio::sync::Mutex;

use crate::address::Layout;
use crate::config::Config;

/// Makes the connections of the pool, and those that listen.
///
/// The driver's connections may be given up while an answer is under way: the next caller never reads it. That is why they are
/// its multiplexed ones although each serves one call at a time, and why there is no `PING` before each use.
pub(crate) struct Connector {
    way: Way,
    /// Counts how often the server went away. A connection of an earlier generation is not used again.
    generation: AtomicU64,
    config: AsyncConnectionConfig,
}

enum Way {
    Single(Client),
    Sentinel(Box<Mutex<SentinelClient>>),
    Cluster {
        client: Box<ClusterClient>,
        nodes: Vec<Client>,
        /// Which node was listened to last.
        turn: AtomicUsize,
    },
}

impl fmt::Debug for Connector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connector").field("generation", &self.generation).finish_non_exhaustive()
    }
}

impl Connector {
    /// Connects to nothing yet.
    pub(crate) fn new(config: &Config) -> RedisResult<Self> {
        let tls = config.tls_roots.clone().map(|roots| TlsCertificates { client_tls: None, root_cert: Some(roots) });
        let client = |info: &ConnectionInfo| match (&tls, info.addr()) {
            (Some(tls), ConnectionAddr::TcpTls { .. }) => Client::build_with_tls(info.clone(), tls.clone()),
            _ => Client::open(info.clone()),
        };
        let way = match &config.server.0 {
            Layout::Single(info) => Way::Single(client(info)?),
            Layout::Sentinel { sentinels, master, tls: by_tls } => {
                Way::Sentinel(Box::new(Mutex::new(sentinel(sentinels, master, *by_tls, tls.as_ref())?)))
            }
            Layout::Cluster(nodes) => {
                let mut builder = ClusterClient::builder(nodes.clone())
                    .connection_timeout(config.connect_timeout)
                    .response_timeout(config.call_timeout)
                    .tcp_settings(TcpSettings::default().set_nodelay(true))
                    // Follows a slot that has moved; what takes longer, the breaker and the caller deal with.
                    .retries(3);
                if let Some(tls) = tls.clone() {
                    builder = builder.certs(tls);
                }
                let nodes = nodes.iter().map(client).collect::<RedisResult<_>>()?;
                Way::Cluster { client: Box::new(builder.build()?), nodes, turn: AtomicUsize::new(0) }
            }
        };
        let timeouts = AsyncConnectionConfig::new()
            .set_connection_timeout(Some(config.connect_timeout))
            // The call's own time is over before; this ends what nobody waits for any more.
            .set_response_timeout(Some(config.connect_timeout.max(config.call_timeout)));
        Ok(Self { way, generation: AtomicU64::new(0), config: timeouts })
    }

    /// No connection that exists now is used again.
    pub(crate) fn end_connections(&self) {
        self.generation.fetch_add(1, Ordering::Relaxed);
    }

    /// How long making a connection may take, of which one step takes so long at most. To a sentinel the driver gives a second and half a
    /// one for an answer, twice, before it goes by what the next one says; a node of a cluster that is silent is passed over too.
    pub(crate) fn patience(&self, step: Duration) -> Duration {
        match &self.way {
            Way::Single(_) => step,
            Way::Sentinel(_) => 4 * step.max(Duration::from_secs(1)),
            Way::Cluster { .. } => 3 * step,
        }
    }

    /// Whether keys of different hash tags may lie on different nodes.
    pub(crate) fn is_cluster(&self) -> bool {
        matches!(self.way, Way::Cluster { .. })
    }

    /// A connection that listens. In a cluster any node will do, for each passes on what is published at any other: it takes turns
    /// among those that were named.
    pub(crate) async fn listener(&self) -> RedisResult<PubSub> {
        match &self.way {
            Way::Single(client) => client.get_async_pubsub().await,
            Way::Sentinel(sentinel) => {
                let master = sentinel.lock().await.async_get_client().await?;
                master.get_async_pubsub().await
            }
            Way::Cluster { nodes, turn, .. } => {
                let node = &nodes[turn.fetch_add(1, Ordering::Relaxed) % nodes.len()];
                node.get_async_pubsub().await
            }
        }
    }
}

fn sentinel(
    sentinels: &[ConnectionInfo],
    master: &str,
    by_tls: bool,
    tls: Option<&TlsCertificates>,
) -> RedisResult<SentinelClient> {
    let addresses = sentinels.iter().map(|info| info.addr().clone());
    let tcp = TcpSettings::default().set_nodelay(true);
    let mut builder = SentinelClientBuilder::new(addresses, master, SentinelServerType::Master)?
        .set_client_to_redis_tcp_settings(tcp.clone())
        .set_client_to_sentinel_tcp_settings(tcp);
    if by_tls {
        builder =
            builder.set_client_to_redis_tls_mode(TlsMode::Secure).set_client_to_sentinel_tls_mode(TlsMode::Secure);
        if let Some(tls) = tls {
            builder =
                builder.set_client_to_redis_certificates(tls.clone()).set_client_to_sentinel_certificates(tls.clone());
        }
    }
    if let Some(settings) = sentinels.first().map(ConnectionInfo::redis_settings) {
        builder = builder.set_client_to_redis_db(settings.db());
        if let Some(user) = settings.username() {
            builder = builder.set_client_to_redis_username(user);
        }
        if let Some(password) = settings.password() {
            builder = builder.set_client_to_redis_password(password);
        }
    }
    builder.build()
}

/// A connection to any layout.
pub(crate) struct Connection {
    to: To,
    generation: u64,
}

#[derive(Clone)]
enum To {
    Server(MultiplexedConnection),
    Cluster(ClusterConnection),
}

impl Manager for Connector {
    type Type = Connection;
    type Error = RedisError;

    async fn create(&self) -> RedisResult<Connection> {
        // Before it is made: if the server goes away meanwhile, it is old already.
        let generation = self.generation.load(Ordering::Relaxed);
        let to = match &self.way {
            Way::Single(client) => To::Server(client.get_multiplexed_async_connection_with_config(&self.config).await?),
            Way::Sentinel(sentinel) => {
                let master = sentinel.lock().await.async_get_client().await?;
                To::Server(master.get_multiplexed_async_connection_with_config(&self.config).await?)
            }
            Way::Cluster { client, .. } => To::Cluster(client.get_async_connection().await?),
        };
        Ok(Connection { to, generation })
    }

    async fn recycle(&self, connection: &mut Connection, _: &Metrics) -> RecycleResult<RedisError> {
        if connection.generation == self.generation.load(Ordering::Relaxed) {
            Ok(())
        } else {
            Err(RecycleError::message("the server went away since"))
        }
    }
}

impl ConnectionLike for Connection {
    fn req_packed_command<'a>(&'a mut self, cmd: &'a Cmd) -> RedisFuture<'a, Value> {
        match &mut self.to {
            To::Server(connection) => connection.req_packed_command(cmd),
            To::Cluster(connection) => connection.req_packed_command(cmd),
        }
    }

    fn req_packed_commands<'a>(
        &'a mut self,
        pipeline: &'a Pipeline,
        offset: usize,
        count: usize,
    ) -> RedisFuture<'a, Vec<Value>> {
        match &mut self.to {
            To::Server(connection) => connection.req_packed_commands(pipeline, offset, count),
            To::Cluster(connection) => connection.req_packed_commands(pipeline, offset, count),
        }
    }

    fn get_db(&self) -> i64 {
        match &self.to {
            To::Server(connection) => connection.get_db(),
            To::Cluster(connection) => connection.get_db(),
        }
    }
}
