//! Charts and pages as bytes: knows no database, no network and no clock.
//!
//! Everything drawn comes in as plain values ([`view`], [`chart::ChartSpec`]) that name the moment they were taken,
//! so the same values always give the same bytes. `api` fills the values and serves the result; scripts and styles are
//! in [`assets`]; `live` says how an open page stays current.

pub mod assets;
pub mod chart;
mod chart_link;
pub mod figure;
pub mod fragment;
pub mod link;
pub mod live;
mod map;
pub mod page;
mod say;
mod standing;
mod texts;
pub mod view;
