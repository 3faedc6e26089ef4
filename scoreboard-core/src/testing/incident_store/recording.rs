//! Incidents that are written down and listed.

use crate::fraud::statistical::{Evidence, Window};
use crate::fraud::{Case, Incident, IncidentFile, IncidentFilter, IncidentStatus, Measure, Recorded};
use crate::ids::{ActionId, IncidentId};
use crate::testing::fixture::IncidentStoreFixture;
use crate::testing::play::{at, board_id, user};
use crate::version::Version;

/// The incident of a number: later numbers are newer, and each is of its own action.
pub(super) fn incident(number: u64) -> Incident {
    let bytes = u128::from(number).to_be_bytes();
    Incident {
        id: IncidentId::from_bytes(bytes),
        at: at(i64::try_from(number).expect("small")),
        board: board_id("main"),
        user_id: user(number % 3),
        action_id: ActionId::from_bytes(bytes),
        rule: "too_fast".to_owned(),
        evidence: format!("took {number} ms, 'minimum' \"9\" µs"),
        measure: Measure::Block,
        finding: None,
        case: Case::default(),
    }
}

fn evidence() -> Evidence {
    Evidence {
        rule: "interval_variation".to_owned(),
        rule_version: 7,
        parameters: serde_json::json!({ "tiers": [{ "intervals": 12, "perMille": 30 }], "steadyKinds": ["lap"] }),
        unit: "perMille".to_owned(),
        value: -9_007_199_254_740_993,
        threshold: i64::MAX,
        inputs: [("medianMs".to_owned(), i64::MIN), ("a".to_owned(), 0)].into(),
        window: Window { from: at(1), to: at(2), last: Version::new(i64::MAX as u64) },
        actions: (0..64).map(|number| incident(number).action_id).collect(),
        users: vec![user(1), user(2)],
    }
}

pub(super) async fn record<F: IncidentStoreFixture>(f: &F, incident: &Incident) -> Recorded {
    f.incident_store().record_incident(incident).await.expect("record_incident answers")
}

async fn all<F: IncidentStoreFixture>(f: &F) -> Vec<Incident> {
    of(f, &IncidentFilter::default()).await
}

async fn of<F: IncidentStoreFixture>(f: &F, filter: &IncidentFilter) -> Vec<Incident> {
    f.incident_store().incidents(filter, None, 1000).await.expect("incidents answers")
}

/// An incident is kept whole, under the id that it came with, with all that a statistical rule has found.
pub async fn an_incident_is_kept_whole<F: IncidentStoreFixture>(f: &F) {
    assert_eq!(all(f).await, [], "a fresh store has no incidents");
    assert_eq!(
        record(f, &incident(1)).await,
        Recorded::New(incident(1).id),
        "the first of its action and rule keeps its id"
    );
    assert_eq!(all(f).await, [incident(1)]);
    let found = Incident { measure: Measure::Hold, finding: Some(evidence()), ..incident(2) };
    assert_eq!(record(f, &found).await, Recorded::New(found.id));
    assert_eq!(all(f).await, [found.clone(), incident(1)]);
    let file = f.incident_store().incident(found.id).await.expect("incident answers");
    assert_eq!(file, Some(IncidentFile { incident: found, steps: Vec::new() }));
    assert_eq!(f.incident_store().incident(incident(3).id).await.expect("incident answers"), None);
}

/// The same id, or the same action and rule, give one incident, the first, however often it is tried; others give their own.
pub async fn an_action_and_rule_give_one_incident<F: IncidentStoreFixture>(f: &F) {
    let first = incident(1);
    let _ = record(f, &first).await;
    let known = Recorded::Known(first.id);
    let again = Incident { action_id: first.action_id, evidence: "other".to_owned(), ..incident(2) };
    assert_eq!(record(f, &again).await, known, "a repeat is told the first one's id");
    assert_eq!(record(f, &first).await, known, "the very same too");
    let same_id = Incident { id: first.id, ..incident(5) };
    assert_eq!(record(f, &same_id).await, known, "and what has its id, be it of another action");
    assert_eq!(all(f).await, std::slice::from_ref(&first), "a repeat changes nothing");
    let other_rule = Incident { action_id: first.action_id, rule: "velocity".to_owned(), ..incident(3) };
    assert_eq!(record(f, &other_rule).await, Recorded::New(other_rule.id), "another rule gives an incident of its own");
    assert_eq!(
        record(f, &incident(4)).await,
        Recorded::New(incident(4).id),
        "another action gives an incident of its own"
    );
    assert_eq!(all(f).await, [incident(4), other_rule, first]);
}

