//! `serve`: the parts put together, served, and taken apart again in the right order.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use scoreboard_axum::{App, HttpConfig, Lifecycle, Network, ServeConfig, service};
use scoreboard_core::accounts::Accounts;
use scoreboard_core::{Clock, DeterministicRules, FraudWatch, KeyRing, RandomIds, RankIndexed, Scoreboard};
use tokio::net::TcpListener;
use tokio::time::{Instant, timeout};

use crate::failure::{Failure, Result};
use crate::key_watch::KeyWatch;
use crate::keys::Keys;
use crate::lock::Lock;
use crate::nodes::Nodes;
use crate::place::Place;
use crate::settings::{Effective, Settings};
use crate::signals::Signals;
use crate::store::Stores;
use crate::{fraud, logging, messages, outside, progress, ranks, sample};

/// How long a store may take to close that was still being read when it was told to: it may be what the start was waiting for.
const PATIENCE: Duration = Duration::from_secs(2);

/// How often the metrics' histograms are drained.
const METRICS_UPKEEP: Duration = Duration::from_secs(5);

/// How far the times may be apart that servers of one database take its clock to show: each is right to half of what it takes to ask.
const CLOCKS_APART: Duration = Duration::from_millis(250);

/// Serves until it is told to stop, and returns when all that was acknowledged is on disk and closed.
pub(crate) async fn run(effective: &Effective) -> Result<()> {
    let settings = &effective.settings;
    let http = settings.http_config().map_err(|(name, rule)| effective.refuse(name, rule))?;
    logging::start(settings.log, "info");
    let mut signals = Signals::listen()?;
    let started = tokio::select! {
        started = start(effective, http) => started?,
        // Until a server serves it owes nobody anything, and each step before is whole or not done: it is left where it is.
        name = signals.next() => {
            stopped_early(name);
            return Ok(());
        }
    };
    let warm = tokio::select! {
        warm = warm_up(&started) => Some(warm?),
        name = signals.next() => {
            stopped_early(name);
            None
        }
    };
    if warm.is_some() {
        started.serve(signals).await?;
    } else if timeout(PATIENCE, started.close()).await.is_err() {
        tracing::warn!("the database does not answer; it is left as it is");
    }
    tracing::info!("stopped");
    Ok(())
}

/// A server that has all it needs, and has not yet read ahead.
struct Started {
    listener: TcpListener,
    app: App,
    config: ServeConfig,
    lifecycle: Lifecycle,
    scoreboard: Scoreboard,
    ranks: Option<RankIndexed>,
    watch: Option<FraudWatch>,
    stores: Stores,
    _lock: Option<Lock>,
}

