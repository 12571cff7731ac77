//! Live events and the memory behind them.

pub(crate) mod event_log;
pub(crate) mod events;
