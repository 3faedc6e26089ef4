//! How long requests took, by route.

use std::fmt;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::http::{Method, StatusCode};
use metrics::Histogram;
use metrics_exporter_prometheus::PrometheusBuilder;

/// The upper bounds of the buckets, in seconds: those of OpenTelemetry's `http.server.request.duration`, and one below.
const BUCKETS: [f64; 15] = [0.001, 0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0];

/// A recorder with this crate's histogram buckets and descriptions, for `/metrics`: install it before the router is built, and call
/// `run_upkeep` of its handle every few seconds.
#[must_use]
pub fn prometheus() -> PrometheusBuilder {
    PrometheusBuilder::new().set_buckets(&BUCKETS).expect("there are buckets")
}

/// Gives the metrics of this crate their help texts; call it once a recorder is installed.
pub(crate) fn describe() {
    use metrics::{Unit, describe_counter, describe_gauge, describe_histogram};
    describe_histogram!(NAME, Unit::Seconds, "How long requests took, from their headers to the answer's.");
    describe_counter!("scoreboard_ratelimit_refusals_total", "Requests refused for being over a quota.");
    describe_counter!("scoreboard_backend_failures_total", "Requests that failed because a backend did.");
    describe_counter!("scoreboard_auth_attempts_total", "Registrations, logins, refreshes and tickets, by outcome.");
    describe_counter!(
        "scoreboard_refresh_reuse_total",
        "Refresh tokens that were used a second time, which ends their session."
    );
    describe_counter!("scoreboard_fraud_findings_total", "What the fraud rules found, by rule and measure.");
    describe_counter!("scoreboard_fraud_rule_panics_total", "Looks of fraud rules that panicked, by rule.");
    describe_counter!("scoreboard_fraud_holds_total", "Users whom a rule has held until people have decided.");
    describe_gauge!("scoreboard_fraud_watch_lag_changes", "Changes that were not yet looked at for fraud.");
    describe_counter!("scoreboard_fraud_watch_changes_total", "Changes that were looked at for fraud.");
    describe_counter!("scoreboard_incident_alerts_total", "Alerts of incidents, by what became of them.");
    describe_counter!("scoreboard_publish_failures_total", "Changes that were not announced to other nodes.");
    describe_counter!(
        "scoreboard_ratelimit_store_refusals_total",
        "Updates over their user's quota that the limiter let pass, as one that has forgotten does, and the store refused."
    );
    describe_counter!("scoreboard_ratelimit_fallbacks_total", "Decisions made without the shared limiter.");
    describe_counter!(
        "scoreboard_outstanding_fallbacks_total",
        "Actions under way that were counted without the shared count."
    );
    describe_counter!("scoreboard_updates_total", "Updates handed in, by outcome.");
    describe_counter!("scoreboard_live_refusals_total", "Live connections refused for want of room.");
    describe_gauge!("scoreboard_live_windows", "Parts of boards that are watched, or were within half a minute.");
    describe_counter!("scoreboard_live_reads_total", "Reads of watched boards from the store.");
    describe_counter!("scoreboard_live_failures_total", "Reads of watched boards that failed, and are tried again.");
    describe_gauge!("scoreboard_ws_connections", "Open WebSocket connections.");
    describe_gauge!("scoreboard_sse_connections", "Open streams of server-sent events.");
    describe_counter!("scoreboard_ws_closes_total", "WebSocket connections that the server closed, by code.");
    describe_counter!("scoreboard_cache_requests_total", "Answers asked of the caches, by tier and result.");
    describe_counter!("scoreboard_cache_stale_answers_total", "Stale answers given, by what could not be read.");
    describe_counter!("scoreboard_cache_audits_total", "Cached answers compared with the store, by what was found.");
    describe_histogram!(
        "scoreboard_cache_staleness_seconds",
        Unit::Seconds,
        "By how much the compared answers were behind."
    );
    describe_gauge!(
        "scoreboard_cache_hit_ratio",
        "How many of the answers asked for the caches had, when last enough were."
    );
    describe_gauge!("scoreboard_cache_bytes", Unit::Bytes, "What the cache in this process takes.");
    describe_gauge!("scoreboard_cache_max_bytes", Unit::Bytes, "What the cache in this process may take.");
    describe_gauge!("scoreboard_cache_slow_ratio", "How many of the answers that had to be fetched took too long.");
    describe_gauge!("scoreboard_cache_alert", "1 while the cache has this trouble.");
    describe_counter!("scoreboard_cache_alerts_total", "Troubles that the monitor of the cache found.");
    describe_counter!("scoreboard_cache_reactions_total", "What the monitor of the cache did about them.");
    describe_counter!("scoreboard_connections_refused_total", "TCP connections refused for want of room.");
}

