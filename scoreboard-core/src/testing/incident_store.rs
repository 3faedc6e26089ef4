//! The suite of [`IncidentStore`](crate::IncidentStore): each function is one case, and its documentation the rule.
//!
//! Run by [`incident_store_conformance!`](crate::incident_store_conformance).

use crate::fraud::Incident;
use crate::ids::{ActionId, IncidentId};
use crate::testing::fixture::IncidentStoreFixture;
use crate::testing::play::{at, board_id, user};

/// The incident of a number: later numbers are newer, and each is of its own action.
fn incident(number: u64) -> Incident {
    let bytes = u128::from(number).to_be_bytes();
    Incident {
        id: IncidentId::from_bytes(bytes),
        at: at(i64::try_from(number).expect("small")),
        board: board_id("main"),
        user_id: user(number % 3),
        action_id: ActionId::from_bytes(bytes),
        rule: "too_fast".to_owned(),
        evidence: format!("took {number} ms, 'minimum' \"9\" µs"),
    }
}

async fn record<F: IncidentStoreFixture>(f: &F, incident: &Incident) -> IncidentId {
    f.incident_store().record_incident(incident).await.expect("record_incident answers")
}

async fn all<F: IncidentStoreFixture>(f: &F) -> Vec<Incident> {
    f.incident_store().incidents(None, 1000).await.expect("incidents answers")
}

/// An incident is kept whole, under the id that it came with.
pub async fn an_incident_is_kept_whole<F: IncidentStoreFixture>(f: &F) {
    assert_eq!(all(f).await, [], "a fresh store has no incidents");
    assert_eq!(record(f, &incident(1)).await, incident(1).id, "the first of its action and rule keeps its id");
    assert_eq!(all(f).await, [incident(1)]);
}

/// The same action and rule give one incident, the first, however often it is tried; others give their own.
pub async fn an_action_and_rule_give_one_incident<F: IncidentStoreFixture>(f: &F) {
    let first = incident(1);
    record(f, &first).await;
    let again = Incident { action_id: first.action_id, evidence: "other".to_owned(), ..incident(2) };
    assert_eq!(record(f, &again).await, first.id, "a repeat is told the first one's id");
    assert_eq!(record(f, &first).await, first.id, "the very same too");
    assert_eq!(all(f).await, std::slice::from_ref(&first), "a repeat changes nothing");
    let other_rule = Incident { action_id: first.action_id, rule: "velocity".to_owned(), ..incident(3) };
    assert_eq!(record(f, &other_rule).await, other_rule.id, "another rule gives an incident of its own");
    assert_eq!(record(f, &incident(4)).await, incident(4).id, "another action gives an incident of its own");
    assert_eq!(all(f).await, [incident(4), other_rule, first]);
}

/// Incidents come newest first, page by page.
pub async fn incidents_come_newest_first<F: IncidentStoreFixture>(f: &F) {
    for number in 1..=25 {
        record(f, &incident(number)).await;
    }
    let expected: Vec<_> = (1..=25).rev().map(incident).collect();
    for limit in [1, 7, 25, 100] {
        let (mut before, mut seen) = (None, Vec::new());
        loop {
            let incidents = f.incident_store().incidents(before, limit).await.expect("incidents answers");
            assert!(incidents.len() <= limit, "at most {limit} incidents");
            let Some(last) = incidents.last() else { break };
            before = Some(last.id);
            seen.extend(incidents);
        }
        assert_eq!(seen, expected, "by {limit}: without a gap or double");
    }
}

/// Many who write down one finding at once are told one id.
pub async fn one_finding_at_once_gives_one_incident<F: IncidentStoreFixture>(f: &F) {
    for round in 1..=10 {
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let action_id = incident(round).action_id;
                let (store, incident) = (f.incident_store(), Incident { action_id, ..incident(round * 100 + n) });
                tokio::spawn(async move { store.record_incident(&incident).await })
            })
            .collect();
        let mut ids = Vec::new();
        for task in tasks {
            ids.push(task.await.expect("no panic").expect("record_incident answers"));
        }
        assert!(ids.iter().all(|id| *id == ids[0]), "round {round}: one id for all: {ids:?}");
        let kept = all(f).await;
        assert_eq!(kept.len() as u64, round, "round {round}: one incident is kept");
        assert!(kept.iter().any(|incident| incident.id == ids[0]), "round {round}: the one that all were told");
    }
}