/// Puts the parts together.
async fn start(effective: &Effective, http: HttpConfig) -> Result<Started> {
    let settings = &effective.settings;
    let listener = listen(settings).await?;

    let place = Place::of(settings).map_err(|rule| effective.refuse("database_url", rule))?;
    if let Place::Memory = place {
        tracing::warn!("everything is kept in memory, keys too, and is gone when this server stops");
    }
    let lock = place.claim()?;
    let key_file = place.key_file(settings)?;
    if let (Place::Postgres { .. }, Some(file)) = (&place, &key_file) {
        check_shared_keys(file)?;
    }
    let is_new = match &place {
        Place::Memory | Place::Postgres { .. } => true,
        Place::Sqlite { files, .. } => !files.database.exists(),
    };

    // Before anything counts: what was counted earlier is lost.
    let metrics = scoreboard_axum::prometheus()
        .install_recorder()
        .map_err(|error| Failure::because("cannot collect metrics", &error))?;
    let upkeep = metrics.clone();
    tokio::spawn(async move {
        let mut ticks = tokio::time::interval(METRICS_UPKEEP);
        loop {
            ticks.tick().await;
            upkeep.run_upkeep();
        }
    });

    let stores = Stores::open(&place).await?;
    if let Place::Sqlite { files, .. } = &place {
        files.warn_of_readers();
    }
    let clock = stores.clock().await?;
    // After the database, so that where that is not one of ours nothing of ours is left beside it.
    let ring = keys(key_file.as_deref(), is_new, &stores, &clock).await?;
    if sample::create_if_empty(&*stores.scores).await? {
        tracing::info!("created the board `main` with a sample catalogue");
    }
    durability(&stores);

    let nodes = Nodes::meet(settings, &place, &stores).await?;
    let accounts = Accounts::builder(stores.accounts.clone(), &ring).with_factors(stores.factors.clone());
    let accounts = nodes.share_tickets(accounts.with_clock(clock.clone()));
    let mut accounts = messages::carried(accounts.with_config(settings.accounts_config()), effective, &clock)?;
    if let Some(issuer) = outside::issuer(effective).await? {
        accounts = accounts.with_outside_issuer(issuer);
    }
    let accounts = accounts.build();
    // What is warm of users: whose sessions were ended. Nothing else of them is kept, so there is nothing else to load.
    accounts.sync_revocations().await?;
    tokio::spawn(accounts.clone().watch_revocations());
    let mut config = settings.scoreboard_config();
    if let Place::Postgres { .. } = place {
        // Nobody waits for others longer than for the database itself.
        config.group_commit.max_wait = Duration::from_millis(settings.store.timeout_ms);
        config.clocks_apart = CLOCKS_APART;
    }
    let broadcaster = nodes.broadcaster(&place);
    let wanted = settings.ranks.config().map_err(|rule| effective.refuse("ranks.boards", rule.to_string()))?;
    let writer = nodes.one_writer(&stores, &place, &ring, &clock);
    let below = writer.clone().map_or_else(|| stores.scores.clone(), |writer| Arc::new(writer));
    let (scores, ranks) = ranks::over(below, wanted, &broadcaster);
    let rules = DeterministicRules::new(settings.fraud.max_outstanding).with_outstanding(nodes.outstanding());
    let builder = Scoreboard::builder(scores)
        .with_audit_store(stores.scores.clone())
        .with_broadcaster(broadcaster)
        .with_keys(ring)
        .with_fraud_detector(Arc::new(rules))
        .with_incidents(fraud::told(stores.incidents.clone(), effective, &clock)?)
        .with_moderation(stores.moderation.clone())
        .with_names(stores.accounts.clone())
        .with_clock(clock.clone())
        .with_config(config);
    let scoreboard = nodes.join(builder, &place, writer.as_ref()).build();
    let lifecycle = Lifecycle::default();
    let serve = settings.serve_config(http.trusted_proxies.clone());
    let app = App::new(scoreboard.clone(), accounts).with_config(http).with_metrics(metrics).with_clock(clock);
    let app = stores.attend(nodes.attend(app.with_lifecycle(lifecycle.clone())));

    nodes.follow(&scoreboard, writer);
    let watched = settings.fraud.watch().map_err(|rule| effective.refuse("fraud.steady_kinds", rule))?;
    let watch = watched.map(|config| match &ranks {
        Some(ranks) => FraudWatch::beside(scoreboard.clone(), config, ranks.clone()),
        None => FraudWatch::new(scoreboard.clone(), config),
    });
    Ok(Started { listener, app, config: serve, lifecycle, scoreboard, ranks, watch, stores, _lock: lock })
}

impl Started {
    /// Serves until there is a signal, and closes.
    async fn serve(self, signals: Signals) -> Result<()> {
        let Self { listener, app, config, lifecycle, scoreboard, ranks: _, watch, stores, _lock } = self;
        tokio::spawn(scoreboard.clone().keep_warm());
        tokio::spawn(scoreboard.clone().monitor_cache());
        tokio::spawn(scoreboard.clone().write_through());
        if let Some(watch) = watch {
            tokio::spawn(watch.follow());
        }
        announce(&listener)?;
        lifecycle.ready();
        scoreboard_axum::serve(listener, service(app), config, lifecycle, stop(signals)).await;
        scoreboard.close().await;
        // All that was acknowledged is durable. A connection that is dead, and has not noticed, would say goodbye for ever.
        if timeout(PATIENCE, stores.close()).await.is_err() {
            tracing::warn!("the database does not answer; its connections are left as they are");
        }
        Ok(())
    }

    async fn close(self) {
        self.scoreboard.close().await;
        self.stores.close().await;
    }
}

