use std::collections::BTreeSet;
use std::time::Duration;

use super::*;
use crate::action::Fingerprint;
use crate::board::Season;
use crate::clock::Timestamp;
use crate::fraud::statistical::intervals::{is_faster_than, without_pauses};
use crate::fraud::statistical::{Grounds, History, Neighbours, NotRecomputed, Steadiness};
use crate::ids::{ActionId, UserId};
use crate::score::{Points, Score};
use crate::store::{LogRow, Origin, Visibility};
use crate::version::{Epoch, Position, Version};

/// The rows of somebody who waits so many milliseconds before each action.
fn rows(waits: impl IntoIterator<Item = u64>) -> Vec<LogRow> {
    let mut at = Timestamp::from_millis(1_700_006_400_000);
    let row = |(number, wait): (usize, u64)| {
        at = at.plus(Duration::from_millis(wait));
        let id = (number as u128 + 1).to_be_bytes();
        LogRow {
            position: Position { epoch: Epoch::new(1), version: Version::new(number as u64 * 3 + 1) },
            action_id: ActionId::from_bytes(id),
            fingerprint: Fingerprint::from_bytes(id),
            season: Season::FIRST,
            user_id: UserId::from_bytes([1; 16]),
            kind: "boss".parse().expect("a slug"),
            points: Points::new(100 + number as i64 % 5).expect("small"),
            origin: Origin::Action,
            previous: None,
            score: Score::ZERO,
            at,
            corrected: None,
            visibility: Visibility::Shown,
            digest: None,
        }
    };
    waits.into_iter().enumerate().map(row).collect()
}

fn look(rule: &dyn Rule, rows: &[LogRow]) -> Option<Evidence> {
    rule.look(Seen { history: &History::of(rows), neighbours: &Neighbours::default() })
}

#[test]
fn whether_a_median_is_below_something_is_known_without_it() {
    let all = BTreeSet::new();
    for lengths in [&[][..], &[3], &[5], &[3, 5], &[5, 3], &[3, 5, 5], &[3, 3, 5], &[9, 1, 5, 5], &[4, 4, 4, 9]] {
        let rows = rows([0].iter().chain(lengths).copied());
        let set_back = |mut rows: Vec<LogRow>, at: usize| {
            rows.iter_mut().skip(at).for_each(|row| row.at = Timestamp::from_millis(row.at.as_millis() - 8));
            rows
        };
        for set_back_at in 0..=rows.len() {
            let history = History::of(&set_back(rows.clone(), set_back_at));
            let median = without_pauses(&history, &all).1;
            for least in 0..10 {
                let expected = median < least;
                let why = format!("{lengths:?} below {least}, set back before {set_back_at}");
                assert_eq!(is_faster_than(&history, &all, least), expected, "{why}");
            }
        }
        let steady = ["boss".parse().expect("a slug")].into();
        assert!(!is_faster_than(&History::of(&rows), &steady, 0) && is_faster_than(&History::of(&rows), &steady, 1));
    }
}

#[test]
fn a_history_knows_how_long_all_its_intervals_are() {
    let mut rows = rows((0..3 * History::CAPACITY as u64).map(|n| n * 7 % 50));
    for (n, row) in rows.iter_mut().enumerate() {
        row.at = Timestamp::from_millis(row.at.as_millis() - n as i64 * n as i64 * 11 % 40);
    }
    for count in 0..=rows.len() {
        let history = History::of(&rows[..count]);
        let times: Vec<_> = history.acts().map(|act| act.at).collect();
        let sum: u128 = times.windows(2).map(|two| two[1].since(two[0]).as_millis()).sum();
        assert_eq!(u128::from(history.all_intervals()), sum, "of {count}");
    }
}

/// What the rule finds first, and with how many rows, which is found again in them, with others beside them, and by nothing else.
fn found(rule: &dyn Rule, rows: &[LogRow]) -> Option<(usize, Evidence)> {
    let count = (1..=rows.len()).find(|&count| look(rule, &rows[..count]).is_some())?;
    let evidence = look(rule, &rows[..count]).expect("it was just found").with_actions(&rows[..count]);
    let json = serde_json::to_string(&evidence).expect("it is written down");
    let read: Evidence = serde_json::from_str(&json).expect("and read");
    assert_eq!(read, evidence);
    assert_eq!(read.recompute(&rows[..count]), Ok(Grounds::Log));
    assert_eq!(read.recompute(rows), Ok(Grounds::Log), "later rows do no harm");
    let mut altered = rows[..count].to_vec();
    altered.pop();
    assert_eq!(read.recompute(&altered), Err(NotRecomputed::Differs), "a row is missing");
    for field in ["value", "threshold"] {
        let mut altered = serde_json::to_value(&read).expect("it is written down");
        altered[field] = (altered[field].as_i64().expect("a number") + 1).into();
        let altered: Evidence = serde_json::from_value(altered).expect("it can be read");
        assert_eq!(altered.recompute(rows), Err(NotRecomputed::Differs), "another {field}");
    }
    let newer = Evidence { rule_version: read.rule_version + 1, ..read.clone() };
    assert_eq!(newer.recompute(rows), Err(NotRecomputed::ForeignRule));
    Some((count, read))
}

