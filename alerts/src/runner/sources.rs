//! What alerts have to know of the sources of messages and of the store; whoever runs them tells.

use std::fmt::Debug;

use crate::engine::EndpointView;

/// Tells the state of every source and of the store; asked before each evaluation and about once a second.
pub trait Sources: Debug + Send + Sync {
    /// Every source there is now, and the store.
    fn endpoints(&self) -> Vec<EndpointView>;
}

/// No sources, for measuring and tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSources;

impl Sources for NoSources {
    fn endpoints(&self) -> Vec<EndpointView> {
        Vec::new()
    }
}
