//! How much of a long test is run.

const VARIABLE: &str = "SCOREBOARD_TEST_SCALE";

/// So much of `full`, at least 1: a fifth, or the percentage in `SCOREBOARD_TEST_SCALE`, of which 100 is all that was promised.
pub(crate) fn scaled(full: usize) -> usize {
    let percent = match std::env::var(VARIABLE) {
        Ok(text) => text.parse().unwrap_or_else(|_| panic!("{VARIABLE} must be a percentage, not `{text}`")),
        Err(_) => 20,
    };
    (full * percent).div_ceil(100).max(1)
}
