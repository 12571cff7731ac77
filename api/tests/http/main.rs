//! The HTTP side against the real spool, store, registry, table of present values and alert room, in a temporary folder.

#[cfg(test)]
mod aggregates;
#[cfg(test)]
mod alerts;
#[cfg(test)]
mod charts;
#[cfg(test)]
mod events;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod observations;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod page_stream;
mod problems;
#[cfg(test)]
mod readiness;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod server;
#[cfg(test)]
mod walk;