fn stopped_early(signal: &'static str) {
    tracing::info!(signal, "stopping before anything was served");
}

/// Fills the cache before the first who asks; where that takes long, it says how far it is.
async fn warm_up(started: &Started) -> Result<()> {
    if let Some(ranks) = &started.ranks {
        ranks::filled(ranks).await?;
    }
    let scoreboard = &started.scoreboard;
    const SAYS_SO_EVERY: Duration = Duration::from_secs(2);
    let began = Instant::now();
    let mut said = began;
    let boards = scoreboard
        .warm_up(|done, of| {
            if said.elapsed() >= SAYS_SO_EVERY {
                said = Instant::now();
                tracing::info!(done, of, "warming up the boards");
            }
        })
        .await
        .map_err(|error| Failure::because("cannot read the boards", &error))?;
    tracing::info!(boards, took_ms = began.elapsed().as_millis(), "the boards are warm");
    Ok(())
}

async fn listen(settings: &Settings) -> Result<TcpListener> {
    let address = &settings.listen;
    TcpListener::bind(address).await.map_err(|error| match error.kind() {
        std::io::ErrorKind::AddrInUse => Failure::new(format_args!(
            "cannot listen on {address}: another program listens there; choose another with --listen"
        )),
        _ => Failure::because(format_args!("cannot listen on {address}"), &error),
    })
}

/// Whether the keys that all servers of a database share are there. One that made its own would refuse what the others signed.
fn check_shared_keys(path: &Path) -> Result<()> {
    if Keys::load(path)?.is_some() {
        return Ok(());
    }
    let file = path.display();
    Err(Failure::new(format_args!(
        "there is no key file {file}: copy it from another server of this database, or make the first with `scoreboard-server admin \
         rotate-keys --keys {file}`"
    )))
}

/// Says what may be lost, to people and to alerts.
fn durability(stores: &Stores) {
    let is_durable = stores.is_durable();
    metrics::describe_gauge!("scoreboard_unsafe_durability", "1 if the database may lose what it acknowledged.");
    metrics::gauge!("scoreboard_unsafe_durability").set(if is_durable { 0.0 } else { 1.0 });
    if !is_durable {
        tracing::warn!("the database may lose what it acknowledged, and this server was told to use it all the same");
    }
}

/// The ring of this server, which follows its file and what was revoked.
async fn keys(path: Option<&Path>, is_new: bool, stores: &Stores, clock: &Arc<dyn Clock>) -> Result<KeyRing> {
    let Some(path) = path else { return Ok(KeyRing::random(&RandomIds)) };
    let (keys, fresh) = Keys::load_or_create(path)?;
    let file = path.display();
    match (fresh, is_new) {
        (true, true) => tracing::info!(%file, "made new keys; keep this file as safe as the database"),
        (true, false) => tracing::warn!(
            %file,
            "there was no key file beside the database: made new keys. Whoever is signed in has to sign in again, and actions \
             that were started are lost; to keep them, stop the server and put the old file back"
        ),
        (false, _) => {}
    }
    let (watch, ring) = KeyWatch::begin(&keys, path, stores.accounts.clone(), clock.clone()).await?;
    tokio::spawn(watch.follow());
    Ok(ring)
}

/// Says where the page is, to people and programs.
fn announce(listener: &TcpListener) -> Result<()> {
    let mut address = listener.local_addr().map_err(|error| Failure::because("cannot listen", &error))?;
    // What listens everywhere is reached here too.
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => address.set_ip(Ipv4Addr::LOCALHOST.into()),
        IpAddr::V6(ip) if ip.is_unspecified() => address.set_ip(Ipv6Addr::LOCALHOST.into()),
        IpAddr::V4(_) | IpAddr::V6(_) => {}
    }
    let url = url(address);
    tracing::info!(%url, version = env!("CARGO_PKG_VERSION"), "serving");
    // Nobody reading it is no reason not to serve.
    let _ = progress::print(&format!("Scoreboard is at {url}"));
    Ok(())
}

fn url(address: SocketAddr) -> String {
    format!("http://{address}/")
}

