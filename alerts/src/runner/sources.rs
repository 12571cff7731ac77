//! What the room has to know of the sources of messages; whoever runs them tells.

use std::fmt::Debug;

use crate::engine::SourceView;

/// Tells the state of every source; asked before each evaluation and about once a second.
pub trait Sources: Debug + Send + Sync {
    /// Every source there is now.
    fn sources(&self) -> Vec<SourceView>;
}

/// No sources, for measuring and tests.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoSources;

impl Sources for NoSources {
    fn sources(&self) -> Vec<SourceView> {
        Vec::new()
    }
}
