//! What a rule watches.

use std::{fmt, str::FromStr};

use bakau_model::{DatastreamId, SourceName, StationId};

/// What a rule watches. Datastreams come first in order, so that their slots are found by number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    /// One datastream.
    Datastream(DatastreamId),
    /// A whole station.
    Station(StationId),
    /// A source of messages.
    Source(SourceName),
}

impl Subject {
    /// The datastream, where it is one.
    #[must_use]
    pub const fn datastream(&self) -> Option<DatastreamId> {
        match self {
            Self::Datastream(number) => Some(*number),
            Self::Station(_) | Self::Source(_) => None,
        }
    }
}

/// As stored: `7`, `station prb-bjbr-01`, `source demo`.
impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Datastream(number) => write!(f, "{}", number.get()),
            Self::Station(station) => write!(f, "station {station}"),
            Self::Source(source) => write!(f, "source {source}"),
        }
    }
}

/// A stored subject that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("it names nothing that a rule can watch")]
pub struct UnknownSubject;

impl FromStr for Subject {
    type Err = UnknownSubject;
    fn from_str(text: &str) -> Result<Self, UnknownSubject> {
        let subject = match text.split_once(' ') {
            None => text.parse().ok().map(|number| Self::Datastream(DatastreamId::new(number))),
            Some(("station", id)) => id.parse().ok().map(Self::Station),
            Some(("source", name)) => name.parse().ok().map(Self::Source),
            Some(_) => None,
        };
        subject.ok_or(UnknownSubject)
    }
}
