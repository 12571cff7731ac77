//! The whole HTTP side, made from the table of routes.

use axum::{Router, extract::DefaultBodyLimit, middleware};
use tower_http::{catch_panic::CatchPanicLayer, compression::CompressionLayer};

use crate::{
    http::{
        access,
        admission::MAX_BODY_BYTES,
        layers::{self, IsPage},
    },
    route::Access,
    routes::{ROUTES, is_page},
    state::AppState,
};

/// The whole HTTP side of Bakau.
pub fn router(state: AppState) -> Router {
    let readers = middleware::from_fn_with_state(state.clone(), access::require_reader);
    routes(|access| access != Access::Open)
        .route_layer(readers)
        .merge(routes(|access| access == Access::Open))
        .fallback(layers::no_route)
        .method_not_allowed_fallback(layers::wrong_method)
        .layer(DefaultBodyLimit::max(MAX_BODY_BYTES))
        .layer(middleware::from_fn_with_state(state.clone(), layers::limits))
        .layer(CatchPanicLayer::custom(layers::panicked))
        .layer(middleware::from_fn_with_state((state.clone(), is_page as IsPage), layers::answers))
        .layer(CompressionLayer::new())
        .layer(middleware::from_fn_with_state(state.clone(), layers::caching))
        .with_state(state)
}

fn routes(wanted: impl Fn(Access) -> bool) -> Router<AppState> {
    let routes = ROUTES.iter().filter(|route| wanted(route.access));
    routes.fold(Router::new(), |router, route| router.route(route.path, (route.handler)()))
}
