//! Live events for programs, the stream that tells pages to renew themselves, and the memory behind both.

pub(crate) mod event_log;
pub(crate) mod events;
pub(crate) mod page_stream;
pub(crate) mod shown;
pub(crate) mod states;
