//! Who writes a board.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use tokio::time::Instant;

/// For so long a node that has said that it writes is taken to do so.
const CLAIM: Duration = Duration::from_secs(1);

/// So often who writes says so: some of it may be lost.
const CLAIM_EVERY: Duration = Duration::from_millis(200);

/// Who did not answer is not asked for so long.
const REST: Duration = Duration::from_secs(5);

/// So many others are told apart.
const MOST: usize = 64;

/// What a node knows of who writes to a board.
///
/// The one with the least name does, of those that say that they write. All see the same in the end; meanwhile, and where they do not, two may write, which costs
/// time.
#[derive(Debug, Default)]
pub(super) struct Writers {
    /// The others, and when each last said that it writes.
    claims: BTreeMap<String, Instant>,
    /// Until when they are not asked.
    resting: HashMap<String, Instant>,
    /// When this node last said so.
    claimed: Option<Instant>,
}

impl Writers {
    /// Another node writes here.
    pub(super) fn heard(&mut self, node: String, now: Instant) {
        self.claims.insert(node, now);
        if self.claims.len() > MOST {
            self.claims.retain(|_, claimed| now < *claimed + CLAIM);
            while self.claims.len() > MOST {
                self.claims.pop_last();
            }
        }
    }

    /// The node that writes for this one, if it is not this one itself.
    pub(super) fn writer(&self, own: &str, now: Instant) -> Option<&str> {
        let before = self.claims.iter().take_while(|(node, _)| node.as_str() < own);
        let mut writes = before.filter(|(node, claimed)| {
            now < **claimed + CLAIM && self.resting.get(*node).is_none_or(|until| *until <= now)
        });
        writes.next().map(|(node, _)| node.as_str())
    }

    /// Whether this node, which writes, should say so again.
    pub(super) fn should_claim(&mut self, now: Instant) -> bool {
        let should = self.claimed.is_none_or(|claimed| claimed + CLAIM_EVERY <= now);
        if should {
            self.claimed = Some(now);
        }
        should
    }

    /// It did not answer as it should.
    pub(super) fn failed(&mut self, node: &str, now: Instant) {
        self.resting.retain(|_, until| now < *until);
        self.resting.insert(node.to_owned(), now + REST);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_least_of_those_that_say_so_writes() {
        let mut writers = Writers::default();
        let now = Instant::now();
        assert_eq!(writers.writer("b", now), None, "nobody else");
        writers.heard("c".to_owned(), now);
        assert_eq!(writers.writer("b", now), None, "this one is before it");
        assert_eq!(writers.writer("d", now), Some("c"));
        writers.heard("a".to_owned(), now + CLAIM / 2);
        assert_eq!(writers.writer("d", now + CLAIM / 2), Some("a"));
        assert_eq!(writers.writer("d", now + CLAIM), Some("a"), "what the other said is over");
        assert_eq!(writers.writer("d", now + CLAIM * 2), None);
    }

    #[tokio::test(start_paused = true)]
    async fn who_did_not_answer_is_left_alone_for_a_while() {
        let mut writers = Writers::default();
        let now = Instant::now();
        writers.failed("a", now);
        for node in ["a", "b"] {
            writers.heard(node.to_owned(), now + REST);
            writers.heard(node.to_owned(), now);
        }
        assert_eq!(writers.writer("c", now), Some("b"));
        writers.heard("a".to_owned(), now + REST);
        assert_eq!(writers.writer("c", now + REST), Some("a"));
    }

    #[tokio::test(start_paused = true)]
    async fn who_writes_says_so_now_and_then() {
        let mut writers = Writers::default();
        let now = Instant::now();
        assert!(writers.should_claim(now));
        assert!(!writers.should_claim(now + CLAIM_EVERY / 2));
        assert!(writers.should_claim(now + CLAIM_EVERY));
        assert!(!writers.should_claim(now + CLAIM_EVERY * 3 / 2));
    }

    #[tokio::test(start_paused = true)]
    async fn no_more_are_remembered_than_there_is_room_for() {
        let mut writers = Writers::default();
        let now = Instant::now();
        for node in 0..MOST * 3 {
            writers.heard(format!("{node:04}"), now);
        }
        assert_eq!(writers.claims.len(), MOST);
        assert_eq!(writers.writer("z", now), Some("0000"), "the least are kept");
        for node in 0..MOST * 3 {
            writers.failed(&format!("{node:04}"), now + REST * u32::try_from(node).expect("small"));
        }
        assert_eq!(writers.resting.len(), 1, "who is not left alone any more is forgotten");
    }
}
