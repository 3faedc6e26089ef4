//! Incidents: looked at, given to somebody, decided. For moderators and admins, who may do nothing else by this.

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use scoreboard_core::accounts::{AccountError, Principal, Role};
use scoreboard_core::{CaseDecision, CaseStep, Deed, IncidentFile, IncidentFilter, IncidentId, StepOutcome, UserId};

use crate::answer::{Caching, plain};
use crate::body::{json, within_size};
use crate::dto::{AssignRequest, DecideRequest, IncidentAnswer, IncidentsAnswer, IncidentsParams};
use crate::names::{of_incident, of_step};
use crate::problem::{Code, Problem, invalid_value};
use crate::query::{no_query, query};
use crate::rate_limit::{Subject, limited};
use crate::state::{AppState, Shared};

/// Incidents, the newest first.
#[utoipa::path(
    get, path = "/api/admin/incidents", tag = "incidents", params(IncidentsParams), security(("user" = [])),
    responses(
        (status = 200, description = "A page of them", body = IncidentsAnswer),
        (status = 403, description = "`forbidden`: only moderators and admins may"),
    ),
)]
pub(super) async fn incidents(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let reader = app.signed_in(&parts)?.user_id;
    let usage = app.limits.read(Subject::User(reader)).await?;
    limited(usage, async {
        app.may_review(reader).await?;
        let params: IncidentsParams = query(&parts)?;
        let (limit, before) = (params.limit(), params.before);
        // One more, to see whether there is a next page.
        let mut incidents =
            app.scoreboard.incidents().incidents(&IncidentFilter::from(params), before, limit + 1).await?;
        let is_more = incidents.len() > limit;
        incidents.truncate(limit);
        let next = incidents.last().filter(|_| is_more).map(|last| last.id);
        let names = app.names(incidents.iter().flat_map(of_incident)).await;
        plain(StatusCode::OK, Caching::Private, &IncidentsAnswer { incidents, next, names })
    })
    .await
}

/// An incident, and what was done with it.
#[utoipa::path(
    get, path = "/api/admin/incidents/{incidentId}", tag = "incidents", security(("user" = [])),
    params(("incidentId" = IncidentId, Path, description = "Which one")),
    responses(
        (status = 200, description = "The incident, with who did what with it, when and why", body = IncidentAnswer),
        (status = 403, description = "`forbidden`: only moderators and admins may"),
        (status = 404, description = "`not_found`: there is no such incident"),
    ),
)]
pub(super) async fn incident(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let reader = app.signed_in(&parts)?.user_id;
    let usage = app.limits.read(Subject::User(reader)).await?;
    limited(usage, async {
        app.may_review(reader).await?;
        no_query(&parts)?;
        let id = incident_id(&mut parts).await?;
        let file = app.scoreboard.incidents().incident(id).await?;
        let IncidentFile { incident, steps } = file.ok_or_else(unknown)?;
        let named: Vec<UserId> = of_incident(&incident).chain(steps.iter().flat_map(of_step)).collect();
        let names = app.names(named).await;
        plain(StatusCode::OK, Caching::Private, &IncidentAnswer { incident, steps: Some(steps), names: Some(names) })
    })
    .await
}

/// Gives an incident to somebody to look into, or to nobody.
#[utoipa::path(
    post, path = "/api/admin/incidents/{incidentId}/assign", tag = "incidents", security(("user" = [])), request_body = AssignRequest,
    params(("incidentId" = IncidentId, Path, description = "Which one")),
    responses(
        (status = 200, description = "The incident as it is now", body = IncidentAnswer),
        (status = 403, description = "`forbidden`: only moderators and admins may"),
        (status = 404, description = "`not_found`: there is no such incident"),
        (status = 409, description = "`conflict`: somebody did something with it meanwhile; look again"),
    ),
)]
pub(super) async fn assign(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (mut parts, body) = within_size(&app, request).await?;
    let reviewer = app.signed_in(&parts)?.user_id;
    let usage = app.limits.read(Subject::User(reviewer)).await?;
    limited(usage, async {
        app.may_review(reviewer).await?;
        let AssignRequest { revision, assignee, note } = json(&parts, body)?;
        let id = incident_id(&mut parts).await?;
        if let Some(assignee) = assignee
            && !app.is_reviewer(assignee).await?
        {
            return Err(Problem::invalid(
                "/assignee",
                "must be a moderator or an admin, who has the second factor that they need",
            ));
        }
        take(&app, id, reviewer, revision, Deed::Assign(assignee), note).await
    })
    .await
}

