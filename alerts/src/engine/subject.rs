//! What a rule watches.

use std::{fmt, str::FromStr};

use bakau_model::{DatastreamId, SourceName, StationId};

/// The store as a stored subject.
const STORE: &str = "store";

/// What a rule watches. Datastreams come first in order, so that their slots are found by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Subject {
    /// One datastream.
    Datastream(DatastreamId),
    /// A whole station.
    Station(StationId),
    /// A source of messages.
    Source(SourceName),
    /// The store.
    Store,
}

impl Subject {
    /// The datastream, where it is one.
    #[must_use]
    pub(crate) const fn datastream(&self) -> Option<DatastreamId> {
        match self {
            Self::Datastream(number) => Some(*number),
            Self::Station(_) | Self::Source(_) | Self::Store => None,
        }
    }
}

/// As stored: `7`, `station prb-bjbr-01`, `source demo`, `store`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Datastream(number) => write!(f, "{}", number.get()),
            Self::Station(station) => write!(f, "station {station}"),
            Self::Source(source) => write!(f, "source {source}"),
            Self::Store => f.write_str(STORE),
        }
    }
}

/// A stored text that is no subject.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown subject in stored state")]
pub(crate) struct UnknownSubject;

impl FromStr for Subject {
    type Err = UnknownSubject;
    fn from_str(text: &str) -> Result<Self, UnknownSubject> {
        let subject = match text.split_once(' ') {
            None if text == STORE => Some(Self::Store),
            None => text.parse().ok().map(|number| Self::Datastream(DatastreamId::new(number))),
            Some(("station", id)) => id.parse().ok().map(Self::Station),
            Some(("source", name)) => name.parse().ok().map(Self::Source),
            Some(_) => None,
        };
        subject.ok_or(UnknownSubject)
    }
}
