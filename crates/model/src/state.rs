//! What is said of a station or a datastream in one word, decided in one place for pages, events and API.

use crate::{Flag, Level, UtcMillis};

crate::words! {
    /// The state of a station or a datastream, the most urgent first.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
    #[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
    pub serde enum State {
        /// An alert of this level is open.
        Awas => "awas",
        /// An alert of this level is open.
        Siaga => "siaga",
        /// An alert of this level is open.
        Waspada => "waspada",
        /// A limit is crossed; an alert opens if that lasts for the hold time of its rule.
        Pending => "pending",
        /// The device has left, or its connection was lost.
        Offline => "offline",
        /// The clock of the device is so far ahead that its readings are refused.
        ClockAhead => "clock_ahead",
        /// Nothing has come for so long that an alert about it is open.
        NoData => "no_data",
        /// Values come, and none of them can be used.
        NoValidData => "no_valid_data",
        /// The next value is overdue.
        Late => "late",
        /// Nothing has ever come.
        NeverReported => "never_reported",
        /// The newest value is valid and crosses no limit.
        Normal => "normal",
    }
}

impl State {
    /// The state that an open alert gives; `None` for *normal*.
    #[must_use]
    pub const fn raised(level: Level) -> Option<Self> {
        match level {
            Level::Normal => None,
            Level::Waspada => Some(Self::Waspada),
            Level::Siaga => Some(Self::Siaga),
            Level::Awas => Some(Self::Awas),
        }
    }

    /// The level of the open alert, *normal* where values say so; `None` where nothing says anything of a level.
    #[must_use]
    pub const fn level(self) -> Option<Level> {
        match self {
            Self::Awas => Some(Level::Awas),
            Self::Siaga => Some(Level::Siaga),
            Self::Waspada => Some(Level::Waspada),
            Self::Pending | Self::Normal => Some(Level::Normal),
            Self::Offline | Self::ClockAhead | Self::NoData | Self::NoValidData | Self::Late | Self::NeverReported => {
                None
            }
        }
    }
}

/// The newest value of a datastream, as far as its state depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Newest {
    /// Until when it is current.
    pub current_until: UtcMillis,
    /// Whether there is a number.
    pub has_value: bool,
    /// Its quality.
    pub flag: Flag,
}

/// What is known of a datastream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct DatastreamFacts {
    /// The newest value; `None` where there has never been one.
    pub newest: Option<Newest>,
    /// Worst open alert about its values.
    pub level: Level,
    /// Whether a level waits for its hold time.
    pub pending: bool,
    /// Whether an alert about its absence is open.
    pub no_data: bool,
}

/// The state of a datastream.
///
/// ```
/// use bakau_model::{DatastreamFacts, Flag, Newest, State, UtcMillis, datastream_state};
///
/// let newest = Newest { current_until: UtcMillis::new(10), has_value: true, flag: Flag::Fail };
/// let facts = DatastreamFacts { newest: Some(newest), ..DatastreamFacts::default() };
/// assert_eq!(datastream_state(&facts, UtcMillis::new(10)), State::NoValidData);
/// assert_eq!(datastream_state(&facts, UtcMillis::new(11)), State::Late);
/// ```
#[must_use]
pub fn datastream_state(facts: &DatastreamFacts, now: UtcMillis) -> State {
    if let Some(raised) = State::raised(facts.level) {
        return raised;
    }
    match facts.newest {
        _ if facts.no_data => State::NoData,
        None => State::NeverReported,
        Some(newest) if newest.current_until < now => State::Late,
        Some(newest) if !newest.has_value || !newest.flag.is_usable() => State::NoValidData,
        Some(_) if facts.pending => State::Pending,
        Some(_) => State::Normal,
    }
}

/// What is known of a station beside its datastreams.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct StationFacts {
    /// The last word of its device is that it left.
    pub offline: bool,
    /// Its readings are refused because their times are too far ahead.
    pub clock_refused: bool,
    /// An alert about the absence of its data is open.
    pub no_data: bool,
}

