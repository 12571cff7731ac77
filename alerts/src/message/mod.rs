//! What people are told: the facts of a decision, their words in both languages, and the message made of them.

pub(crate) mod chart;
pub(crate) mod compose;
pub(crate) mod facts;
pub(crate) mod text;
