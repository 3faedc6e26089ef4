//! What a rule is.

use std::fmt;

use crate::fraud::statistical::{Evidence, History};
use crate::ids::UserId;

/// What a rule may look at: one user, just after an action of theirs counted.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What the user did on the board lately; the newest is the action that counted.
    pub history: &'a History,
    /// Who played lately from where the user does.
    pub neighbours: &'a Neighbours,
}

/// Who was seen within a day where a user was, the user among them, sorted; nobody where that is not known.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Neighbours {
    /// At the address from which the user played last.
    pub at_address: Vec<UserId>,
    /// On the device of which the user's client told last. A client tells what it likes.
    pub on_device: Vec<UserId>,
}

/// A rule that needs more than one action to speak.
///
/// It is pure: no clock, no I/O, no randomness; the same rows give the same verdict on every node and years later.
pub trait Rule: fmt::Debug + Send + Sync + 'static {
    /// Its name, in `snake_case`: in incidents, metrics and settings.
    fn id(&self) -> &'static str;

    /// Raised whenever the same rows and parameters would be judged in another way than before.
    fn version(&self) -> u32;

    /// What speaks against the user, if anything does. Called after each action, with the bounded history that ends with it.
    fn look(&self, seen: Seen<'_>) -> Option<Evidence>;
}
