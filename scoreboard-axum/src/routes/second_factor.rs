//! The second factor: completing a login by it, setting it up, giving it up.

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use fast_qr::QRBuilder;
use fast_qr::convert::svg::SvgBuilder;
use scoreboard_core::accounts::NewTotp;

use super::accounts::count;
use crate::answer::{Caching, accepted, no_content, plain};
use crate::body::{json, json_or_nothing, within_size};
use crate::dto::{
    BeginTotpRequest, CodeRequest, MfaAnswer, MfaChallengeRequest, MfaVerifyRequest, RecoveryCodesAnswer,
    SignedInAnswer, TotpAnswer,
};
use crate::problem::Problem;
use crate::query::no_query;
use crate::rate_limit::{Subject, limited};
use crate::state::Shared;

/// Completes a login by the second factor.
#[utoipa::path(
    post, path = "/api/auth/mfa/verify", tag = "accounts", request_body = MfaVerifyRequest,
    responses(
        (status = 200, description = "Signed in", body = SignedInAnswer),
        (status = 401, description = "`unauthorized`: the code is wrong or was used, or the login is over or was tried five times: never said which"),
        (status = 404, description = "`not_found`: this server has no second factors"),
    ),
)]
pub(super) async fn verify(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let usage = app.limits.codes(Subject::Address(app.address(&parts))).await?;
    limited(usage, async {
        let MfaVerifyRequest { challenge_id, method, code } = json(&parts, body)?;
        let signed_in = app.accounts.complete_login(&challenge_id, method.into(), &code).await;
        count("mfa_verify", &signed_in);
        plain(StatusCode::OK, Caching::Private, &SignedInAnswer::from(signed_in?))
    })
    .await
}

/// Sends a code for a login: eight digits by mail or as a text, good for this login and as long as it waits. Three are sent at the
/// most; each takes the place of the one before.
#[utoipa::path(
    post, path = "/api/auth/mfa/challenge", tag = "accounts", request_body = MfaChallengeRequest,
    responses(
        (status = 202, description = "The code is on its way"),
        (status = 401, description = "`unauthorized`: the login is unknown or over, this is none of its methods, or enough were sent: never said which"),
        (status = 404, description = "`not_found`: this server has no second factors"),
    ),
)]
pub(super) async fn challenge(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let usage = app.limits.mail(Subject::Address(app.address(&parts))).await?;
    limited(usage, async {
        let MfaChallengeRequest { challenge_id, method } = json(&parts, body)?;
        let sent = app.accounts.send_code(&challenge_id, method.into()).await;
        count("mfa_challenge", &sent);
        sent?;
        Ok(accepted())
    })
    .await
}

/// What secures the account of who is signed in.
#[utoipa::path(
    get, path = "/api/auth/mfa", tag = "accounts", security(("user" = [])),
    responses(
        (status = 200, description = "The second factor", body = MfaAnswer),
        (status = 404, description = "`not_found`: this server has no second factors"),
    ),
)]
pub(super) async fn status(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let principal = app.enrolling(&parts)?;
    let usage = app.limits.read(Subject::User(principal.user_id)).await?;
    limited(usage, async {
        no_query(&parts)?;
        let status = app.accounts.factor_status(&principal).await?;
        let confirmed_at = app.accounts.address_confirmed_at(&principal).await?;
        plain(StatusCode::OK, Caching::Private, &MfaAnswer::new(status, confirmed_at))
    })
    .await
}

/// Begins to set up an authenticator app (TOTP, RFC 6238). It counts for nothing until a code of it was confirmed; begun again, the
/// secret before is void.
#[utoipa::path(
    post, path = "/api/auth/mfa/totp", tag = "accounts", request_body = Option<BeginTotpRequest>, security(("user" = [])),
    responses(
        (status = 201, description = "What the app needs, shown once", body = TotpAnswer),
        (status = 403, description = "`forbidden`: the login is more than 15 minutes old, and no password came with the request"),
        (status = 404, description = "`not_found`: this server has no second factors"),
        (status = 409, description = "`conflict`: an app is in force"),
    ),
)]
pub(super) async fn begin_totp(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let principal = app.enrolling(&parts)?;
    let usage = app.limits.codes(Subject::User(principal.user_id)).await?;
    limited(usage, async {
        let BeginTotpRequest { password } = json_or_nothing(&parts, body)?;
        if password.is_some() {
            app.limits.shown_password(principal.user_id).await?;
        }
        let begun = app.accounts.begin_totp(&principal, password).await;
        count("mfa_begin", &begun);
        let begun = begun?;
        let picture = picture(&begun)?;
        plain(StatusCode::CREATED, Caching::Private, &TotpAnswer::new(begun, picture))
    })
    .await
}

