//! Who has this node write for them.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

/// Who has asked within this time goes on asking.
const LATELY: Duration = Duration::from_secs(2);

/// Who asks for so many changes at once, and did so as soon as it was answered, has as many that wait for the next answer.
const BUSY: usize = 16;

/// So long it takes at the most until who has more to ask has asked again, where all are as busy as can be.
pub(super) const RETURN: Duration = Duration::from_millis(20);

/// So many are told apart.
const MOST: usize = 64;

/// The nodes that have asked lately, and which of them have more to ask.
#[derive(Debug, Default)]
pub(super) struct Askers {
    nodes: BTreeMap<String, Asker>,
    /// How many batches were gathered into which all went that had come.
    batches: u64,
}

#[derive(Debug)]
struct Asker {
    asked: Instant,
    answered: Option<Instant>,
    /// What it asks for is in the batch behind so many.
    behind: u64,
    /// It asks again when that batch is written.
    is_busy: bool,
}

impl Askers {
    /// This node asks for so many changes; they are queued.
    pub(super) fn ask(&mut self, node: &str, changes: usize, now: Instant) {
        let asks = |is_busy| Asker { asked: now, answered: None, behind: self.batches, is_busy };
        match self.nodes.get_mut(node) {
            Some(asker) => {
                let is_back = asker.answered.is_some_and(|answered| now <= answered + RETURN);
                *asker = asks(is_back && changes >= BUSY);
            }
            None => {
                self.nodes.retain(|_, asker| now < asker.asked + LATELY);
                if self.nodes.len() < MOST {
                    self.nodes.insert(node.to_owned(), asks(false));
                }
            }
        }
    }

    /// It has its answer.
    pub(super) fn answered(&mut self, node: &str, now: Instant) {
        if let Some(asker) = self.nodes.get_mut(node) {
            asker.answered = Some(now);
        }
    }

    /// Whether any has asked lately.
    pub(super) fn are_there(&self, now: Instant) -> bool {
        self.nodes.values().any(|asker| now < asker.asked + LATELY)
    }

    /// Whether one that was answered with the batch before is still to come with its next.
    pub(super) fn are_missing(&self, now: Instant) -> bool {
        let is_missing = |asker: &Asker| asker.is_busy && asker.behind < self.batches && now < asker.asked + LATELY;
        self.nodes.values().any(is_missing)
    }

    /// All that was queued is in one batch. Who has not come is not waited for again, until it asks.
    pub(super) fn gathered(&mut self) {
        for asker in self.nodes.values_mut().filter(|asker| asker.behind < self.batches) {
            asker.is_busy = false;
        }
        self.batches += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_has_more_to_ask_is_missing_until_it_asks() {
        let mut askers = Askers::default();
        let now = Instant::now();
        let looks = |askers: &Askers| (askers.are_there(now), askers.are_missing(now));
        assert_eq!(looks(&askers), (false, false));
        let asks = |askers: &mut Askers, changes, later| {
            askers.ask("a", changes, now + later);
            assert_eq!(looks(askers), (true, false), "it is here");
            askers.answered("a", now + later);
            askers.gathered();
            askers.are_missing(now + later)
        };
        assert!(!asks(&mut askers, BUSY, Duration::ZERO), "nobody knows whether it comes back");
        assert!(asks(&mut askers, BUSY, RETURN), "it has come back");
        assert!(asks(&mut askers, BUSY, RETURN), "and again");
        assert!(askers.are_missing(now) && !askers.are_missing(now + LATELY * 2), "not for ever");
        askers.gathered();
        assert!(!askers.are_missing(now), "this time it did not");
        assert!(asks(&mut askers, BUSY, RETURN));
        assert!(!asks(&mut askers, BUSY - 1, RETURN), "it had few");
        assert!(!asks(&mut askers, BUSY, RETURN * 5 / 2), "it took its time");
        assert!(!askers.are_there(now + LATELY * 2));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_remembered_than_there_is_room_for() {
        let mut askers = Askers::default();
        let now = Instant::now();
        for node in 0..MOST * 2 {
            askers.ask(&node.to_string(), 1, now);
        }
        assert_eq!(askers.nodes.len(), MOST);
        askers.ask("later", 1, now + LATELY);
        assert_eq!(askers.nodes.len(), 1, "who is silent is forgotten");
    }
}
