//! What people make of incidents.

use super::recording::{incident, record};
use crate::fraud::{Case, CaseStep, Deed, Incident, IncidentFile, IncidentStatus, StepOutcome};
use crate::ids::IncidentId;
use crate::testing::fixture::IncidentStoreFixture;
use crate::testing::play::{at, user};

fn step(revision: u32, by: u64, deed: Deed) -> CaseStep {
    let note = format!("because of {revision}, says 'user' \"{by}\"\nand µ");
    CaseStep { revision, at: at(i64::from(revision) + 10), by: user(by), deed, note }
}

async fn take<F: IncidentStoreFixture>(f: &F, id: IncidentId, step: &CaseStep) -> StepOutcome {
    f.incident_store().take_step(id, step).await.expect("take_step answers")
}

async fn file<F: IncidentStoreFixture>(f: &F, id: IncidentId) -> IncidentFile {
    f.incident_store().incident(id).await.expect("incident answers").expect("there is one")
}

/// Steps are taken one after the other, and all of them are kept: who did what, when, and why.
pub async fn steps_are_taken_and_kept<F: IncidentStoreFixture>(f: &F) {
    let new = incident(1);
    let _ = record(f, &new).await;
    let _ = record(f, &incident(2)).await;
    let steps = [
        step(0, 1, Deed::Assign(Some(user(2)))),
        step(1, 2, Deed::Decide(IncidentStatus::Confirmed)),
        step(2, 3, Deed::Decide(IncidentStatus::Open)),
        step(3, 3, Deed::Assign(None)),
        step(4, 1, Deed::Decide(IncidentStatus::Dismissed)),
    ];
    let mut case = Case::default();
    for (taken, step) in steps.iter().enumerate() {
        case = case.after(step).expect("it is of this revision");
        let expected = Incident { case: case.clone(), ..new.clone() };
        assert_eq!(take(f, new.id, step).await, StepOutcome::Taken(expected.clone()));
        assert_eq!(file(f, new.id).await, IncidentFile { incident: expected, steps: steps[..=taken].to_vec() });
    }
    assert_eq!((case.status, case.assignee, case.decided_by), (IncidentStatus::Dismissed, None, Some(user(1))));
    assert_eq!(file(f, incident(2).id).await, IncidentFile { incident: incident(2), steps: Vec::new() }, "the other");
    assert_eq!(take(f, incident(3).id, &steps[0]).await, StepOutcome::Unknown);
}

/// A step from an earlier revision is not taken, and changes nothing; the last one again is taken already.
pub async fn a_step_is_taken_from_what_was_seen<F: IncidentStoreFixture>(f: &F) {
    let new = incident(1);
    let _ = record(f, &new).await;
    let first = step(0, 1, Deed::Decide(IncidentStatus::Confirmed));
    let StepOutcome::Taken(after) = take(f, new.id, &first).await else { panic!("nobody was there before") };
    let late = step(0, 2, Deed::Decide(IncidentStatus::Dismissed));
    assert_eq!(take(f, new.id, &late).await, StepOutcome::ChangedMeanwhile(after.clone()));
    let early = step(7, 2, Deed::Decide(IncidentStatus::Dismissed));
    assert_eq!(take(f, new.id, &early).await, StepOutcome::ChangedMeanwhile(after.clone()));
    assert_eq!(take(f, new.id, &first).await, StepOutcome::Taken(after.clone()), "a repeat");
    let expected = IncidentFile { incident: after, steps: vec![first.clone()] };
    assert_eq!(file(f, new.id).await, expected, "nothing of the others is kept");
    let StepOutcome::Taken(after) = take(f, new.id, &step(1, 2, Deed::Assign(None))).await else {
        panic!("it is seen")
    };
    assert_eq!(take(f, new.id, &first).await, StepOutcome::ChangedMeanwhile(after), "a repeat that is not the last");
}

/// Of many who take a step from the same revision at once, one does.
pub async fn one_of_many_takes_a_step<F: IncidentStoreFixture>(f: &F) {
    for round in 1..=10 {
        let new = incident(round);
        let _ = record(f, &new).await;
        let tasks: Vec<_> = (0..8)
            .map(|n| {
                let (store, step) = (f.incident_store(), step(0, n, Deed::Assign(Some(user(n)))));
                tokio::spawn(async move { store.take_step(new.id, &step).await.map(|outcome| (n, outcome)) })
            })
            .collect();
        let mut took = Vec::new();
        for task in tasks {
            let (n, outcome) = task.await.expect("no panic").expect("take_step answers");
            if matches!(outcome, StepOutcome::Taken(_)) {
                took.push(n);
            }
        }
        assert_eq!(took.len(), 1, "round {round}: {took:?}");
        let file = file(f, new.id).await;
        assert_eq!((file.steps.len(), file.incident.case.revision), (1, 1), "round {round}");
        assert_eq!(file.incident.case.assignee, Some(user(took[0])), "round {round}");
    }
}
