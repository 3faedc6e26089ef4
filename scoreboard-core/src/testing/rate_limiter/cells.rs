//! Several cells, subjects and callers at once.

use super::{allowed, cell, limited, millis, per_minute, secs, take};
use crate::limiter::{Cell, Decision, Quota};
use crate::testing::drop_at::drop_after;
use crate::testing::fixture::RateLimiterFixture;

/// The exact count and the bucket.
fn both(limit: u32) -> [Quota; 2] {
    [per_minute(limit), per_minute(limit).gcra()]
}

/// Subjects and policies are limited each by themselves.
pub async fn subjects_and_policies_are_told_apart<F: RateLimiterFixture>(f: &F) {
    for (policy, quota) in ["exact", "bucket"].into_iter().zip(both(2)) {
        let of = |policy, subject| [Cell { policy, subject, quota }];
        for _ in 0..2 {
            allowed(f, &of(policy, "a"), "two for a").await;
        }
        limited(f, &of(policy, "a"), "a has used theirs up").await;
        let long = "a".repeat(1000);
        for subject in ["b", "", "A", "a ", "aa", &long] {
            let usage = allowed(f, &of(policy, subject), &format!("subject `{subject}` is not `a`")).await;
            assert_eq!(usage.remaining, 1, "subject `{subject}` has used one");
        }
        let other = if policy == "exact" { "other-exact" } else { "other-bucket" };
        let usage = allowed(f, &of(other, "a"), "another policy for a").await;
        assert_eq!((usage.policy, usage.remaining), (other, 1), "another policy counts by itself");
    }
}

/// All or nothing: if one cell refuses, none of the others is used.
pub async fn a_refusal_uses_nothing<F: RateLimiterFixture>(f: &F) {
    for [wide, narrow] in [both(10), [per_minute(10).gcra(), per_minute(10)]] {
        let (wide_name, narrow_name) = (format!("wide {wide:?}"), format!("narrow {narrow:?}"));
        let narrow = Quota { limit: std::num::NonZeroU32::MIN, ..narrow };
        let (wide, narrow) = (cell(&wide_name, wide), cell(&narrow_name, narrow));
        allowed(f, &[wide, narrow], "both have room").await;
        for cells in [[wide, narrow], [narrow, wide]] {
            for _ in 0..5 {
                limited(f, &cells, "the narrow one is used up").await;
            }
        }
        let usage = allowed(f, &[wide], "the wide one has room").await;
        assert_eq!(usage.remaining, 8, "of ten, one was used with the narrow one and one alone; refusals use none");
    }
}

/// Admitted, the cell with the least remaining is told; refused, the one that refuses the longest.
pub async fn the_tightest_cell_is_told<F: RateLimiterFixture>(f: &F) {
    let slow = Quota { period: secs(600), ..per_minute(2) };
    let cells = [cell("wide", per_minute(10)), cell("fast", per_minute(2)), cell("slow", slow)];
    let usage = allowed(f, &cells[..2], "both have room").await;
    assert_eq!((usage.quota, usage.remaining), (per_minute(2), 1), "the least remaining");
    f.advance(secs(1)).await;
    for _ in 0..2 {
        allowed(f, &cells[2..], "the slow one has room").await;
    }
    allowed(f, &cells[1..2], "the fast one has room").await;
    for cells in [cells, [cells[2], cells[1], cells[0]]] {
        let usage = limited(f, &cells, "two of three are used up").await;
        assert_eq!((usage.quota, usage.retry_after), (slow, secs(600)), "the one that refuses the longest");
        assert_eq!(usage.remaining, 0, "what refuses has none remaining");
    }
}

/// Who is limited stays so, however many others come.
pub async fn nobody_is_forgotten_in_a_crowd<F: RateLimiterFixture>(f: &F) {
    for quota in both(1) {
        let victim = format!("victim {quota:?}");
        allowed(f, &[cell(&victim, quota)], "the first").await;
        for n in 0..5000 {
            // Where they cannot be told apart any more they may be limited together: only the victim is looked at.
            let _ = take(f, &[cell(&format!("{n} {quota:?}"), quota)]).await;
        }
        limited(f, &[cell(&victim, quota)], "the second of one a minute, behind a crowd").await;
    }
}

/// Of many at once exactly the limit is admitted.
pub async fn exactly_the_limit_is_admitted_at_once<F: RateLimiterFixture>(f: &F) {
    for quota in both(10) {
        let now = f.now();
        let tasks: Vec<_> = (0..8)
            .map(|_| {
                let limiter = f.rate_limiter();
                tokio::spawn(async move {
                    let mut admitted = 0;
                    for _ in 0..5 {
                        let decision = limiter.take(&[cell("user", quota)], now).await.expect("take answers");
                        admitted += usize::from(matches!(decision, Decision::Allowed(_)));
                        tokio::task::yield_now().await;
                    }
                    admitted
                })
            })
            .collect();
        let mut admitted = 0;
        for task in tasks {
            admitted += task.await.expect("take does not panic");
        }
        assert_eq!(admitted, 10, "of 40 at once ten are admitted: {quota:?}");
        f.advance(secs(60)).await;
    }
}

/// A `take` whose caller goes away has used all of its cells, or none.
pub async fn a_dropped_take_is_all_or_nothing<F: RateLimiterFixture>(f: &F) {
    let limiter = f.rate_limiter();
    for polls in 0..100 {
        let cells = [cell("one", per_minute(1000)), cell("two", per_minute(1000))];
        let done = drop_after(polls, limiter.take(&cells, f.now())).await;
        if done.is_none() && polls > 0 {
            // What is on its way to a server may still land.
            tokio::time::sleep(millis(20)).await;
        }
        let one = allowed(f, &cells[..1], "there is room").await.remaining;
        let two = allowed(f, &cells[1..], "there is room").await.remaining;
        assert_eq!(one, two, "dropped after {polls} polls: both cells were used, or none");
        if done.is_some() {
            return;
        }
    }
    panic!("take is not done after 99 polls");
}
