//! Verdicts for readings of a counter that come late, correct others, or are the first since a start.
//!
//! How far a reading matters is a question of readings, not of time: from the last plain step before it to the first one
//! behind it ([`LookBack`], [`LookAhead`]), nearly always three readings on each side.

use bakau_model::{DatastreamId, HOUR_MS, QualityLimits, TestResults, UtcMillis};
use bakau_quality::{Judgement, LookAhead, LookBack, Revision, Sample, Stream};
use bakau_store::{RangeQuery, Store, StoreError, StoredObservation, Verdict};

use super::{Fresh, MAX_AROUND, Track, crowded};

/// Readings asked for first; each further question asks for so many times as many.
const FIRST_PAGE: usize = 8;
const PAGES_GROW: usize = 4;

/// New readings closer than this are judged in one go, whatever lies between.
const RUN_GAP_MS: i64 = HOUR_MS;

/// Judges new readings of one counter among the stored ones.
pub(super) struct Counting<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) limits: &'a QualityLimits,
    pub(super) datastream: DatastreamId,
}

/// State of a reading.
#[derive(Debug, Clone, Copy, PartialEq)]
struct Said {
    tests: TestResults,
    increment: Option<f64>,
}

/// A reading among those judged again.
#[derive(Debug, Clone, Copy)]
struct Taken {
    reading: Sample,
    /// The stored reading; `None` for a reading of the group.
    held: Option<Said>,
}

/// Readings from the last plain step on, oldest first.
#[derive(Debug, Default)]
struct Before {
    readings: Vec<Taken>,
    /// What is said of those up to here stays as it is.
    settled: Option<UtcMillis>,
}

impl Counting<'_> {
    /// Adds the verdicts of new readings, by their instants, and of stored ones that they change.
    pub(super) async fn judge(
        &self,
        track: &mut Track,
        values: &[(DatastreamId, Fresh)],
        out: &mut Vec<Verdict>,
    ) -> Result<(), StoreError> {
        let kept = track.state.take().filter(|(of, _)| of == self.limits);
        // Where a run ends before the newest reading, the state behind that one is what it was.
        track.state = kept;
        let mut rest = values;
        while let Some((_, first)) = rest.first() {
            let mut run = Run::after(self.before(first.at).await?, self.limits);
            rest = self.forwards(&mut run, rest).await?;
            if let Some(end) = run.end {
                track.state = end.map(|stream| (*self.limits, stream));
            }
            run.tell(self.datastream, out);
        }
        Ok(())
    }

    /// The readings that matter before an instant.
    async fn before(&self, at: UtcMillis) -> Result<Before, StoreError> {
        let Some(mut window) = LookBack::of(self.limits) else { return Ok(Before::default()) };
        let (mut limit, mut newest_first) = (FIRST_PAGE, Vec::new());
        let mut query = self.query(UtcMillis::new(i64::MIN), at, true);
        while newest_first.len() < MAX_AROUND {
            query.limit = limit;
            let page = self.store.observations(&query).await?;
            for row in &page {
                let stored = Taken::stored(row);
                newest_first.push(stored);
                let settled = window.closed_by(stored.reading);
                if settled.is_some() {
                    newest_first.reverse();
                    return Ok(Before { readings: newest_first, settled });
                }
            }
            if page.len() < limit {
                newest_first.reverse();
                return Ok(Before { readings: newest_first, settled: None });
            }
            (query.after, limit) = (page.last().map(|row| row.observation.observed_at), limit * PAGES_GROW);
        }
        newest_first.reverse();
        let settled = newest_first.last().map(|taken| taken.reading.at);
        Ok(Before { readings: newest_first, settled })
    }

    /// Judges on from the first of `fresh` until nothing that follows can have changed; gives the rest of `fresh`.
    async fn forwards<'f>(
        &self,
        run: &mut Run<'_>,
        mut fresh: &'f [(DatastreamId, Fresh)],
    ) -> Result<&'f [(DatastreamId, Fresh)], StoreError> {
        let Some((_, first)) = fresh.first() else { return Ok(fresh) };
        let (mut limit, mut read) = (FIRST_PAGE, 0);
        let mut query = self.query(first.at, UtcMillis::new(i64::MAX), false);
        loop {
            query.limit = limit;
            let page = self.store.observations(&query).await?;
            let is_last = page.len() < limit;
            let through = page.last().map(|row| row.observation.observed_at).filter(|_| !is_last);
            for row in &page {
                let stored = Taken::stored(row);
                let Sample { at, value, .. } = stored.reading;
                while let Some(&(_, new)) = fresh.first().filter(|(_, new)| new.at < at) {
                    run.take(Taken::fresh(new));
                    fresh = &fresh[1..];
                }
                match fresh.first().filter(|(_, new)| new.at == at) {
                    Some(&(_, new)) if new.is_news(value) => {
                        run.take(Taken::fresh(new));
                        fresh = &fresh[1..];
                    }
                    // What is known already changes nothing, and the store keeps the one that came first.
                    same => {
                        fresh = &fresh[usize::from(same.is_some())..];
                        run.take(stored);
                    }
                }
                if run.closed.is_some() && fresh.first().is_none_or(|(_, next)| RUN_GAP_MS < next.at.since(at)) {
                    return Ok(fresh);
                }
            }
            read += page.len();
            let crowd = MAX_AROUND <= read;
            if crowd {
                crowded(self.datastream, first.at, query.to);
            }
            if is_last || crowd {
                fresh.iter().for_each(|&(_, new)| run.take(Taken::fresh(new)));
                run.end = Some((!crowd).then_some(run.stream));
                return Ok(&[]);
            }
            (query.after, limit) = (through, (limit * PAGES_GROW).min(MAX_AROUND));
        }
    }

    fn query(&self, from: UtcMillis, to: UtcMillis, newest_first: bool) -> RangeQuery {
        RangeQuery { datastream: self.datastream, from, to, after: None, limit: FIRST_PAGE, newest_first }
    }
}

