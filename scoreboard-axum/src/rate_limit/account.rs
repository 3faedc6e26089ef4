//! How fast the password of one account may be guessed, from however many addresses.
//!
//! Three tries are free, for people mistype; then each waits twice as long as the one before: 1 s, 2 s, 4 s … and then a quarter of an hour, never
//! longer. As quotas, so that all nodes count together: tries at 0 s (three), 1 s, 3 s, 7 s … are those that keep "three in any second, four in any
//! three, five in any seven …", and a bucket of twelve that refills by one each quarter of an hour goes on from there. That makes 108
//! tries in the first day, and 96 in each further one. It forgets by itself: an account is never shut.

use std::num::NonZeroU32;
use std::time::Duration;

use scoreboard_core::{Cell, Quota};

/// What clients are told, whichever of the quotas holds them up.
pub(super) const POLICY: &str = "login_account";

/// Name, tries, seconds.
const WINDOWS: [(&str, u32, u64); 9] = [
    ("login_account_1", 3, 1),
    ("login_account_2", 4, 3),
    ("login_account_3", 5, 7),
    ("login_account_4", 6, 15),
    ("login_account_5", 7, 31),
    ("login_account_6", 8, 63),
    ("login_account_7", 9, 127),
    ("login_account_8", 10, 255),
    ("login_account_9", 11, 511),
];
const BURST: u32 = 12;
const AT_MOST: Duration = Duration::from_secs(15 * 60);

/// What one try of a login takes.
pub(super) fn cells(subject: &str) -> Vec<Cell<'_>> {
    let number = |limit| NonZeroU32::new(limit).expect("none of them is zero");
    let window = |(policy, limit, seconds): (&'static str, u32, u64)| Cell {
        policy,
        subject,
        quota: Quota::exact(number(limit), Duration::from_secs(seconds)),
    };
    let bucket = Quota::exact(number(BURST), AT_MOST * BURST).gcra();
    let bucket = Cell { policy: POLICY, subject, quota: bucket };
    WINDOWS.into_iter().map(window).chain([bucket]).collect()
}

#[cfg(test)]
mod tests {
    use scoreboard_core::memory::MemoryRateLimiter;
    use scoreboard_core::{Decision, RateLimiter, Timestamp};

    use super::*;

    /// The waits between tries that come as soon as they may.
    async fn waits(count: usize) -> Vec<u64> {
        let limiter = MemoryRateLimiter::default();
        let mut now = Timestamp::from_millis(1_700_000_000_000);
        let mut waits = Vec::new();
        let Decision::Allowed(_) = limiter.take(&cells("ada"), now).await.unwrap() else { panic!("the first try") };
        while waits.len() < count {
            let mut waited = Duration::ZERO;
            while let Decision::Limited(usage) = limiter.take(&cells("ada"), now).await.unwrap() {
                assert!(usage.retry_after > Duration::ZERO);
                waited += usage.retry_after;
                now = now.plus(usage.retry_after);
            }
            waits.push(waited.as_secs());
        }
        waits
    }

    #[tokio::test]
    async fn each_wait_is_twice_the_one_before_up_to_a_quarter_of_an_hour() {
        let waits = waits(108).await;
        assert_eq!(waits[..11], [0, 0, 1, 2, 4, 8, 16, 32, 64, 128, 256]);
        assert!(waits[11] > 256 && waits[12..].iter().all(|wait| *wait == 900), "{waits:?}");
        assert_eq!(waits[..107].iter().sum::<u64>(), 86_400, "108 tries take a day");
    }
}
