//! Stations whose clock is ahead, by how much and since when: from the readings that arrive and from those that are refused
//! because they lie too far in the future.

use bakau_model::{MINUTE_MS, UtcMillis};
use bakau_quality::clock_ahead_ms;

/// A clock counts as ahead until a reading says otherwise that comes at least so long after the last one ahead: two
/// devices of a station may disagree, and a message holds several readings.
const HOLD_MS: i64 = 10 * MINUTE_MS;

/// A device's clock that is ahead of ours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct ClockAhead {
    /// By how many milliseconds, as the newest reading says.
    pub ahead_ms: i64,
    /// When the first reading of this kind in a row was received.
    pub since: UtcMillis,
    /// Whether it is so far ahead that every reading is refused.
    pub refused: bool,
}

/// Readings ahead, one after the other.
#[derive(Debug, Clone, Copy)]
struct Run {
    since: UtcMillis,
    last: UtcMillis,
    ahead_ms: i64,
}

impl Run {
    fn extended(run: Option<Self>, received_at: UtcMillis, ahead_ms: i64) -> Self {
        let Some(run) = run else { return Self { since: received_at, last: received_at, ahead_ms } };
        let ahead_ms = match run.last.cmp(&received_at) {
            std::cmp::Ordering::Less => ahead_ms,
            // The newest reading of a message says most.
            std::cmp::Ordering::Equal => run.ahead_ms.max(ahead_ms),
            std::cmp::Ordering::Greater => run.ahead_ms,
        };
        Self { since: run.since.min(received_at), last: run.last.max(received_at), ahead_ms }
    }
}

/// State of the clock at one station.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct StationClock {
    accepted: Option<Run>,
    refused: Option<Run>,
    /// When the last reading was received that was not ahead.
    right: Option<UtcMillis>,
}

impl StationClock {
    /// Takes a reading that was accepted, with a time that its device or network said.
    pub(super) fn note(&mut self, observed_at: UtcMillis, received_at: UtcMillis) {
        if let Some(ahead_ms) = clock_ahead_ms(observed_at, received_at) {
            self.accepted = Some(Run::extended(self.accepted, received_at, ahead_ms));
            return;
        }
        self.accepted = self.accepted.filter(|run| received_at < run.last.saturating_add(HOLD_MS));
        // One that is accepted shows that not every one is refused.
        self.refused = self.refused.filter(|run| received_at < run.last);
        self.right = self.right.max(Some(received_at));
    }

    /// Takes a reading that was refused because it lies too far in the future.
    pub(super) fn refuse(&mut self, observed_at: UtcMillis, received_at: UtcMillis) {
        if self.right < Some(received_at) {
            let ahead_ms = observed_at.since(received_at).max(0);
            self.refused = Some(Run::extended(self.refused, received_at, ahead_ms));
        }
    }

    /// Whether the clock is ahead.
    pub(super) fn ahead(&self) -> Option<ClockAhead> {
        let told = |run: Run, refused| ClockAhead { ahead_ms: run.ahead_ms, since: run.since, refused };
        match (self.accepted, self.refused) {
            (Some(accepted), Some(refused)) if accepted.last < refused.last => Some(told(refused, true)),
            (Some(accepted), _) => Some(told(accepted, false)),
            (None, refused) => refused.map(|run| told(run, true)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: i64 = 60_000;

    fn at(minute: i64) -> UtcMillis {
        UtcMillis::new(minute * MINUTE)
    }

    #[test]
    fn a_clock_is_ahead_since_its_first_reading_until_one_is_right_ten_minutes_after_the_last() {
        let mut clock = StationClock::default();
        clock.note(at(0), at(0));
        assert_eq!(clock.ahead(), None);
        clock.note(at(14), at(10));
        clock.note(at(20), at(15));
        assert_eq!(clock.ahead(), Some(ClockAhead { ahead_ms: 5 * MINUTE, since: at(10), refused: false }));
        clock.note(at(16), at(16));
        assert!(clock.ahead().is_some(), "another device of the station may be right");
        clock.note(at(25), at(25));
        assert_eq!(clock.ahead(), None);
        clock.note(at(34), at(30));
        assert_eq!(clock.ahead().map(|ahead| ahead.since), Some(at(30)), "again, from here");
    }

    #[test]
    fn a_clock_whose_every_reading_is_refused_is_told_until_one_is_accepted() {
        let mut clock = StationClock::default();
        clock.note(at(0), at(0));
        clock.refuse(at(60), at(5));
        clock.refuse(at(65), at(10));
        assert_eq!(clock.ahead(), Some(ClockAhead { ahead_ms: 55 * MINUTE, since: at(5), refused: true }));
        clock.note(at(11), at(11));
        assert_eq!(clock.ahead(), None);
        clock.refuse(at(90), at(11));
        assert_eq!(clock.ahead(), None, "a wrong row in a message with right ones");
        clock.note(at(15), at(12));
        clock.refuse(at(90), at(13));
        assert_eq!(clock.ahead().map(|ahead| ahead.refused), Some(true), "it ran away");
    }
}
