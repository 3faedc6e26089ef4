//! The suite of [`FactorStore`](crate::accounts::FactorStore): each function is one case, and its documentation the rule.
//!
//! Run by [`factor_store_conformance!`](crate::factor_store_conformance).

mod challenges;
mod factors;

pub use challenges::*;
pub use factors::*;
