//! The checkers on which the tests of kills, faults and caches rest: a right history passes, and one with a single fault does not.

mod history;
mod load;
#[path = "../support/mod.rs"]
mod support;

use std::panic::AssertUnwindSafe;

use futures_util::FutureExt;

/// What a check says that fails; `None` if it passes.
async fn failure<T>(check: impl Future<Output = T>) -> Option<String> {
    let said = AssertUnwindSafe(check).catch_unwind().await.err()?;
    let text = said.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| said.downcast_ref::<String>().cloned()).or_else(|| Some("something else".to_owned()))
}
