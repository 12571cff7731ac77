//! The answer with the present value of every datastream, written by hand and kept until something changes.

use std::{
    hash::{DefaultHasher, Hash as _, Hasher as _},
    io::Write as _,
    ops::Range,
    sync::Arc,
};

use bakau_answers as answers;
use bakau_ingest::{ClockAhead, LatestEntry};
use bakau_model::{DatastreamId, QualityTest, StationId};
use bakau_registry::Snapshot;
use bytes::Bytes;
use jiff::tz::TimeZone;
use parking_lot::Mutex;

use crate::{
    http::{answer, times::Times},
    read::rows::append_tested,
};

/// The answer as last built, and what it was built from.
#[derive(Debug, Default)]
pub(crate) struct LatestCache {
    built: Mutex<Option<Arc<Built>>>,
    skeleton: Mutex<Option<Arc<Skeleton>>>,
}

/// Present values and device clocks at a moment.
#[derive(Debug, PartialEq)]
pub(crate) struct Present {
    pub(crate) entries: Vec<LatestEntry>,
    pub(crate) clocks: Vec<(StationId, ClockAhead)>,
}

/// An answer with its entity tag.
#[derive(Debug)]
pub(crate) struct Built {
    revision: u64,
    present: Present,
    pub(crate) body: Bytes,
    pub(crate) etag: String,
}

impl LatestCache {
    /// The answer for these values: the one already built, unless something has changed.
    pub(crate) fn get(&self, snapshot: &Snapshot, present: Present) -> Arc<Built> {
        if let Some(built) = &*self.built.lock()
            && built.revision == snapshot.revision
            && built.present == present
        {
            return Arc::clone(built);
        }
        let body = self.body(snapshot, &present);
        let etag = etag_of(snapshot.revision, &present);
        let built = Arc::new(Built { revision: snapshot.revision, present, body, etag });
        *self.built.lock() = Some(Arc::clone(&built));
        built
    }

    /// An answer that is not kept.
    pub(crate) fn body(&self, snapshot: &Snapshot, present: &Present) -> Bytes {
        body(&self.skeleton(snapshot), present).into()
    }

    /// What answers repeat: what was written last, unless the registry has changed.
    fn skeleton(&self, snapshot: &Snapshot) -> Arc<Skeleton> {
        let mut kept = self.skeleton.lock();
        match &*kept {
            Some(skeleton) if skeleton.revision == snapshot.revision => Arc::clone(skeleton),
            Some(_) | None => Arc::clone(kept.insert(Arc::new(Skeleton::new(snapshot)))),
        }
    }
}

/// What each answer repeats until the registry changes.
#[derive(Debug)]
struct Skeleton {
    revision: u64,
    /// In order of number, as the present values are.
    rows: Vec<SkeletonRow>,
    text: Vec<u8>,
    zones: Vec<TimeZone>,
}

#[derive(Debug)]
struct SkeletonRow {
    datastream: DatastreamId,
    /// Where in `text` the beginning of its object is.
    start: Range<usize>,
    /// Which of `zones` its station is in.
    zone: usize,
    /// Whether its values are readings of a counter.
    counted: bool,
}

impl Skeleton {
    /// Names and keys need no escaping: their grammar has no character that JSON escapes.
    fn new(snapshot: &Snapshot) -> Self {
        let mut zones: Vec<&str> = Vec::new();
        let (mut rows, mut text) = (Vec::with_capacity(snapshot.datastreams.len()), Vec::new());
        for datastream in snapshot.datastreams.values() {
            let name = snapshot.zone_name(&datastream.station);
            let zone = zones.iter().position(|known| *known == name).unwrap_or_else(|| {
                zones.push(name);
                zones.len() - 1
            });
            let begin = text.len();
            // Writing to a Vec cannot fail; nor below.
            let _ = write!(
                text,
                "{{\"datastream\":\"{}\",\"station\":\"{}\",\"parameter\":\"{}\",\"unit\":",
                datastream.name, datastream.station, datastream.parameter
            );
            let _ = serde_json::to_writer(&mut text, datastream.unit.as_str());
            text.extend_from_slice(b",\"observed_at\":\"");
            let counted = datastream.counter().is_some();
            rows.push(SkeletonRow { datastream: datastream.number, start: begin..text.len(), zone, counted });
        }
        let zones = zones.into_iter().map(|name| TimeZone::get(name).unwrap_or(TimeZone::UTC)).collect();
        Self { revision: snapshot.revision, rows, text, zones }
    }
}

