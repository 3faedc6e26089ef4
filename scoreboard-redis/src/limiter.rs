//! Quotas that hold over all nodes, counted in Redis by its own clock.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures_util::future::join_all;
use scoreboard_core::{BackendError, Cell, Decision, RateLimiter, Timestamp, Usage};

use crate::error::Failure;
use crate::handle::Redis;
use crate::keys;
use crate::scripts::{LIMIT_TAKE, LIMIT_UNDO};

mod place;
mod verdict;

use place::Place;
use verdict::Verdict;

/// A [`RateLimiter`] whose counts are shared by all processes on one Redis: the exact sliding log, and the generic cell rate algorithm.
///
/// - The clock is Redis' own, to the millisecond. The `now` of a call is not looked at: nodes whose clocks differ count as one.
/// - Verdicts and numbers are those of [`MemoryRateLimiter`](scoreboard_core::memory::MemoryRateLimiter). A limit is at most 1 000 000 000
///   and a period four years; beyond, the call is `Refused`.
/// - A count is forgotten by Redis when it counts no more. An exact quota keeps an entry for each cell of its limit that was used; a large
///   one is better counted with [`Quota::gcra`](scoreboard_core::Quota::gcra). How many subjects there can be is bounded by Redis' memory: its
///   `maxmemory-policy` should be `noeviction` or `volatile-ttl`, or a crowd of strangers could drive counts out.
/// - A server that lost what it had written last (a failover, a crash without `appendfsync always`) admits that much again.
///
/// # All or nothing
///
/// One server takes from all cells in one script. In a cluster the cells of one subject lie on one node, and are taken so; those of
/// different subjects may not. Then all nodes are looked at first, and if any cell refuses, nothing is taken anywhere. Else all take, and
/// if one of them was overtaken in between and refuses, the others give back what they took, by the name of the call. So:
///
/// - No quota ever admits more than its limit, whatever fails when.
/// - While a call that is refused in the end gives back, for some milliseconds, others may find its cells used, and be refused as if they
///   were.
/// - What cannot be given back, because a node failed or this process ended just then, stays used until its time is over: stricter, never
///   looser. A bucket gives back its share less the milliseconds since.
///
/// Where Redis is gone, calls fail within [`Config::call_timeout`](crate::Config::call_timeout): put
/// [`FallbackLimiter`](scoreboard_core::FallbackLimiter) in front.
///
/// ```no_run
/// # #[tokio::main(flavor = "current_thread")] async fn main() -> Result<(), Box<dyn std::error::Error>> {
/// use scoreboard_core::{Cell, Decision, RateLimiter, Timestamp};
/// use scoreboard_redis::{Redis, RedisRateLimiter};
///
/// let limiter = RedisRateLimiter::new(Redis::from_url("redis://localhost")?);
/// let cells = [Cell { policy: "update", subject: "alice", quota: "10/min".parse()? }];
/// let decision = limiter.take(&cells, Timestamp::from_millis(0)).await?;
/// assert!(matches!(decision, Decision::Allowed(usage) if usage.remaining < 10));
/// # Ok(()) }
/// ```
#[derive(Debug, Clone)]
pub struct RedisRateLimiter {
    redis: Redis,
    names: Arc<Names>,
}

/// Names for calls, which tell the entries of a log apart.
#[derive(Debug)]
struct Names {
    process: String,
    next: AtomicU64,
}

impl RedisRateLimiter {
    /// A limiter on this Redis.
    #[must_use]
    pub fn new(redis: Redis) -> Self {
        let names = Names { process: redis.name(), next: AtomicU64::new(0) };
        Self { redis, names: Arc::new(names) }
    }

    fn name(&self) -> String {
        format!("{}-{:x}", self.names.process, self.names.next.fetch_add(1, Ordering::Relaxed))
    }
}

/// What is asked of one node.
#[derive(Debug, Clone, Copy)]
enum Mode {
    Take,
    Look,
}