const NAME: &str = "scoreboard_http_request_duration_seconds";

const METHODS: [&str; 4] = ["GET", "HEAD", "POST", "other"];
const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

/// Handles on the series of each route, so that a request looks nothing up by its labels.
pub(crate) struct RouteSeries {
    routes: matchit::Router<Arc<Series>>,
    unmatched: Arc<Series>,
}

/// The series of one route, made when they are first needed.
#[derive(Debug)]
pub(crate) struct Series {
    route: Box<str>,
    histograms: [[OnceLock<Histogram>; CLASSES.len()]; METHODS.len()],
}

impl RouteSeries {
    /// For routes with these templates.
    ///
    /// The path is matched here once more than by the router, which costs less than to be told by it: it tells only layers around each
    /// route, and those are cloned for each request.
    pub(crate) fn new(templates: Vec<String>) -> Self {
        let mut routes = matchit::Router::new();
        for template in templates {
            let series = Arc::new(Series::new(&template));
            routes.insert(template, series).expect("the router has these routes too");
        }
        Self { routes, unmatched: Arc::new(Series::new("unmatched")) }
    }

    /// The series of the route that this path leads to; all paths that lead to none share one.
    pub(crate) fn of(&self, path: &str) -> Arc<Series> {
        self.routes.at(path).map_or(&self.unmatched, |found| found.value).clone()
    }
}

impl fmt::Debug for RouteSeries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteSeries").finish_non_exhaustive()
    }
}

impl Series {
    fn new(route: &str) -> Self {
        Self { route: route.into(), histograms: Default::default() }
    }

    pub(crate) fn route(&self) -> &str {
        &self.route
    }

    pub(crate) fn record(&self, method: &Method, status: StatusCode, took: Duration) {
        let method = match *method {
            Method::GET => 0,
            Method::HEAD => 1,
            Method::POST => 2,
            // A client may make up methods: they share one series.
            _ => 3,
        };
        let class = usize::from(status.as_u16() / 100).clamp(1, CLASSES.len()) - 1;
        let histogram = self.histograms[method][class].get_or_init(|| {
            let route = self.route.to_string();
            metrics::histogram!(NAME, "route" => route, "method" => METHODS[method], "status_class" => CLASSES[class])
        });
        histogram.record(took);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::HttpConfig;

    #[test]
    fn a_path_is_counted_under_its_template() {
        let series = RouteSeries::new(crate::routes::templates(&HttpConfig::default()));
        for (path, template) in [
            ("/", "/"),
            ("/api/scoreboard", "/api/scoreboard"),
            ("/api/scoreboard/update", "/api/scoreboard/update"),
            ("/assets/app.js", "/assets/{file}"),
            ("/client/scoreboard-client.js", "/client/{file}"),
            ("/docs/", "/docs/"),
            ("/docs/swagger-ui.css", "/docs/{*rest}"),
            ("/api/scoreboard/", "unmatched"),
            ("/nowhere", "unmatched"),
        ] {
            assert_eq!(series.of(path).route(), template, "{path}");
        }
        let bare = HttpConfig { page: false, docs: false, ..HttpConfig::default() };
        assert_eq!(RouteSeries::new(crate::routes::templates(&bare)).of("/").route(), "unmatched");
    }
}
