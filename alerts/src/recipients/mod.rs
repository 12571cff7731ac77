//! Whom an alert is told to: pure functions of the transition and of the registry of that moment.

pub(crate) mod concerned;
pub(crate) mod routes;
