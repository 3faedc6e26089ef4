//! Putting the routes and what surrounds them together.

use axum::Router;

use crate::edge::Edge;
use crate::state::AppState;
use crate::{App, cors, metrics, routes};

/// All routes of this server, to be served alone or merged into one's own router.
///
/// See the [crate's documentation](crate) for an example.
pub fn router(app: App) -> Router {
    metrics::describe();
    let state = AppState::new(app);
    let (api, _) = routes::api().split_for_parts();
    let router = api.merge(routes::pages(&state)).layer(Edge(state.clone()));
    cors::surround(router, &state.config.allowed_origins).with_state(state)
}
