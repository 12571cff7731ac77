//! Order and progress of a copy: datastreams by number, quarantine, ledger, cursor.

use bakau_model::{DatastreamId, LedgerKey, Seq, UtcMillis};

use crate::{Reflagged, RefusedPoint, StoreCounts, StoredObservation, Superseded};

/// A part of one datastream: everything up to an instant that no earlier slice had.
#[derive(Debug, Clone, PartialEq)]
pub struct Slice {
    /// The datastream.
    pub datastream: DatastreamId,
    /// The instant up to which it is whole, inclusive.
    pub through: UtcMillis,
    /// Current values, by `observed_at`.
    pub values: Vec<StoredObservation>,
    /// Values that were replaced.
    pub superseded: Vec<Superseded>,
    /// Flags that were replaced.
    pub reflagged: Vec<Reflagged>,
}

/// One step of a copy.
#[derive(Debug, Clone, PartialEq)]
pub enum Step {
    /// The target is emptied and belongs to a copy from now on.
    Begin {
        /// The cursor of the source: another one later means that it has changed.
        source: Seq,
    },
    /// Values.
    Values(Slice),
    /// Points in quarantine, in order.
    Quarantine(Vec<RefusedPoint>),
    /// Lines of the ledger, in order.
    Ledger(Vec<(LedgerKey, StoreCounts)>),
    /// The target is a store like any other.
    End {
        /// The cursor it goes on from.
        cursor: Seq,
    },
}

/// A copy that is not finished.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unfinished {
    /// The cursor of the source when it began.
    pub source: Seq,
    /// Its progress.
    pub place: Place,
}

/// Progress of a copy; everything before it was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// Nothing was copied.
    Start,
    /// Values up to an instant of a datastream, inclusive, and all datastreams with smaller numbers.
    Values {
        /// The datastream.
        datastream: DatastreamId,
        /// The instant.
        through: UtcMillis,
    },
    /// All values, and quarantine up to a point.
    Quarantine {
        /// Its series.
        series: String,
        /// Its instant.
        observed_at: UtcMillis,
    },
    /// All values, quarantine, and the ledger up to a line.
    Ledger(LedgerKey),
}

impl Place {
    /// The place after a step; `None` where the step has no end of its own.
    #[must_use]
    pub fn after(step: &Step) -> Option<Self> {
        match step {
            Step::Begin { .. } => Some(Self::Start),
            Step::Values(Slice { datastream, through, .. }) => {
                Some(Self::Values { datastream: *datastream, through: *through })
            }
            Step::Quarantine(points) => points
                .last()
                .map(|point| Self::Quarantine { series: point.series.clone(), observed_at: point.observed_at }),
            Step::Ledger(lines) => lines.last().map(|(key, _)| Self::Ledger(key.clone())),
            Step::End { .. } => None,
        }
    }

    /// Behind which instant values of a datastream are still to be copied (`Some(None)`: all); `None` when none are.
    #[must_use]
    pub(crate) fn values_after(&self, of: DatastreamId) -> Option<Option<UtcMillis>> {
        match self {
            Self::Start => Some(None),
            Self::Values { datastream, through } if *datastream == of => {
                (through.get() != i64::MAX).then_some(Some(*through))
            }
            Self::Values { datastream, .. } => (*datastream < of).then_some(None),
            Self::Quarantine { .. } | Self::Ledger(_) => None,
        }
    }

    /// Behind which point quarantine is still to be copied (`Some(None)`: all); `None` when none is.
    #[must_use]
    pub(crate) fn quarantine_after(&self) -> Option<Option<(String, UtcMillis)>> {
        match self {
            Self::Start | Self::Values { .. } => Some(None),
            Self::Quarantine { series, observed_at } => Some(Some((series.clone(), *observed_at))),
            Self::Ledger(_) => None,
        }
    }

    /// Behind which line the ledger is still to be copied; `None`: all of it.
    #[must_use]
    pub(crate) fn ledger_after(&self) -> Option<LedgerKey> {
        match self {
            Self::Start | Self::Values { .. } | Self::Quarantine { .. } => None,
            Self::Ledger(key) => Some(key.clone()),
        }
    }
}

#[cfg(test)]
mod tests {
    use bakau_model::SourceName;

    use super::*;

    fn at(datastream: u32, through: i64) -> Place {
        Place::Values { datastream: DatastreamId::new(datastream), through: UtcMillis::new(through) }
    }

    #[test]
    fn values_go_on_behind_the_last_slice() {
        let after = |place: &Place, of| place.values_after(DatastreamId::new(of));
        assert_eq!(after(&Place::Start, 1), Some(None));
        assert_eq!(after(&at(3, 50), 2), None, "smaller numbers are over");
        assert_eq!(after(&at(3, 50), 3), Some(Some(UtcMillis::new(50))));
        assert_eq!(after(&at(3, i64::MAX), 3), None, "the last slice reaches to the end of time");
        assert_eq!(after(&at(3, 50), 4), Some(None));
        let line = LedgerKey { minute: UtcMillis::new(0), source: SourceName::new("a").unwrap() };
        assert_eq!(after(&Place::Ledger(line), 4), None);
    }

    #[test]
    fn quarantine_and_ledger_go_on_behind_their_last_page() {
        let line = LedgerKey { minute: UtcMillis::new(60_000), source: SourceName::new("a").unwrap() };
        let point = Place::Quarantine { series: "s".to_owned(), observed_at: UtcMillis::new(7) };
        assert_eq!(at(1, 2).quarantine_after(), Some(None));
        assert_eq!(point.quarantine_after(), Some(Some(("s".to_owned(), UtcMillis::new(7)))));
        assert_eq!(Place::Ledger(line.clone()).quarantine_after(), None);
        assert_eq!(point.ledger_after(), None);
        assert_eq!(Place::Ledger(line.clone()).ledger_after(), Some(line));
    }
}
