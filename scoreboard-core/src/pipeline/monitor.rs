//! The cache watched: how often it has what is asked for, how much room it takes, how long those wait whose answer it lacks.
//!
//! What it does about it is little on purpose: a reaction is bounded in what it costs, made at most once a period, and ever more rarely
//! while it does not help.

use std::collections::BTreeSet;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::{self, BoxStream};
use parking_lot::Mutex;
use tokio::sync::broadcast;
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};

use crate::error::Chain;
use crate::memory::MemoryBoardCache;
use crate::pipeline::Scoreboard;
use crate::pipeline::read::Counts;

mod alarm;
mod event;
mod sights;

use alarm::Alarm;
pub use event::{CacheEvent, CacheReaction, CacheStep, CacheTrouble};
use sights::Window;

/// So many events are kept for a listener that is slow; it misses the oldest.
const MAX_EVENTS: usize = 64;
/// Room is made until the cache is so much below its threshold.
const ROOM_TO_MAKE: u8 = 15;

/// When the monitor of the cache speaks. A threshold that cannot be crossed (0 % of hits, 100 % of the room) turns that part off.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheMonitorConfig {
    /// How often it looks; at most once in that time it reacts to each trouble. Default: 30 s.
    pub period: Duration,
    /// At least so many of a hundred answers should be in the cache. Default: 80.
    pub min_hit_percent: u8,
    /// At most so much of its room should the cache in this process take, in percent. Default: 90.
    pub max_memory_percent: u8,
    /// So long may an answer take that has to be fetched: trouble if more than half take longer. Default: 100 ms.
    pub max_answer_time: Duration,
}

impl Default for CacheMonitorConfig {
    fn default() -> Self {
        Self {
            period: Duration::from_secs(30),
            min_hit_percent: 80,
            max_memory_percent: 90,
            max_answer_time: Duration::from_millis(100),
        }
    }
}

/// What is known of the cache's troubles. Bounded.
#[derive(Debug)]
pub(super) struct Troubles {
    now: Mutex<BTreeSet<CacheTrouble>>,
    events: broadcast::Sender<CacheEvent>,
    /// The cache of this process, if it is one whose room is known.
    room: Option<MemoryBoardCache>,
}

impl Troubles {
    pub(super) fn new(room: Option<MemoryBoardCache>) -> Self {
        Self { now: Mutex::default(), events: broadcast::Sender::new(MAX_EVENTS), room }
    }
}

impl Scoreboard {
    /// Watches the cache by [`Config::cache_monitor`](crate::Config::cache_monitor). Never returns: run it as a task.
    ///
    /// Each period it looks at three measures. What has gone wrong, and that it is over, is told to those who
    /// [listen](Self::cache_events), logged, and counted in `scoreboard_cache_alerts_total` and `scoreboard_cache_alert` by `trouble`; what
    /// is done about it in `scoreboard_cache_reactions_total` by `reaction`. The measures are `scoreboard_cache_hit_ratio`,
    /// `scoreboard_cache_bytes`, `scoreboard_cache_max_bytes` and `scoreboard_cache_slow_ratio`.
    ///
    /// Memory is watched unless the cache of this process was brought along.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is watched any more, and a shared cache that was passed over is used again.
    pub async fn monitor_cache(self) {
        let every = self.parts.config.cache_monitor.period;
        let mut periods = interval_at(Instant::now() + every, every);
        periods.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut monitor = Monitor::new(self);
        loop {
            periods.tick().await;
            monitor.look().await;
        }
    }

    /// What the [monitor](Self::monitor_cache) sees from now on. A listener that is more than 64 events behind misses the oldest.
    #[must_use]
    pub fn cache_events(&self) -> BoxStream<'static, CacheEvent> {
        let events = self.parts.troubles.events.subscribe();
        let next = |mut events: broadcast::Receiver<CacheEvent>| async {
            loop {
                match events.recv().await {
                    Ok(event) => return Some((event, events)),
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => return None,
                }
            }
        };
        stream::unfold(events, next).boxed()
    }

    /// What the [monitor](Self::monitor_cache) finds wrong now.
    #[must_use]
    pub fn cache_troubles(&self) -> Vec<CacheTrouble> {
        self.parts.troubles.now.lock().iter().copied().collect()
    }
}

/// The monitor between two looks.
struct Monitor {
    scoreboard: Scoreboard,
    hits: Window,
    loads: Window,
    few_hits: Alarm,
    high_memory: Alarm,
    slow_answers: Alarm,
}

impl Drop for Monitor {
    fn drop(&mut self) {
        self.scoreboard.parts.cache.pass_over_far(false);
    }
}

impl Monitor {
    fn new(scoreboard: Scoreboard) -> Self {
        let counts = scoreboard.parts.loads.measures.counts();
        Self {
            scoreboard,
            hits: Window::from(counts),
            loads: Window::from(counts),
            few_hits: Alarm::default(),
            high_memory: Alarm::default(),
            slow_answers: Alarm::default(),
        }
    }

