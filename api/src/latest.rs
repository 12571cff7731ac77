//! `GET /api/v1/latest`: the present value of every datastream, from memory.

use std::{io::Write as _, sync::Arc};

use axum::{
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
};
use bakau_ingest::LatestEntry;
use bakau_registry::Snapshot;
use bytes::Bytes;
use parking_lot::Mutex;

use crate::{answer, error::ApiError, query::Params, state::AppState};

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
        let etag = answer::etag(&body);
        let built = Arc::new(Built { revision: snapshot.revision, entries, body, etag });
        *self.0.lock() = Some(Arc::clone(&built));
        built
    }
}

/// Bytes of one datastream in the answer, about.
const ROW_BYTES: usize = 256;

/// Written by hand, because at 10,000 datastreams a tree of values costs more than the answer. Names, units and keys
/// need no escaping: their grammar has no character that JSON escapes, and units are escaped where they are read.
fn body(snapshot: &Snapshot, entries: &[LatestEntry]) -> Vec<u8> {
    let mut out = Vec::with_capacity(64 + ROW_BYTES * entries.len());
    out.extend_from_slice(b"{\"latest\":[");
    let mut first = true;
    for entry in entries {
        let observation = &entry.observation;
        let Some(datastream) = snapshot.datastreams.get(&observation.datastream) else { continue };
        if !std::mem::take(&mut first) {
            out.push(b',');
        }
        // Writing to a Vec cannot fail.
        let _ = write!(
            out,
            "{{\"datastream\":\"{}\",\"station\":\"{}\",\"parameter\":\"{}\",\"unit\":",
            datastream.name, datastream.station, datastream.parameter
        );
        let _ = serde_json::to_writer(&mut out, datastream.unit.as_str());
        let _ = write!(out, ",\"observed_at\":\"{}\",\"value\":", observation.observed_at);
        let _ = serde_json::to_writer(&mut out, &observation.value);
        let _ = write!(
            out,
            ",\"flag\":{},\"time_source\":\"{}\",\"received_at\":\"{}\"}}",
            observation.flag.code(),
            observation.time_source.key(),
            observation.received_at
        );
    }
    out.extend_from_slice(b"]}");
    out
}
