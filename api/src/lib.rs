//! The HTTP side of Bakau: JSON and CSV under `/api/v1`, live events, charts, pages, health and metrics.
//!
//! Reading order: `routes` is the table of contents, `route` what is said of each; `state` says what handlers share; `http` what every route has in
//! common, such as who may do what (`http::access`) and how problems are told (`http::error`, `http::layers`). `v1` holds
//! the routes for programs, `live` the event stream, `pages` those for people, `read` what all of them read alike. This crate
//! owns HTTP only: it asks the store, the spool, the registry and the alert engine, and draws with `bakau_dashboards`.

mod http;
mod live;
mod pages;
mod read;
mod route;
mod router;
mod routes;
mod state;
mod v1;

pub use http::serve::serve;
pub use http::token::hash_token;
pub use pages::message_charts::MessageCharts;
pub use route::{Access, RouteInfo};
pub use router::router;
pub use routes::ROUTES;
pub use state::{ApiConfig, AppParts, AppState};
