//! Whether cached answers are true: one in a hundred is compared with the store.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::time::Duration;

use serde::Deserialize;

use crate::cache::{CacheKey, Cached};
use crate::clock::Timestamp;
use crate::entry::{PageQuery, Range, Ranked, RankedPage};
use crate::error::BackendError;
use crate::ids::UserId;
use crate::pipeline::Scoreboard;
use crate::pipeline::read::TopQuery;
use crate::score::Score;
use crate::version::Version;

/// One in so many answers from the cache is compared.
const ONE_IN: u64 = 100;
/// And no more than one in so many milliseconds: where there are a hundred thousand answers a second, a thousand looks into the store would
/// cost more than all of them.
const APART: i64 = 100;

/// Which answers are compared. One at a time, so that it costs a busy store little.
#[derive(Debug, Default)]
pub(super) struct Auditor {
    is_busy: Arc<AtomicBool>,
    /// Milliseconds since 1970.
    last: AtomicI64,
}

/// The turn to compare one answer. While it is there, there is no other; it ends when it is dropped, however that comes: also a comparison
/// that panics, or a runtime that ends, leaves the next its turn.
#[derive(Debug)]
pub(super) struct Turn(Arc<AtomicBool>);

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.store(false, Ordering::Relaxed);
    }
}

impl Auditor {
    /// The turn of the `nth` answer, if it is one to compare.
    pub(super) fn pick(&self, nth: u64, now: Timestamp) -> Option<Turn> {
        if !nth.is_multiple_of(ONE_IN) {
            return None;
        }
        // Also a clock that was set back goes on.
        let is_time = (now.as_millis() - self.last.load(Ordering::Relaxed)).abs() >= APART;
        if !is_time || self.is_busy.swap(true, Ordering::Relaxed) {
            return None;
        }
        self.last.store(now.as_millis(), Ordering::Relaxed);
        Some(Turn(self.is_busy.clone()))
    }
}

/// What comparing an answer with the store shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Finding {
    /// It is what the store says.
    True,
    /// It was true until so long before it was given.
    Behind(Duration),
    /// It names a position that the store has not reached: it was read from a replica, or the store was set back without a new epoch.
    Ahead,
    /// At the same position the store says something else: a defect.
    False,
}

/// What an answer must have in common with the store: names may change without a version.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    total: u64,
    entries: Vec<Row>,
}

#[derive(Deserialize, PartialEq)]
#[serde(rename_all = "camelCase")]
struct Row {
    rank: u64,
    user_id: UserId,
    score: Score,
}

impl From<&Ranked> for Row {
    fn from(ranked: &Ranked) -> Self {
        Self { rank: ranked.rank, user_id: ranked.user_id, score: ranked.score }
    }
}

impl Scoreboard {
    /// Compares an answer that was given at `given_at` with the store, in a task of its own, and counts what it finds: in
    /// `scoreboard_cache_audits_total` by `finding`, and by how much answers were behind in `scoreboard_cache_staleness_seconds`.
    pub(super) fn audit(&self, turn: Turn, query: &TopQuery, key: CacheKey, answer: Cached, given_at: Timestamp) {
        let (scoreboard, query) = (self.clone(), query.clone());
        tokio::spawn(async move {
            let _turn = turn;
            // A store that fails is told of by those who need it.
            if let Ok(finding) = scoreboard.compare(&query, &answer, given_at).await {
                report(finding, &key, &answer);
            }
        });
    }

    async fn compare(&self, query: &TopQuery, answer: &Cached, given_at: Timestamp) -> Result<Finding, BackendError> {
        let page_query = PageQuery { season: None, range: Range::Top { limit: query.limit }, style: query.style };
        let store = &self.parts.audit_store;
        let Some(page) = store.page(&query.board, page_query).await? else { return Ok(Finding::Ahead) };
        let position = page.position;
        if answer.position > position {
            return Ok(Finding::Ahead);
        }
        if answer.position == position {
            return Ok(if says_the_same(&answer.bytes, &page) { Finding::True } else { Finding::False });
        }
        // The first change that the answer lacks tells since when it was old.
        let after = if answer.position.epoch == position.epoch { answer.position.version } else { Version::ZERO };
        let missed = store.log(&query.board, after, 1).await?;
        Ok(match missed.first().map(|row| given_at.since(row.at)) {
            // It happened after the answer was given.
            None | Some(Duration::ZERO) => Finding::True,
            Some(behind) => Finding::Behind(behind),
        })
    }
}

fn says_the_same(bytes: &[u8], page: &RankedPage) -> bool {
    let Ok(answer) = serde_json::from_slice::<Answer>(bytes) else { return false };
    answer.total == page.total && answer.entries == page.entries.iter().map(Row::from).collect::<Vec<_>>()
}

