//! The routes, one file for each resource. A handler reads top to bottom in the order of the checks: body within size, token,
//! quota, body valid; then it calls one method of the library.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::Method;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::HttpConfig;
use crate::state::Shared;

mod accounts;
mod actions;
mod board;
mod boards;
mod docs;
mod health;
mod incidents;
mod keys;
mod live;
mod metrics;
mod moderation;
mod page;
mod record;
mod second_factor;
mod security;
mod staff;
mod standings;
mod token_keys;
mod user_file;
mod users;

/// The routes that the API's description names, and the description.
pub(crate) fn api() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(crate::openapi::frame())
        .routes(routes!(accounts::register))
        .routes(routes!(accounts::confirm_registration))
        .routes(routes!(accounts::login))
        .routes(routes!(accounts::refresh))
        .routes(routes!(accounts::logout))
        .routes(routes!(accounts::ws_ticket))
        .routes(routes!(accounts::me))
        .routes(routes!(second_factor::verify))
        .routes(routes!(second_factor::challenge))
        .routes(routes!(second_factor::status))
        .routes(routes!(second_factor::begin_totp, second_factor::remove_totp))
        .routes(routes!(second_factor::confirm_totp))
        .routes(routes!(second_factor::recovery_codes))
        .routes(routes!(security::change_password))
        .routes(routes!(security::forgot_password))
        .routes(routes!(security::reset_password))
        .routes(routes!(security::mail_confirmation))
        .routes(routes!(security::confirm_email))
        .routes(routes!(security::mail_address_change))
        .routes(routes!(security::change_address))
        .routes(routes!(security::sessions, security::end_other_sessions))
        .routes(routes!(security::end_session))
        .routes(routes!(actions::generate_action))
        .routes(routes!(actions::update))
        .routes(routes!(board::top))
        .routes(routes!(board::rank))
        .routes(routes!(boards::boards))
        .routes(routes!(users::own_standing))
        .routes(routes!(users::standing))
        .routes(routes!(users::around))
        .routes(routes!(users::history))
        .routes(routes!(standings::standings))
        .routes(routes!(record::record))
        .routes(routes!(incidents::incidents))
        .routes(routes!(incidents::incident))
        .routes(routes!(incidents::assign))
        .routes(routes!(incidents::decide))
        .routes(routes!(moderation::void))
        .routes(routes!(moderation::unvoid))
        .routes(routes!(moderation::restriction, moderation::restrict, moderation::lift))
        .routes(routes!(moderation::moderations))
        .routes(routes!(user_file::user_file))
        .routes(routes!(user_file::user_actions))
        .routes(routes!(keys::keys))
        .routes(routes!(live::socket))
        .routes(routes!(live::events))
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics))
        .routes(routes!(token_keys::token_keys))
        .routes(routes!(docs::description))
}

/// Whether a request is for what most ask for, a page of a board, and can be answered by [`most_asked`].
pub(crate) fn is_most_asked(request: &Request) -> bool {
    request.method() == Method::GET && request.uri().path() == board::PATH
}

/// The answer without the way through axum's router, which hangs parameters on each request, and clones and boxes its route.
pub(crate) fn most_asked(app: &Shared, request: Request) -> BoxFuture<'static, Response> {
    board::top(State(app.clone()), request).map(IntoResponse::into_response).boxed()
}

/// Whether many things may be named at this path, by who may do so.
pub(crate) fn takes_lists(path: &str) -> bool {
    moderation::LISTS.contains(&path)
}

/// What people look at.
pub(crate) fn pages(config: &HttpConfig) -> Router<Shared> {
    let mut router = Router::new();
    if config.page {
        router = router.merge(page::router());
    }
    if config.docs {
        router = router.merge(docs::router());
    }
    router
}

/// The templates of all of them, as metrics and logs name a request's route.
pub(crate) fn templates(config: &HttpConfig) -> Vec<String> {
    let described = api().into_openapi().paths.paths.into_keys();
    let page = config.page.then_some(&page::TEMPLATES[..]);
    let docs = config.docs.then_some(&docs::TEMPLATES[..]);
    described.chain([page, docs].into_iter().flatten().flatten().map(|&template| template.to_owned())).collect()
}