/// Ends at the first signal; the second ends the process at once.
async fn stop(mut signals: Signals) {
    let name = signals.next().await;
    tracing::info!(signal = name, "stopping: what is under way is finished; a second signal ends at once");
    tokio::spawn(async move {
        signals.next().await;
        std::process::exit(130);
    });
}

impl Settings {
    fn scoreboard_config(&self) -> scoreboard_core::Config {
        let mut config = scoreboard_core::Config::default();
        config.update_quota = self.limits.update.quota();
        config.cache_lifetime = Duration::from_secs(self.cache.lifetime_seconds);
        config.stale_lifetime = Duration::from_secs(self.cache.stale_seconds);
        config.cache_bytes = self.cache.megabytes << 20;
        config.cache_monitor.period = Duration::from_secs(self.cache.monitor_seconds);
        config.cache_monitor.min_hit_percent = self.cache.min_hit_percent;
        config.cache_monitor.max_memory_percent = self.cache.max_memory_percent;
        config.cache_monitor.max_answer_time = Duration::from_millis(self.cache.max_answer_ms);
        config.batch_interval = Duration::from_millis(self.live.batch_interval_ms);
        config.poll_interval = Duration::from_millis(self.live.poll_interval_ms);
        config.group_commit.max_batch = self.store.max_batch;
        config.group_commit.queue = self.store.queue;
        config
    }

    /// The HTTP side's numbers, or the setting that is none, and its rule.
    fn http_config(&self) -> Result<HttpConfig, (&'static str, String)> {
        let mut config = HttpConfig::default();
        config.limits.generate_action = self.limits.generate_action.quota();
        config.limits.register = self.limits.register.quota();
        config.limits.login = self.limits.login.quota();
        config.limits.mail = self.limits.mail.quota();
        config.limits.read = self.limits.read.quota();
        config.limits.address = self.limits.address.quota();
        config.body_timeout = Duration::from_secs(self.http.body_timeout_seconds);
        config.request_timeout = Duration::from_secs(self.http.request_timeout_seconds);
        config.live.max_connections = self.live.max_connections;
        config.live.max_connections_per_address = self.live.max_connections_per_address;
        config.allowed_origins = parse_all("allowed_origins", &self.allowed_origins)?;
        config.trusted_proxies = parse_all("trusted_proxies", &self.trusted_proxies)?;
        Ok(config)
    }

    fn serve_config(&self, trusted_proxies: Vec<Network>) -> ServeConfig {
        let mut config = ServeConfig::default();
        config.max_connections = self.http.max_connections;
        config.max_connections_per_address = self.http.max_connections_per_address;
        config.trusted_proxies = trusted_proxies;
        config.header_timeout = Duration::from_secs(self.http.header_timeout_seconds);
        config.write_timeout = Duration::from_secs(self.http.write_timeout_seconds);
        config.notice = Duration::from_secs(self.notice_seconds);
        config.drain = Duration::from_secs(self.drain_seconds);
        config
    }
}

fn parse_all<T>(name: &'static str, texts: &[String]) -> Result<Vec<T>, (&'static str, String)>
where
    T: std::str::FromStr,
    T::Err: std::fmt::Display,
{
    texts.iter().map(|text| text.parse().map_err(|error| (name, format!("`{text}`: {error}")))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_those_of_the_libraries() {
        let settings = Settings::default();
        let (http, defaults) = (settings.http_config().unwrap(), HttpConfig::default());
        assert_eq!((&http.limits, &http.live), (&defaults.limits, &defaults.live));
        assert_eq!((http.body_timeout, http.request_timeout), (defaults.body_timeout, defaults.request_timeout));
        let (serve, defaults) = (settings.serve_config(Vec::new()), ServeConfig::default());
        assert_eq!(serve, defaults);
        assert_eq!(settings.scoreboard_config(), scoreboard_core::Config::default());
        assert_eq!(settings.accounts_config(), scoreboard_core::accounts::AccountsConfig::default());
    }

    #[test]
    fn a_page_on_every_address_is_shown_at_this_one() {
        assert_eq!(url("[::1]:8080".parse().unwrap()), "http://[::1]:8080/");
        assert_eq!(url("127.0.0.1:80".parse().unwrap()), "http://127.0.0.1:80/");
    }
}
