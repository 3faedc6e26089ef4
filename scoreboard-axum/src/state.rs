//! What all handlers share. Limits and counts live here, never in a middleware, which axum clones for each connection.

use std::fmt;
use std::sync::Arc;

use axum::http::request::Parts;
use metrics_exporter_prometheus::PrometheusHandle;
use scoreboard_core::accounts::{Accounts, Principal, SignedRequest};
use scoreboard_core::{Clock, KeyId, Scoreboard, Usage};

use crate::address::ClientAddress;
use crate::app::PartCheck;
use crate::bearer::bearer;
use crate::body::Received;
use crate::health::Health;
use crate::live::Connections;
use crate::metrics::RouteSeries;
use crate::problem::Problem;
use crate::rate_limit::{RateLimits, Subject};
use crate::signed::{SignatureField, signature};
use crate::{App, HttpConfig, Lifecycle};

/// A handle on the state.
pub(crate) type Shared = Arc<AppState>;

pub(crate) struct AppState {
    pub(crate) scoreboard: Scoreboard,
    pub(crate) accounts: Accounts,
    pub(crate) limits: RateLimits,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) config: HttpConfig,
    pub(crate) metrics: Option<PrometheusHandle>,
    pub(crate) lifecycle: Lifecycle,
    pub(crate) health: Health,
    pub(crate) connections: Arc<Connections>,
    pub(crate) series: RouteSeries,
    pub(crate) cache_check: Option<PartCheck>,
    pub(crate) database_check: Option<PartCheck>,
}

impl fmt::Debug for AppState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AppState").finish_non_exhaustive()
    }
}

impl AppState {
    pub(crate) fn new(app: App) -> Shared {
        let App { scoreboard, accounts, limiter, clock, config, metrics, lifecycle, cache_check, database_check } = app;
        Arc::new(Self {
            scoreboard,
            accounts,
            limits: RateLimits::new(config.limits.clone(), limiter, clock.clone()),
            clock,
            health: Health::default(),
            connections: Arc::new(Connections::new(&config.live)),
            series: RouteSeries::new(crate::routes::templates(&config)),
            config,
            metrics,
            lifecycle,
            cache_check,
            database_check,
        })
    }

    /// Whose account it is, by their access token.
    pub(crate) fn signed_in(&self, parts: &Parts) -> Result<Principal, Problem> {
        let token = bearer(&parts.headers)?.ok_or_else(Problem::unauthorized)?;
        Ok(self.accounts.authenticate(token)?)
    }

    /// Who asks, with an account here or with none: for what all users may.
    pub(crate) fn user(&self, parts: &Parts) -> Result<Principal, Problem> {
        let token = bearer(&parts.headers)?.ok_or_else(Problem::unauthorized)?;
        Ok(self.accounts.identify(token)?)
    }

    /// Who asks, be it that they may do nothing yet but set up a second factor.
    pub(crate) fn enrolling(&self, parts: &Parts) -> Result<Principal, Problem> {
        let token = bearer(&parts.headers)?.ok_or_else(Problem::unauthorized)?;
        Ok(self.accounts.authenticate_enrolling(token)?)
    }

    /// Which trusted game server asks, by its own key or by the signature of the request, which the key of the result is a part of.
    pub(crate) async fn game_server(&self, parts: &Parts, body: &Received) -> Result<KeyId, Problem> {
        if let Some(SignatureField { key, time, signature }) = signature(&parts.headers)? {
            let mut names = parts.headers.get_all("idempotency-key").iter().map(|name| name.to_str());
            let (Some(Ok(idempotency_key)), None, Ok(body)) = (names.next(), names.next(), body) else {
                return Err(Problem::unauthorized());
            };
            let request = SignedRequest {
                key: &key,
                time,
                method: parts.method.as_str(),
                target: parts.uri.path_and_query().map_or("", |target| target.as_str()),
                idempotency_key,
                body,
                signature: &signature,
            };
            return Ok(self.accounts.authenticate_signed(&request).await?);
        }
        let key = bearer(&parts.headers)?.ok_or_else(Problem::unauthorized)?;
        Ok(self.accounts.authenticate_server(key).await?)
    }

    /// Counts a read against the quota of the user, or of the address where nobody is signed in. A token that is sent must be
    /// good, even where none is needed.
    pub(crate) async fn reader(&self, parts: &Parts) -> Result<Option<Usage>, Problem> {
        let subject = match bearer(&parts.headers)? {
            Some(token) => Subject::User(self.accounts.identify_reader(token)?.user_id),
            None if !self.limits.counts_reads() => return Ok(None),
            None => Subject::Address(self.address(parts)),
        };
        self.limits.read(subject).await
    }

    /// The client's address.
    pub(crate) fn address(&self, parts: &Parts) -> ClientAddress {
        ClientAddress::of(&parts.headers, &parts.extensions, &self.config.trusted_proxies)
    }
}
