//! Layers: each implements a trait over any other implementation of it, so that they stack without flags.

mod fallback_limiter;
mod group_commit;

pub use fallback_limiter::FallbackLimiter;
pub use group_commit::{CommitListener, GroupCommit, GroupCommitConfig};