/// Puts an app in force by its first code. A session that was good for nothing but this is whole at its next refresh.
#[utoipa::path(
    post, path = "/api/auth/mfa/totp/confirm", tag = "accounts", request_body = CodeRequest, security(("user" = [])),
    responses(
        (status = 200, description = "It is in force; the recovery codes are shown once", body = RecoveryCodesAnswer),
        (status = 404, description = "`not_found`: this server has no second factors"),
        (status = 409, description = "`conflict`: an app is in force, or none was begun"),
    ),
)]
pub(super) async fn confirm_totp(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let principal = app.enrolling(&parts)?;
    let usage = app.limits.codes(Subject::User(principal.user_id)).await?;
    limited(usage, async {
        let CodeRequest { code } = json(&parts, body)?;
        let codes = app.accounts.confirm_totp(&principal, &code).await;
        count("mfa_confirm", &codes);
        plain(StatusCode::OK, Caching::Private, &RecoveryCodesAnswer { recovery_codes: codes? })
    })
    .await
}

/// Gives the app up, by a code of it or a recovery code.
#[utoipa::path(
    delete, path = "/api/auth/mfa/totp", tag = "accounts", request_body = CodeRequest, security(("user" = [])),
    responses(
        (status = 204, description = "It is not asked for any more"),
        (status = 404, description = "`not_found`: this server has no second factors"),
        (status = 409, description = "`conflict`: no app is in force"),
    ),
)]
pub(super) async fn remove_totp(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let principal = app.signed_in(&parts)?;
    let usage = app.limits.codes(Subject::User(principal.user_id)).await?;
    limited(usage, async {
        let CodeRequest { code } = json(&parts, body)?;
        let removed = app.accounts.remove_factor(&principal, &code).await;
        count("mfa_remove", &removed);
        removed?;
        Ok(no_content())
    })
    .await
}

/// Makes ten new recovery codes, by a code of the app or an old one; those before are void.
#[utoipa::path(
    post, path = "/api/auth/mfa/recovery-codes", tag = "accounts", request_body = CodeRequest, security(("user" = [])),
    responses(
        (status = 200, description = "The codes, shown once", body = RecoveryCodesAnswer),
        (status = 404, description = "`not_found`: this server has no second factors"),
        (status = 409, description = "`conflict`: no app is in force"),
    ),
)]
pub(super) async fn recovery_codes(State(app): State<Shared>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = within_size(&app, request).await?;
    let principal = app.signed_in(&parts)?;
    let usage = app.limits.codes(Subject::User(principal.user_id)).await?;
    limited(usage, async {
        let CodeRequest { code } = json(&parts, body)?;
        let codes = app.accounts.renew_recovery_codes(&principal, &code).await;
        count("mfa_renew", &codes);
        plain(StatusCode::OK, Caching::Private, &RecoveryCodesAnswer { recovery_codes: codes? })
    })
    .await
}

/// The URI as a QR code. An address has 254 bytes at most, an issuer is the operator's own: a code holds ten times that.
fn picture(NewTotp { uri, .. }: &NewTotp) -> Result<String, Problem> {
    let code = QRBuilder::new(uri.as_str()).build().map_err(|error| {
        tracing::error!(?error, "the URI of an authenticator app fits into no QR code");
        Problem::internal()
    })?;
    Ok(SvgBuilder::default().to_str(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_address_has_a_picture() {
        let uri = format!("otpauth://totp/{}:{}?secret=x", "i".repeat(300), "%40".repeat(254));
        let svg = picture(&NewTotp { secret: String::new(), uri }).unwrap();
        assert!(svg.starts_with("<svg") && svg.ends_with("</svg>"), "{svg:.80}");
    }
}
