//! Kinds of stores.

use serde::{Deserialize, Serialize};

crate::words! {
    /// Kind of the store.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum StoreKind {
        /// Bakau's own, in one file.
        #[default]
        Embedded => "embedded",
        /// InfluxDB 2.
        Influx => "influx",
    }
}
