//! The table at the end.

use std::time::Duration;

/// One subject in one round.
#[derive(Clone, Copy)]
pub(crate) struct Round {
    pub(crate) per_second: f64,
    pub(crate) server_busy: f64,
    pub(crate) generator_busy: f64,
}

/// All rounds, each with its subjects in the same order.
#[derive(Default)]
pub(crate) struct Report(Vec<Vec<Round>>);

/// Which subject is compared with which, and what is aimed at.
const RATIOS: [(&str, usize, usize, f64); 3] =
    [("update : (a)", 0, 1, 0.35), ("update : (b)", 0, 2, 8.0), ("GET : (a) GET", 3, 4, 0.85)];

impl Report {
    pub(crate) fn add(&mut self, rounds: Vec<Round>) {
        self.0.push(rounds);
    }

    pub(crate) fn print(&self, names: &[&str], connections: usize, measured: Duration) {
        println!("{} rounds of {measured:?} each, taking turns; {connections} connections; medians\n", self.0.len());
        println!("{:<32} {:>10} {:>13} {:>16}", "", "per second", "server busy", "generator busy");
        for (subject, name) in names.iter().enumerate() {
            let of = |part: fn(&Round) -> f64| median(self.0.iter().map(|rounds| part(&rounds[subject])));
            let [rate, server, generator] =
                [of(|r| r.per_second), of(|r| r.server_busy * 100.0), of(|r| r.generator_busy * 100.0)];
            println!("{name:<32} {rate:>10.0} {server:>11.0} % {generator:>14.0} %");
        }
        println!("\n{:<32} {:>10} {:>13} {:>16}", "ratio, round by round", "median", "lowest", "highest");
        for (name, one, other, aim) in RATIOS {
            let ratios = || self.0.iter().map(|rounds| rounds[one].per_second / rounds[other].per_second);
            let [lowest, highest] = [ratios().fold(f64::INFINITY, f64::min), ratios().fold(0.0, f64::max)];
            let median = median(ratios());
            let verdict = if median >= aim { "reached" } else { "missed" };
            println!("{name:<32} {median:>10.2} {lowest:>13.2} {highest:>16.2}   aim {aim}: {verdict}");
        }
        println!("\nAgain: cargo bench --bench http");
    }
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { f64::midpoint(values[middle - 1], values[middle]) }
}
