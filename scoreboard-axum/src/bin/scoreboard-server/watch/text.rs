//! How names, times and states are said.

use std::time::Duration;

use scoreboard_client::{Offline, State};
use scoreboard_core::{Clock, SystemClock, Timestamp, UserId};
use tokio::time::Instant;

/// The name to show: a user's own, or the id. What could move a terminal's cursor or turn its text around is not passed on.
pub(super) fn name(user: UserId, name: Option<&str>) -> String {
    let Some(name) = name.filter(|name| !name.trim().is_empty()) else { return user.to_string() };
    let harmless = |c: char| {
        !c.is_control() && !matches!(c, '\u{200e}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
    };
    name.chars().map(|c| if harmless(c) { c } else { '\u{fffd}' }).collect()
}

/// The time of day of a moment that has passed, in UTC.
pub(super) fn time_of_day(at: Instant) -> String {
    let at = SystemClock.now().minus(at.elapsed()).to_string();
    // 2026-11-29T03:11:15.000Z
    at.get(11..19).unwrap_or(&at).to_owned()
}

/// The time now, as in a log.
pub(super) fn now() -> Timestamp {
    SystemClock.now()
}

/// One or two words for a state.
pub(super) const fn word(state: &State) -> &'static str {
    match state {
        State::Connecting => "connecting",
        State::CatchingUp => "catching up",
        State::Live => "live",
        State::Offline(_) => "offline",
        State::Refused(_) => "refused",
    }
}

/// Why it is offline, and what comes next.
pub(super) fn outlook(offline: &Offline) -> String {
    let left = offline.retry_at.saturating_duration_since(Instant::now());
    match left.as_secs_f64().ceil() {
        0.0 => format!("{}; trying again", offline.cause),
        seconds => format!("{}; trying again in {seconds} s", offline.cause),
    }
}

/// For how long, in words that take little room.
pub(super) fn span(duration: Duration) -> String {
    match duration.as_secs() {
        seconds @ 0..=119 => format!("{seconds} s"),
        seconds @ 120..=7199 => format!("{} min", seconds / 60),
        seconds => format!("{} h", seconds / 3600),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_moves_no_cursor() {
        let user = UserId::for_name("test", "1");
        assert_eq!(name(user, Some("Zoë 🎲")), "Zoë 🎲");
        assert_eq!(name(user, Some("a\u{1b}[2Jb\nc\u{9b}d\u{202e}e")), "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}e");
        assert_eq!(name(user, None), user.to_string());
        assert_eq!(name(user, Some(" ")), user.to_string());
    }

    #[test]
    fn spans_are_short() {
        for (seconds, said) in [(0, "0 s"), (119, "119 s"), (120, "2 min"), (7199, "119 min"), (7200, "2 h")] {
            assert_eq!(span(Duration::from_secs(seconds)), said);
        }
    }
}
