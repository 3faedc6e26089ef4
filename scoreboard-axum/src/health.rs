//! How the parts of the server are.

use std::sync::Arc;
use std::time::Duration;

use scoreboard_core::{
    BackendError, BoardId, CacheTrouble, Chain, Error, ErrorKind, NAMES_BACKEND, Stale, StaleCause, TopQuery,
};
use serde::Serialize;
use tokio::sync::Mutex;
use tokio::time::{Instant, timeout};
use utoipa::ToSchema;

use crate::state::AppState;

/// How long a report is given out again, so that asking often costs nothing.
const FRESH: Duration = Duration::from_secs(1);

/// How long a part may take to show that it works.
const PATIENCE: Duration = Duration::from_millis(500);

/// The report of a moment ago.
#[derive(Debug, Default)]
pub(crate) struct Health {
    last: Mutex<Option<(Instant, Arc<Report>)>>,
}

/// How a part is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    /// It works.
    Up,
    /// The server does without it, or with less.
    Degraded,
    /// It does not work.
    Down,
}

/// How the server is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HealthReport)]
pub(crate) struct Report {
    /// `down` if a part is that the server cannot do without, `degraded` if another is not up.
    pub(crate) status: Status,
    parts: Parts,
}

/// Its parts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = HealthParts)]
struct Parts {
    /// Answering requests.
    api: Part,
    /// Reading and writing the store: the part that is needed.
    database: Part,
    /// Reading a board's first page through the cache, and the cache that is shared with other nodes.
    cache: Part,
    /// Watching a board, and room for more who do.
    realtime: Part,
    /// Services outside that the server calls. This one calls none.
    external: Part,
}

/// A part.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = HealthPart)]
#[serde(rename_all = "camelCase")]
struct Part {
    status: Status,
    /// How long the check took, in milliseconds.
    latency_ms: f64,
    /// What the monitor of the cache finds wrong with it: `few_hits`, `high_memory`, `slow_answers`. Of other parts there is none.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(required = false)]
    troubles: Vec<&'static str>,
}

impl Health {
    /// The report, at most a second old.
    pub(crate) async fn report(&self, app: &AppState) -> Arc<Report> {
        // Whoever comes while a check runs waits for its outcome: bounded, for each check is.
        let mut last = self.last.lock().await;
        match &*last {
            Some((at, report)) if at.elapsed() < FRESH => report.clone(),
            Some(_) | None => {
                let report = Arc::new(check(app).await);
                *last = Some((Instant::now(), report.clone()));
                report
            }
        }
    }
}

async fn check(app: &AppState) -> Report {
    let started = Instant::now();
    let main = TopQuery::new(BoardId::main());
    let database = timed("database", async {
        app.scoreboard.check().await?;
        if let Some(check) = &app.database_check {
            check().await?;
        }
        Ok(())
    });
    let cache = timed("cache", async {
        if let Some(check) = &app.cache_check {
            check().await?;
        }
        match app.scoreboard.top_encoded(&main).await?.stale {
            None => Ok(()),
            Some(Stale { cause: StaleCause::Store, .. }) => Err(unfresh("cache")),
            Some(Stale { cause: StaleCause::Names, .. }) => Err(unfresh(NAMES_BACKEND)),
        }
    });
    let realtime = timed("realtime", async { app.scoreboard.subscribe(&main.board, 1, None).await.map(drop) });
    let (database, mut cache, mut realtime) = tokio::join!(database, cache, realtime);
    // Without these the server still counts and answers.
    cache.status = cache.status.min(Status::Degraded);
    realtime.status = realtime.status.min(Status::Degraded);
    let troubles = app.scoreboard.cache_troubles();
    // With few hits or little room, answers are as good as ever.
    if troubles.contains(&CacheTrouble::SlowAnswers) {
        cache.status = Status::Degraded;
    }
    cache.troubles = troubles.into_iter().map(CacheTrouble::as_str).collect();
    if app.connections.is_full() {
        realtime.status = Status::Degraded;
    }
    let external = Part { status: Status::Up, latency_ms: 0.0, troubles: Vec::new() };
    let api = Part { status: Status::Up, latency_ms: millis(started.elapsed()), troubles: Vec::new() };
    let status = [&api, &database, &cache, &realtime, &external].into_iter().map(|part| part.status).max();
    Report { status: status.unwrap_or(Status::Up), parts: Parts { api, database, cache, realtime, external } }
}

/// What says that a page was given that may be old, by whose fault.
fn unfresh(backend: &'static str) -> Error {
    BackendError::new(ErrorKind::Unavailable, backend, "read a fresh page").into()
}

async fn timed(name: &'static str, probe: impl Future<Output = Result<(), Error>>) -> Part {
    let started = Instant::now();
    let status = match timeout(PATIENCE, probe).await {
        // That there is no board `main` says nothing of the part that found that out.
        Ok(Ok(()) | Err(Error::Rejected(_))) => Status::Up,
        Ok(Err(error)) => {
            tracing::warn!(part = name, error = %Chain(&error), "a part of the server does not work");
            Status::Down
        }
        Err(_) => {
            tracing::warn!(part = name, "a part of the server does not answer");
            Status::Down
        }
    };
    Part { status, latency_ms: millis(started.elapsed()), troubles: Vec::new() }
}

fn millis(duration: Duration) -> f64 {
    (duration.as_secs_f64() * 1e6).round() / 1e3
}
