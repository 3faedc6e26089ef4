//! The routes, one file for each resource. A handler reads top to bottom in the order of the checks: body within size, token,
//! quota, body valid; then it calls one method of the library.

use axum::Router;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::state::{AppState, Shared};

mod accounts;
mod actions;
mod board;
mod boards;
mod docs;
mod health;
mod live;
mod metrics;
mod page;
mod record;
mod standings;
mod users;

/// The routes that the API's description names, and the description.
pub(crate) fn api() -> OpenApiRouter<Shared> {
    OpenApiRouter::with_openapi(crate::openapi::frame())
        .routes(routes!(accounts::register))
        .routes(routes!(accounts::login))
        .routes(routes!(accounts::refresh))
        .routes(routes!(accounts::logout))
        .routes(routes!(accounts::ws_ticket))
        .routes(routes!(accounts::me))
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
        .routes(routes!(live::socket))
        .routes(routes!(live::events))
        .routes(routes!(health::health))
        .routes(routes!(health::live))
        .routes(routes!(health::ready))
        .routes(routes!(metrics::metrics))
        .routes(routes!(docs::description))
}

/// What people look at.
pub(crate) fn pages(app: &AppState) -> Router<Shared> {
    let mut router = Router::new();
    if app.config.page {
        router = router.merge(page::router());
    }
    if app.config.docs {
        router = router.merge(docs::router());
    }
    router
}