impl Taken {
    fn stored(row: &StoredObservation) -> Self {
        let held = Some(Said { tests: row.tests, increment: row.increment });
        Self { reading: Sample::from(&row.observation), held }
    }

    const fn fresh(Fresh { at, value, received_at, .. }: Fresh) -> Self {
        Self { reading: Sample { at, value, received_at }, held: None }
    }
}

/// Readings judged one after the other.
struct Run<'a> {
    limits: &'a QualityLimits,
    stream: Stream,
    judged: Vec<(Taken, Said)>,
    settled: Option<UtcMillis>,
    /// Looks for the plain step behind the last new reading.
    window: Option<LookAhead<'a>>,
    /// The instant behind which nothing is new.
    closed: Option<UtcMillis>,
    /// The state behind everything, once that is reached; nothing where it cannot be known.
    end: Option<Option<Stream>>,
}

impl<'a> Run<'a> {
    fn after(Before { readings, settled }: Before, limits: &'a QualityLimits) -> Self {
        let mut run = Self {
            limits,
            stream: Stream::new(),
            judged: Vec::with_capacity(readings.len() + 2 * FIRST_PAGE),
            settled,
            window: LookAhead::of(limits),
            closed: None,
            end: None,
        };
        readings.into_iter().for_each(|reading| run.take(reading));
        run
    }

    fn take(&mut self, taken: Taken) {
        let Taken { reading, held } = taken;
        let Judgement { results, increment, revises } = self.stream.judge(self.limits, reading);
        if let Some(Revision { at, results, increment }) = revises
            && let Ok(place) = self.judged.binary_search_by_key(&at, |(taken, _)| taken.reading.at)
        {
            self.judged[place].1 = Said { tests: results, increment };
        }
        self.judged.push((taken, Said { tests: results, increment }));
        let is_new = held.is_none();
        let closed = self.window.as_mut().and_then(|window| window.closed_by(reading, is_new));
        // What was read beyond it for the sake of the next new reading is not judged to its end.
        self.closed = if is_new { None } else { self.closed.or(closed) };
    }

    /// The verdicts that are new.
    fn tell(&self, datastream: DatastreamId, out: &mut Vec<Verdict>) {
        let new = self.judged.iter().filter(|(taken, _)| taken.held.is_none());
        let newest = new.map(|(taken, _)| taken.reading.received_at).max();
        let is_open = |Sample { at, value, .. }: Sample| {
            value.is_some()
                && self.settled.is_none_or(|settled| settled < at)
                && self.closed.is_none_or(|closed| at <= closed)
        };
        for (Taken { reading, held }, said) in &self.judged {
            if is_open(*reading) && *held != Some(*said) {
                let Said { tests, increment } = *said;
                let recorded_at = newest.filter(|_| held.is_some()).unwrap_or(reading.received_at);
                out.push(Verdict { datastream, observed_at: reading.at, tests, increment, recorded_at });
            }
        }
    }
}
