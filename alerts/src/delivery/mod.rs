//! From the outbox to the receiver: pace, attempts, retries, escalation, and the channels themselves.

pub(crate) mod channel;
pub(crate) mod deliver;
pub(crate) mod escalate;
pub(crate) mod link;
pub(crate) mod outbox;
mod pace;
pub(crate) mod retry;
pub(crate) mod secrets;