#[async_trait]
impl RateLimiter for RedisRateLimiter {
    /// As the trait says.
    ///
    /// # Errors
    ///
    /// `Unavailable`, `Overloaded`, or `OutcomeUnknown` where no answer came: the cells may be used. Whatever else Redis answers to whoever may
    /// not write there, by the table in this crate.
    ///
    /// # Cancel safety
    ///
    /// As the trait says. Cells that are taken on several nodes are taken by a task of its own, which goes on.
    async fn take(&self, cells: &[Cell<'_>], _: Timestamp) -> Result<Decision, BackendError> {
        let failed = |failure: Failure| failure.during("take");
        let places = place::places(self.redis.namespace(), cells).map_err(failed)?;
        let groups = self.groups(places);
        let mut groups = groups.into_values();
        let (first, second) = (groups.next(), groups.next());
        let verdicts = match (first, second) {
            (None, _) => return Err(failed(Failure::NoCells)),
            (Some(only), None) => vec![self.ask(Mode::Take, &self.name(), &only).await.map_err(failed)?],
            (Some(first), Some(second)) => {
                let all: Vec<Vec<Place>> = [first, second].into_iter().chain(groups).collect();
                let limiter = self.clone();
                let taken = tokio::spawn(async move { limiter.take_on_several(&all).await });
                taken.await.map_err(|_| failed(Failure::Gone))?.map_err(failed)?
            }
        };
        decision(&verdicts, cells).ok_or_else(|| failed(Failure::NoCells))
    }
}

impl RedisRateLimiter {
    /// By what has to be asked of one node. The keys of one subject have one hash tag.
    fn groups(&self, places: Vec<Place>) -> BTreeMap<String, Vec<Place>> {
        let mut groups = BTreeMap::<String, Vec<Place>>::new();
        for place in places {
            let group = if self.redis.is_cluster() { place.subject.clone() } else { String::new() };
            groups.entry(group).or_default().push(place);
        }
        groups
    }

    async fn ask(&self, mode: Mode, name: &str, places: &[Place]) -> Result<Verdict, Failure> {
        let mut script = LIMIT_TAKE.prepare_invoke();
        script.arg(match mode {
            Mode::Take => "take",
            Mode::Look => "look",
        });
        script.arg(name);
        for place in places {
            place.write(&mut script);
        }
        Verdict::read(places, &self.redis.script(&script).await?)
    }

    /// Looks everywhere, then takes everywhere, and gives back where that did not become whole.
    async fn take_on_several(&self, groups: &[Vec<Place>]) -> Result<Vec<Verdict>, Failure> {
        let name = &self.name();
        let looked = join_all(groups.iter().map(|places| self.ask(Mode::Look, name, places))).await;
        let looked = looked.into_iter().collect::<Result<Vec<_>, _>>()?;
        if looked.iter().any(|verdict| !verdict.admitted) {
            return Ok(looked);
        }
        let taken = join_all(groups.iter().map(|places| self.ask(Mode::Take, name, places))).await;
        if taken.iter().all(|verdict| matches!(verdict, Ok(verdict) if verdict.admitted)) {
            return taken.into_iter().collect();
        }
        let undone = groups.iter().zip(&taken).map(async |(places, verdict)| match verdict {
            Ok(verdict) if verdict.admitted => self.undo(name, verdict.now, places).await,
            Ok(_) => Ok(()),
            // Perhaps it was taken. Only entries can be given back on a perhaps, for they bear the name.
            Err(_) => {
                let logs: Vec<Place> = places.iter().filter(|place| place.is_log()).cloned().collect();
                self.undo(name, i64::MAX, &logs).await
            }
        });
        for failure in join_all(undone).await.into_iter().filter_map(Result::err) {
            tracing::debug!(error = %failure, "cells of a refused call stay used until their time is over");
        }
        taken.into_iter().collect()
    }

    async fn undo(&self, name: &str, taken_at: i64, places: &[Place]) -> Result<(), Failure> {
        if places.is_empty() {
            return Ok(());
        }
        let mut script = LIMIT_UNDO.prepare_invoke();
        script.arg(name).arg(taken_at);
        for place in places {
            place.write_undo(&mut script);
        }
        self.redis.script::<u64>(&script).await.map(drop)
    }
}

/// Of what all nodes said: admitted, the cell with the least remaining, and of several the first in the caller's order; refused, the one that
/// refuses the longest.
fn decision(verdicts: &[Verdict], cells: &[Cell<'_>]) -> Option<Decision> {
    let mut told: Vec<&verdict::Told> = verdicts.iter().flat_map(|verdict| &verdict.cells).collect();
    told.sort_by_key(|told| told.number);
    let usage = |told: &verdict::Told, remaining| Usage {
        policy: cells[told.number].policy,
        quota: cells[told.number].quota,
        at: Timestamp::from_millis(told.at),
        remaining,
        retry_after: told.wait,
        reset_after: told.reset,
    };
    if verdicts.iter().all(|verdict| verdict.admitted) {
        let all = told.into_iter().map(|told| usage(told, told.remaining));
        return all
            .reduce(|least, next| if next.remaining < least.remaining { next } else { least })
            .map(Decision::Allowed);
    }
    let refusing = told.into_iter().filter(|told| !told.has_room).map(|told| usage(told, 0));
    refusing
        .reduce(|longest, next| if next.retry_after > longest.retry_after { next } else { longest })
        .map(Decision::Limited)
}
