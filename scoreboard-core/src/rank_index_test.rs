use std::collections::BTreeMap;

use proptest::prelude::*;

use super::*;
use crate::clock::Timestamp;
use crate::entry::{Range, Ranked};
use crate::ranking::{Direction, RankStyle, TieBreak};
use crate::score::{MAX_SCORE, Score};

const STYLES: [RankStyle; 3] = [RankStyle::Ordinal, RankStyle::Competition, RankStyle::Dense];

fn user(n: u64) -> UserId {
    UserId::from_bytes(u128::from(n).to_be_bytes())
}

fn reached(score: i64, version: u64, at: i64) -> Reached {
    Reached {
        score: Score::new(score).expect("in range"),
        version: Version::new(version),
        at: Timestamp::from_millis(at),
    }
}

/// The same questions, answered by sorting everything anew.
struct Oracle {
    order: Order,
    scores: BTreeMap<UserId, Reached>,
}

impl Oracle {
    fn sorted(&self) -> Vec<(OrderKey, UserId, Reached)> {
        let key = |reached: &Reached| self.order.key(reached.score, reached.version);
        let mut sorted: Vec<_> = self.scores.iter().map(|(user, reached)| (key(reached), *user, *reached)).collect();
        sorted.sort_unstable_by_key(|(key, ..)| *key);
        sorted
    }

    /// The whole board with the ranks of a style, told from the scores alone.
    fn ranked(&self, style: RankStyle) -> Vec<Ranked> {
        let sorted = self.sorted();
        let (mut ranked, mut better, mut scores) = (Vec::<Ranked>::new(), 0, 0);
        for (i, (_, user_id, reached)) in sorted.iter().enumerate() {
            if i == 0 || sorted[i - 1].2.score != reached.score {
                (better, scores) = (i as u64, scores + 1);
            }
            let rank = match style {
                RankStyle::Ordinal => i as u64 + 1,
                RankStyle::Competition => better + 1,
                RankStyle::Dense => scores,
            };
            let Reached { score, version, at } = *reached;
            ranked.push(Ranked { rank, user_id: *user_id, score, reached: version, updated_at: at });
        }
        ranked
    }
}

/// All answers of an index are those of the oracle; `picks` says which places are looked at more closely.
fn compare<const LEAF: usize, const FAN: usize>(index: &RankIndex<LEAF, FAN>, oracle: &Oracle, picks: &[usize]) {
    index.check();
    let sorted = oracle.sorted();
    let total = sorted.len();
    assert_eq!(index.total(), total as u64);
    let distinct: std::collections::HashSet<_> = sorted.iter().map(|(key, ..)| key.score).collect();
    assert_eq!(index.distinct_scores(), distinct.len() as u64);
    for style in STYLES {
        let all = oracle.ranked(style);
        let stretch = |page: IndexPage, start: usize, end: usize, what: &str| {
            assert_eq!(page.entries, all[start..end], "{what} in {style:?} of {total}");
            assert_eq!((page.has_previous, page.has_next), (start > 0, end < total), "{what} in {style:?} of {total}");
        };
        stretch(index.page(Range::Top { limit: total + 1 }, style), 0, total, "all");
        for entry in &all {
            assert_eq!(index.rank(entry.user_id, style), Some(entry.rank));
            assert_eq!(index.standing(entry.user_id, style), Some(*entry));
        }
        for pick in picks {
            let limit = pick % 9;
            stretch(index.page(Range::Top { limit }, style), 0, limit.min(total), "top");
            let start = (pick / 9) % (total + 2);
            stretch(
                index.stretch(start as u64, limit, style),
                start.min(total),
                (start + limit).min(total).max(start.min(total)),
                "stretch",
            );
            let Some((key, id, reached)) = sorted.get(pick % total.max(1)) else { continue };
            let i = pick % total;
            stretch(index.page(Range::After { key: *key, limit }, style), i + 1, (i + 1 + limit).min(total), "after");
            stretch(index.page(Range::Before { key: *key, limit }, style), i.saturating_sub(limit), i, "before");
            // Where mostly nobody stands: beside an entry's score, and at the ends.
            for gone in [
                OrderKey { tie: i64::MAX, ..*key },
                OrderKey { score: key.score - 1, tie: 3 },
                OrderKey::MIN,
                OrderKey::MAX,
            ] {
                let at = sorted.partition_point(|(other, ..)| *other < gone);
                let behind = sorted.partition_point(|(other, ..)| *other <= gone);
                stretch(
                    index.page(Range::After { key: gone, limit }, style),
                    behind,
                    (behind + limit).min(total),
                    "after none",
                );
                stretch(
                    index.page(Range::Before { key: gone, limit }, style),
                    at.saturating_sub(limit),
                    at,
                    "before none",
                );
                let ahead = index.ahead_of(gone);
                let better = sorted.partition_point(|(other, ..)| other.score < gone.score);
                let scores: std::collections::HashSet<_> = sorted[..better].iter().map(|(key, ..)| key.score).collect();
                assert_eq!(
                    (ahead.entries, ahead.better, ahead.better_scores),
                    (at as u64, better as u64, scores.len() as u64)
                );
            }
            for radius in [limit, usize::MAX] {
                let size = total.min(radius.saturating_mul(2).saturating_add(1));
                let start = i.saturating_sub(radius).min(total - size);
                stretch(index.page(Range::Around { user: *id, radius }, style), start, start + size, "around");
            }
            assert_eq!(index.nth(i as u64), Some((*id, *reached)));
            let asked = [*id, user(u64::MAX), all[0].user_id, *id];
            let standings = index.standings(style, &asked);
            assert_eq!(standings, [Some(all[i]), None, Some(all[0]), Some(all[i])]);
            let other = sorted[pick / 7 % total].2.score;
            let (best, worst) =
                if oracle.order.score_key(other) < key.score { (other, reached.score) } else { (reached.score, other) };
            let within = |score: &Score| {
                (oracle.order.score_key(best)..=oracle.order.score_key(worst)).contains(&oracle.order.score_key(*score))
            };
            let start = sorted.partition_point(|(key, ..)| key.score < oracle.order.score_key(best));
            let count = sorted.iter().filter(|(_, _, reached)| within(&reached.score)).count();
            assert_eq!(index.count_between(best, worst), count as u64);
            stretch(index.between(best, worst, style, 5), start, start + count.min(5), "between");
            let percentile = index.percentile(*id).expect("on the board");
            let behind = sorted.iter().filter(|(other, ..)| other.score > key.score).count();
            let equal = sorted.iter().filter(|(other, ..)| other.score == key.score).count();
            assert_eq!(percentile, Percentile { behind: behind as u64, equal: equal as u64, total: total as u64 });
        }
    }
    assert_eq!(index.nth(total as u64), None);
    assert_eq!(index.rank(user(u64::MAX), RankStyle::Dense), None);
}

