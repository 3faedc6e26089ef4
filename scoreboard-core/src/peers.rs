//! What nodes that share a store say to each other.

use std::fmt;

use async_trait::async_trait;
use futures_util::stream::BoxStream;
use tokio::sync::oneshot;

use crate::error::BackendError;
use crate::ids::BoardId;
use crate::store::{AppliedChange, Change, Outcome};
use crate::version::{Epoch, Version};

/// Carries words between the nodes that share a store. Whatever is said may come late, or not at all.
///
/// What [`OneWriter`](crate::OneWriter) says by it only saves work: the store is right whoever writes to it.
///
/// But what a node is asked to apply it takes for checked. So whoever carries it lets nobody ask who is not a node: words are authenticated, or the way is the
/// process's own.
#[async_trait]
pub trait Peers: fmt::Debug + Send + Sync + 'static {
    /// This node's name, that no other has.
    fn name(&self) -> &str;

    /// Tells all others that this node writes to a board.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind): some or all were not told.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, each of the others may or may not have been told.
    async fn claim(&self, board: &BoardId) -> Result<(), BackendError>;

    /// Has another node apply changes, all of one board, and waits for what becomes of them, and for what else it has written behind a version.
    ///
    /// # Errors
    ///
    /// Any [`ErrorKind`](crate::ErrorKind), of the way or of the other's store. Whether they were applied is not known: who applies them again, with the same ids,
    /// learns it. It may wait for ever for a node that is gone: the caller sets the limit.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, the changes may be applied all the same.
    async fn ask(&self, node: &str, changes: &[Change], after: Version) -> Result<Answer, BackendError>;

    /// Hears what the others say, from now on. A second listener hears nothing of what the first has heard. Where it is not listened, or too slowly, words are lost.
    ///
    /// # Errors
    ///
    /// `Unavailable`.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing is heard.
    async fn listen(&self) -> Result<BoxStream<'static, Said>, BackendError>;
}

/// What another node has said.
#[derive(Debug)]
pub enum Said {
    /// It writes to a board.
    Claim {
        /// Its name.
        node: String,
        /// The board.
        board: BoardId,
    },
    /// It wants changes applied.
    Ask(Ask),
}

/// What a node answers that was asked to apply changes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// In which epoch its store is: one that is in another is not the same any more.
    pub epoch: Epoch,
    /// What became of them, in the same order.
    pub outcomes: Vec<Outcome>,
    /// What else it has written to the board lately, in the order of the versions, perhaps with gaps: then the other need not read it.
    pub others: Vec<AppliedChange>,
}

/// Changes of another node, all of one board, and who waits for what becomes of them.
#[derive(Debug)]
pub struct Ask {
    node: String,
    changes: Vec<Change>,
    after: Version,
    answer: oneshot::Sender<Result<Answer, BackendError>>,
}

/// Where the answer to an [`Ask`] arrives; it is dropped where there is none.
pub type Answered = oneshot::Receiver<Result<Answer, BackendError>>;

impl Ask {
    /// Who asks, changes to apply, up to where the other knows the board, and where the answer arrives.
    #[must_use]
    pub fn new(node: String, changes: Vec<Change>, after: Version) -> (Self, Answered) {
        let (answer, answered) = oneshot::channel();
        (Self { node, changes, after, answer }, answered)
    }

    /// The name of who asks.
    #[must_use]
    pub fn node(&self) -> &str {
        &self.node
    }

    /// What is to be applied.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Up to where the other knows the board.
    #[must_use]
    pub const fn after(&self) -> Version {
        self.after
    }

    /// Says what became of it.
    pub fn answer(self, answer: Result<Answer, BackendError>) {
        // Who has gone away needs no answer.
        let _ = self.answer.send(answer);
    }
}
