//! `GET /api/v1/latest`: the present value of every datastream, from memory.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash as _, Hasher as _},
    sync::Arc,
};

use axum::{
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
};
use bakau_ingest::LatestEntry;
use bakau_registry::Snapshot;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::{answer, catalogue, error::ApiError, query::Params, state::AppState, times::Times};

/// The answer as last built, and what it was built from.
#[derive(Debug, Default)]
pub(crate) struct LatestCache(Mutex<Option<Arc<Built>>>);

#[derive(Debug)]
struct Built {
    revision: u64,
    entries: Vec<LatestEntry>,
    body: Bytes,
    etag: String,
}

/// The present values of all datastreams, or of one station's with `?station=`.
pub(crate) async fn latest(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    let params = Params::parse(&uri, &["station"])?;
    let snapshot = state.snapshot();
    let mut entries = state.latest.snapshot();
    if let Some(station) = params.station()? {
        crate::catalogue::known_station(&snapshot, &station)?;
        entries.retain(|entry| {
            let datastream = snapshot.datastreams.get(&entry.observation.datastream);
            datastream.is_some_and(|datastream| datastream.station == station)
        });
        let body = Bytes::from(body(&snapshot, &entries));
        let etag = answer::etag(&body);
        return Ok(answer::conditional(&headers, &etag, || answer::json_bytes(body)));
    }
    let built = state.own.latest_cache.get(&snapshot, entries);
    Ok(answer::conditional(&headers, &built.etag, || answer::json_bytes(built.body.clone())))
}

impl LatestCache {
    /// The answer for these values: the one already built, unless something has changed.
    fn get(&self, snapshot: &Snapshot, entries: Vec<LatestEntry>) -> Arc<Built> {
        if let Some(built) = &*self.0.lock()
            && built.revision == snapshot.revision
            && built.entries == entries
        {
            return Arc::clone(built);
        }
        let body = Bytes::from(body(snapshot, &entries));
        let etag = etag_of(snapshot.revision, &entries);
        let built = Arc::new(Built { revision: snapshot.revision, entries, body, etag });
        *self.0.lock() = Some(Arc::clone(&built));
        built
    }
}

/// Bytes of one datastream in the answer, about.
const ROW_BYTES: usize = 320;

/// Written by hand, because at 10,000 datastreams a tree of values costs more than the answer. Names and keys need no
/// escaping: their grammar has no character that JSON escapes.
fn body(snapshot: &Snapshot, entries: &[LatestEntry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + ROW_BYTES * entries.len());
    let (mut observed, mut received) = (Times::utc(), Times::utc());
    let mut locals: HashMap<&str, Times> = HashMap::new();
    out.extend_from_slice(b"{\"latest\":[");
    let mut first = true;
    for entry in entries {
        let observation = &entry.observation;
        let Some(datastream) = snapshot.datastreams.get(&observation.datastream) else { continue };
        let zone = catalogue::zone_name(snapshot, &datastream.station);
        let local = locals.entry(zone).or_insert_with(|| Times::local(catalogue::zone(snapshot, &datastream.station)));
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        for (name, text) in [
            ("{\"datastream\":\"", datastream.name.as_str()),
            ("\",\"station\":\"", datastream.station.as_str()),
            ("\",\"parameter\":\"", datastream.parameter.as_str()),
        ] {
            out.extend_from_slice(name.as_bytes());
            out.extend_from_slice(text.as_bytes());
        }
        out.extend_from_slice(b"\",\"unit\":");
        // Writing to a Vec cannot fail; a number that is not finite becomes null.
        let _ = serde_json::to_writer(&mut out, datastream.unit.as_str());
        out.extend_from_slice(b",\"observed_at\":\"");
        observed.append(&mut out, observation.observed_at);
        out.extend_from_slice(b"\",\"observed_at_local\":\"");
        local.append(&mut out, observation.observed_at);
        out.extend_from_slice(b"\",\"value\":");
        let _ = serde_json::to_writer(&mut out, &observation.value);
        out.extend_from_slice(b",\"flag\":");
        out.push(b'0' + observation.flag.code() % 10);
        out.extend_from_slice(b",\"time_source\":\"");
        out.extend_from_slice(observation.time_source.key().as_bytes());
        out.extend_from_slice(b"\",\"received_at\":\"");
        received.append(&mut out, observation.received_at);
        out.extend_from_slice(b"\"}");
    }
    out.extend_from_slice(b"]}");
    out
}

/// A tag of what the answer is made from: at 10,000 datastreams that is a fifth of its bytes.
fn etag_of(revision: u64, entries: &[LatestEntry]) -> String {
    let mut hasher = DefaultHasher::new();
    (env!("CARGO_PKG_VERSION"), revision, entries.len()).hash(&mut hasher);
    for LatestEntry { observation, .. } in entries {
        (
            observation.datastream,
            observation.observed_at,
            observation.value.map(f64::to_bits),
            observation.flag,
            observation.time_source,
            observation.received_at,
        )
            .hash(&mut hasher);
    }
    answer::etag_from(hasher.finish())
}

#[cfg(test)]
mod tests {
    use bakau_model::{
        DatastreamId, DeploymentId, Flag, Observation, Parameter, StationId, TimeSource, Unit, UtcMillis,
    };
    use bakau_registry::Datastream;
    use serde_json::Value;

    use super::*;

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
            entries.push(LatestEntry { observation, previous_received_at: None });
        }
        (snapshot, entries)
    }

    #[test]
    fn what_is_written_by_hand_is_json() {
        let (snapshot, entries) = many(10);
        let value: Value = serde_json::from_slice(&body(&snapshot, &entries)).unwrap();
        let rows = value["latest"].as_array().unwrap();
        assert_eq!(rows.len(), 10);
        assert_eq!((&rows[0]["value"], &rows[0]["unit"]), (&Value::Null, &"\"odd\"".into()));
        assert_eq!(rows[1]["value"], 1.0 / 7.0);
        assert_eq!(rows[1]["observed_at"], "2026-03-10T09:00:00.124Z");
        assert_eq!(rows[1]["observed_at_local"], "2026-03-10T16:00:00.124+07:00");
        assert_eq!(body(&snapshot, &[]), b"{\"latest\":[]}");
    }

    #[test]
    fn an_answer_is_built_again_only_when_something_changed() {
        let (snapshot, mut entries) = many(3);
        let cache = LatestCache::default();
        let first = cache.get(&snapshot, entries.clone());
        assert!(Arc::ptr_eq(&first, &cache.get(&snapshot, entries.clone())));
        entries[1].observation.value = Some(9.0);
        let second = cache.get(&snapshot, entries);
        assert_ne!(first.etag, second.etag);
    }
}
