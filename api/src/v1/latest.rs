//! `GET /api/v1/latest`: the present value of every datastream, from memory.

use crate::{
    http::{
        answer,
        call::{Answered, Call},
    },
    read::latest::Present,
    v1::catalogue::known_station,
};

/// The present values of all datastreams, or of one station's with `?station=`.
pub(crate) async fn latest(call: Call) -> Answered {
    let (params, state) = (call.params(&["station"])?, &call.state);
    let (snapshot, cache) = (state.snapshot(), &state.own.latest);
    let mut present = Present { entries: state.latest.snapshot(), clocks: state.latest.clocks() };
    if let Some(station) = params.station()? {
        known_station(&snapshot, &station)?;
        present.clocks.retain(|(id, _)| *id == station);
        present.entries.retain(|entry| {
            let datastream = snapshot.datastreams.get(&entry.observation.datastream);
            datastream.is_some_and(|datastream| datastream.station == station)
        });
        return Ok(call.tagged(cache.body(&snapshot, &present), answer::json_bytes));
    }
    let built = cache.get(&snapshot, present);
    Ok(answer::conditional(&call.headers, &built.etag, || answer::json_bytes(built.body.clone())))
}