/// Waits about this long, that swing by so many per cent to either side.
fn swinging(middle: u64, percent: u64) -> impl Iterator<Item = u64> {
    (0..).map(move |number: u64| middle - middle * percent / 100 + middle * percent / 100 * (number % 2) * 2)
}

#[test]
fn a_timer_is_found_and_a_person_is_not() {
    let rule = IntervalVariation::default();
    let (count, evidence) = found(&rule, &rows(swinging(20_000, 0).take(40))).expect("a timer");
    assert_eq!((count, evidence.value, evidence.threshold), (13, 0, 30));
    assert_eq!((evidence.actions.len(), evidence.inputs["medianMs"]), (13, 20_000));
    let (count, evidence) = found(&rule, &rows(swinging(20_000, 10).take(40))).expect("a timer with jitter");
    assert_eq!((count, evidence.value, evidence.threshold), (25, 102, 140));
    assert_eq!(found(&rule, &rows(swinging(20_000, 40).take(500))), None);
    // What is found of fewer than it asks for, of one that pauses, of a rhythm, and of what always takes as long.
    assert_eq!(found(&rule, &rows(swinging(20_000, 0).take(12))), None);
    let pausing = swinging(20_000, 0).enumerate().map(|(n, wait)| if n % 10 == 9 { 4_000_000 } else { wait });
    assert_eq!(found(&rule, &rows(pausing.take(60))).expect("pauses hide nothing").0, 14);
    assert_eq!(found(&rule, &rows(swinging(1_500, 0).take(60))), None, "a finger that taps");
    let laps = IntervalVariation { steady_kinds: BTreeSet::from(["boss".parse().expect("a slug")]), ..rule };
    assert_eq!(found(&laps, &rows(swinging(20_000, 0).take(60))), None);
    let nothing = IntervalVariation { tiers: vec![Steadiness { intervals: 0, per_mille: 1_000 }], ..laps };
    assert_eq!(found(&nothing, &rows(swinging(20_000, 0).take(60))), None, "of no intervals nothing is said");
}

#[test]
fn a_timer_that_changes_its_pace_is_found_by_its_windows() {
    let paces = |number: usize| [9_000, 31_000][number / 8 % 2];
    let changing = (0..60).map(|number: usize| paces(number.saturating_sub(1)) + number as u64 % 3 * 100);
    let rows = rows(changing);
    assert_eq!(
        found(
            &IntervalVariation {
                tiers: vec![Steadiness { intervals: 48, per_mille: 215 }],
                ..IntervalVariation::default()
            },
            &rows
        ),
        None
    );
    let (_, evidence) = found(&WindowVariation::default(), &rows).expect("each window is even");
    assert_eq!((evidence.inputs["windows"], evidence.inputs["intervals"]), (6, 48));
    let uneven: Vec<_> = self::rows(swinging(20_000, 40).take(200));
    assert_eq!(found(&WindowVariation::default(), &uneven), None);
}

#[test]
fn more_in_an_hour_than_is_believed_is_found() {
    let rule = Velocity { per_hour: 100 };
    assert_eq!(found(&rule, &rows(swinging(36_000, 0).take(300))), None, "a hundred an hour");
    let (_, evidence) = found(&rule, &rows(swinging(30_000, 0).take(300))).expect("a hundred and twenty");
    assert_eq!((evidence.value, evidence.threshold, evidence.actions.len()), (101, 100, 64));
}

#[test]
fn who_never_sleeps_is_found() {
    let hourly = |hours: usize| rows(swinging(3_600_000, 0).take(hours));
    assert_eq!(found(&ActiveHours::default(), &hourly(18)), None);
    let (count, evidence) = found(&ActiveHours::default(), &hourly(30)).expect("a night without sleep");
    assert_eq!((count, evidence.value), (19, 19));
    // Sixteen hours a day, for days.
    let days = (0..200).map(|number| if number % 16 == 15 { 9 * 3_600_000 } else { 3_600_000 });
    assert_eq!(found(&ActiveHours::default(), &rows(days)), None);
}

