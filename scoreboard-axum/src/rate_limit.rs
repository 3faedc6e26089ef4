//! Quotas at the edge, and the fields that tell clients of them.

use std::fmt::Write;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::Response;
use futures_util::FutureExt;
use scoreboard_core::memory::MemoryRateLimiter;
use scoreboard_core::{Cell, Chain, Clock, Decision, Quota, RateLimiter, Usage, UserId};

use crate::address::ClientAddress;
use crate::problem::Problem;
use crate::{Limits, text::Text};

mod account;

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

impl Subject {
    /// Who is written to by this address, be there such a user or not: so that the quota does not tell.
    pub(crate) fn recipient(email: &str) -> Self {
        Self::User(UserId::for_name("mail", &email.trim().to_lowercase()))
    }
}

impl RateLimits {
    pub(crate) fn new(limits: Limits, limiter: Arc<dyn RateLimiter>, clock: Arc<dyn Clock>) -> Self {
        let Limits { generate_action, register, login, mail, read, address } = limits;
        let gcra = |quota: Option<Quota>| quota.map(Quota::gcra);
        let limits = Limits {
            generate_action: gcra(generate_action),
            register: gcra(register),
            login: gcra(login),
            mail: gcra(mail),
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

    /// An address has its quota, and its network ten times that: whoever guesses has many addresses, most often near each other.
    pub(crate) async fn login(&self, address: ClientAddress) -> Result<Option<Usage>, Problem> {
        const ADDRESSES: NonZeroU32 = NonZeroU32::new(10).expect("not zero");
        let Some(quota) = self.limits.login else { return Ok(None) };
        let wider = Quota { limit: quota.limit.saturating_mul(ADDRESSES), ..quota };
        let [host, network] = [address.to_string(), address.network().to_string()];
        let cells = [
            Cell { policy: "login", subject: &host, quota },
            Cell { policy: "login_network", subject: &network, quota: wider },
        ];
        self.decide(&cells).await.map(Some)
    }

    /// The tries at one account, as [`login_subject`](scoreboard_core::accounts::Accounts::login_subject) names it.
    pub(crate) async fn login_account(&self, subject: &str) -> Result<(), Problem> {
        if self.limits.login.is_none() {
            return Ok(());
        }
        match self.decide(&account::cells(subject)).await {
            Ok(_) => Ok(()),
            Err(problem) => Err(problem.under_policy(account::POLICY)),
        }
    }

    /// The passwords that who is signed in shows besides a login: as few as at a login, and counted apart from those, so that a token that
    /// somebody has found is no quicker way to guess, and its user is not kept from logging in.
    pub(crate) async fn shown_password(&self, user: UserId) -> Result<(), Problem> {
        self.login_account(&user.to_string()).await
    }

    /// As many as logins, which are as costly for a store, but counted apart: neither shall use up the other. Nothing counts logouts: each
    /// takes a token that works once for it, of a session that a login has begun.
    pub(crate) async fn refresh(&self, address: ClientAddress) -> Result<Option<Usage>, Problem> {
        self.take("refresh", self.limits.login, Subject::Address(address)).await
    }

    /// Codes and passwords that are shown besides a login's own: as many as logins, counted apart.
    pub(crate) async fn codes(&self, subject: Subject) -> Result<Option<Usage>, Problem> {
        self.take("codes", self.limits.login, subject).await
    }

    /// What makes the server send a message, by who asks for it or by who gets it.
    pub(crate) async fn mail(&self, subject: Subject) -> Result<Option<Usage>, Problem> {
        self.take("mail", self.limits.mail, subject).await
    }

    pub(crate) async fn read(&self, subject: Subject) -> Result<Option<Usage>, Problem> {
        self.take("read", self.limits.read, subject).await
    }

    /// Whether [`read`](Self::read) has anything to do.
    pub(crate) const fn counts_reads(&self) -> bool {
        self.limits.read.is_some()
    }

    /// Whether [`address`](Self::address) has anything to do.
    pub(crate) const fn counts_addresses(&self) -> bool {
        self.limits.address.is_some()
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
        self.decide(&[Cell { policy, subject: text.as_str(), quota }]).await
    }

    async fn decide(&self, cells: &[Cell<'_>]) -> Result<Usage, Problem> {
        let now = self.clock.now();
        let decision = match self.limiter.take(cells, now).await {
            Ok(decision) => decision,
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "the limiter is not available; this process counts by itself");
                self.fallback.take(cells, now).await?
            }
        };
        match decision {
            Decision::Allowed(usage) => Ok(usage),
            Decision::Limited(usage) => {
                metrics::counter!("scoreboard_ratelimit_refusals_total", "policy" => usage.policy).increment(1);
                Err(Problem::rate_limited(usage))
            }
        }
    }
}

/// Does the work of a limited route, whose answer then says how much of the quota is used, be it good or bad.
///
/// No `async fn`: that would hold the work twice, as its argument and where it is awaited.
pub(crate) fn limited(
    usage: Option<Usage>,
    work: impl Future<Output = Result<Response, Problem>>,
) -> impl Future<Output = Result<Response, Problem>> {
    work.map(move |answer| match answer {
        Ok(mut response) => {
            if let Some(usage) = &usage {
                add_usage(response.headers_mut(), usage);
            }
            Ok(response)
        }
        Err(problem) => Err(problem.with_usage(usage)),
    })
}

/// Adds the structured fields of draft-ietf-httpapi-ratelimit-headers.
pub(crate) fn add_usage(headers: &mut HeaderMap, usage: &Usage) {
    const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");
    const LIMIT: HeaderName = HeaderName::from_static("ratelimit");
    let Usage { policy, quota, remaining, retry_after, reset_after, .. } = usage;
    // With nothing left, what matters is when there is one again, not when all are.
    let wait = whole_seconds(if *remaining == 0 { *retry_after } else { *reset_after });
    // A window rounded down could be shorter than the wait in it. A clock that was set back makes the wait itself longer: `Retry-After`
    // says so, this field speaks of the window.
    let window = whole_seconds(quota.period);
    let wait = wait.min(window);
    let mut text = Text::<96>::default();
    if write!(text, "\"{policy}\";q={};w={}", quota.limit, window).is_ok() {
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use scoreboard_core::{Algorithm, Timestamp};

    use super::*;

    fn number(headers: &HeaderMap, name: &str, key: &str) -> u64 {
        let value = headers[name].to_str().unwrap();
        value.split(';').find_map(|part| part.strip_prefix(key)).unwrap().parse().unwrap()
    }

    proptest! {
        #[test]
        fn no_wait_is_longer_than_its_window(
            limit in 1..=u32::MAX,
            remaining in prop_oneof![Just(0), any::<u32>()],
            [period, retry_after, reset_after] in prop::array::uniform3(0..4_000_000_000_u64),
        ) {
            let quota = Quota {
                limit: limit.try_into().unwrap(),
                period: Duration::from_micros(period),
                algorithm: Algorithm::Gcra,
            };
            let [retry_after, reset_after] = [retry_after, reset_after].map(Duration::from_micros);
            let mut headers = HeaderMap::new();
            let (policy, at) = ("generate_action", Timestamp::from_millis(0));
            add_usage(&mut headers, &Usage { policy, quota, at, remaining, retry_after, reset_after });
            let (window, wait) = (number(&headers, "ratelimit-policy", "w="), number(&headers, "ratelimit", "t="));
            prop_assert!(wait <= window);
            prop_assert!(Duration::from_secs(window) >= quota.period);
        }
    }
}
