//! The suite of [`ScoreStore`](crate::ScoreStore): each function is one case, and its documentation the rule.
//!
//! Run by [`score_store_conformance!`](crate::score_store_conformance).

pub(in crate::testing) mod admitted;
mod applying;
mod at_most;
mod boards;
mod cancellation;
mod concurrency;
mod digests;
mod logs;
mod once;
mod pages;
mod ranks;
mod refusing;
mod ties;

pub use admitted::*;
pub use applying::*;
pub use at_most::*;
pub use boards::*;
pub use cancellation::*;
pub(in crate::testing) use concurrency::settle;
pub use concurrency::*;
pub use digests::*;
pub use logs::*;
pub use once::*;
pub use pages::*;
pub use ranks::*;
pub use refusing::*;
pub use ties::*;