/// What happens to a user.
#[derive(Debug, Clone)]
enum Step {
    /// A score, of a version after all others.
    Set(u64, i64),
    /// What the user had some steps ago comes back, with its version of then.
    Restore(u64, usize),
    Remove(u64),
}

fn score() -> impl Strategy<Value = i64> {
    prop_oneof![
        6 => -4_i64..5,
        3 => -500_i64..500,
        1 => prop::sample::select(vec![MAX_SCORE, -MAX_SCORE, 1 << 32, (1 << 32) - 1, -(1 << 40), 1 << 45, 0]),
        1 => -MAX_SCORE..=MAX_SCORE,
    ]
}

fn steps(users: u64, count: usize) -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        12 => (0..users, score()).prop_map(|(user, score)| Step::Set(user, score)),
        2 => (0..users, 0_usize..6).prop_map(|(user, back)| Step::Restore(user, back)),
        3 => (0..users).prop_map(Step::Remove),
    ];
    prop::collection::vec(step, 0..count)
}

fn orders() -> impl Strategy<Value = Order> {
    let direction = prop_oneof![Just(Direction::Ascending), Just(Direction::Descending)];
    let tie_break = prop_oneof![Just(TieBreak::Earliest), Just(TieBreak::Latest)];
    (direction, tie_break).prop_map(|(direction, tie_break)| Order { direction, tie_break })
}

