//! What moderators and admins decide: actions that do not count, users who are held, shadowed or banned.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use scoreboard_core::accounts::Principal;
use scoreboard_core::{
    ActionId, IdSourceExt, Moderation, ModerationAct, ModerationId, ModerationRefusal, RandomIds, Rejection, UserId,
};

use crate::answer::{Caching, plain};
use crate::body::{Arriving, MAX_LIST, json, within_size};
use crate::dto::{
    ActionsRequest, LiftRequest, ModerationAnswer, ModerationsAnswer, ModerationsParams, RestrictionAnswer,
    RestrictionRequest, user_id,
};
use crate::names::of_decision;
use crate::problem::{Code, Problem};
use crate::query::{no_query, query};
use crate::state::{AppState, Shared};

/// Where many actions may be named at once, and bodies may be so much larger.
pub(super) const LISTS: [&str; 2] = ["/api/admin/voids", "/api/admin/unvoids"];

/// How many actions may be named at once. A selection may be of more.
const MAX_NAMED: usize = 2_000;

/// How long a reason may be, in characters.
const MAX_REASON: usize = 500;

/// The version of UUIDs that are made of something (RFC 9562 §5.8), as those are by which rules hold and cases end: whoever could use one up
/// before its time would keep that from ever being done.
const DERIVED: usize = 8;

/// Makes actions void: they no longer count, and what remains is what their users have.
#[utoipa::path(
    post, path = "/api/admin/voids", tag = "moderation", request_body = ActionsRequest, security(("user" = [])),
    responses(
        (status = 200, description = "It is done, or what would be", body = ModerationAnswer),
        (status = 403, description = "`forbidden`: not a moderator; `step_up_required`: the login is more than 15 minutes old"),
        (status = 404, description = "`not_found`: there is no such board, or nobody moderates here"),
        (status = 409, description = "`conflict`: another decision bears this id, or the log does not allow it"),
        (status = 413, description = "`payload_too_large`: more than 128 KiB"),
    ),
)]
pub(super) async fn void(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    actions(&app, request, |actions| ModerationAct::Void { actions }).await
}

/// Lets void actions count again.
#[utoipa::path(
    post, path = "/api/admin/unvoids", tag = "moderation", request_body = ActionsRequest, security(("user" = [])),
    responses(
        (status = 200, description = "It is done, or what would be", body = ModerationAnswer),
        (status = 403, description = "`forbidden`: not a moderator; `step_up_required`: the login is more than 15 minutes old"),
        (status = 404, description = "`not_found`: there is no such board, or nobody moderates here"),
        (status = 409, description = "`conflict`: another decision bears this id, or the log does not allow it"),
        (status = 413, description = "`payload_too_large`: more than 128 KiB"),
    ),
)]
pub(super) async fn unvoid(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    actions(&app, request, |actions| ModerationAct::Unvoid { actions }).await
}

async fn actions(
    app: &AppState,
    request: Request,
    act: fn(Vec<ActionId>) -> ModerationAct,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let arriving = Arriving::begin(app, body).await;
    app.reviewing(parts, async |moderator, parts| {
        let body = arriving.end(app, MAX_LIST).await;
        let ActionsRequest { id, actions, select, moderation, reason, dry_run } = json(&parts, body)?;
        let decision = Decision::new(app, id, &moderator, reason, dry_run).await?;
        // What is selected may be something else the second time; the decision is the same.
        if let Some(answer) = decision.answer_again(app, &act(Vec::new())).await? {
            return answer;
        }
        let actions = match (actions, select, moderation) {
            (Some(actions), None, None) if actions.len() > MAX_NAMED => {
                return Err(Problem::invalid("/actions", format!("must have at most {MAX_NAMED} items")));
            }
            (Some(actions), None, None) => actions,
            (None, Some(select), None) => app.scoreboard.select_for(&act(Vec::new()), &select.into()).await?,
            (None, None, Some(id)) => actions_of(app, id).await?,
            _ => return Err(Problem::invalid("", "must have one of `actions`, `select` and `moderation`")),
        };
        decision.make(app, act(actions)).await
    })
    .await
}

