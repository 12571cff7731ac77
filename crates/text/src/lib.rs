//! Texts for people in both languages: message files ([`texts!`]), numbers, sizes, spans of time and local times
//! ([`mod@format`]), and texts made safe to stand in markup ([`escape`]).
//!
//! Every crate with texts for people has message files of its own. Everything else is here, so that a page, a
//! notification and the command line write a number in the same way. Pure.

mod escape;
pub mod format;
mod messages;

#[doc(hidden)]
pub use bakau_model::Language;
pub use escape::{escape, escape_quoted};
pub use messages::{InvalidMessages, Messages, Texts};