/// The state of a station, from those of its datastreams: the worst open alert; else what keeps it from telling; else
/// what its values tell. One valid current value is enough for *normal*: the states of the others stand beside them.
#[must_use]
pub fn station_state(facts: &StationFacts, datastreams: impl IntoIterator<Item = State>) -> State {
    let states: Vec<State> = datastreams.into_iter().collect();
    let has = |wanted: State| states.contains(&wanted);
    if let Some(raised) = [State::Awas, State::Siaga, State::Waspada].into_iter().find(|level| has(*level)) {
        return raised;
    }
    let unheard = !has(State::Pending) && !has(State::Normal);
    match facts {
        StationFacts { offline: true, .. } => State::Offline,
        StationFacts { clock_refused: true, .. } if unheard => State::ClockAhead,
        _ if has(State::Pending) => State::Pending,
        StationFacts { no_data: true, .. } if unheard && !has(State::NoValidData) => State::NoData,
        _ if has(State::Normal) => State::Normal,
        _ if has(State::NoValidData) => State::NoValidData,
        _ if has(State::NoData) => State::NoData,
        _ if has(State::Late) => State::Late,
        _ => State::NeverReported,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: UtcMillis = UtcMillis::new(1_000);

    fn with(current_until: i64, flag: Flag) -> DatastreamFacts {
        let newest = Newest { current_until: UtcMillis::new(current_until), has_value: flag != Flag::Missing, flag };
        DatastreamFacts { newest: Some(newest), ..DatastreamFacts::default() }
    }

    #[test]
    fn a_value_that_failed_or_is_missing_is_never_normal_and_an_old_one_is_late() {
        for (facts, state) in [
            (with(1_000, Flag::Good), State::Normal),
            (with(1_000, Flag::Suspect), State::Normal),
            (with(1_000, Flag::NotEvaluated), State::Normal),
            (with(1_000, Flag::Fail), State::NoValidData),
            (with(1_000, Flag::Missing), State::NoValidData),
            (with(999, Flag::Good), State::Late),
            (DatastreamFacts::default(), State::NeverReported),
            (DatastreamFacts { pending: true, ..with(1_000, Flag::Good) }, State::Pending),
            (DatastreamFacts { no_data: true, ..with(999, Flag::Good) }, State::NoData),
            (DatastreamFacts { level: Level::Siaga, no_data: true, ..with(999, Flag::Fail) }, State::Siaga),
        ] {
            assert_eq!(datastream_state(&facts, NOW), state, "{facts:?}");
        }
    }

    #[test]
    fn a_station_says_its_worst_alert_else_what_keeps_it_from_telling_else_what_it_tells() {
        let facts = StationFacts::default();
        let offline = StationFacts { offline: true, ..facts };
        let clock = StationFacts { clock_refused: true, ..facts };
        let no_data = StationFacts { no_data: true, ..facts };
        for (facts, states, state) in [
            (offline, vec![State::Normal, State::Waspada, State::Siaga], State::Siaga),
            (offline, vec![State::Normal], State::Offline),
            (clock, vec![State::Late, State::NeverReported], State::ClockAhead),
            (clock, vec![State::Normal], State::Normal),
            (facts, vec![State::Normal, State::Pending], State::Pending),
            (facts, vec![State::NoValidData, State::Normal], State::Normal),
            (facts, vec![State::NoValidData, State::Late], State::NoValidData),
            (no_data, vec![State::NoValidData, State::Late], State::NoValidData),
            (no_data, vec![State::Late, State::Late], State::NoData),
            (no_data, vec![State::Normal], State::Normal),
            (facts, vec![State::Late, State::NeverReported], State::Late),
            (facts, vec![], State::NeverReported),
        ] {
            assert_eq!(station_state(&facts, states.clone()), state, "{facts:?} {states:?}");
        }
    }
}
