//! What several nodes answered while they wrote, and whether it can be: each answer is compared with the fold of the log at its version,
//! and with what its node had acknowledged before it was asked.
//!
//! A history of puts and gets would not do: a board is never put by its clients. Its log says what was true at each version, so an answer is
//! impossible if it is not what the log folds to there, or if its node knew better when it was asked.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::time::Duration;

use scoreboard::{BoardId, Encoded, LogRow, Reached, ScoreStore, UserId, Version};
use serde_json::Value;
use tokio::time::Instant;

/// So many rows of the log are read at once.
const PAGE: usize = 5_000;
/// How many entries an answer has.
const TOP: usize = 10;

/// What one client saw. Append those of several to have them all.
#[derive(Debug, Default)]
pub(crate) struct History {
    acknowledged: Vec<Acknowledged>,
    reads: Vec<Read>,
    /// Every different answer, by its version.
    answers: HashMap<u64, Vec<Encoded>>,
    /// Reads that failed, by what was said.
    pub(crate) failed_reads: Vec<String>,
    /// Updates that were refused.
    pub(crate) refused: Vec<String>,
}

#[derive(Debug, Clone, Copy)]
struct Acknowledged {
    node: usize,
    version: u64,
    at: Instant,
}

#[derive(Debug, Clone, Copy)]
struct Read {
    node: usize,
    version: u64,
    began: Instant,
    took: Duration,
}

/// How far behind answers were: since when what they lack was acknowledged, on whichever node.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Staleness {
    pub(crate) reads: usize,
    pub(crate) answers: usize,
    pub(crate) p50: Duration,
    pub(crate) p90: Duration,
    pub(crate) p99: Duration,
    pub(crate) p999: Duration,
    pub(crate) max: Duration,
    pub(crate) read_p99: Duration,
}

impl fmt::Display for Staleness {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { reads, answers, p50, p90, p99, p999, max, read_p99 } = self;
        write!(
            f,
            "{reads} reads, {answers} different answers; behind p50 {p50:?}, p90 {p90:?}, p99 {p99:?}, p99.9 {p999:?}, max {max:?}; \
             a read took p99 {read_p99:?}"
        )
    }
}

impl History {
    pub(crate) fn acknowledged(&mut self, node: usize, version: Version) {
        self.acknowledged.push(Acknowledged { node, version: version.get(), at: Instant::now() });
    }

    pub(crate) fn read(&mut self, node: usize, began: Instant, answer: Encoded) {
        let (version, took) = (answer.position.version.get(), began.elapsed());
        self.reads.push(Read { node, version, began, took });
        let known = self.answers.entry(version).or_default();
        if !known.iter().any(|known| known.bytes == answer.bytes) {
            known.push(answer);
        }
    }

    pub(crate) fn append(&mut self, other: Self) {
        self.acknowledged.extend(other.acknowledged);
        self.reads.extend(other.reads);
        for (version, answers) in other.answers {
            let known = self.answers.entry(version).or_default();
            for answer in answers {
                if !known.iter().any(|known| known.bytes == answer.bytes) {
                    known.push(answer);
                }
            }
        }
        self.failed_reads.extend(other.failed_reads);
        self.refused.extend(other.refused);
    }

    /// How many updates were acknowledged.
    pub(crate) fn updates(&self) -> usize {
        self.acknowledged.len()
    }

    /// Fails at the first answer that cannot be; else says how far behind answers were.
    pub(crate) async fn check(self, store: &dyn ScoreStore, board: &BoardId) -> Staleness {
        let mut log = Vec::<LogRow>::new();
        loop {
            let after = log.last().map_or(Version::ZERO, |row| row.position.version);
            let rows = store.log(board, after, PAGE).await.expect("the log is there");
            if rows.is_empty() {
                return self.check_against(&log);
            }
            log.extend(rows);
        }
    }

    /// The same with the board's whole log.
    pub(crate) fn check_against(mut self, log: &[LogRow]) -> Staleness {
        let mut versions: Vec<u64> = self.acknowledged.iter().map(|acknowledged| acknowledged.version).collect();
        versions.sort_unstable();
        assert!(versions.windows(2).all(|pair| pair[0] < pair[1]), "a version was given out twice");
        let answers = self.assert_folded(log);
        let newest = versions.last().copied().unwrap_or_default();
        assert!(newest <= log.len() as u64, "version {newest} was acknowledged, and is not in the log");
        self.assert_own_updates_are_seen();
        let stale = self.staleness();
        let mut took: Vec<_> = self.reads.iter().map(|read| read.took).collect();
        took.sort_unstable();
        let [p50, p90, p99, p999, max] = [500, 900, 990, 999, 1000].map(|per_mille| at_per_mille(&stale, per_mille));
        Staleness { reads: self.reads.len(), answers, p50, p90, p99, p999, max, read_p99: at_per_mille(&took, 990) }
    }

