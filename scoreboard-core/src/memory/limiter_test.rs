use super::*;
use crate::limiter::Quota;

const HOUR: i64 = 3_600_000;

fn quota(text: &str) -> Quota {
    text.parse().unwrap()
}

fn cell<'a>(policy: &'static str, subject: &'a str, quota: Quota) -> Cell<'a> {
    Cell { policy, subject, quota }
}

async fn take(limiter: &MemoryRateLimiter, cells: &[Cell<'_>], millis: i64) -> Result<Usage, Usage> {
    match limiter.take(cells, Timestamp::from_millis(millis)).await.unwrap() {
        Decision::Allowed(usage) => Ok(usage),
        Decision::Limited(usage) => Err(usage),
    }
}

fn numbers(usage: Usage) -> (u32, u128, u128) {
    (usage.remaining, usage.retry_after.as_millis(), usage.reset_after.as_millis())
}

#[tokio::test]
async fn usage_is_exact_by_both_algorithms() {
    let limiter = MemoryRateLimiter::new();
    let exact = [cell("exact", "a", quota("2/s"))];
    assert_eq!(take(&limiter, &exact, 5000).await.map(numbers), Ok((1, 0, 1000)));
    assert_eq!(take(&limiter, &exact, 5400).await.map(numbers), Ok((0, 600, 1000)));
    assert_eq!(take(&limiter, &exact, 5999).await.map_err(numbers), Err((0, 1, 401)));
    assert_eq!(take(&limiter, &exact, 6000).await.map(numbers), Ok((0, 400, 1000)));
    let even = [cell("even", "a", quota("2/s").gcra())];
    assert_eq!(take(&limiter, &even, 5000).await.map(numbers), Ok((1, 0, 500)));
    assert_eq!(take(&limiter, &even, 5100).await.map(numbers), Ok((0, 400, 900)));
    assert_eq!(take(&limiter, &even, 5499).await.map_err(numbers), Err((0, 1, 501)));
    assert_eq!(take(&limiter, &even, 5500).await.map(numbers), Ok((0, 500, 1000)));
}

#[tokio::test]
async fn all_cells_are_taken_or_none() {
    let limiter = MemoryRateLimiter::new();
    let (wide, narrow) = (cell("wide", "a", quota("5/s")), cell("narrow", "a", quota("1/s").gcra()));
    let usage = take(&limiter, &[wide, narrow], 0).await.unwrap();
    assert_eq!((usage.policy, usage.remaining), ("narrow", 0), "the least remaining is told");
    for _ in 0..20 {
        assert_eq!(take(&limiter, &[wide, narrow], 1).await.unwrap_err().policy, "narrow");
    }
    assert_eq!(take(&limiter, &[wide], 1).await.unwrap().remaining, 3, "what was refused took nothing");
    let slow = cell("slow", "a", quota("1/h"));
    assert!(take(&limiter, &[slow], 1).await.is_ok());
    let usage = take(&limiter, &[narrow, slow, wide], 2).await.unwrap_err();
    assert_eq!(usage.policy, "slow", "the longest wait is told");
}

#[tokio::test]
async fn one_cell_named_twice_is_taken_twice() {
    let limiter = MemoryRateLimiter::new();
    let twice = [cell("exact", "a", quota("3/s")); 2];
    assert_eq!(take(&limiter, &twice, 0).await.unwrap().remaining, 1);
    let usage = take(&limiter, &twice, 0).await.unwrap_err();
    assert_eq!(numbers(usage), (0, 1000, 1000));
    assert_eq!(take(&limiter, &twice[..1], 0).await.unwrap().remaining, 0);
}

#[tokio::test]
async fn no_cells_are_a_defect_of_the_caller() {
    let error = MemoryRateLimiter::new().take(&[], Timestamp::from_millis(0)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Refused);
}

#[tokio::test]
async fn strangers_share_counts_when_there_is_no_room() {
    let limiter = MemoryRateLimiter::with_max_subjects(NonZeroUsize::new(2).unwrap());
    let q = quota("3/s");
    assert!(take(&limiter, &[cell("p", "known 1", q)], 0).await.is_ok());
    assert!(take(&limiter, &[cell("p", "known 2", q)], 0).await.is_ok());
    let mut admitted = 0;
    for n in 0..250_000 {
        admitted += usize::from(take(&limiter, &[cell("p", &format!("stranger {n}"), q)], 1).await.is_ok());
    }
    assert_eq!(admitted, 3 * 8192, "as many as the counts that they share have room for");
    assert!(take(&limiter, &[cell("p", "stranger", q)], 2).await.is_err());
    assert!(take(&limiter, &[cell("other", "stranger", q)], 2).await.is_ok(), "each policy has its own");
    assert_eq!(take(&limiter, &[cell("p", "known 1", q)], 2).await.unwrap().remaining, 1);
    assert_eq!(limiter.cells.lock().len(), 2);
}

#[tokio::test]
async fn who_fills_the_room_does_not_use_up_what_another_has() {
    let limiter = MemoryRateLimiter::with_max_subjects(NonZeroUsize::new(100).unwrap());
    let q = quota("3/min");
    for n in 0..2000 {
        let _ = take(&limiter, &[cell("p", &format!("stranger {n}"), q)], 0).await;
    }
    let mut shut_out = 0;
    for n in 0..1000 {
        shut_out += usize::from(take(&limiter, &[cell("p", &format!("victim {n}"), q)], 1).await.is_err());
    }
    assert!(shut_out < 10, "{shut_out} of a thousand");
}

#[tokio::test]
async fn a_stranger_that_gets_a_place_has_not_its_quota_twice() {
    let limiter = MemoryRateLimiter::with_max_subjects(NonZeroUsize::new(1).unwrap());
    let q = quota("3/s");
    assert!(take(&limiter, &[cell("p", "known", q)], 0).await.is_ok());
    // The known one may be forgotten from here on, but is not yet when these arrive.
    let late = 1000 + count::slack(1000);
    for _ in 0..3 {
        assert!(take(&limiter, &[cell("p", "stranger", q)], late - 1).await.is_ok());
    }
    assert!(take(&limiter, &[cell("p", "stranger", q)], late).await.is_err());
    assert!(take(&limiter, &[cell("p", "stranger", q)], late + 999).await.is_ok());
    assert_eq!(limiter.cells.lock().len(), 1);
}

#[tokio::test]
async fn a_clock_set_back_admits_no_more_and_shuts_nobody_out_for_long() {
    for quota in [quota("3/min"), quota("3/min").gcra()] {
        let limiter = MemoryRateLimiter::new();
        let cells = [cell("p", "a", quota)];
        for _ in 0..3 {
            assert!(take(&limiter, &cells, 10 * HOUR).await.is_ok());
        }
        for back in [1, 1000, 30_000, HOUR, 5 * HOUR] {
            assert!(take(&limiter, &cells, 10 * HOUR - back).await.is_err(), "{back} ms back");
        }
        let usage = take(&limiter, &cells, 5 * HOUR).await.unwrap_err();
        assert!(usage.retry_after <= 2 * quota.period, "{usage:?}");
        let then = 5 * HOUR + i64::try_from(usage.retry_after.as_millis()).unwrap();
        assert!(take(&limiter, &cells, then - 1).await.is_err());
        assert!(take(&limiter, &cells, then).await.is_ok());
    }
}

#[tokio::test]
async fn callers_that_arrive_out_of_order_are_counted_exactly() {
    let limiter = MemoryRateLimiter::new();
    let cells = [cell("p", "a", quota("1/s"))];
    assert!(take(&limiter, &cells, 5000).await.is_ok());
    assert!(take(&limiter, &cells, 6000).await.is_ok());
    // One that read the clock before the last was admitted: 5000 is in its window no more, 6000 would be in one with it.
    assert!(take(&limiter, &cells, 5999).await.is_err());
    assert!(take(&limiter, &cells, 6999).await.is_err());
    assert!(take(&limiter, &cells, 7000).await.is_ok());
}

#[tokio::test]
async fn of_many_at_once_the_limit_is_admitted() {
    let limiter = MemoryRateLimiter::new();
    let tasks = (0..8).map(|_| {
        let limiter = limiter.clone();
        tokio::spawn(async move {
            let mut admitted = 0;
            for _ in 0..100 {
                let cells = [cell("a", "x", quota("100/min")), cell("b", "x", quota("7/min"))];
                admitted += usize::from(take(&limiter, &cells, 0).await.is_ok());
            }
            admitted
        })
    });
    let admitted = futures_util::future::try_join_all(tasks).await.unwrap();
    assert_eq!(admitted.iter().sum::<usize>(), 7);
    assert_eq!(take(&limiter, &[cell("a", "x", quota("100/min"))], 0).await.unwrap().remaining, 92);
}
