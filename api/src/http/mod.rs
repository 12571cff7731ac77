//! What every route has in common: who may ask, in which language, how much, and how problems are told.

pub(crate) mod access;
pub(crate) mod admission;
pub(crate) mod answer;
pub(crate) mod call;
pub(crate) mod connections;
pub(crate) mod csv;
pub(crate) mod error;
pub(crate) mod form;
pub(crate) mod language;
pub(crate) mod layers;
pub(crate) mod metrics;
pub(crate) mod page_token;
pub(crate) mod query;
pub(crate) mod serve;
pub(crate) mod times;
pub(crate) mod token;