/// Takes the same steps in both, and compares each answer of the index.
fn play<const LEAF: usize, const FAN: usize>(order: Order, steps: &[Step]) -> (RankIndex<LEAF, FAN>, Oracle) {
    let mut index = RankIndex::<LEAF, FAN>::new(order);
    let mut oracle = Oracle { order, scores: BTreeMap::new() };
    let mut had: BTreeMap<u64, Vec<Reached>> = BTreeMap::new();
    for (version, step) in (1..).zip(steps) {
        match *step {
            Step::Set(n, score) => {
                let previous = oracle.scores.get(&user(n)).copied();
                // As a log row does it: a score that stays was reached before.
                let new = previous.filter(|previous| previous.score.get() == score);
                let new = new.unwrap_or(reached(score, version, 1_700_000_000_000 + version as i64));
                had.entry(n).or_default().push(new);
                assert_eq!(index.set(user(n), new), oracle.scores.insert(user(n), new));
            }
            Step::Restore(n, back) => {
                let Some(old) = had.get(&n).and_then(|had| had.iter().rev().nth(back)) else { continue };
                assert_eq!(index.set(user(n), *old), oracle.scores.insert(user(n), *old));
            }
            Step::Remove(n) => assert_eq!(index.remove(user(n)), oracle.scores.remove(&user(n))),
        }
        let (n, found) = match step {
            Step::Set(n, _) | Step::Restore(n, _) | Step::Remove(n) => (*n, index.get(user(*n))),
        };
        assert_eq!(found, oracle.scores.get(&user(n)).copied());
    }
    (index, oracle)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn a_few_users_in_tiny_nodes(order in orders(), steps in steps(40, 400), picks in prop::collection::vec(0_usize..100_000, 6)) {
        let (index, oracle) = play::<4, 4>(order, &steps);
        compare(&index, &oracle, &picks);
    }

    #[test]
    fn many_users_in_small_nodes(order in orders(), steps in steps(1_500, 3_000), picks in prop::collection::vec(0_usize..100_000, 3)) {
        let (index, oracle) = play::<6, 5>(order, &steps);
        compare(&index, &oracle, &picks);
    }

    #[test]
    fn a_loaded_index_goes_on_as_any_other(
        order in orders(),
        steps in steps(300, 900),
        picks in prop::collection::vec(0_usize..100_000, 3),
        more in prop::collection::vec((0_u64..600, score()), 0..300),
    ) {
        let (_, mut oracle) = play::<8, 6>(order, &steps);
        let mut index = RankIndex::<8, 6>::load(order, oracle.scores.iter().map(|(user, reached)| (*user, *reached)).collect());
        compare(&index, &oracle, &picks);
        for (version, (n, score)) in (10_000..).zip(more) {
            let new = reached(score, version, 5);
            prop_assert_eq!(index.set(user(n), new), oracle.scores.insert(user(n), new));
        }
        compare(&index, &oracle, &picks);
    }
}

#[test]
fn it_grows_and_shrinks_by_steps_at_full_size() {
    let order = Order::default();
    let mut index = RankIndex::<128, 128>::new(order);
    let mut oracle = Oracle { order, scores: BTreeMap::new() };
    let mut version = 0;
    for n in 0..40_000_u64 {
        version += 1;
        let new = reached((n.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 50) as i64, version, version as i64);
        index.set(user(n), new);
        oracle.scores.insert(user(n), new);
    }
    compare(&index, &oracle, &[1, 12_345, 99_999]);
    for n in 0..39_900_u64 {
        assert_eq!(index.remove(user(n * 7 % 40_000)), oracle.scores.remove(&user(n * 7 % 40_000)));
    }
    compare(&index, &oracle, &[1, 12_345, 99_999]);
}

#[test]
fn versions_and_times_that_fill_no_five_bytes_are_kept() {
    let (year, wide) = (31_536_000_000, 1 << 40);
    let mut index = RankIndex::<4, 4>::new(Order::default());
    let all = [
        reached(5, 1, 0),
        reached(5, wide, 60 * year),
        reached(5, wide - 1, 52 * year),
        reached(5, 1 << 60, 253_402_207_199_999),
    ];
    for (n, reached) in all.iter().enumerate() {
        index.set(user(n as u64), *reached);
    }
    for (n, reached) in all.iter().enumerate() {
        assert_eq!(index.get(user(n as u64)), Some(*reached));
    }
    let ranks = [0, 1, 2, 3].map(|n| index.rank(user(n), RankStyle::Ordinal).expect("there"));
    assert_eq!(ranks, [1, 3, 2, 4]);
    index.set(user(1), reached(5, 7, 51 * year));
    index.remove(user(0));
    index.check();
    assert_eq!(index.get(user(1)), Some(reached(5, 7, 51 * year)));
}

#[test]
fn scores_far_apart_cost_four_bytes_more_and_no_leaf_each() {
    let far: Vec<_> = (0..5_000).map(|n| (user(n), reached((n as i64 - 2_500) << 40, n + 1, 0))).collect();
    let near: Vec<_> = (0..5_000).map(|n| (user(n), reached(n as i64, n + 1, 0))).collect();
    let [far, near] = [far, near].map(|scores| RankIndex::<128, 128>::load(Order::default(), scores).bytes());
    assert!(far > near && far - near < 5_000 * 6, "{far} and {near} bytes");
}

#[path = "rank_index/around_vectors.rs"]
mod around_vectors;
