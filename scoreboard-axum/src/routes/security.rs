//! Passwords that are changed or were forgotten, addresses that are confirmed, sessions that are looked at and ended.

use axum::extract::{FromRequestParts, Path, Request, State};
use axum::http::StatusCode;
use axum::http::request::Parts;
use axum::response::Response;
use scoreboard_core::SessionId;
use scoreboard_core::accounts::AccountError;

use super::accounts::count;
use crate::answer::{Caching, accepted, no_content, plain};
use crate::body::{json, within_size};
use crate::dto::{
    AddressRequest, ChangeAddressRequest, ConfirmRequest, ForgotRequest, PasswordRequest, ResetRequest, SessionAnswer,
    SessionsAnswer,
};
use crate::problem::{Problem, invalid_value};
use crate::query::no_query;
use crate::rate_limit::{Subject, limited};
use crate::state::Shared;

/// Changes the password, and ends the user's other sessions.
#[utoipa::path(
    post, path = "/api/auth/password", tag = "accounts", request_body = PasswordRequest, security(("user" = [])),
    responses((status = 204, description = "It is changed")),
)]
pub(super) async fn change_password(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let principal = app.signed_in(&parts)?;
    let usage = app.limits.codes(Subject::User(principal.user_id)).await?;
    limited(usage, async {
        let PasswordRequest { password, new_password } = json(&parts, body)?;
        app.limits.shown_password(principal.user_id).await?;
        let changed = app.accounts.change_password(&principal, password, new_password).await;
        count("password_change", &changed);
        changed?;
        Ok(no_content())
    })
    .await
}

/// Mails how to set another password, if there is such an account: the answer is the same if there is none.
#[utoipa::path(
    post, path = "/api/auth/password/forgot", tag = "accounts", request_body = ForgotRequest,
    responses(
        (status = 202, description = "Look into the mail"),
        (status = 404, description = "`not_found`: this server sends no mail"),
    ),
)]
pub(super) async fn forgot_password(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let usage = app.limits.mail(Subject::Address(app.address(&parts))).await?;
    limited(usage, async {
        let ForgotRequest { email } = json(&parts, body)?;
        app.limits.mail(Subject::recipient(&email)).await?;
        let sent = app.accounts.forgot_password(&email).await;
        count("password_forgot", &sent);
        sent?;
        Ok(accepted())
    })
    .await
}

/// Sets another password by the token of a mail, and ends all of the user's sessions. The second factor stays, but for one that was set up before anybody had
/// confirmed the address of an account: that is removed, and the address confirmed, but of moderators and admins, of whom neither is done.
#[utoipa::path(
    post, path = "/api/auth/password/reset", tag = "accounts", request_body = ResetRequest,
    responses(
        (status = 204, description = "It is set"),
        (status = 401, description = "`unauthorized`: the token is unknown, over, or was used"),
    ),
)]
pub(super) async fn reset_password(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let usage = app.limits.codes(Subject::Address(app.address(&parts))).await?;
    limited(usage, async {
        let ResetRequest { token, password } = json(&parts, body)?;
        let reset = app.accounts.reset_password(&token, password).await;
        count("password_reset", &reset);
        reset?;
        Ok(no_content())
    })
    .await
}

/// Mails how to confirm the address of who is signed in.
#[utoipa::path(
    post, path = "/api/auth/email/confirmation", tag = "accounts", security(("user" = [])),
    responses(
        (status = 202, description = "Look into the mail"),
        (status = 404, description = "`not_found`: this server sends no mail"),
    ),
)]
pub(super) async fn mail_confirmation(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let principal = app.signed_in(&parts)?;
    let usage = app.limits.mail(Subject::User(principal.user_id)).await?;
    limited(usage, async {
        let sent = app.accounts.mail_confirmation(&principal).await;
        count("email_confirmation", &sent);
        sent?;
        Ok(accepted())
    })
    .await
}

/// Confirms an address by the token of a mail.
#[utoipa::path(
    post, path = "/api/auth/email/confirm", tag = "accounts", request_body = ConfirmRequest,
    responses(
        (status = 204, description = "It is confirmed"),
        (status = 401, description = "`unauthorized`: the token is unknown or over, or of another address"),
    ),
)]
pub(super) async fn confirm_email(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let usage = app.limits.codes(Subject::Address(app.address(&parts))).await?;
    limited(usage, async {
        let ConfirmRequest { token } = json(&parts, body)?;
        let confirmed = app.accounts.confirm_address(&token).await;
        count("email_confirm", &confirmed);
        confirmed?;
        Ok(no_content())
    })
    .await
}

