use std::str::FromStr;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp::from_millis(1_700_000_000_000 + millis)
}

fn admitted(quota: &str, millis: i64) -> Admitted {
    Admitted::under(quota.parse().unwrap(), at(millis)).unwrap()
}

/// Those that there was room for.
fn counted(quota: &str, millis: &[i64]) -> Vec<i64> {
    let mut admissions = Admissions::default();
    let fits = |millis: &&i64| {
        let admitted = admitted(quota, **millis);
        let fits = admissions.room_for(&admitted).is_ok();
        if fits {
            admissions.add(&admitted);
        }
        fits
    };
    millis.iter().filter(fits).copied().collect()
}

#[test]
fn a_window_is_closed_at_its_start_and_open_at_its_end() {
    assert_eq!(counted("2/s", &[0, 0, 999, 1000, 1000, 1999, 2000]), [0, 0, 1000, 1000, 2000]);
    assert_eq!(counted("1/s", &[5, 5, 1004, 1005]), [5, 1005]);
}

#[test]
fn what_comes_late_is_counted_where_it_was_admitted() {
    assert_eq!(counted("2/s", &[900, 0, 950, 100, 1900]), [900, 0, 1900], "950 and 100 would be the third of a second");
    assert_eq!(
        counted("2/s", &[1500, 1600, 700, 600, 500, 550]),
        [1500, 1600, 600, 500],
        "550 would be the third of a second"
    );
}

#[test]
fn who_is_refused_is_told_when_there_is_room() {
    let mut admissions = Admissions::default();
    admissions.add(&admitted("2/s", 0));
    admissions.add(&admitted("2/s", 300));
    let wait = admissions.room_for(&admitted("2/s", 400)).unwrap_err();
    assert_eq!(wait, Duration::from_millis(600));
    assert_eq!(admissions.room_for(&admitted("2/s", 400 + 600)), Ok(()));
    assert!(admissions.room_for(&admitted("2/s", 400 + 599)).is_err());
}

/// Against all windows looked at one by one, in whatever order they come: as many as a limiter has admitted fit, each of them.
#[test]
fn what_an_exact_limiter_has_admitted_always_has_room() {
    for seed in 0..200 {
        let mut random = StdRng::seed_from_u64(seed);
        let (limit, period) = (random.random_range(1..=12usize), 1000);
        let mut millis: Vec<i64> = (0..100).map(|_| random.random_range(0..8000)).collect();
        millis.sort_unstable();
        let mut fitting: Vec<i64> = Vec::new();
        for millis in millis {
            if fitting.iter().filter(|other| millis - **other < period).count() < limit {
                fitting.push(millis);
            }
        }
        // As batches mix those of the last moments.
        fitting.sort_by_cached_key(|millis| millis + random.random_range(0..LATE));
        assert_eq!(counted(&format!("{limit}/s"), &fitting), fitting, "seed {seed}");
        let doubled: Vec<i64> = fitting.iter().flat_map(|millis| [*millis, millis + 1]).collect();
        let mut counted = counted(&format!("{limit}/s"), &doubled);
        counted.sort_unstable();
        let windows = counted.windows(limit + 1);
        assert!(windows.into_iter().all(|window| window[limit] - window[0] >= period), "seed {seed}");
    }
}

#[test]
fn what_matters_no_more_is_forgotten() {
    let mut admissions = Admissions::default();
    for half in 0..500 {
        admissions.add(&admitted("2/s", half * 500));
    }
    assert_eq!(admissions.0.len(), 62, "one second and thirty");
    for _ in 0..500 {
        admissions.add(&admitted("10/day", 250_000));
    }
    assert_eq!(admissions.0.len(), MAX_KEPT, "whatever the quota was before");
}

#[test]
fn a_clock_that_was_an_hour_ahead_shuts_nobody_out() {
    const HOUR: i64 = 3_600_000;
    let ahead = [HOUR; 10];
    let then: Vec<i64> = (0..10).collect();
    let again = (0..10).map(|n| HOUR + n);
    let all: Vec<i64> = ahead.into_iter().chain(then.iter().copied()).chain([10]).chain(again.clone()).collect();
    let expected: Vec<i64> = ahead.into_iter().chain(then.iter().copied()).chain(again).collect();
    assert_eq!(counted("10/min", &all), expected, "neither at once nor an hour later, and ten are ten");
}

#[test]
fn what_is_furthest_apart_has_room_in_its_bytes() {
    let quota = Quota { period: Admitted::MAX_PERIOD, ..Quota::from_str("64/day").unwrap() };
    let reach = i64::try_from(Admitted::MAX_PERIOD.as_millis()).unwrap() + LATE - 1;
    let mut admissions = Admissions::default();
    for millis in [0, reach, 2 * reach, reach + 1] {
        admissions.add(&Admitted::under(quota, at(millis)).unwrap());
    }
    let bytes = admissions.to_bytes().unwrap();
    assert_eq!(Admissions::from_bytes(&bytes).as_ref(), Some(&admissions), "{admissions:?}");
    for _ in 0..2 * MAX_KEPT {
        admissions.add(&Admitted::under(quota, at(reach)).unwrap());
    }
    let bytes = admissions.to_bytes().unwrap();
    assert!(bytes.len() <= 520, "as much as the databases take: {}", bytes.len());
    assert_eq!(Admissions::from_bytes(&bytes), Some(admissions));
}

#[test]
fn bytes_are_what_they_were() {
    assert_eq!(Admissions::default().to_bytes(), None);
    let mut admissions = Admissions::default();
    for millis in [0, 1, 1, 59_999] {
        admissions.add(&admitted("10/min", millis));
    }
    let bytes = admissions.to_bytes().unwrap();
    let expected = [&[0, 0, 1, 139, 207, 230, 82, 95][..], &[0, 0, 234, 94], &[0, 0, 234, 94], &[0, 0, 234, 95]];
    assert_eq!(bytes, expected.concat(), "as rows have it that are there");
    assert_eq!(Admissions::from_bytes(&bytes), Some(admissions));
    for end in (0..bytes.len()).filter(|end| *end < 8 || end % 4 != 0) {
        assert_eq!(Admissions::from_bytes(&bytes[..end]), None, "cut at {end}");
    }
    let turned = [&bytes[..8], &bytes[16..], &bytes[8..16]].concat();
    assert_eq!(Admissions::from_bytes(&turned), None, "they rise");
    let _ = Admissions::from_bytes(&[[0x80, 0, 0, 0, 0, 0, 0, 0], [0xff; 8]].concat());
}

#[test]
fn a_quota_that_is_no_rule_of_a_game_is_not_held() {
    let quota = |text: &str| text.parse::<Quota>().unwrap();
    assert!(Admitted::under(quota("64/day"), at(0)).is_some());
    assert_eq!(Admitted::under(quota("65/day"), at(0)), None);
    assert_eq!(Admitted::under(quota("10/min").gcra(), at(0)), None);
    let long = Quota { period: Admitted::MAX_PERIOD + Duration::from_millis(1), ..quota("10/min") };
    assert_eq!(Admitted::under(long, at(0)), None);
}