#[test]
fn another_hand_is_found_and_a_record_is_not() {
    let rule = PointsShift::default();
    let with = |points: &dyn Fn(usize) -> i64| {
        let mut rows = rows(swinging(20_000, 30).take(60));
        for (number, row) in rows.iter_mut().enumerate() {
            row.points = Points::new(points(number)).expect("small");
        }
        rows
    };
    let plays = |number: usize| 70 + (number * 7 % 11) as i64;
    assert_eq!(found(&rule, &with(&plays)), None);
    let record = |number: usize| if matches!(number, 30 | 33 | 36) { 150 } else { plays(number) };
    assert_eq!(found(&rule, &with(&record)), None, "three records in a row of eight");
    let (count, evidence) =
        found(&rule, &with(&|number| plays(number) + if number < 40 { 0 } else { 40 })).expect("a jump");
    assert!((44..=47).contains(&count), "{count}");
    assert_eq!((evidence.inputs["medianBefore"], evidence.inputs["before"]), (75, count as i64 - 8));
    assert_eq!(
        found(&rule, &with(&|number| if number < 40 { 10 } else { 90 })),
        None,
        "what does not vary has no spread"
    );
}

#[test]
fn many_at_one_source_are_found_and_found_again_of_those_who_are_named() {
    type Crowd<'a> = &'a dyn Fn(u8) -> Neighbours<'static>;
    let (rows, users) = (rows(swinging(20_000, 50).take(3)), |count: u8| {
        (1..=count).map(|n| UserId::from_bytes([n; 16])).collect::<Vec<_>>()
    });
    let at_address = |count| Neighbours::named(users(count), users(1));
    let on_device = |count| Neighbours::named(users(1), users(count));
    // As many as are believed, and one more.
    let sources: [(&dyn Rule, u8, Crowd<'_>, Crowd<'_>); 2] = [
        (&SharedSource::default(), 40, &at_address, &on_device),
        (&SharedDevice::default(), 6, &on_device, &at_address),
    ];
    for (rule, believed, here, elsewhere) in sources {
        let history = History::of(&rows);
        let look = |neighbours: &Neighbours<'_>| rule.look(Seen { history: &history, neighbours });
        assert_eq!(look(&here(believed)), None, "{}", rule.id());
        assert_eq!(look(&elsewhere(200)), None, "{}: what is of the other kind is the other rule's", rule.id());
        let evidence = look(&here(believed + 1)).expect("one more").with_actions(&rows);
        assert_eq!((evidence.value, evidence.threshold), (i64::from(believed) + 1, i64::from(believed)));
        assert_eq!((&evidence.users, evidence.rule.as_str()), (&users(believed + 1), rule.id()));

        let json = serde_json::to_string(&evidence).expect("it is written down");
        let read: Evidence = serde_json::from_str(&json).expect("and read");
        assert_eq!(read.recompute(&rows), Ok(Grounds::Sightings));
        let altered = |alter: &dyn Fn(&mut Evidence)| {
            let mut altered = read.clone();
            alter(&mut altered);
            altered.recompute(&rows)
        };
        let differs = Err(NotRecomputed::Differs);
        assert_eq!(altered(&|evidence| evidence.value += 1), differs);
        assert_eq!(altered(&|evidence| evidence.threshold += 1), differs);
        assert_eq!(altered(&|evidence| evidence.actions.clear()), differs);
        assert_eq!(altered(&|evidence| _ = evidence.users.pop()), differs, "one is left out");
        assert_eq!(altered(&|evidence| evidence.users[1] = evidence.users[2]), differs, "one is named twice");
        assert_eq!(altered(&|evidence| evidence.users[0] = UserId::MIN), differs, "the user is none of them");
        assert_eq!(altered(&|evidence| evidence.rule_version += 1), Err(NotRecomputed::ForeignRule));
        assert_eq!(read.recompute(&rows[..2]), differs, "the action is missing");
        assert_eq!(read.recompute(&[]), differs);
    }
}

#[test]
fn a_stance_is_as_it_is_written() {
    for stance in [Stance::Off, Stance::Shadow, Stance::Flag, Stance::Hold] {
        assert_eq!(stance.to_string().parse(), Ok(stance));
        assert_eq!(serde_json::to_value(stance).expect("it is a word"), stance.as_str());
    }
    assert!("block".parse::<Stance>().is_err() && serde_json::from_str::<Stance>("\"block\"").is_err());
}
