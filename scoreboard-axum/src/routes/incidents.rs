//! Incidents: looked at, given to somebody, decided. For moderators and admins, who may do nothing else by this.

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use scoreboard_core::{CaseDecision, CaseStep, Deed, IncidentFile, IncidentFilter, IncidentId, StepOutcome, UserId};

use crate::answer::{Caching, plain};
use crate::body::{json, within_size};
use crate::dto::{AssignRequest, DecideRequest, IncidentAnswer, IncidentsAnswer, IncidentsParams};
use crate::names::{of_incident, of_step};
use crate::problem::{Code, Problem, invalid_value};
use crate::query::{no_query, query};
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
    app.reviewing(parts, async |_, parts| {
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
    let (parts, _) = request.into_parts();
    app.reviewing(parts, async |_, mut parts| {
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
    let (parts, body) = within_size(&app, request).await?;
    app.reviewing(parts, async |reviewer, mut parts| {
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
        take(&app, id, reviewer.user_id, revision, Deed::Assign(assignee), note).await
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
    let (parts, body) = within_size(&app, request).await?;
    app.reviewing(parts, async |reviewer, mut parts| {
        let DecideRequest { revision, status, note, void, release } = json(&parts, body)?;
        let incident = incident_id(&mut parts).await?;
        let (by, at) = (reviewer.user_id, app.clock.now());
        app.stepped_up(&reviewer).await?;
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
