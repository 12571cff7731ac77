//! Levels of no data: how long nothing has come, and what that means. Pure.
//!
//! There is no hysteresis: one sign of life ends it. Levels only rise until then.

use bakau_model::{Level, UtcMillis};
use bakau_registry::Rule;
use serde::{Deserialize, Serialize};

use super::Subject;

/// After how many milliseconds without a sign of life each of [`Level::RAISED`] holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(crate) struct After([Option<i64>; 3]);

impl After {
    /// The deadlines of a rule; none of them where it is about thresholds.
    #[must_use]
    pub(crate) fn of(rule: &Rule) -> Self {
        let after_s = rule.condition.after_s().copied().unwrap_or_default();
        Self(Level::RAISED.map(|level| after_s.get(level).map(|seconds| i64::from(*seconds) * 1000)))
    }

    /// The deadline of a level.
    #[must_use]
    pub(crate) fn of_level(&self, level: Level) -> Option<i64> {
        self.levels().find(|(of, _)| *of == level).map(|(_, after)| after)
    }

    /// The highest level whose deadline is over.
    #[must_use]
    pub(crate) fn level(&self, passed_ms: i64) -> Level {
        self.levels().filter(|(_, after)| *after <= passed_ms).map(|(level, _)| level).last().unwrap_or_default()
    }

    /// The lowest level there is.
    #[must_use]
    pub(crate) fn first(&self) -> Level {
        self.levels().map(|(level, _)| level).next().unwrap_or_default()
    }

    /// The next deadline above a level.
    #[must_use]
    pub(crate) fn next(&self, level: Level) -> Option<i64> {
        self.levels().filter(|(of, _)| level < *of).map(|(_, after)| after).min()
    }

    fn levels(&self) -> impl Iterator<Item = (Level, i64)> + use<> {
        Level::RAISED.into_iter().zip(self.0).filter_map(|(level, after)| Some((level, after?)))
    }
}

/// The signs of life of a subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Heard {
    /// When the last one was received; none where there never was one.
    pub(crate) last: Option<UtcMillis>,
    /// Since when a station is known to be offline, or a source to be down.
    pub(crate) offline_since: Option<UtcMillis>,
}

/// State of one rule about time without signs of life, on one subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct NoData {
    /// The deadlines it has been run with.
    pub(crate) after: After,
    /// Since when this rule, with these deadlines, expects signs of life. Nothing older counts against the subject.
    pub(crate) from: UtcMillis,
    /// The level now.
    pub(crate) level: Level,
    /// The worst level since the onset.
    pub(crate) peak: Level,
    /// When it last began; no two episodes of a subject have the same onset.
    pub(crate) onset: Option<UtcMillis>,
}

impl NoData {
    /// Nothing has been missed yet.
    #[must_use]
    pub(crate) const fn new(after: After, from: UtcMillis) -> Self {
        Self { after, from, level: Level::Normal, peak: Level::Normal, onset: None }
    }

    /// From when deadlines are counted; none where nothing is expected. `not_before` is the start of the program, or the
    /// return of the station of a datastream.
    #[must_use]
    pub(crate) fn counted_from(&self, subject: &Subject, heard: &Heard, not_before: UtcMillis) -> Option<UtcMillis> {
        let since = match subject {
            Subject::Source(_) | Subject::Store => heard.offline_since?,
            Subject::Datastream(_) | Subject::Station(_) => heard.last.unwrap_or(self.from),
        };
        Some(since.max(self.from).max(not_before))
    }

    /// The level that holds after so long without data: never below that of now, and at once the lowest for a station that
    /// is known to be offline.
    #[must_use]
    pub(crate) fn due(&self, subject: &Subject, heard: &Heard, passed_ms: i64) -> Level {
        let said = match subject {
            Subject::Station(_) if heard.offline_since.is_some() => self.after.first(),
            Subject::Station(_) | Subject::Datastream(_) | Subject::Source(_) | Subject::Store => Level::Normal,
        };
        self.after.level(passed_ms).max(said).max(self.level)
    }

    /// Takes a higher level; gives the level before.
    pub(crate) fn raise(&mut self, level: Level, heard: &Heard) -> Level {
        let from = std::mem::replace(&mut self.level, level);
        if from == Level::Normal {
            let began = heard.offline_since.or(heard.last).unwrap_or(self.from).max(self.from);
            self.onset = Some(self.onset.map_or(began, |before| began.max(before.saturating_add(1))));
            self.peak = Level::Normal;
        }
        self.peak = self.peak.max(level);
        from
    }

    /// Ends it; gives the level before.
    pub(crate) const fn end(&mut self) -> Level {
        std::mem::replace(&mut self.level, Level::Normal)
    }
}
