//! The routes of `/api/v1`, and the probes: each file is one group of them.

pub(crate) mod aggregate;
pub(crate) mod alerts;
pub(crate) mod catalogue;
pub(crate) mod health;
pub(crate) mod latest;
pub(crate) mod ledger;
pub(crate) mod observations;
pub(crate) mod openapi;
pub(crate) mod quarantine;
pub(crate) mod rules;
pub(crate) mod station;
pub(crate) mod status;
