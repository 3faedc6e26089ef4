//! Defects of limiters.

use std::collections::HashMap;
use std::fmt;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use parking_lot::Mutex;

use super::defects;
use crate::clock::Timestamp;
use crate::error::BackendError;
use crate::limiter::{Algorithm, Cell, Decision, Quota, RateLimiter, Usage};

defects! {
    /// Each full minute (or whatever the period is) starts anew.
    FixedWindow: |limiter: dyn RateLimiter| rate_limiter = Altered { limiter, alteration: Alteration::FixedWindow };
    /// One more is let through.
    OneTooMany: |limiter: dyn RateLimiter| rate_limiter = Altered { limiter, alteration: Alteration::OneTooMany };
    /// What is exact is counted as a bucket.
    BucketForExact: |limiter: dyn RateLimiter| rate_limiter = Altered { limiter, alteration: Alteration::BucketForExact };
    /// What is a bucket is counted exactly.
    ExactForBucket: |limiter: dyn RateLimiter| rate_limiter = Altered { limiter, alteration: Alteration::ExactForBucket };
    /// Cells are taken one by one, until one refuses.
    CellByCell: |limiter: dyn RateLimiter| rate_limiter = Altered { limiter, alteration: Alteration::CellByCell };
    /// All subjects are one.
    SubjectsMixed: |limiter: dyn RateLimiter| rate_limiter = Altered { limiter, alteration: Alteration::SubjectsMixed };
    /// What is left is told one too low.
    RemainingOffByOne: |limiter: dyn RateLimiter| rate_limiter = Altered { limiter, alteration: Alteration::RemainingOffByOne };
    /// Who is refused is told to come back a millisecond too soon.
    RetryTooSoon: |limiter: dyn RateLimiter| rate_limiter = Altered { limiter, alteration: Alteration::RetryTooSoon };
    /// The usage of the first cell is told, whichever it was.
    FirstCellTold: |limiter: dyn RateLimiter| rate_limiter = Altered { limiter, alteration: Alteration::FirstCellTold };
    /// What is refused is counted too.
    RefusedCounted: |intact: dyn RateLimiter| rate_limiter = Naive::new(intact, NaiveDefect::RefusedCounted);
    /// The count is looked at, and raised later.
    CheckThenCount: |intact: dyn RateLimiter| rate_limiter = Naive::new(intact, NaiveDefect::CheckThenCount);
    /// In a crowd, everybody is forgotten.
    ForgetsInACrowd: |intact: dyn RateLimiter| rate_limiter = Naive::new(intact, NaiveDefect::ForgetsInACrowd);
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Alteration {
    FixedWindow,
    OneTooMany,
    BucketForExact,
    ExactForBucket,
    CellByCell,
    SubjectsMixed,
    RemainingOffByOne,
    RetryTooSoon,
    FirstCellTold,
}

#[derive(Debug)]
struct Altered {
    limiter: Arc<dyn RateLimiter>,
    alteration: Alteration,
}

impl Altered {
    fn cell<'a>(&self, cell: &Cell<'a>) -> Cell<'a> {
        let mut cell = *cell;
        match self.alteration {
            Alteration::OneTooMany => cell.quota.limit = cell.quota.limit.saturating_add(1),
            Alteration::BucketForExact => cell.quota.algorithm = Algorithm::Gcra,
            Alteration::ExactForBucket => cell.quota.algorithm = Algorithm::SlidingLog,
            Alteration::SubjectsMixed => cell.subject = "everybody",
            Alteration::FixedWindow
            | Alteration::CellByCell
            | Alteration::RemainingOffByOne
            | Alteration::RetryTooSoon
            | Alteration::FirstCellTold => {}
        }
        cell
    }

    fn now(&self, now: Timestamp, period: Duration) -> Timestamp {
        let period = i64::try_from(period.as_millis()).expect("the suite's periods are short");
        match self.alteration {
            Alteration::FixedWindow => Timestamp::from_millis(now.as_millis() / period * period),
            _ => now,
        }
    }

    fn told(&self, decision: Decision, first: &Cell<'_>) -> Decision {
        let told = |mut usage: Usage| {
            match self.alteration {
                Alteration::RemainingOffByOne => usage.remaining = usage.remaining.saturating_sub(1),
                Alteration::RetryTooSoon => {
                    usage.retry_after = usage.retry_after.saturating_sub(Duration::from_millis(1));
                }
                Alteration::FirstCellTold => (usage.policy, usage.quota) = (first.policy, first.quota),
                _ => {}
            }
            usage
        };
        match decision {
            Decision::Allowed(usage) => Decision::Allowed(told(usage)),
            Decision::Limited(usage) => Decision::Limited(told(usage)),
        }
    }
}

#[async_trait]
impl RateLimiter for Altered {
    async fn take(&self, cells: &[Cell<'_>], now: Timestamp) -> Result<Decision, BackendError> {
        let altered: Vec<_> = cells.iter().map(|cell| self.cell(cell)).collect();
        let now = self.now(now, altered[0].quota.period);
        if self.alteration == Alteration::CellByCell {
            let mut decision = None;
            for cell in &altered {
                let next = self.limiter.take(std::slice::from_ref(cell), now).await?;
                decision = Some(next);
                if let Decision::Limited(_) = next {
                    break;
                }
            }
            return Ok(decision.expect("cells are not empty"));
        }
        Ok(self.told(self.limiter.take(&altered, now).await?, &cells[0]))
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum NaiveDefect {
    RefusedCounted,
    CheckThenCount,
    ForgetsInACrowd,
}

/// A list of times for each subject; only the first cell of a call is looked at. Numbers are those of an intact limiter.
struct Naive {
    intact: Arc<dyn RateLimiter>,
    defect: NaiveDefect,
    times: Mutex<HashMap<String, Vec<Timestamp>>>,
}

impl Naive {
    fn new(intact: Arc<dyn RateLimiter>, defect: NaiveDefect) -> Self {
        Self { intact, defect, times: Mutex::default() }
    }
}

impl fmt::Debug for Naive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.defect.fmt(f)
    }
}

#[async_trait]
impl RateLimiter for Naive {
    async fn take(&self, cells: &[Cell<'_>], now: Timestamp) -> Result<Decision, BackendError> {
        let Cell { subject, quota, .. } = cells[0];
        let admits = {
            let mut times = self.times.lock();
            if self.defect == NaiveDefect::ForgetsInACrowd && times.len() >= 1000 {
                times.clear();
            }
            let times = times.entry(subject.to_owned()).or_default();
            times.retain(|at| now.since(*at) < quota.period);
            times.len() < quota.limit.get() as usize
        };
        if self.defect == NaiveDefect::CheckThenCount {
            tokio::task::yield_now().await;
        }
        if admits || self.defect == NaiveDefect::RefusedCounted {
            self.times.lock().entry(subject.to_owned()).or_default().push(now);
        }
        // A quota that nobody can use up, for numbers of the right form.
        let free = Quota { limit: NonZeroU32::MAX, ..quota };
        let told = self.intact.take(&[Cell { quota: free, ..cells[0] }], now).await?;
        let (Decision::Allowed(usage) | Decision::Limited(usage)) = told;
        let usage = Usage { quota, remaining: u32::from(admits), ..usage };
        Ok(if admits { Decision::Allowed(usage) } else { Decision::Limited(usage) })
    }
}
