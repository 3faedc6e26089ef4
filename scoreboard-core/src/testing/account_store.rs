//! The suite of [`AccountStore`](crate::accounts::AccountStore): each function is one case, and its documentation the rule.
//!
//! Run by [`account_store_conformance!`](crate::account_store_conformance).

mod revoked_keys;
mod server_keys;
mod sessions;
mod users;

pub use revoked_keys::*;
pub use server_keys::*;
pub use sessions::*;
pub use users::*;