fn report(finding: Finding, key: &CacheKey, answer: &Cached) {
    let (name, behind) = match finding {
        Finding::True => ("true", Duration::ZERO),
        Finding::Behind(behind) => ("behind", behind),
        Finding::Ahead => ("ahead", Duration::ZERO),
        Finding::False => ("false", Duration::ZERO),
    };
    metrics::counter!("scoreboard_cache_audits_total", "finding" => name).increment(1);
    metrics::histogram!("scoreboard_cache_staleness_seconds").record(behind);
    if finding == Finding::False {
        tracing::error!(board.id = %key.board, view = &*key.view, position = %answer.position, "a cached answer is not what the store says");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::board::{ActionKind, BoardSpec, PointsRule};
    use crate::clock::Clock;
    use crate::ids::BoardId;
    use crate::memory::MemoryScoreStore;
    use crate::pipeline::RecordRequest;
    use crate::score::Points;
    use crate::testing::ManualClock;
    use crate::version::{Epoch, Position};

    #[test]
    fn one_in_a_hundred_is_picked_and_not_too_many() {
        let auditor = Auditor::default();
        let picked = |from: i64, apart: i64| {
            let picks = (0..1_000).filter(|n: &u32| {
                auditor.pick(u64::from(*n), Timestamp::from_millis(from + i64::from(*n) * apart)).is_some()
            });
            picks.count()
        };
        assert_eq!(picked(1_000_000, 50), 10, "few answers");
        assert!(picked(2_000_000, 0) <= 1, "many at once");
        assert_eq!(picked(1_000_000, 50), 10, "a clock that was set back");
    }

    #[tokio::test]
    async fn a_comparison_that_panics_is_not_the_last() {
        let auditor = Auditor::default();
        let pick = |millis| auditor.pick(0, Timestamp::from_millis(millis));
        let turn = pick(1_000_000).unwrap();
        assert!(pick(2_000_000).is_none(), "one at a time");
        let panicked = tokio::spawn(async move {
            let _turn = turn;
            panic!("on purpose");
        });
        assert!(panicked.await.unwrap_err().is_panic());
        assert!(pick(3_000_000).is_some());
    }

    #[tokio::test]
    async fn an_answer_is_found_true_behind_ahead_or_false() {
        let clock = ManualClock::default();
        let board =
            Scoreboard::builder(Arc::new(MemoryScoreStore::default())).with_clock(Arc::new(clock.clone())).build();
        let tap = ActionKind {
            kind: "tap".parse().unwrap(),
            points: PointsRule::Fixed(Points::new(1).unwrap()),
            min_duration_seconds: 0,
            lifetime_seconds: 60,
            per_day: None,
        };
        board.create_board(BoardSpec { kinds: vec![tap], ..BoardSpec::new(BoardId::main()) }).await.unwrap();
        let play = async |name: &str| {
            let user_id = UserId::for_name("audit", name);
            let request = RecordRequest { board: BoardId::main(), user_id, kind: "tap".parse().unwrap(), points: None };
            board.record(&"game".parse().unwrap(), name, request).await.unwrap();
        };
        play("ada").await;
        let query = TopQuery::new(BoardId::main());
        let encoded = board.top_encoded(&query).await.unwrap();
        let answer = Cached { position: encoded.position, bytes: encoded.bytes };
        let finding = async |answer: &Cached| board.compare(&query, answer, clock.now()).await.unwrap();
        assert_eq!(finding(&answer).await, Finding::True);

        let text = String::from_utf8(answer.bytes.to_vec()).unwrap();
        for other in
            [text.replace("\"score\":1", "\"score\":2"), text.replace("\"total\":1", "\"total\":2"), "{}".to_owned()]
        {
            assert_ne!(other, text);
            assert_eq!(finding(&Cached { bytes: other.into(), ..answer.clone() }).await, Finding::False);
        }
        let ahead = Position { version: Version::new(2), ..answer.position };
        assert_eq!(finding(&Cached { position: ahead, ..answer.clone() }).await, Finding::Ahead);
        let epoch = Position { epoch: Epoch::new(answer.position.epoch.get() + 1), ..answer.position };
        assert_eq!(finding(&Cached { position: epoch, ..answer.clone() }).await, Finding::Ahead);

        play("bob").await;
        assert_eq!(finding(&answer).await, Finding::True, "it was so until this moment");
        clock.advance(Duration::from_millis(70));
        play("eve").await;
        assert_eq!(
            finding(&answer).await,
            Finding::Behind(Duration::from_millis(70)),
            "since the first change it lacks"
        );
    }
}
