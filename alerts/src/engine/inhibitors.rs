//! Sources whose alerts inhibit those of the stations behind them: while one is down nothing of these can arrive, which
//! is told once, for the source.
//!
//! Only a source that a rule watches counts, because otherwise nobody would be told at all. What was heard last decides
//! which source that is.

use bakau_model::{MINUTE_MS, SourceName, UtcMillis};

use super::{After, Heard, Origin};

/// A last will counts after this long: a broker that is stopped says in the name of all of its stations that they are
/// gone, a moment before it is gone itself.
const BELIEVED_AFTER_MS: i64 = 5_000;
/// A last will that waited in a broker counts this long after it is back, because its stations come back as well.
const SETTLES_MS: i64 = MINUTE_MS;

/// Every source that anything was heard through.
#[derive(Debug, Clone, Default)]
pub(super) struct Inhibitors {
    sources: Vec<Source>,
}

#[derive(Debug, Clone)]
struct Source {
    name: SourceName,
    watch: Watch,
}

/// What is known of a source that a rule watches; nothing of any other.
#[derive(Debug, Clone, Copy, Default)]
struct Watch {
    is_watched: bool,
    is_down: bool,
    /// When it was last connected again.
    up_since: Option<UtcMillis>,
    /// When it came back after people had been told that it was down.
    returned: Option<UtcMillis>,
}

impl Inhibitors {
    /// The number of a source; none beyond what a number can hold.
    pub(super) fn origin(&mut self, name: &SourceName) -> Option<Origin> {
        let place = self.sources.iter().position(|source| source.name == *name).unwrap_or_else(|| {
            self.sources.push(Source { name: name.clone(), watch: Watch::default() });
            self.sources.len() - 1
        });
        u16::try_from(place).ok().map(Origin)
    }

    /// The source with a number.
    pub(super) fn name(&self, origin: Origin) -> Option<&SourceName> {
        self.sources.get(usize::from(origin.0)).map(|source| &source.name)
    }

    /// No source is watched until it is said so again; what is known of them stays.
    pub(super) fn unwatch(&mut self) {
        self.sources.iter_mut().for_each(|source| source.watch.is_watched = false);
    }

    /// A rule watches the source.
    pub(super) fn watch(&mut self, name: &SourceName, heard: Heard) {
        if let Some(watch) = self.watch_of(name) {
            (watch.is_watched, watch.is_down) = (true, heard.offline_since.is_some());
        }
    }

    /// The source has lost its connection.
    pub(super) fn lost(&mut self, name: &SourceName) {
        if let Some(watch) = self.watch_of(name) {
            watch.is_down = true;
        }
    }

    /// The source is connected again; whether people had been told that it was not.
    pub(super) fn found(&mut self, name: &SourceName, now: UtcMillis, was_told: bool) {
        if let Some(watch) = self.watch_of(name) {
            (watch.is_down, watch.up_since) = (false, Some(now));
            if was_told {
                watch.returned = Some(now);
            }
        }
    }

    /// Whether nothing can arrive because the source is down.
    pub(super) fn is_cut_off(&self, origin: Option<Origin>) -> bool {
        self.watched(origin).is_some_and(|watch| watch.is_down)
    }

    /// Deadlines count from here at the earliest: whoever was told of the source hears of a station behind it only when
    /// that had its whole deadline to come back.
    pub(super) fn not_before(&self, origin: Option<Origin>) -> Option<UtcMillis> {
        self.watched(origin)?.returned
    }

    /// From when a station's word, or its broker's, that it is offline counts.
    pub(super) fn believed_from(&self, origin: Option<Origin>, said: UtcMillis, after: &After) -> UtcMillis {
        let Some(watch) = self.watched(origin) else { return said };
        let settled = watch.up_since.map(|at| at.saturating_add(SETTLES_MS));
        let come_back = watch.returned.map(|at| at.saturating_add(after.of_level(after.first()).unwrap_or(0)));
        let held = Some(said.saturating_add(BELIEVED_AFTER_MS));
        [held, settled, come_back].into_iter().flatten().max().unwrap_or(said)
    }

    fn watched(&self, origin: Option<Origin>) -> Option<Watch> {
        let source = self.sources.get(usize::from(origin?.0))?;
        Some(source.watch).filter(|watch| watch.is_watched)
    }

    fn watch_of(&mut self, name: &SourceName) -> Option<&mut Watch> {
        let origin = self.origin(name)?;
        self.sources.get_mut(usize::from(origin.0)).map(|source| &mut source.watch)
    }
}
