//! What those are called whom an answer for moderators is about.

use std::collections::{BTreeMap, BTreeSet};

use scoreboard_core::{CarriedOut, CaseStep, Chain, Deed, Incident, UserId};

use crate::state::AppState;

/// By the user's id; who has no name is left out.
pub(crate) type Names = BTreeMap<UserId, String>;

impl AppState {
    /// The names of these users. Where names cannot be read there are none: what is to be decided is told all the same.
    pub(crate) async fn names(&self, users: impl IntoIterator<Item = UserId>) -> Names {
        let users: BTreeSet<UserId> = users.into_iter().collect();
        let users: Vec<UserId> = users.into_iter().collect();
        match self.scoreboard.display_names(&users).await {
            Ok(names) => names.into_iter().collect(),
            Err(error) => {
                tracing::warn!(error = %Chain(&error), "names could not be read for a moderator");
                Names::new()
            }
        }
    }
}

/// Whom an incident names.
pub(crate) fn of_incident(incident: &Incident) -> impl Iterator<Item = UserId> {
    let case = &incident.case;
    let others = incident.finding.iter().flat_map(|finding| finding.users.iter().copied());
    [Some(incident.user_id), case.assignee, case.decided_by].into_iter().flatten().chain(others)
}

/// Whom a step with an incident names.
pub(crate) fn of_step(step: &CaseStep) -> impl Iterator<Item = UserId> + use<> {
    let given_to = match step.deed {
        Deed::Assign(to) => to,
        Deed::Decide(_) => None,
    };
    [Some(step.by), given_to].into_iter().flatten()
}

/// Whom a decision names: whoever decided may also be somebody at the command line.
pub(crate) fn of_decision(decision: &CarriedOut) -> impl Iterator<Item = UserId> {
    decision.moderation.by.parse().ok().into_iter().chain(decision.moderation.act.user())
}
