//! How long reads take while one writer writes as fast as it can, behind the lock that the layer uses.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use scoreboard_core::{Range, RankIndex, RankStyle, UserId};

use tokio::time::Instant;

use crate::draws::Draws;
use crate::gate::Gate;
use crate::{median, reached};

const MEASURED: Duration = Duration::from_millis(1500);

/// The writer takes the lock for `step` rows at a time.
pub(crate) fn run(index: &mut RankIndex, ids: &[UserId], version: &mut u64, step: usize) {
    let owned = std::mem::replace(index, RankIndex::new(index.order()));
    let shared = Gate::new(owned);
    let stop = AtomicBool::new(false);
    let (writes, rounds) = std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let (mut draws, mut writes, mut version) = (Draws(9), 0_u64, *version);
            while !stop.load(Ordering::Relaxed) {
                let mut index = shared.write();
                for _ in 0..step {
                    let user = ids[draws.below(ids.len() as u64) as usize];
                    let had = index.get(user).expect("on the board").score.get();
                    version += 1;
                    index.set(user, reached(had + 1 + (version % 100) as i64, version));
                }
                writes += step as u64;
                shared.pause(index);
            }
            (writes, version)
        });
        let rounds: Vec<Vec<u64>> = (0..5).map(|round| read(&shared, ids, round)).collect();
        stop.store(true, Ordering::Relaxed);
        (writer.join().expect("the writer ends"), rounds)
    });
    *version = writes.1;
    let seconds = (MEASURED * 5).as_secs_f64();
    let reads: usize = rounds.iter().map(Vec::len).sum();
    let at = |part: f64| {
        let mut values: Vec<f64> =
            rounds.iter().map(|round| round[((round.len() - 1) as f64 * part) as usize] as f64 / 1000.0).collect();
        median(&mut values)
    };
    println!(
        "\nown rank and top 10 under one guard, beside a writer at full speed, {step} rows a step: {:.2} M writes/s, {:.2} M reads/s\n\
         µs: p50 {:.1}, p99 {:.1}, p99.9 {:.1}, slowest {:.0} (medians of 5)",
        writes.0 as f64 / seconds / 1e6,
        reads as f64 / seconds / 1e6,
        at(0.5),
        at(0.99),
        at(0.999),
        at(1.0),
    );
    std::mem::swap(index, &mut *shared.write());
}

/// The times of reads, sorted, in nanoseconds.
fn read(shared: &Gate<RankIndex>, ids: &[UserId], round: u64) -> Vec<u64> {
    let (mut draws, mut times) = (Draws(round + 1), Vec::with_capacity(1 << 21));
    let ends = Instant::now() + MEASURED;
    loop {
        let user = ids[draws.below(ids.len() as u64) as usize];
        let began = Instant::now();
        if began > ends {
            times.sort_unstable();
            return times;
        }
        {
            let index = shared.read();
            black_box(index.rank(user, RankStyle::Ordinal));
            drop(black_box(index.page(Range::Top { limit: 10 }, RankStyle::Ordinal)));
        }
        times.push(began.elapsed().as_nanos() as u64);
    }
}
