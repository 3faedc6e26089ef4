//! Names to show, kept by reference: a score holds a user id, never a copy of a name.

use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;

use crate::error::BackendError;
use crate::ids::UserId;

/// What a [`BackendError`] names as its backend where the scores were read but not the names to show with them: they may lie in a database of
/// their own.
pub const NAMES_BACKEND: &str = "names";

/// Knows the names that users want to be shown by.
#[async_trait]
pub trait DisplayNames: fmt::Debug + Send + Sync + 'static {
    /// The names of those of `users` that are known; one call for a whole page.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind) but `OutcomeUnknown` and `Full`.
    ///
    /// # Cancel safety
    ///
    /// Nothing is changed.
    async fn display_names(&self, users: &[UserId]) -> Result<HashMap<UserId, String>, BackendError>;
}

/// Knows nobody: every entry is shown by its id.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoNames;

#[async_trait]
impl DisplayNames for NoNames {
    async fn display_names(&self, _users: &[UserId]) -> Result<HashMap<UserId, String>, BackendError> {
        Ok(HashMap::new())
    }
}
