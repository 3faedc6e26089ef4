//! The rank index beside a real Redis with the same users: time of an update, a rank, the n-th, a page around a user, the top; bytes a user;
//! how long it takes to fill; and how long reads take while one writer writes as fast as it can.
//!
//! Both take turns within each round, and the tables show medians. Redis is asked by pipelines of 256; `server` is what it says that it
//! took itself, `wall` what its client waited. Its `ZREVRANGE 0 9` does not depend on the number of users: it tells how noisy the machine was.
//!
//! Run with `cargo bench -p scoreboard-core --bench rank_index`; sizes are arguments: `-- 1000000 10000000`. `--rounds 5`, `--ops 200000`. Needs
//! `redis-server` (Debian: `redis-server`), which it starts for itself.

mod draws;
#[path = "../../src/layers/rank_indexed/gate.rs"]
mod gate;
mod redis;
mod resident;
mod under_writer;

use std::hint::black_box;
use tokio::time::Instant;

use draws::{Draws, Picks, Zipf, id};
use redis::Redis;
use scoreboard_core::{Order, Range, RankIndex, RankStyle, Reached, Score, Timestamp, UserId, Version};

const KEY: &[u8] = b"board";

/// What is measured of both.
const OPERATIONS: [(&str, &str); 5] = [
    ("update", "zincrby"),
    ("rank", "zrevrank"),
    ("n-th", "zrevrange"),
    ("around ±5", "zrevrange"),
    ("top 10", "zrevrange"),
];

fn main() {
    let mut sizes = Vec::new();
    let (mut rounds, mut ops) = (5, 200_000);
    let mut args = std::env::args().skip(1);
    while let Some(arg) = args.next() {
        let mut number = || args.next().and_then(|value| value.parse().ok()).expect("a number behind the flag");
        match arg.as_str() {
            "--rounds" => rounds = number(),
            "--ops" => ops = number(),
            "--resident" => return resident::measure(number() as u64),
            // Given by cargo.
            "--bench" => {}
            size => sizes.push(size.parse::<u64>().expect("a number of users")),
        }
    }
    if sizes.is_empty() {
        sizes = vec![1_000_000, 10_000_000];
    }
    for size in sizes {
        run(size, rounds, ops);
        resident::in_a_process_of_its_own(size);
    }
}

fn reached(score: i64, version: u64) -> Reached {
    Reached {
        score: Score::new(score).expect("small"),
        version: Version::new(version),
        at: Timestamp::from_millis(1_700_000_000_000 + version as i64 / 10),
    }
}