/// Mails to another address how to make it that of who is signed in. Whether somebody else has it is told nobody: the answer is the same.
#[utoipa::path(
    post, path = "/api/auth/email", tag = "accounts", request_body = AddressRequest, security(("user" = [])),
    responses(
        (status = 202, description = "Look into the mail of the new address"),
        (status = 403, description = "`step_up_required`: the login is more than 15 minutes old"),
        (status = 404, description = "`not_found`: this server sends no mail"),
    ),
)]
pub(super) async fn mail_address_change(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let principal = app.signed_in(&parts)?;
    let usage = app.limits.mail(Subject::User(principal.user_id)).await?;
    limited(usage, async {
        let AddressRequest { email } = json(&parts, body)?;
        app.limits.mail(Subject::recipient(&email)).await?;
        let sent = app.accounts.mail_address_change(&principal, &email).await;
        count("email_change", &sent);
        match sent {
            Err(AccountError::Stale) => Err(Problem::step_up()),
            sent => Ok(sent.map(|()| accepted())?),
        }
    })
    .await
}

/// Gives an account another address by the token of the mail that was sent there. The address before is told.
#[utoipa::path(
    post, path = "/api/auth/email/change", tag = "accounts", request_body = ChangeAddressRequest,
    responses(
        (status = 204, description = "It is changed, and confirmed"),
        (status = 401, description = "`unauthorized`: the token is unknown, over, or was used, or somebody else has the address by now"),
    ),
)]
pub(super) async fn change_address(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let usage = app.limits.codes(Subject::Address(app.address(&parts))).await?;
    limited(usage, async {
        let ChangeAddressRequest { token } = json(&parts, body)?;
        let changed = app.accounts.change_address(&token).await;
        count("email_changed", &changed);
        changed?;
        Ok(no_content())
    })
    .await
}

/// The sessions of who is signed in.
#[utoipa::path(
    get, path = "/api/auth/sessions", tag = "accounts", security(("user" = [])),
    responses((status = 200, description = "Those that are neither ended nor over", body = SessionsAnswer)),
)]
pub(super) async fn sessions(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let principal = app.signed_in(&parts)?;
    let usage = app.limits.read(Subject::User(principal.user_id)).await?;
    limited(usage, async {
        no_query(&parts)?;
        let sessions = app.accounts.sessions(&principal).await?;
        let sessions = sessions.into_iter().map(|session| SessionAnswer::new(session, principal.session_id));
        plain(StatusCode::OK, Caching::Private, &SessionsAnswer { sessions: sessions.collect() })
    })
    .await
}

/// Ends all sessions of who is signed in but the one that asks.
#[utoipa::path(
    delete, path = "/api/auth/sessions", tag = "accounts", security(("user" = [])),
    responses((status = 204, description = "They are over")),
)]
pub(super) async fn end_other_sessions(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let principal = app.signed_in(&parts)?;
    let usage = app.limits.read(Subject::User(principal.user_id)).await?;
    limited(usage, async {
        app.accounts.end_other_sessions(&principal).await?;
        Ok(no_content())
    })
    .await
}

/// Ends one session of who is signed in.
#[utoipa::path(
    delete, path = "/api/auth/sessions/{sessionId}", tag = "accounts", security(("user" = [])),
    params(("sessionId" = SessionId, Path, description = "Which one")),
    responses(
        (status = 204, description = "It is over"),
        (status = 400, description = "`invalid_request`: the id is none"),
        (status = 404, description = "`not_found`: it is none of this user's, or over"),
    ),
)]
pub(super) async fn end_session(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (mut parts, _) = request.into_parts();
    let principal = app.signed_in(&parts)?;
    let usage = app.limits.read(Subject::User(principal.user_id)).await?;
    limited(usage, async {
        let session = session_id(&mut parts).await?;
        app.accounts.end_session(&principal, session).await?;
        Ok(no_content())
    })
    .await
}

async fn session_id(parts: &mut Parts) -> Result<SessionId, Problem> {
    const POINTER: &str = "/path/sessionId";
    let Path(text) = Path::<String>::from_request_parts(parts, &())
        .await
        .map_err(|_| Problem::invalid(POINTER, "must be a UUID"))?;
    text.parse().map_err(|error| invalid_value(POINTER, &error))
}