    /// Every answer is what the log folds to at its version; gives how many there were.
    fn assert_folded(&mut self, log: &[LogRow]) -> usize {
        let mut scores = BTreeMap::<UserId, Reached>::new();
        let mut compared = 0;
        let mut compare =
            |version: u64, scores: &BTreeMap<UserId, Reached>, answers: &mut HashMap<u64, Vec<Encoded>>| {
                for answer in answers.remove(&version).unwrap_or_default() {
                    assert_eq!(seen(&answer), folded(version, scores), "what was answered is not what the log says");
                    compared += 1;
                }
            };
        compare(0, &scores, &mut self.answers);
        for (version, row) in (1..).zip(log) {
            assert_eq!(row.position.version.get(), version, "the log has a gap or a double");
            scores.insert(row.user_id, row.after().expect("nobody corrects here"));
            compare(version, &scores, &mut self.answers);
        }
        let ahead: Vec<_> = self.answers.keys().collect();
        assert!(ahead.is_empty(), "answers at versions that the board has never reached: {ahead:?}");
        compared
    }

    /// What a node acknowledged before it was asked is in its answer: nothing below its floor.
    fn assert_own_updates_are_seen(&mut self) {
        self.acknowledged.sort_unstable_by_key(|acknowledged| acknowledged.at);
        self.reads.sort_unstable_by_key(|read| read.began);
        let mut floors = HashMap::<usize, u64>::new();
        let mut acknowledged = self.acknowledged.iter().peekable();
        for read in &self.reads {
            while let Some(before) = acknowledged.next_if(|acknowledged| acknowledged.at < read.began) {
                let floor = floors.entry(before.node).or_default();
                *floor = before.version.max(*floor);
            }
            let floor = floors.get(&read.node).copied().unwrap_or_default();
            assert!(read.version >= floor, "node {} answered {} below its floor {floor}", read.node, read.version);
        }
    }

    /// How far behind each read was, sorted.
    fn staleness(&mut self) -> Vec<Duration> {
        self.acknowledged.sort_unstable_by_key(|acknowledged| acknowledged.version);
        // When the first was acknowledged that is newer than the one before it.
        let mut first_newer = Vec::with_capacity(self.acknowledged.len());
        let mut earliest: Option<Instant> = None;
        for acknowledged in self.acknowledged.iter().rev() {
            earliest = Some(earliest.map_or(acknowledged.at, |earliest| earliest.min(acknowledged.at)));
            first_newer.push((acknowledged.version, earliest));
        }
        first_newer.reverse();
        let behind = |read: &Read| {
            let newer = first_newer.partition_point(|(version, _)| *version <= read.version);
            let since = first_newer.get(newer).and_then(|(_, at)| *at);
            since.map_or(Duration::ZERO, |since| read.began.saturating_duration_since(since))
        };
        let mut stale: Vec<_> = self.reads.iter().map(behind).collect();
        stale.sort_unstable();
        stale
    }
}

fn at_per_mille(sorted: &[Duration], per_mille: usize) -> Duration {
    let index = (sorted.len() * per_mille).div_ceil(1_000).saturating_sub(1);
    sorted.get(index).copied().unwrap_or_default()
}

/// What an answer says: version, total, and rank, user and score of each.
type Said = (u64, u64, Vec<(u64, String, i64)>);

fn seen(answer: &Encoded) -> Said {
    let page: Value = serde_json::from_slice(&answer.bytes).expect("JSON");
    let number = |value: &Value| value.as_u64().expect("a number");
    let entries = page["entries"].as_array().expect("entries").iter().map(|entry| {
        let user = entry["userId"].as_str().expect("an id").to_owned();
        (number(&entry["rank"]), user, entry["score"].as_i64().expect("a score"))
    });
    (number(&page["version"]), number(&page["total"]), entries.collect())
}

fn folded(version: u64, scores: &BTreeMap<UserId, Reached>) -> Said {
    let mut order: Vec<_> = scores.iter().collect();
    order.sort_unstable_by_key(|(_, reached)| (std::cmp::Reverse(reached.score), reached.version));
    let entries = (1..).zip(order.iter().take(TOP));
    let entries = entries.map(|(rank, (user, reached))| (rank, user.to_string(), reached.score.get()));
    (version, scores.len() as u64, entries.collect())
}
