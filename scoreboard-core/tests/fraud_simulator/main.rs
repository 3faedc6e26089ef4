//! How well the fraud rules do, on people and cheats that are known to be such: ten thousand people and 550 cheats play on a real
//! scoreboard, in simulated time, and the log is watched as a server watches it.
//!
//! Who changes a threshold looks at what it does on the seeds in [`TUNING`]; what is asserted is measured on another. `SCOREBOARD_TEST_SCALE=100` makes it all of
//! them; `--nocapture` shows the report.

mod actor;
mod attack;
mod chance;
mod report;
#[path = "../../../tests/support/scale.rs"]
mod scale;
mod share;
mod world;

use report::Report;
use scale::scaled;
use scoreboard_core::statistical::{
    ActiveHours, IntervalVariation, PointsShift, Rules, SharedDevice, SharedSource, Stance, Steadiness, Velocity,
    WindowVariation,
};
use share::{Judged, Share};
use world::{Population, play};

/// Thresholds may be chosen by what they do on these.
const TUNING: [u64; 3] = [1, 2, 3];
/// Nothing was chosen by what it does on this one.
const SCORING: u64 = 7_919;

/// All rules; those that are sure enough hold points back.
fn rules() -> Rules {
    Rules::none()
        .with(IntervalVariation::default(), Stance::Hold)
        .with(WindowVariation::default(), Stance::Hold)
        .with(Velocity::default(), Stance::Hold)
        .with(ActiveHours::default(), Stance::Hold)
        .with(PointsShift::default(), Stance::Flag)
        .with(SharedSource::default(), Stance::Flag)
        .with(SharedDevice::default(), Stance::Flag)
}

/// Where all of them play, there are so many that chance cannot have made it look well: then the interval has to meet the targets.
fn judged() -> Judged {
    if scaled(100) < 100 { Share::measured } else { Share::interval }
}

fn check(report: &Report, holds: Judged) -> Result<(), String> {
    report.check_refusals()?;
    report.check_timers(Share::measured)?;
    report.check_holds(holds)
}

#[tokio::test]
async fn cheats_are_caught_and_people_are_left_alone() {
    let report = Report::of(&play(SCORING, Population::of(scaled(10_000)), rules()).await);
    println!("{report}");
    check(&report, judged()).expect("the targets are met");
    report.check_devices().expect("the targets are met");
}

/// A family is too small among all of them to tell a share of 99 from one of 95 of 100. So here it is larger, also in a part of the test.
#[tokio::test]
async fn timers_are_caught_and_it_is_no_chance() {
    let report = Report::of(&play(SCORING, Population::timers(scaled(2_000)), rules()).await);
    println!("{report}");
    report.check_timers(Share::interval).expect("the targets are met");
}

/// On a tenth of the people: for the report, which is what thresholds are chosen by.
#[tokio::test]
async fn what_the_rules_were_tuned_on_meets_the_targets_too() {
    for seed in TUNING {
        let report = Report::of(&play(seed, Population::of(scaled(10_000) / 10), rules()).await);
        println!("seed {seed}\n{report}");
        check(&report, Share::measured).expect("the targets are met");
        report.check_devices().expect("the targets are met");
    }
}

#[tokio::test]
async fn a_few_timers_that_are_all_caught_show_nothing() {
    let report = Report::of(&play(SCORING, Population::timers(60), rules()).await);
    report.check_timers(Share::measured).expect("all of them are caught");
    report.check_timers(Share::interval).expect_err("sixty are too few");
}

#[tokio::test]
async fn rules_that_see_nothing_and_rules_that_see_too_much_miss_the_targets() {
    let tier = |per_mille| IntervalVariation {
        tiers: vec![Steadiness { intervals: 24, per_mille }],
        ..IntervalVariation::default()
    };
    for (what, rules) in [
        ("nothing", Rules::none().with(tier(0), Stance::Hold)),
        ("too much", Rules::none().with(tier(600), Stance::Hold)),
        ("in shadow", Rules::none().with(tier(140), Stance::Shadow)),
        ("only flags", Rules::none().with(tier(140), Stance::Flag)),
    ] {
        let report = Report::of(&play(SCORING, Population::of(300), rules).await);
        check(&report, Share::measured).expect_err(what);
    }
}

#[tokio::test]
async fn a_device_with_all_too_many_accounts_or_with_one_misses_the_targets() {
    for (what, accounts) in [("as many as the farm has on one", 10), ("one", 1)] {
        let rules = Rules::none().with(SharedDevice { accounts }, Stance::Flag);
        let report = Report::of(&play(SCORING, Population::of(300), rules).await);
        report.check_devices().expect_err(what);
    }
}
