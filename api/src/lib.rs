//! The HTTP side of Bakau: JSON and CSV under `/api/v1`, live events, charts, pages, health and metrics.
//!
//! Reading order: `router` is the table of contents; `state` says what handlers share; `access` who may do what;
//! `error` and `layers` how problems are told. Every other file is one group of routes. This room owns HTTP only: it
//! asks the store, the spool, the registry and the alert room, and draws with `bakau_dashboards`.

mod access;
mod admission;
mod aggregate;
mod alerts;
mod answer;
mod catalogue;
mod charts;
mod connections;
mod error;
mod event_log;
mod events;
mod export;
mod gather;
mod health;
mod language;
mod last_day;
mod latest;
mod layers;
mod ledger;
mod link;
mod means;
mod message_charts;
mod metrics;
mod observations;
mod openapi;
mod page_token;
mod pages;
mod quarantine;
mod query;
mod range;
mod readiness;
mod reference;
mod router;
mod rows;
mod rules;
mod serve;
mod state;
mod station;
mod status;
mod status_page;
mod thin;
mod times;

pub use access::{Payloads, Writer, hash_token};
pub use error::{ApiError, ProblemType};
pub use message_charts::MessageCharts;
pub use router::{Access, ROUTES, RouteInfo, router};
pub use serve::serve;
pub use state::{ApiConfig, AppParts, AppState};
