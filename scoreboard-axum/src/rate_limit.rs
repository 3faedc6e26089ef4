//! Quotas at the edge, and the fields that tell clients of them.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use scoreboard_core::memory::MemoryRateLimiter;
use scoreboard_core::{Cell, Chain, Clock, Decision, Quota, RateLimiter, Usage, UserId};

use crate::address::ClientAddress;
use crate::problem::Problem;
use crate::{Limits, text::Text};

/// The quotas of the routes, over the limiter that counts them.
#[derive(Debug)]
pub(crate) struct RateLimits {
    limiter: Arc<dyn RateLimiter>,
    /// Counts for this process alone while the other one fails.
    fallback: MemoryRateLimiter,
    clock: Arc<dyn Clock>,
    limits: Limits,
}

/// Whom a quota holds for.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Subject {
    User(UserId),
    Address(ClientAddress),
}

impl RateLimits {
    pub(crate) fn new(limits: Limits, limiter: Arc<dyn RateLimiter>, clock: Arc<dyn Clock>) -> Self {
        let Limits { generate_action, register, login, read, address } = limits;
        let gcra = |quota: Option<Quota>| quota.map(Quota::gcra);
        let limits = Limits {
            generate_action: gcra(generate_action),
            register: gcra(register),
            login: gcra(login),
            read: gcra(read),
            address: gcra(address),
        };
        Self { limiter, fallback: MemoryRateLimiter::default(), clock, limits }
    }

    pub(crate) async fn generate_action(&self, user: UserId) -> Result<Option<Usage>, Problem> {
        self.take("generate_action", self.limits.generate_action, Subject::User(user)).await
    }

    pub(crate) async fn register(&self, address: ClientAddress) -> Result<Option<Usage>, Problem> {
        self.take("register", self.limits.register, Subject::Address(address)).await
    }

    pub(crate) async fn login(&self, address: ClientAddress) -> Result<Option<Usage>, Problem> {
        self.take("login", self.limits.login, Subject::Address(address)).await
    }

    pub(crate) async fn read(&self, subject: Subject) -> Result<Option<Usage>, Problem> {
        self.take("read", self.limits.read, subject).await
    }

    pub(crate) async fn address(&self, address: ClientAddress) -> Result<(), Problem> {
        self.take("address", self.limits.address, Subject::Address(address)).await.map(drop)
    }

    async fn take(
        &self,
        policy: &'static str,
        quota: Option<Quota>,
        subject: Subject,
    ) -> Result<Option<Usage>, Problem> {
        match quota {
            None => Ok(None),
            // Boxed, so that what waits here does not make the future of each request larger.
            Some(quota) => Box::pin(self.count(policy, quota, subject)).await.map(Some),
        }
    }

    async fn count(&self, policy: &'static str, quota: Quota, subject: Subject) -> Result<Usage, Problem> {
        let mut text = Text::<48>::default();
        // Neither kind of subject is longer than 45 bytes.
        let _ = match subject {
            Subject::User(user) => write!(text, "{user}"),
            Subject::Address(address) => write!(text, "{address}"),
        };
        let cells = [Cell { policy, subject: text.as_str(), quota }];
        let now = self.clock.now();
        let decision = match self.limiter.take(&cells, now).await {
            Ok(decision) => decision,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the limiter is not available; this process counts by itself");
                self.fallback.take(&cells, now).await?
            }
        };
        match decision {
            Decision::Allowed(usage) => Ok(usage),
            Decision::Limited(usage) => {
                metrics::counter!("scoreboard_ratelimit_refusals_total", "policy" => policy).increment(1);
                Err(Problem::rate_limited(usage))
            }
        }
    }
}

/// Does the work of a limited route, whose answer then says how much of the quota is used, be it good or bad.
pub(crate) async fn limited(
    usage: Option<Usage>,
    work: impl Future<Output = Result<Response, Problem>>,
) -> Result<Response, Problem> {
    match work.await {
        Ok(mut response) => {
            if let Some(usage) = &usage {
                add_usage(response.headers_mut(), usage);
            }
            Ok(response)
        }
        Err(problem) => Err(problem.with_usage(usage)),
    }
}

/// Adds the structured fields of draft-ietf-httpapi-ratelimit-headers.
pub(crate) fn add_usage(headers: &mut HeaderMap, usage: &Usage) {
    const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
    const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
    let Usage { policy, quota, remaining, retry_after, reset_after } = usage;
    // With nothing left, what matters is when there is one again, not when all are.
    let wait = whole_seconds(if *remaining == 0 { *retry_after } else { *reset_after });
    let mut text = Text::<96>::default();
    if write!(text, "\"{policy}\";q={};w={}", quota.limit, quota.period.as_secs()).is_ok() {
        insert(headers, POLICY, &text);
    }
    text.clear();
    if write!(text, "\"{policy}\";r={remaining};t={wait}").is_ok() {
        insert(headers, LIMIT, &text);
    }
}

fn insert<const N: usize>(headers: &mut HeaderMap, name: HeaderName, text: &Text<N>) {
    if let Ok(value) = HeaderValue::from_str(text.as_str()) {
        headers.insert(name, value);
    }
}

/// Rounded up: a client that waits this long has waited long enough.
pub(crate) fn whole_seconds(duration: Duration) -> u64 {
    duration.as_secs() + u64::from(duration.subsec_nanos() > 0)
}
