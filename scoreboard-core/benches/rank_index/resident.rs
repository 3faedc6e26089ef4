//! What the index takes of a process' memory, ids included, before and after churn: measured in a process that has nothing else.

use std::process::Command;

use scoreboard_core::{Order, RankIndex, UserId};

use crate::draws::{Draws, id};
use crate::reached;

/// Starts this program again for it.
pub(crate) fn in_a_process_of_its_own(users: u64) {
    let this = std::env::current_exe().expect("this program");
    let measured = Command::new(this).args(["--resident", &users.to_string()]).status();
    assert!(measured.expect("it starts").success(), "it measures");
}

pub(crate) fn measure(users: u64) {
    let empty = resident();
    let mut index: RankIndex = RankIndex::new(Order::default());
    let mut draws = Draws(users);
    // One by one: a loading would leave room behind that it took only for a while.
    for n in 0..users {
        index.set(UserId::from_bytes(id(n)), reached(draws.score(), n + 1));
    }
    let told = |index: &RankIndex| {
        let (allocated, resident) = (index.bytes() as f64, resident() - empty);
        format!("{:.1} allocated, {:.1} resident", allocated / users as f64, resident / users as f64)
    };
    let grown = told(&index);
    let churn = users.min(6_000_000);
    for version in users + 1..=users + churn {
        let user = UserId::from_bytes(id(draws.below(users)));
        let had = index.get(user).expect("on the board").score.get();
        index.set(user, reached(had + 1 + draws.below(100) as i64, version));
    }
    println!("bytes a user: grown one by one {grown}; after {churn} updates {}", told(&index));
}

/// The memory of this process that lies in RAM.
fn resident() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("Linux");
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("a line");
    line.trim().trim_end_matches(" kB").trim().parse::<f64>().expect("a number") * 1024.0
}
