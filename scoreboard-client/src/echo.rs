//! For whom a message is, where something is followed anew on one connection. Pure.

use std::collections::HashMap;

use crate::shared::Key;

/// What was left on a connection, as long as something of it may still be on its way.
///
/// A message names a board and a kind of window, not who asked: what belongs to a list of users that was followed a moment ago looks like
/// the answer for the list that is followed now. But a server answers in order. So a ping is sent behind what is left, and what comes
/// before its answer is of before.
#[derive(Debug, Default)]
pub(crate) struct Echo {
    /// How many pings were sent, and how many answered.
    asked: u64,
    answered: u64,
    /// Up to the answer to which ping something may come.
    left: HashMap<Key, u64>,
}

impl Echo {
    /// A ping is sent.
    pub(crate) const fn asked(&mut self) {
        self.asked += 1;
    }

    /// These were left before the last ping.
    pub(crate) fn leave(&mut self, keys: impl IntoIterator<Item = Key>) {
        self.left.extend(keys.into_iter().map(|key| (key, self.asked)));
    }

    /// A ping is answered.
    pub(crate) fn answered(&mut self) {
        self.answered += 1;
        self.left.retain(|_, ping| *ping > self.answered);
    }

    /// Whether what comes now is of who followed before.
    pub(crate) fn is_of_before(&self, key: &Key) -> bool {
        self.left.contains_key(key)
    }
}

#[cfg(test)]
mod tests {
    use scoreboard_core::{BoardId, WindowKind};

    use super::*;

    #[test]
    fn what_comes_before_the_last_answer_is_of_before() {
        let key = |window| (BoardId::main(), window);
        let mut echo = Echo::default();
        // A heartbeat is on its way already.
        echo.asked();
        echo.asked();
        echo.leave([key(WindowKind::Users), key(WindowKind::Top)]);
        assert!(!echo.is_of_before(&key(WindowKind::Around)));
        echo.answered();
        assert!(echo.is_of_before(&key(WindowKind::Users)));
        // Left once more, meanwhile.
        echo.asked();
        echo.leave([key(WindowKind::Top)]);
        echo.answered();
        assert!(!echo.is_of_before(&key(WindowKind::Users)) && echo.is_of_before(&key(WindowKind::Top)));
        echo.answered();
        assert!(echo.left.is_empty(), "nothing is kept");
    }
}
