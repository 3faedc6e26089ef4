//! Accounts: register, log in, stay in, tell a live connection who is there, log out.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use scoreboard_core::accounts::{AccountError, Registration};

use crate::answer::{Caching, accepted, no_content, plain};
use crate::body::{json, within_size};
use crate::dto::{
    ConfirmRegistrationRequest, LoginAnswer, LoginRequest, RefreshRequest, RegisterRequest, SignedInAnswer,
    TicketAnswer, UserAnswer,
};
use crate::problem::Problem;
use crate::query::no_query;
use crate::rate_limit::{Subject, limited};
use crate::state::Shared;

/// Makes an account, or, where accounts are made by mail, mails how to: the answer is the same then if the address has one.
#[utoipa::path(
    post, path = "/api/auth/register", tag = "accounts", request_body = RegisterRequest,
    responses(
        (status = 201, description = "The account is there", body = UserAnswer),
        (status = 202, description = "Look into the mail: where accounts are made by it"),
        (status = 409, description = "`conflict`: the e-mail address has an account"),
    ),
)]
pub(super) async fn register(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let usage = app.limits.register(app.address(&parts)).await?;
    limited(usage, async {
        let RegisterRequest { email, password, display_name } = json(&parts, body)?;
        if app.accounts.registers_by_mail() {
            app.limits.mail(Subject::recipient(&email)).await?;
            let mailed = app.accounts.mail_registration(Registration { email, password, display_name }).await;
            count("register", &mailed);
            mailed?;
            return Ok(accepted());
        }
        let user = app.accounts.register(Registration { email, password, display_name }).await;
        count("register", &user);
        plain(StatusCode::CREATED, Caching::Private, &UserAnswer { user: user? })
    })
    .await
}

/// Makes an account by the token of the mail that was sent to its address, which is confirmed with it.
#[utoipa::path(
    post, path = "/api/auth/register/confirm", tag = "accounts", request_body = ConfirmRegistrationRequest,
    responses(
        (status = 201, description = "The account is there", body = UserAnswer),
        (status = 401, description = "`unauthorized`: the token is unknown, over, or was used, or somebody has the address by now"),
    ),
)]
pub(super) async fn confirm_registration(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let usage = app.limits.codes(Subject::Address(app.address(&parts))).await?;
    limited(usage, async {
        let ConfirmRegistrationRequest { token } = json(&parts, body)?;
        let user = app.accounts.complete_registration(&token).await;
        count("register_confirm", &user);
        plain(StatusCode::CREATED, Caching::Private, &UserAnswer { user: user? })
    })
    .await
}

/// Begins a session, or, for a user with a second factor, a login that waits for it.
#[utoipa::path(
    post, path = "/api/auth/login", tag = "accounts", request_body = LoginRequest,
    responses(
        (status = 200, description = "Signed in, or waiting for the second factor", body = LoginAnswer),
        (status = 401, description = "`unauthorized`: the credentials are wrong"),
        (status = 429, description = "`rate_limited`: too many logins of this address, of its network, or tries at this account: after three each waits twice as long as the one before, up to 15 minutes, but on a device that sends its `deviceToken`"),
    ),
)]
pub(super) async fn login(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let usage = app.limits.login(app.address(&parts)).await?;
    limited(usage, async {
        let LoginRequest { email, password, device_token } = json(&parts, body)?;
        // Before anybody is looked for, and whether there is such a user or not: so that it tells nothing.
        app.limits.login_account(&app.accounts.login_subject(&email, device_token.as_deref())).await?;
        let login = app.accounts.login(&email, password).await;
        count("login", &login);
        plain(StatusCode::OK, Caching::Private, &LoginAnswer::from(login?))
    })
    .await
}

/// Goes on with a session: the token that is sent works once, and the answer holds the next.
#[utoipa::path(
    post, path = "/api/auth/refresh", tag = "accounts", request_body = RefreshRequest,
    responses((status = 200, description = "Signed in", body = SignedInAnswer), (status = 401, description = "`unauthorized`: the token is unknown, used or over")),
)]
pub(super) async fn refresh(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let usage = app.limits.refresh(app.address(&parts)).await?;
    limited(usage, async {
        let RefreshRequest { refresh_token } = json(&parts, body)?;
        let signed_in = app.accounts.refresh(&refresh_token).await;
        count("refresh", &signed_in);
        plain(StatusCode::OK, Caching::Private, &SignedInAnswer::from(signed_in?))
    })
    .await
}

/// Ends the session.
#[utoipa::path(
    post, path = "/api/auth/logout", tag = "accounts", security(("user" = [])),
    responses((status = 204, description = "The session is over")),
)]
pub(super) async fn logout(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let principal = app.enrolling(&parts)?;
    app.accounts.logout(&principal).await?;
    Ok(no_content())
}

/// Gives a ticket, by which a WebSocket learns who is there: no token ever stands in a URL. It is good for 30 seconds, once: at all
/// servers that share a Redis, else at the one that gave it.
#[utoipa::path(
    post, path = "/api/auth/ws-ticket", tag = "accounts", security(("user" = [])),
    responses((status = 201, description = "The ticket", body = TicketAnswer)),
)]
pub(super) async fn ws_ticket(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let principal = app.user(&parts)?;
    let usage = app.limits.read(Subject::User(principal.user_id)).await?;
    limited(usage, async {
        let ticket = app.accounts.issue_ticket(&principal).await;
        count("ws_ticket", &ticket);
        plain(StatusCode::CREATED, Caching::Private, &TicketAnswer::from(ticket?))
    })
    .await
}

/// Who is signed in.
#[utoipa::path(
    get, path = "/api/auth/me", tag = "accounts", security(("user" = [])),
    responses((status = 200, description = "The user", body = UserAnswer)),
)]
pub(super) async fn me(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let principal = app.enrolling(&parts)?;
    let usage = app.limits.read(Subject::User(principal.user_id)).await?;
    limited(usage, async {
        no_query(&parts)?;
        let user = app.accounts.me(&principal).await?;
        plain(StatusCode::OK, Caching::Private, &UserAnswer { user })
    })
    .await
}

pub(super) fn count<T>(call: &'static str, outcome: &Result<T, AccountError>) {
    let outcome = match outcome {
        Ok(_) => "ok",
        Err(AccountError::Invalid(_)) => "invalid",
        Err(AccountError::EmailTaken) => "taken",
        Err(AccountError::Unauthorized) => "unauthorized",
        Err(AccountError::WrongCode | AccountError::WrongPassword) => "wrong",
        Err(AccountError::TooManyCodes(_)) => "too_many_codes",
        Err(AccountError::Busy | AccountError::TooManyTickets) => "busy",
        Err(_) => "failed",
    };
    metrics::counter!("scoreboard_auth_attempts_total", "call" => call, "outcome" => outcome).increment(1);
}