fn run(users: u64, rounds: usize, ops: usize) {
    println!("\n{users} users, {rounds} rounds of {ops} operations each\n");
    let ids: Vec<UserId> = (0..users).map(|n| UserId::from_bytes(id(n))).collect();
    let mut draws = Draws(users);
    let mut scores: Vec<(UserId, Reached)> =
        ids.iter().zip(1..).map(|(user, version)| (*user, reached(draws.score(), version))).collect();
    // Not in the order of their versions, as a scan would not be either.
    scores.sort_unstable_by_key(|(user, _)| *user);

    let mut redis = Redis::start();
    let empty = redis.used_memory();
    let began = Instant::now();
    redis.pipeline(scores.len(), |i, words| {
        let (user, reached) = scores[i];
        words.extend([
            b"ZADD".to_vec(),
            KEY.to_vec(),
            reached.score.to_string().into_bytes(),
            user.as_bytes().to_vec(),
        ]);
    });
    let redis_load = began.elapsed();
    // What is given back here cannot hide what the index takes.
    let scores = scores.into_boxed_slice().into_vec();
    let began = Instant::now();
    let mut index: RankIndex = RankIndex::load(Order::default(), scores);
    let load = began.elapsed();
    println!("load: ours {:.2} s, Redis {:.1} s\n", load.as_secs_f64(), redis_load.as_secs_f64());

    let mut version = users;
    for (name, picks) in [("uniform", Picks::Uniform), ("Zipf 0.99", Picks::Zipf(Zipf::new(users)))] {
        let mut found: [[Vec<f64>; 3]; 5] = Default::default();
        for round in 0..rounds {
            let mut draws = Draws(round as u64 + 77);
            let picked: Vec<usize> = (0..ops).map(|_| picks.draw(&mut draws, users) as usize).collect();
            let points: Vec<i64> = (0..ops).map(|_| 1 + draws.below(100) as i64).collect();
            let ranks: Vec<u64> = (0..ops).map(|_| draws.below(users)).collect();
            for (operation, (_, command)) in OPERATIONS.iter().enumerate() {
                let count = if operation == 3 { ops / 4 } else { ops };
                let began = Instant::now();
                match operation {
                    0 => {
                        for (user, points) in picked.iter().zip(&points) {
                            // Unlike Redis it is told the new score, which whoever folds a log has at hand.
                            let had = index.get(ids[*user]).expect("on the board").score.get();
                            version += 1;
                            index.set(ids[*user], reached(had + points, version));
                        }
                    }
                    1 => picked.iter().for_each(|user| {
                        black_box(index.rank(ids[*user], RankStyle::Ordinal));
                    }),
                    2 => ranks.iter().for_each(|rank| {
                        black_box(index.nth(*rank));
                    }),
                    3 => picked[..count].iter().for_each(|user| {
                        drop(black_box(index.page(Range::Around { user: ids[*user], radius: 5 }, RankStyle::Ordinal)));
                    }),
                    _ => (0..count).for_each(|_| {
                        drop(black_box(index.page(Range::Top { limit: 10 }, RankStyle::Ordinal)));
                    }),
                }
                found[operation][0].push(began.elapsed().as_nanos() as f64 / count as f64);
                redis.reset();
                let began = Instant::now();
                let member = |i: usize| ids[picked[i]].as_bytes().to_vec();
                redis.pipeline(count, |i, words| match operation {
                    0 => {
                        words.extend([
                            b"ZINCRBY".to_vec(),
                            KEY.to_vec(),
                            points[i].to_string().into_bytes(),
                            member(i),
                        ]);
                    }
                    1 => words.extend([b"ZREVRANK".to_vec(), KEY.to_vec(), member(i)]),
                    2 => range(words, ranks[i], ranks[i]),
                    // Around a rank that is known: by a member it takes two commands.
                    3 => range(words, ranks[i].saturating_sub(5), ranks[i] + 5),
                    _ => range(words, 0, 9),
                });
                found[operation][2].push(began.elapsed().as_nanos() as f64 / count as f64);
                found[operation][1].push(redis.server_ns(command));
            }
        }
        println!(
            "{name:<12} {:>10} {:>14} {:>12} {:>9} {:>9}",
            "ours ns", "Redis server", "Redis wall", "server ×", "wall ×"
        );
        for ((name, _), found) in OPERATIONS.iter().zip(&mut found) {
            let [ours, server, wall] = found.each_mut().map(|times| median(times));
            println!("{name:<12} {ours:>10.0} {server:>14.0} {wall:>12.0} {:>9.1} {:>9.1}", server / ours, wall / ours);
        }
        println!();
    }
    for style in [RankStyle::Competition, RankStyle::Dense] {
        let mut draws = Draws(5);
        let began = Instant::now();
        (0..ops).for_each(|_| {
            black_box(index.rank(ids[draws.below(users) as usize], style));
        });
        println!("rank, {style:?}: {:.0} ns", began.elapsed().as_nanos() as f64 / ops as f64);
    }
    let redis_bytes = (redis.used_memory() - empty) / users as f64;
    drop(redis);
    for step in [1, 4, 16] {
        under_writer::run(&mut index, &ids, &mut version, step);
    }
    // Churned by now.
    let own = index.bytes() as f64 / users as f64;
    println!("\nbytes a user after that: ours {own:.1} allocated; Redis used_memory {redis_bytes:.1}");
}

fn range(words: &mut Vec<Vec<u8>>, from: u64, to: u64) {
    words.extend([b"ZREVRANGE".to_vec(), KEY.to_vec(), from.to_string().into_bytes(), to.to_string().into_bytes()]);
}

fn median(times: &mut [f64]) -> f64 {
    times.sort_unstable_by(f64::total_cmp);
    times[times.len() / 2]
}
