//! Turns of several nodes that write to one board.

use std::any::Any;
use std::fmt;

use async_trait::async_trait;

use crate::error::BackendError;
use crate::ids::BoardId;
use crate::version::Position;

/// Lets the nodes that share a store write to a board one after the other.
///
/// The store itself keeps them apart, and is right whoever writes when: this only saves work. A node that waits inside the store for its turn
/// has gathered its batch before; one that waits here gathers when its turn has come, and commits all that has come meanwhile at once.
#[async_trait]
pub trait Turns: fmt::Debug + Send + Sync + 'static {
    /// Waits until it is this node's turn to write to the board. The turn ends when it is dropped, or this process is gone.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind): it was not had in time, or nobody can tell. The caller goes on without.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, this node has no turn.
    async fn turn(&self, board: &BoardId) -> Result<Turn, BackendError>;

    /// Waits a moment for changes to the board that are known to be on their way, so that they go into the batch that is being gathered. By default none are.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, they go into the next.
    async fn gather(&self, _board: &BoardId) {}

    /// All changes to the board that have come are in the batch that is applied next.
    fn gathered(&self, _board: &BoardId) {}

    /// Whether another node, which has written up to here for this one, has told everybody of it: then this one need not. By default none has.
    fn is_announced(&self, _board: &BoardId, _position: Position) -> bool {
        false
    }
}

/// A turn of this node. Dropped, it is over.
#[must_use]
pub struct Turn {
    _held: Box<dyn Any + Send>,
}

impl Turn {
    /// A turn that ends when what is held is dropped.
    pub fn new(held: impl Send + 'static) -> Self {
        Self { _held: Box::new(held) }
    }
}

impl fmt::Debug for Turn {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Turn").finish_non_exhaustive()
    }
}
