//! How people are told things, in either language: message files ([`texts!`]), numbers, sizes, spans of time and local times
//! ([`mod@format`]), and texts made safe to stand in markup ([`escape`]).
//!
//! Every crate that tells people something has message files of its own and takes everything else from here, so that a page,
//! a notification and the command line write the same number alike. Pure.

mod escape;
pub mod format;
mod messages;

#[doc(hidden)]
pub use bakau_model::Language;
pub use escape::{escape, escape_quoted};
pub use messages::{InvalidMessages, Messages, Texts};
