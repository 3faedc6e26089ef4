//! Putting the routes and what surrounds them together.

use std::convert::Infallible;

use axum::Router;
use axum::extract::Request;
use axum::response::Response;
use futures_util::FutureExt;
use futures_util::future::Either;
use tower::layer::util::{Identity, Stack};
use tower::util::Either as Optional;
use tower::{Service, ServiceBuilder, ServiceExt, service_fn};

use crate::admission::Admission;
use crate::cors::Cors;
use crate::edge::Edge;
use crate::state::{AppState, Shared};
use crate::{App, metrics, routes};

/// All routes of this server, to be merged into one's own router.
///
/// See the [crate's documentation](crate) for an example.
pub fn router(app: App) -> Router {
    let state = AppState::new(app);
    routes(&state).layer(surroundings(&state)).with_state(state)
}

/// All routes of this server as one service, to be [served](crate::serve) alone.
///
/// It answers as [`router`] does. What surrounds every request stands around the whole here, not around each route, and axum clones and
/// boxes what it keeps by route for each request: so this costs a request less. The page that most ask for does not pass axum's router at all.
pub fn service(
    app: App,
) -> impl Service<Request, Response = Response, Error = Infallible, Future: Send> + Clone + Send + Sync + 'static {
    let state = AppState::new(app);
    let all = routes(&state).with_state(state.clone());
    let most_asked_first = service_fn({
        let state = state.clone();
        move |request: Request| {
            if routes::is_most_asked(&request) {
                Either::Left(routes::most_asked(&state, request).map(Ok))
            } else {
                Either::Right(all.clone().oneshot(request))
            }
        }
    });
    surroundings(&state).service(most_asked_first)
}

fn routes(state: &AppState) -> Router<Shared> {
    metrics::describe();
    let (api, _) = routes::api().split_for_parts();
    api.merge(routes::pages(&state.config))
}

type Surroundings = ServiceBuilder<Stack<Admission, Stack<Optional<Cors, Identity>, Stack<Edge, Identity>>>>;

/// From the outside in: what every answer bears, also one of CORS; then CORS, so that a page can read refusals too.
fn surroundings(state: &Shared) -> Surroundings {
    ServiceBuilder::new()
        .layer(Edge(state.clone()))
        .option_layer(Cors::of(&state.config.allowed_origins))
        .layer(Admission(state.clone()))
}
