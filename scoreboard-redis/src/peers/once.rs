//! Which words were heard, so that none is heard twice.

use std::collections::HashMap;

use parking_lot::Mutex;

/// So many of the newest words of each node are told apart. What a node says goes over several connections at once, so it may come a little out of order.
const WINDOW: u64 = u128::BITS as u64;
/// So many nodes are remembered, far more than live in one process' life; beyond, the one that was silent for longest is forgotten.
const MAX_NODES: usize = 1024;

/// The numbers that were heard of each node. Only what was signed is told to it, so nobody else fills it.
#[derive(Debug, Default)]
pub(super) struct Once(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    nodes: HashMap<String, Node>,
    /// Counts the words, for the order in which nodes spoke.
    words: u64,
}

#[derive(Debug)]
struct Node {
    newest: u64,
    /// Bit n: the number that is n below the newest was heard.
    heard: u128,
    /// The last of the words that was its.
    spoke: u64,
}

impl Once {
    /// True if this is the first time, and neither so old that it is not known.
    pub(super) fn is_first(&self, node: &str, number: u64) -> bool {
        let mut state = self.0.lock();
        state.words += 1;
        let spoke = state.words;
        if let Some(node) = state.nodes.get_mut(node) {
            node.spoke = spoke;
            return node.is_first(number);
        }
        if state.nodes.len() >= MAX_NODES
            && let Some(silent) = state.nodes.iter().min_by_key(|(_, node)| node.spoke).map(|(name, _)| name.clone())
        {
            state.nodes.remove(&silent);
        }
        state.nodes.insert(node.to_owned(), Node { newest: number, heard: 1, spoke });
        true
    }
}

impl Node {
    fn is_first(&mut self, number: u64) -> bool {
        if number > self.newest {
            let rise = number - self.newest;
            self.heard = if rise < WINDOW { self.heard << rise | 1 } else { 1 };
            self.newest = number;
            return true;
        }
        let below = self.newest - number;
        let bit = if below < WINDOW { 1 << below } else { return false };
        let is_first = self.heard & bit == 0;
        self.heard |= bit;
        is_first
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_number_of_each_node_is_new_once() {
        let once = Once::default();
        for number in [7, 9, 8, 20, 0, 19, 147, u64::MAX] {
            assert!(once.is_first("a", number), "{number}");
            assert!(!once.is_first("a", number), "{number}");
            assert!(once.is_first("b", number), "{number} of another node");
        }
        for number in [0, 7, 20, 147, u64::MAX, 100] {
            assert!(!once.is_first("a", number), "{number} was heard, or is too old");
        }
    }

    /// Against a set that forgets nothing.
    #[test]
    fn it_says_what_a_set_says_but_of_what_is_old() {
        let (once, mut heard, mut newest) = (Once::default(), std::collections::HashSet::new(), 0);
        let mut random = 1_u64;
        for _ in 0..20_000 {
            random = random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let number = newest + (random >> 33) % 4 + 200 - (random >> 40) % 400.min(newest + 200);
            let is_old = number + WINDOW <= newest;
            let first = heard.insert(number);
            assert_eq!(once.is_first("a", number), first && !is_old, "{number} of {newest}");
            newest = newest.max(number);
        }
    }

    #[test]
    fn nodes_are_bounded_and_the_silent_are_forgotten_first() {
        let once = Once::default();
        for n in 0..MAX_NODES {
            assert!(once.is_first(&n.to_string(), 1));
        }
        assert!(!once.is_first("0", 1), "it speaks again");
        for n in MAX_NODES..MAX_NODES + 100 {
            assert!(once.is_first(&n.to_string(), 1));
            assert_eq!(once.0.lock().nodes.len(), MAX_NODES);
        }
        assert!(!once.is_first("0", 1));
        assert!(!once.is_first("500", 1), "nobody else was forgotten");
        assert!(once.is_first("1", 1), "it was silent for longest");
    }
}
