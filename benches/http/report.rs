//! The table at the end.

use std::time::Duration;

use crate::median::median;

/// One subject in one round.
#[derive(Clone, Copy)]
pub(crate) struct Round {
    pub(crate) per_second: f64,
    pub(crate) server_busy: f64,
    pub(crate) generator_busy: f64,
}

impl Round {
    /// What the server would answer if its core were its own and it never waited.
    fn per_cpu_second(&self) -> f64 {
        self.per_second / self.server_busy
    }
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
        println!(
            "{:<32} {:>10} {:>13} {:>16} {:>18}",
            "", "per second", "server busy", "generator busy", "per second of CPU"
        );
        for (subject, name) in names.iter().enumerate() {
            let of = |part: fn(&Round) -> f64| median(self.0.iter().map(|rounds| part(&rounds[subject])));
            let [rate, cpu_rate] = [of(|round| round.per_second), of(Round::per_cpu_second)];
            let [server, generator] = [of(|round| round.server_busy), of(|round| round.generator_busy)].map(percent);
            println!("{name:<32} {rate:>10.0} {server:>13} {generator:>16} {cpu_rate:>18.0}");
        }
        println!(
            "\n{:<32} {:>10} {:>13} {:>16} {:>18}",
            "ratio, round by round", "median", "lowest", "highest", "of CPU"
        );
        let disturbed = self.is_disturbed();
        for (name, one, other, aim) in RATIOS {
            let ratios =
                |rate: fn(&Round) -> f64| self.0.iter().map(move |rounds| rate(&rounds[one]) / rate(&rounds[other]));
            let wall = || ratios(|round| round.per_second);
            let [lowest, highest] = [wall().fold(f64::INFINITY, f64::min), wall().fold(0.0, f64::max)];
            let [median, of_cpu] = [median(wall()), median(ratios(Round::per_cpu_second))];
            let verdict = match median >= aim {
                _ if disturbed => "not decided",
                true => "reached",
                false => "missed",
            };
            println!("{name:<32} {median:>10.2} {lowest:>13.2} {highest:>16.2} {of_cpu:>18.2}   aim {aim}: {verdict}");
        }
        if disturbed {
            println!(
                "\nNeither side was at its core's limit while the bare handler was measured: other programs took these cores. The \
                 ratios of this run say little; those of CPU time say more. Run it again on a quiet machine."
            );
        }
        println!("\nAgain: cargo bench --bench http");
    }

    /// A bare handler waits for nothing: where neither it nor the generator fills its core, something else does.
    fn is_disturbed(&self) -> bool {
        let idle = |round: &Round| round.server_busy.max(round.generator_busy) < 0.9;
        RATIOS
            .iter()
            .filter(|(.., aim)| *aim < 1.0)
            .any(|&(_, _, bare, _)| self.0.iter().filter(|rounds| idle(&rounds[bare])).count() * 2 > self.0.len())
    }
}

fn percent(share: f64) -> String {
    format!("{:.0} %", share * 100.0)
}
