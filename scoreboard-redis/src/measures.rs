//! The metrics of this crate, by name.

use metrics::{describe_counter, describe_gauge};

/// A gauge: whether the breaker is open.
pub(crate) const BREAKER: &str = "scoreboard_breaker_state";
/// A counter: calls of the cache that did not work.
pub(crate) const SKIPPED: &str = "scoreboard_redis_skipped_total";
/// A counter: announcements that were missing.
pub(crate) const LOST: &str = "scoreboard_announcements_lost_total";
/// A counter: words of nodes that were passed over, by `why`.
pub(crate) const WORDS_DROPPED: &str = "scoreboard_peer_words_dropped_total";

pub(crate) fn describe() {
    describe_gauge!(BREAKER, "Whether the circuit breaker in front of a backend is open.");
    describe_counter!(SKIPPED, "Calls of the shared cache that did not work, by operation.");
    describe_counter!(LOST, "How often announcements were missing, and were read from the keys instead.");
    describe_counter!(WORDS_DROPPED, "Words between nodes that were passed over, by why.");
}
