//! Kinds of stores.

use serde::{Deserialize, Serialize};

/// What holds the observations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum StoreKind {
    /// Bakau's own, in one file.
    #[default]
    Embedded,
    /// InfluxDB 2.
    Influx,
}

impl StoreKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::Embedded, Self::Influx];

    /// The word for it in configuration, on the command line and in the API.
    #[must_use]
    pub const fn key(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Influx => "influx",
        }
    }

    /// The kind of a word.
    #[must_use]
    pub fn of_key(key: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.key() == key)
    }
}
