//! `GET /api/v1/latest`: the present value of every datastream, from memory.

use axum::{
    extract::State,
    http::{HeaderMap, Uri},
    response::Response,
};

use crate::{
    http::{answer, error::ApiError, query::Params},
    read::latest::Present,
    state::AppState,
    v1::catalogue::known_station,
};

/// The present values of all datastreams, or of one station's with `?station=`.
pub(crate) async fn latest(State(state): State<AppState>, uri: Uri, headers: HeaderMap) -> Result<Response, ApiError> {
    let params = Params::parse(&uri, &["station"])?;
    let (snapshot, cache) = (state.snapshot(), &state.own.latest);
    let mut present = Present { entries: state.latest.snapshot(), clocks: state.latest.clocks() };
    if let Some(station) = params.station()? {
        known_station(&snapshot, &station)?;
        present.clocks.retain(|(id, _)| *id == station);
        present.entries.retain(|entry| {
            let datastream = snapshot.datastreams.get(&entry.observation.datastream);
            datastream.is_some_and(|datastream| datastream.station == station)
        });
        let body = cache.body(&snapshot, &present);
        return Ok(answer::conditional(&headers, &answer::etag(&body), || answer::json_bytes(body)));
    }
    let built = cache.get(&snapshot, present);
    Ok(answer::conditional(&headers, &built.etag, || answer::json_bytes(built.body.clone())))
}