/// Confirms an incident as fraud, dismisses it, or opens it again. At once, and in one decision, what was found no longer counts if it is confirmed,
/// and whom a rule holds is let go if it is dismissed; sent again, it is not done again.
#[utoipa::path(
    post, path = "/api/admin/incidents/{incidentId}/decide", tag = "incidents", security(("user" = [])), request_body = DecideRequest,
    params(("incidentId" = IncidentId, Path, description = "Which one")),
    responses(
        (status = 200, description = "The incident as it is now", body = IncidentAnswer),
        (status = 403, description = "`forbidden`: only moderators and admins may, and nobody about themselves; `step_up_required`: the login is more than 15 minutes old"),
        (status = 404, description = "`not_found`: there is no such incident"),
        (status = 409, description = "`conflict`: somebody did something with it meanwhile; look again"),
    ),
)]
pub(super) async fn decide(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (mut parts, body) = within_size(&app, request).await?;
    let principal = app.signed_in(&parts)?;
    let reviewer = principal.user_id;
    let usage = app.limits.read(Subject::User(reviewer)).await?;
    limited(usage, async {
        app.may_review(reviewer).await?;
        let DecideRequest { revision, status, note, void, release } = json(&parts, body)?;
        let incident = incident_id(&mut parts).await?;
        let (by, at) = (reviewer, app.clock.now());
        app.stepped_up(&principal).await?;
        let decision = CaseDecision { incident, revision, by, at, status, note, void, release };
        let outcome = app.scoreboard.decide(&decision).await?;
        taken(outcome, incident, &decision.step())
    })
    .await
}

async fn take(
    app: &AppState,
    id: IncidentId,
    by: UserId,
    revision: u32,
    deed: Deed,
    note: String,
) -> Result<Response, Problem> {
    let step = CaseStep { revision, at: app.clock.now(), by, deed, note };
    taken(app.scoreboard.incidents().take_step(id, &step).await?, id, &step)
}

fn taken(outcome: StepOutcome, id: IncidentId, step: &CaseStep) -> Result<Response, Problem> {
    let CaseStep { revision, by, deed, .. } = step;
    match outcome {
        StepOutcome::Taken(incident) => {
            tracing::info!(incident.id = %id, user.id = %by, ?deed, "a step was taken with an incident");
            plain(StatusCode::OK, Caching::Private, &IncidentAnswer { incident, steps: None, names: None })
        }
        StepOutcome::Unknown => Err(unknown()),
        StepOutcome::ChangedMeanwhile(now) => {
            let now = now.case.revision;
            Err(Problem::new(Code::Conflict, format!("the incident is at revision {now}, not {revision}")))
        }
    }
}

impl AppState {
    /// Asked of the store, not of the token: a role that was taken away is gone at once.
    pub(super) async fn may_review(&self, user: UserId) -> Result<(), Problem> {
        let roles = self.accounts.roles(user).await?;
        if is_enough(&roles) { Ok(()) } else { Err(Problem::forbidden("only moderators and admins may")) }
    }

    /// What cannot be taken back without a trace takes a fresh login, not only a token that somebody has found.
    pub(super) async fn stepped_up(&self, principal: &Principal) -> Result<(), Problem> {
        match self.accounts.check_login_fresh(principal).await {
            Err(AccountError::Stale) => {
                Err(Problem::new(Code::StepUpRequired, "log in again, and send the same request"))
            }
            fresh => Ok(fresh?),
        }
    }

    /// The same of what only admins may.
    pub(super) async fn may_administer(&self, user: UserId) -> Result<(), Problem> {
        let roles = self.accounts.roles(user).await?;
        if roles.contains(&Role::Admin) { Ok(()) } else { Err(Problem::forbidden("only admins may")) }
    }

    pub(super) async fn is_reviewer(&self, user: UserId) -> Result<bool, Problem> {
        match self.accounts.roles(user).await {
            Ok(roles) => Ok(is_enough(&roles)),
            Err(AccountError::Unauthorized | AccountError::FactorRequired) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_enough(roles: &[Role]) -> bool {
    roles.contains(&Role::Moderator) || roles.contains(&Role::Admin)
}

fn unknown() -> Problem {
    Problem::not_found("there is no such incident")
}

async fn incident_id(parts: &mut Parts) -> Result<IncidentId, Problem> {
    const POINTER: &str = "/path/incidentId";
    let Path(text) = Path::<String>::from_request_parts(parts, &())
        .await
        .map_err(|_| Problem::invalid(POINTER, "must be a UUID"))?;
    text.parse().map_err(|error| invalid_value(POINTER, &error))
}