/// About the bytes of one datastream in the answer.
const ROW_BYTES: usize = 340;

/// Written by hand, because at 10,000 datastreams a tree of values costs more than the answer.
fn body(skeleton: &Skeleton, Present { entries, clocks }: &Present) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + ROW_BYTES * entries.len());
    let (mut observed, mut received) = (Times::utc(), Times::utc());
    let mut locals: Vec<Times> = skeleton.zones.iter().cloned().map(Times::local).collect();
    let mut rows = skeleton.rows.iter().peekable();
    // What stands first in each text of results, once for all; writing to a Vec cannot fail.
    out.extend_from_slice(b"{\"tests\":");
    let _ = serde_json::to_writer(&mut out, &QualityTest::ALL.map(QualityTest::key));
    out.extend_from_slice(b",\"latest\":[");
    let mut first = true;
    for LatestEntry { observation, tests, increment, .. } in entries {
        while rows.next_if(|row| row.datastream < observation.datastream).is_some() {}
        // A value of a datastream that is no longer registered.
        let Some(row) = rows.next_if(|row| row.datastream == observation.datastream) else { continue };
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        out.extend_from_slice(&skeleton.text[row.start.clone()]);
        observed.append(&mut out, observation.observed_at);
        out.extend_from_slice(b"\",\"observed_at_local\":\"");
        if let Some(local) = locals.get_mut(row.zone) {
            local.append(&mut out, observation.observed_at);
        }
        out.extend_from_slice(b"\",");
        append_tested(&mut out, observation, *tests, row.counted.then_some(*increment), &mut received);
        out.push(b'}');
    }
    out.extend_from_slice(b"],\"clocks_ahead\":");
    let clocks: Vec<answers::ClockAhead> = clocks.iter().map(|(station, clock)| tell(station, clock)).collect();
    let _ = serde_json::to_writer(&mut out, &clocks);
    out.push(b'}');
    out
}

fn tell(station: &StationId, clock: &ClockAhead) -> answers::ClockAhead {
    let ClockAhead { ahead_ms, since, refused } = *clock;
    answers::ClockAhead { station: station.clone(), ahead_s: (ahead_ms + 500) / 1_000, since: since.into(), refused }
}

