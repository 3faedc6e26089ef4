//! Layers: each is a [`ScoreStore`](crate::ScoreStore) over any other, so that they stack without flags.

mod group_commit;

pub use group_commit::{CommitListener, GroupCommit, GroupCommitConfig};
