//! The limits of quality control that hold for a datastream.

use bakau_model::{DatastreamId, QualityLimits};
use bakau_registry::Snapshot;

/// No limits, and therefore no tests, where the registry does not know the datastream.
pub(crate) fn limits_of(snapshot: &Snapshot, datastream: DatastreamId) -> QualityLimits {
    let found = snapshot.datastreams.get(&datastream).or_else(|| snapshot.retired.get(&datastream));
    found.map_or_else(QualityLimits::default, |datastream| datastream.limits)
}
