//! Which announcements did not come.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use tokio::time::Instant;

use super::announcement::Announcement;

/// How long an announcement may come after one that was numbered later: what one process sends at once goes several ways.
const GRACE: Duration = Duration::from_millis(200);
/// So many publishers are told apart, far more than there are nodes. Beyond, all are forgotten, and learnt anew.
const MAX_PUBLISHERS: usize = 1024;
/// So many numbers are waited for. Beyond, they are not late but lost.
const MAX_LATE: usize = 256;

/// What was heard of each publisher.
#[derive(Debug, Default)]
pub(super) struct Publishers {
    next: HashMap<String, u64>,
    late: BTreeSet<(String, u64)>,
    /// When what is late is lost.
    deadline: Option<Instant>,
}

impl Publishers {
    /// Of a publisher that was not heard of before, the first number that is heard begins the count.
    pub(super) fn heard(&mut self, announcement: &Announcement) {
        let Announcement { publisher, number, .. } = announcement;
        let Some(next) = self.next.get_mut(publisher) else {
            if self.next.len() >= MAX_PUBLISHERS {
                self.next.clear();
                self.late.clear();
            }
            self.next.insert(publisher.clone(), number.saturating_add(1));
            return;
        };
        if *number < *next {
            self.late.remove(&(publisher.clone(), *number));
        } else {
            let missing = (*next..*number).take(MAX_LATE + 1);
            self.late.extend(missing.map(|number| (publisher.clone(), number)));
            *next = number.saturating_add(1);
        }
        self.deadline = match self.deadline {
            _ if self.late.is_empty() => None,
            _ if self.late.len() > MAX_LATE => Some(Instant::now()),
            None => Some(Instant::now() + GRACE),
            waiting => waiting,
        };
    }

    /// Comes back when something is lost, which is told once.
    ///
    /// # Cancel safety
    ///
    /// If the future is dropped, nothing was told.
    pub(super) async fn lost(&mut self) {
        match self.deadline {
            Some(deadline) => tokio::time::sleep_until(deadline).await,
            None => std::future::pending().await,
        }
        self.late.clear();
        self.deadline = None;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    fn numbered(publisher: &str, number: u64) -> Announcement {
        let (position, board) = ("1.1".parse().unwrap(), "main".parse().unwrap());
        Announcement { publisher: publisher.to_owned(), number, position, board }
    }

    async fn after_grace(publishers: &mut Publishers) -> bool {
        tokio::time::advance(GRACE).await;
        publishers.lost().now_or_never().is_some()
    }

    #[tokio::test(start_paused = true)]
    async fn what_comes_in_order_or_a_little_out_of_it_is_not_lost() {
        let mut publishers = Publishers::default();
        for number in [7, 8, 10, 9, 13, 11, 12, 12, 8, 14] {
            publishers.heard(&numbered("a", number));
            publishers.heard(&numbered("b", 0));
        }
        assert!(!after_grace(&mut publishers).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_does_not_come_is_lost_once() {
        let mut publishers = Publishers::default();
        for number in [7, 8, 10, 11] {
            publishers.heard(&numbered("a", number));
        }
        assert!(publishers.lost().now_or_never().is_none(), "it may only be late");
        assert!(after_grace(&mut publishers).await);
        assert!(!after_grace(&mut publishers).await, "told once");
        publishers.heard(&numbered("a", 12));
        assert!(!after_grace(&mut publishers).await);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_waited_for_is_bounded() {
        let mut publishers = Publishers::default();
        publishers.heard(&numbered("a", 1));
        publishers.heard(&numbered("a", u64::MAX));
        assert!(publishers.late.len() <= MAX_LATE + 1);
        assert!(publishers.lost().now_or_never().is_some(), "so many are not late but lost");
        for n in 0..10_000 {
            publishers.heard(&numbered(&n.to_string(), 1));
            assert!(publishers.next.len() <= MAX_PUBLISHERS);
        }
    }
}
