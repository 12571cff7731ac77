//! Pages and charts for people, drawn by `bakau_dashboards`.

pub(crate) mod charts;
pub(crate) mod link;
pub(crate) mod message_charts;
pub(crate) mod reference;
pub(crate) mod rules_page;
pub(crate) mod status_page;
pub(crate) mod take;
pub(crate) mod views;
