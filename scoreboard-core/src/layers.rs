//! Layers: each implements a trait over any other that does, so that they stack without flags.

mod fallback_limiter;
mod fallback_outstanding;
mod group_commit;
#[cfg(feature = "accounts")]
mod incident_alerts;
mod lately;
mod one_writer;
mod rank_indexed;
mod two_level_cache;

pub use fallback_limiter::FallbackLimiter;
pub use fallback_outstanding::FallbackOutstanding;
pub use group_commit::{CommitListener, GroupCommit, GroupCommitConfig};
#[cfg(feature = "accounts")]
pub use incident_alerts::{IncidentAlerts, IncidentAlertsConfig};
pub use one_writer::OneWriter;
pub use rank_indexed::{IndexProgress, IndexState, RankIndexed, RankIndexedConfig};
pub use two_level_cache::TwoLevelCache;
