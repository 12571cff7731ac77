//! The principal of a write.

use serde::{Deserialize, Serialize};

use crate::PersonId;

/// Who performs a write; every write route takes one, and the audit log keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "name")]
pub enum Principal {
    /// The holder of the admin token, with the name they gave for the record.
    Admin(String),
    /// A person on this machine's command line, by account name.
    CommandLine(String),
    /// Somebody of the registry, known by a signed link that was sent to them alone.
    Person {
        /// Id of the person.
        id: PersonId,
        /// Their name as registered.
        name: String,
    },
    /// Bakau itself.
    System,
}

impl Principal {
    /// The name kept in the audit log and shown in the alert history.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Admin(name) | Self::CommandLine(name) | Self::Person { name, .. } => name,
            Self::System => "bakau",
        }
    }

    /// The person of the registry, where it is one.
    #[must_use]
    pub const fn person(&self) -> Option<&PersonId> {
        match self {
            Self::Person { id, .. } => Some(id),
            Self::Admin(_) | Self::CommandLine(_) | Self::System => None,
        }
    }
}