/// Entity tag from the values instead of the answer: a fifth of the bytes at 10,000 datastreams.
fn etag_of(revision: u64, Present { entries, clocks }: &Present) -> String {
    let mut hasher = DefaultHasher::new();
    (env!("CARGO_PKG_VERSION"), revision, entries.len(), clocks).hash(&mut hasher);
    for LatestEntry { observation, tests, increment, .. } in entries {
        (
            observation.datastream,
            observation.observed_at,
            observation.value.map(f64::to_bits),
            increment.map(f64::to_bits),
            observation.flag,
            tests.code(),
            observation.time_source,
            observation.received_at,
        )
            .hash(&mut hasher);
    }
    answer::etag_from(hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;
    use bakau_answers::LatestList;
    use bakau_model::{
        DatastreamId, DeploymentId, Flag, Observation, Parameter, StationId, TestResults, TimeSource, Unit, UtcMillis,
    };
    use bakau_registry::Datastream;

    fn at(entries: Vec<LatestEntry>) -> Present {
        let clock = ClockAhead { ahead_ms: 240_500, since: UtcMillis::new(1_773_133_200_000), refused: false };
        Present { entries, clocks: vec![(StationId::new("station-1").unwrap(), clock)] }
    }

    fn many(count: u32) -> (Snapshot, Vec<LatestEntry>) {
        let mut snapshot = Snapshot::default();
        let mut entries = Vec::new();
        for number in 0..count {
            let id = DatastreamId::new(number);
            let datastream = Datastream {
                number: id,
                name: format!("station-{number}/do").parse().unwrap(),
                station: StationId::new(&format!("station-{number}")).unwrap(),
                parameter: Parameter::new("do").unwrap(),
                unit: Unit::new("\"odd\""),
                interval_ms: 60_000,
                vertical_datum: None,
                limits: bakau_model::QualityLimits::default(),
            };
            snapshot.datastreams.insert(id, Arc::new(datastream));
            let observed_at = UtcMillis::new(1_773_133_200_123 + i64::from(number));
            let observation = Observation {
                datastream: id,
                observed_at,
                value: (number % 3 != 0).then_some(f64::from(number) / 7.0),
                deployment: DeploymentId::new(0),
                time_source: TimeSource::Device,
                received_at: observed_at.saturating_add(250),
                flag: Flag::Good,
            };
            entries.push(LatestEntry {
                observation,
                tests: TestResults::NONE.with(QualityTest::Spike, Flag::Suspect),
                increment: None,
                previous_received_at: None,
            });
        }
        (snapshot, entries)
    }

    /// What is written, read as what it is and written again.
    fn read(snapshot: &Snapshot, entries: Vec<LatestEntry>) -> LatestList {
        let body = body(&Skeleton::new(snapshot), &at(entries));
        let list: LatestList = serde_json::from_slice(&body).unwrap();
        assert_eq!(serde_json::to_string(&list).unwrap(), String::from_utf8(body).unwrap());
        list
    }

    #[test]
    fn what_is_written_by_hand_is_read_as_its_type() {
        let (snapshot, entries) = many(10);
        let list = read(&snapshot, entries.clone());
        assert_eq!((list.tests[1], list.latest.len()), (QualityTest::Spike, 10));
        let rows = &list.latest;
        assert_eq!((rows[0].tested.measured.value, rows[0].unit.as_str()), (None, "\"odd\""));
        assert_eq!((rows[1].tested.measured.value, rows[1].tested.tests.as_str()), (Some(1.0 / 7.0), "232222"));
        assert_eq!(rows[1].observed_at.0.to_string(), "2026-03-10T09:00:00.124Z");
        assert_eq!(rows[1].observed_at_local, "2026-03-10T16:00:00.124+07:00");
        assert_eq!(rows[1].tested.reasons, [bakau_model::Reason::Spike]);
        let clock = &list.clocks_ahead[0];
        assert_eq!((clock.station.as_str(), clock.ahead_s, clock.refused), ("station-1", 241, false));
        assert!(read(&snapshot, Vec::new()).latest.is_empty());
        // One that is registered without a value, and one with a value that is registered no more.
        let mut fewer = snapshot;
        fewer.datastreams.remove(&DatastreamId::new(4));
        let list = read(&fewer, entries[1..].to_vec());
        let names: Vec<_> = list.latest.iter().map(|row| row.datastream.to_string()).collect();
        assert_eq!(names, [1, 2, 3, 5, 6, 7, 8, 9].map(|n| format!("station-{n}/do")));
    }

    #[test]
    fn an_answer_is_built_again_only_when_something_changed() {
        let (snapshot, mut entries) = many(3);
        let cache = LatestCache::default();
        let first = cache.get(&snapshot, at(entries.clone()));
        assert!(Arc::ptr_eq(&first, &cache.get(&snapshot, at(entries.clone()))));
        entries[1].observation.value = Some(9.0);
        let second = cache.get(&snapshot, at(entries.clone()));
        entries[1].tests = TestResults::NONE;
        let third = cache.get(&snapshot, at(entries));
        assert!(first.etag != second.etag && second.etag != third.etag);
    }
}
