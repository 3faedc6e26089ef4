//! Putting the routes and what surrounds them together.

use axum::Router;
use tower::ServiceBuilder;

use crate::admission::Admission;
use crate::cors::Cors;
use crate::edge::Edge;
use crate::state::AppState;
use crate::{App, metrics, routes};

/// All routes of this server, to be served alone or merged into one's own router.
///
/// See the [crate's documentation](crate) for an example.
pub fn router(app: App) -> Router {
    metrics::describe();
    let state = AppState::new(app);
    let (api, _) = routes::api().split_for_parts();
    // From the outside in: what every answer bears, also one of CORS; then CORS, so that a page can read refusals too.
    let surroundings = ServiceBuilder::new()
        .layer(Edge(state.clone()))
        .option_layer(Cors::of(&state.config.allowed_origins))
        .layer(Admission(state.clone()));
    api.merge(routes::pages(&state)).layer(surroundings).with_state(state)
}
