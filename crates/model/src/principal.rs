//! Who is asking.

use serde::{Deserialize, Serialize};

/// Who performs a write; every write route takes one, and the audit log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "name")]
pub enum Principal {
    /// The holder of the admin token, with the name they gave for the record.
    Admin(String),
    /// A person on this machine's command line, by account name.
    CommandLine(String),
    /// Bakau itself.
    System,
}

impl Principal {
    /// The name kept in the audit log and shown in the alert history.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Admin(name) | Self::CommandLine(name) => name,
            Self::System => "bakau",
        }
    }
}
