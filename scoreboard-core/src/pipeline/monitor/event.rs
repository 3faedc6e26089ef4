//! What the monitor tells.

use crate::clock::Timestamp;

/// What is wrong with a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum CacheTrouble {
    /// Too often it has not what is asked for.
    FewHits,
    /// It has taken almost all its room.
    HighMemory,
    /// Most of what has to be fetched takes too long.
    SlowAnswers,
}

impl CacheTrouble {
    /// As in logs, metrics and reports: `few_hits`, `high_memory`, `slow_answers`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::FewHits => "few_hits",
            Self::HighMemory => "high_memory",
            Self::SlowAnswers => "slow_answers",
        }
    }
}

/// What the monitor does about a trouble.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheReaction {
    /// About few hits: [`warm_up`](crate::Scoreboard::warm_up), at once, for one period at the most. Not while answers are slow: it would ask the
    /// store, which may be what is slow.
    WarmUp,
    /// About high memory: what was asked for longest ago goes.
    Evict,
    /// About slow answers, if it is the shared cache that is slow: it is done without until the next look that may react. If the store is
    /// slow, there is nothing to do that would not ask more of it.
    PassOverShared,
}

impl CacheReaction {
    /// As in logs and metrics: `warm_up`, `evict`, `pass_over_shared`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::WarmUp => "warm_up",
            Self::Evict => "evict",
            Self::PassOverShared => "pass_over_shared",
        }
    }
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum CacheStep {
    /// The alarm was raised.
    Raised,
    /// It is over.
    Ended,
    /// It goes on, and this is done about it now.
    Reacted(CacheReaction),
}

/// One event of the monitor.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CacheEvent {
    /// When.
    pub at: Timestamp,
    /// About what.
    pub trouble: CacheTrouble,
    /// What happened.
    pub step: CacheStep,
    /// What was measured: percent of hits, of the room, of the answers that took too long.
    pub percent: u8,
}