/// What another decision was about.
async fn actions_of(app: &AppState, id: ModerationId) -> Result<Vec<ActionId>, Problem> {
    match app.scoreboard.carried_out(id).await? {
        Some(decided) if !decided.moderation.act.actions().is_empty() => Ok(decided.moderation.act.actions().to_vec()),
        _ => Err(Problem::invalid("/moderation", "must be a decision about actions")),
    }
}

/// Holds, shadows or bans a user, on all boards.
#[utoipa::path(
    put, path = "/api/admin/users/{userId}/restriction", tag = "moderation", request_body = RestrictionRequest,
    security(("user" = [])), params(("userId" = UserId, Path, description = "Whom")),
    responses(
        (status = 200, description = "It is done, or what would be", body = ModerationAnswer),
        (status = 403, description = "`forbidden`: not a moderator, or about themselves; `step_up_required`: the login is more than 15 minutes old"),
        (status = 404, description = "`not_found`: nobody moderates here"),
        (status = 409, description = "`conflict`: another decision bears this id"),
    ),
)]
pub(super) async fn restrict(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    app.reviewing(parts, async |moderator, mut parts| {
        let user_id = user_id(&mut parts).await?;
        not_oneself(moderator.user_id, user_id)?;
        let RestrictionRequest { id, restriction, reason, dry_run } = json(&parts, body)?;
        let act = ModerationAct::Restrict { user_id, restriction };
        Decision::new(&app, id, &moderator, reason, dry_run).await?.make(&app, act).await
    })
    .await
}

/// Makes a user as any other again: what they have counts.
#[utoipa::path(
    delete, path = "/api/admin/users/{userId}/restriction", tag = "moderation", request_body = LiftRequest,
    security(("user" = [])), params(("userId" = UserId, Path, description = "Whom")),
    responses(
        (status = 200, description = "It is done, or what would be", body = ModerationAnswer),
        (status = 403, description = "`forbidden`: not a moderator, or about themselves; `step_up_required`: the login is more than 15 minutes old"),
        (status = 404, description = "`not_found`: nobody moderates here"),
        (status = 409, description = "`conflict`: another decision bears this id"),
    ),
)]
pub(super) async fn lift(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    app.reviewing(parts, async |moderator, mut parts| {
        let user_id = user_id(&mut parts).await?;
        not_oneself(moderator.user_id, user_id)?;
        let LiftRequest { id, reason, dry_run } = json(&parts, body)?;
        Decision::new(&app, id, &moderator, reason, dry_run).await?.make(&app, ModerationAct::Lift { user_id }).await
    })
    .await
}

/// What a user may not.
#[utoipa::path(
    get, path = "/api/admin/users/{userId}/restriction", tag = "moderation", security(("user" = [])),
    params(("userId" = UserId, Path, description = "Whose")),
    responses(
        (status = 200, description = "What holds now", body = RestrictionAnswer),
        (status = 403, description = "`forbidden`: not a moderator"),
        (status = 404, description = "`not_found`: nobody moderates here"),
    ),
)]
pub(super) async fn restriction(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    app.reviewing(parts, async |_, mut parts| {
        no_query(&parts)?;
        let user_id = user_id(&mut parts).await?;
        let restriction = app.scoreboard.restriction(user_id).await?;
        plain(StatusCode::OK, Caching::Private, &RestrictionAnswer { restriction })
    })
    .await
}

/// What was decided, newest first.
#[utoipa::path(
    get, path = "/api/admin/moderations", tag = "moderation", params(ModerationsParams), security(("user" = [])),
    responses(
        (status = 200, description = "A stretch of the decisions", body = ModerationsAnswer),
        (status = 403, description = "`forbidden`: not a moderator"),
        (status = 404, description = "`not_found`: nobody moderates here"),
    ),
)]
pub(super) async fn moderations(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    app.reviewing(parts, async |_, parts| {
        let params: ModerationsParams = query(&parts)?;
        let moderations = app.scoreboard.moderations(params.before, params.limit()).await?;
        let names = app.names(moderations.iter().flat_map(of_decision)).await;
        plain(StatusCode::OK, Caching::Private, &ModerationsAnswer { moderations, names })
    })
    .await
}