/// Incidents come newest first, page by page: in the order in which they were written down, whatever their times.
pub async fn incidents_come_newest_first<F: IncidentStoreFixture>(f: &F) {
    let timed = |number: u64| Incident { at: at(i64::try_from(number * 7 % 11).expect("small")), ..incident(number) };
    for number in 1..=25 {
        let _ = record(f, &timed(number)).await;
    }
    let expected: Vec<_> = (1..=25).rev().map(timed).collect();
    for limit in [1, 7, 25, 100] {
        let (mut before, mut seen) = (None, Vec::new());
        loop {
            let page = f.incident_store().incidents(&IncidentFilter::default(), before, limit).await;
            let page = page.expect("incidents answers");
            assert!(page.len() <= limit, "at most {limit} incidents");
            let Some(last) = page.last() else { break };
            before = Some(last.id);
            seen.extend(page);
        }
        assert_eq!(seen, expected, "by {limit}: without a gap or double");
    }
    let behind = f.incident_store().incidents(&IncidentFilter::default(), Some(incident(99).id), 10).await;
    assert_eq!(behind.expect("incidents answers"), [], "there is nothing behind what there is not");
}

/// A filter gives the incidents that have all that it names, page by page.
pub async fn a_filter_gives_what_it_names<F: IncidentStoreFixture>(f: &F) {
    let rules = ["too_fast", "velocity"];
    let measures = [Measure::Flag, Measure::Hold, Measure::Block];
    let statuses = [IncidentStatus::Open, IncidentStatus::Confirmed, IncidentStatus::Dismissed];
    let mixed = |number: u64| {
        let place = usize::try_from(number).expect("small");
        Incident {
            board: board_id(["main", "other"][place / 2 % 2]),
            rule: rules[place % 2].to_owned(),
            measure: measures[place / 3 % 3],
            case: Case {
                status: statuses[place / 5 % 3],
                assignee: (place % 4 == 0).then(|| user(7)),
                ..Case::default()
            },
            ..incident(number)
        }
    };
    for number in 1..=60 {
        let _ = record(f, &mixed(number)).await;
    }
    let any = IncidentFilter::default;
    let filters = [
        any(),
        IncidentFilter { status: Some(IncidentStatus::Confirmed), ..any() },
        IncidentFilter { assignee: Some(user(7)), ..any() },
        IncidentFilter { assignee: Some(user(8)), ..any() },
        IncidentFilter { user: Some(user(1)), ..any() },
        IncidentFilter { board: Some(board_id("other")), ..any() },
        IncidentFilter { rule: Some("velocity".to_owned()), ..any() },
        IncidentFilter { rule: Some("veloc".to_owned()), ..any() },
        IncidentFilter { measure: Some(Measure::Hold), ..any() },
        IncidentFilter {
            status: Some(IncidentStatus::Open),
            user: Some(user(2)),
            board: Some(board_id("main")),
            rule: Some("too_fast".to_owned()),
            ..any()
        },
    ];
    for filter in filters {
        let expected: Vec<_> = (1..=60).rev().map(mixed).filter(|incident| filter.matches(incident)).collect();
        assert_eq!(of(f, &filter).await, expected, "{filter:?}");
        let Some(third) = expected.get(2) else { continue };
        let rest = f.incident_store().incidents(&filter, Some(third.id), 2).await.expect("incidents answers");
        assert_eq!(rest, expected[3..expected.len().min(5)], "{filter:?}, behind the third");
    }
}

/// Many who write down one finding at once are told one id, and one of them that it is new.
pub async fn one_finding_at_once_gives_one_incident<F: IncidentStoreFixture>(f: &F) {
    for round in 1..=10 {
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let action_id = incident(round).action_id;
                let (store, incident) = (f.incident_store(), Incident { action_id, ..incident(round * 100 + n) });
                tokio::spawn(async move { store.record_incident(&incident).await })
            })
            .collect();
        let mut told = Vec::new();
        for task in tasks {
            told.push(task.await.expect("no panic").expect("record_incident answers"));
        }
        assert!(told.iter().all(|one| one.id() == told[0].id()), "round {round}: one id for all: {told:?}");
        let new = told.iter().filter(|one| matches!(one, Recorded::New(_))).count();
        assert_eq!(new, 1, "round {round}: it was new for one: {told:?}");
        let kept = all(f).await;
        assert_eq!(kept.len() as u64, round, "round {round}: one incident is kept");
        assert!(kept.iter().any(|incident| incident.id == told[0].id()), "round {round}: the one that all were told");
    }
}
