//! What a rule is.

use std::fmt;
use std::sync::OnceLock;

use crate::clock::Timestamp;
use crate::fraud::Sightings;
use crate::fraud::statistical::{Evidence, History};
use crate::ids::UserId;

/// What a rule may look at: one user, just after an action of theirs counted.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    /// What the user did on the board lately; the newest is the action that counted.
    pub history: &'a History,
    /// Who played lately from where the user does.
    pub neighbours: &'a Neighbours<'a>,
}

/// Who was seen within a day where a user was, the user among them, sorted; nobody where that is not known. Looked up when first asked for: of who was
/// found with others no rule wants to know it again on the same day.
#[derive(Debug, Default)]
pub struct Neighbours<'s> {
    at_address: OnceLock<Vec<UserId>>,
    on_device: OnceLock<Vec<UserId>>,
    /// Where it is looked up, of whom, and when that is.
    sightings: Option<(&'s Sightings, UserId, Timestamp)>,
}

impl<'s> Neighbours<'s> {
    /// Of this user at this moment, as far as it was seen.
    pub(crate) fn seen(sightings: &'s Sightings, user: UserId, now: Timestamp) -> Self {
        Self { sightings: Some((sightings, user, now)), ..Self::default() }
    }

    /// Those that are named.
    #[must_use]
    pub fn named(at_address: Vec<UserId>, on_device: Vec<UserId>) -> Self {
        Self { at_address: at_address.into(), on_device: on_device.into(), sightings: None }
    }

    /// At the address from which the user played last.
    pub fn at_address(&self) -> &[UserId] {
        self.at_address.get_or_init(|| self.look_up(Sightings::at_address))
    }

    /// On the device of which the user's client told last. A client tells what it likes.
    pub fn on_device(&self) -> &[UserId] {
        self.on_device.get_or_init(|| self.look_up(Sightings::on_device))
    }

    fn look_up(&self, among: fn(&Sightings, UserId, Timestamp) -> Vec<UserId>) -> Vec<UserId> {
        self.sightings.map(|(sightings, user, now)| among(sightings, user, now)).unwrap_or_default()
    }
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