    /// One period's look, and what is done about it.
    async fn look(&mut self) {
        let counts = self.scoreboard.parts.loads.measures.counts();
        // In this order: no warm-up where answers are slow.
        self.look_at_answers(counts);
        self.look_at_memory();
        self.look_at_hits(counts).await;
    }

    fn look_at_answers(&mut self, counts: Counts) {
        let (window, percent) = match self.loads.close(counts, sights::slow_percent) {
            Some((window, percent)) => (window, Some(percent)),
            None => (Counts::default(), None),
        };
        let sight = percent.map(sights::of_slow);
        if let Some(percent) = percent {
            metrics::gauge!("scoreboard_cache_slow_ratio").set(f64::from(percent) / 100.0);
        }
        let percent = percent.unwrap_or_default();
        let change = self.slow_answers.look(sight);
        self.tell(CacheTrouble::SlowAnswers, change, percent);
        // The time of the last reaction may be over.
        self.scoreboard.parts.cache.pass_over_far(self.slow_answers.waits());
        if self.slow_answers.may_react(sight) && window.slow_by_shared > window.slow_loads / 2 {
            self.slow_answers.reacted();
            self.scoreboard.parts.cache.pass_over_far(true);
            self.react(CacheTrouble::SlowAnswers, CacheReaction::PassOverShared, percent);
        }
    }

    fn look_at_memory(&mut self) {
        let Some(room) = self.scoreboard.parts.troubles.room.clone() else { return };
        let (bytes, max_bytes) = (room.bytes(), room.max_bytes());
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float")]
        let (shown, shown_max) = (bytes as f64, max_bytes as f64);
        metrics::gauge!("scoreboard_cache_bytes").set(shown);
        metrics::gauge!("scoreboard_cache_max_bytes").set(shown_max);
        let threshold = self.scoreboard.parts.config.cache_monitor.max_memory_percent;
        let percent = sights::percent(bytes as u64, max_bytes as u64);
        let sight = Some(sights::of_memory(percent, threshold));
        let change = self.high_memory.look(sight);
        self.tell(CacheTrouble::HighMemory, change, percent);
        if self.high_memory.may_react(sight) {
            self.high_memory.reacted();
            room.shrink_to(max_bytes / 100 * usize::from(threshold.saturating_sub(ROOM_TO_MAKE)));
            self.react(CacheTrouble::HighMemory, CacheReaction::Evict, percent);
        }
    }

    async fn look_at_hits(&mut self, counts: Counts) {
        let config = &self.scoreboard.parts.config.cache_monitor;
        let (threshold, period) = (config.min_hit_percent, config.period);
        let percent = self.hits.close(counts, sights::hit_percent).map(|(_, percent)| percent);
        let sight = percent.map(|percent| sights::of_hits(percent, threshold));
        if let Some(percent) = percent {
            metrics::gauge!("scoreboard_cache_hit_ratio").set(f64::from(percent) / 100.0);
        }
        let percent = percent.unwrap_or_default();
        let change = self.few_hits.look(sight);
        self.tell(CacheTrouble::FewHits, change, percent);
        if self.few_hits.may_react(sight) && !self.slow_answers.is_raised() {
            self.few_hits.reacted();
            self.react(CacheTrouble::FewHits, CacheReaction::WarmUp, percent);
            match timeout(period, self.scoreboard.warm_up(|_, _| {})).await {
                Ok(Ok(_)) => {}
                Ok(Err(error)) => tracing::warn!(error = %Chain(&error), "the cache could not be warmed up"),
                Err(_) => tracing::warn!("the cache could not be warmed up within a period"),
            }
        }
    }

    fn tell(&self, trouble: CacheTrouble, change: Option<bool>, percent: u8) {
        let name = trouble.as_str();
        let troubles = &self.scoreboard.parts.troubles;
        let step = match change {
            Some(true) => {
                troubles.now.lock().insert(trouble);
                metrics::counter!("scoreboard_cache_alerts_total", "trouble" => name).increment(1);
                tracing::warn!(trouble = name, percent, "the cache does not do well");
                CacheStep::Raised
            }
            Some(false) => {
                troubles.now.lock().remove(&trouble);
                tracing::info!(trouble = name, percent, "the cache does well again");
                CacheStep::Ended
            }
            None => return,
        };
        metrics::gauge!("scoreboard_cache_alert", "trouble" => name)
            .set(f64::from(u8::from(step == CacheStep::Raised)));
        self.send(trouble, step, percent);
    }

    fn react(&self, trouble: CacheTrouble, reaction: CacheReaction, percent: u8) {
        metrics::counter!("scoreboard_cache_reactions_total", "reaction" => reaction.as_str()).increment(1);
        tracing::info!(
            trouble = trouble.as_str(),
            reaction = reaction.as_str(),
            percent,
            "something is done about the cache"
        );
        self.send(trouble, CacheStep::Reacted(reaction), percent);
    }

    fn send(&self, trouble: CacheTrouble, step: CacheStep, percent: u8) {
        let at = self.scoreboard.parts.clock.now();
        // That nobody listens is no failure.
        let _ = self.scoreboard.parts.troubles.events.send(CacheEvent { at, trouble, step, percent });
    }
}

#[cfg(test)]
#[path = "monitor_test.rs"]
mod tests;