/// Else who is banned, and still has their role, would let themselves in again.
fn not_oneself(moderator: UserId, user: UserId) -> Result<(), Problem> {
    if moderator == user { Err(Problem::forbidden("nobody decides about themselves")) } else { Ok(()) }
}

/// A decision without its act.
struct Decision {
    id: ModerationId,
    by: String,
    reason: String,
    dry_run: bool,
}

impl Decision {
    /// Of somebody who may make it, which takes a fresh login unless it is only tried.
    async fn new(
        app: &AppState,
        id: Option<ModerationId>,
        by: &Principal,
        reason: String,
        dry_run: bool,
    ) -> Result<Self, Problem> {
        let is_plain = reason.chars().all(|c| c == '\n' || !c.is_control());
        if reason.trim().is_empty() || reason.chars().count() > MAX_REASON || !is_plain {
            return Err(Problem::invalid(
                "/reason",
                "must have 1 to 500 characters, not all blank, none of them a control but line breaks",
            ));
        }
        if id.is_some_and(|id| id.as_uuid().get_version_num() == DERIVED) {
            return Err(Problem::invalid("/id", "must not be of version 8: such ids are made of what they are about"));
        }
        if !dry_run {
            app.stepped_up(by).await?;
        }
        let fresh = || ModerationId::from_uuid(RandomIds.uuid(app.clock.now()));
        Ok(Self { id: id.unwrap_or_else(fresh), by: by.user_id.to_string(), reason, dry_run })
    }

    /// The answer to one of this kind that was carried out before.
    async fn answer_again(
        &self,
        app: &AppState,
        like: &ModerationAct,
    ) -> Result<Option<Result<Response, Problem>>, Problem> {
        let Some(carried_out) = app.scoreboard.carried_out(self.id).await? else { return Ok(None) };
        let Moderation { by, reason, act, .. } = &carried_out.moderation;
        if (by, reason, act.kind()) != (&self.by, &self.reason, like.kind()) {
            return Err(Problem::new(Code::Conflict, ModerationRefusal::IdUsed.to_string()));
        }
        let answer = ModerationAnswer { moderation: Some(carried_out), replayed: true, preview: None };
        Ok(Some(plain(StatusCode::OK, Caching::Private, &answer)))
    }

    async fn make(self, app: &AppState, act: ModerationAct) -> Result<Response, Problem> {
        let Self { id, by, reason, dry_run } = self;
        let moderation = Moderation { id, at: app.clock.now(), by, reason, act };
        let answer = if dry_run {
            let preview = app.scoreboard.preview(&moderation).await?;
            ModerationAnswer { moderation: None, replayed: preview.replayed, preview: Some(preview) }
        } else {
            let effects = app.scoreboard.moderate(&moderation).await?;
            ModerationAnswer { moderation: Some(effects.carried_out), replayed: effects.replayed, preview: None }
        };
        plain(StatusCode::OK, Caching::Private, &answer)
    }
}

impl Problem {
    /// What is said of a decision that is refused.
    pub(crate) fn refused_decision(rejection: &Rejection) -> Self {
        match rejection {
            Rejection::NoModeration => Self::not_found("nobody moderates here"),
            Rejection::Moderation(ModerationRefusal::UnknownActions(_)) | Rejection::TooManyActions(_) => {
                Self::invalid("/actions", rejection.to_string())
            }
            Rejection::Moderation(ModerationRefusal::OneselfDecided) => {
                Self::forbidden("nobody decides about themselves")
            }
            Rejection::SelectionTooWide => Self::invalid("/select", rejection.to_string()),
            _ => Self::new(Code::Conflict, rejection.to_string()),
        }
    }
}
