//! A board as simple as it can be told, random histories, and the comparison of stores with it.
//!
//! ```
//! use std::sync::Arc;
//! use scoreboard_core::memory::MemoryScoreStore;
//! use scoreboard_core::testing::model::{History, Subject};
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() {
//! let history = History::random(7);
//! let subjects = vec![Subject::new("memory", Arc::new(MemoryScoreStore::new()))];
//! history.compare(subjects, "cargo test -p my-store --test model").await;
//! # }
//! ```

mod compare;
mod history;
mod moderated;
mod oracle;

pub use compare::Subject;
pub use history::{History, Step};
