//! CSV downloads: RFC 4180, UTC times, decimal points, an empty cell for a missing value, no comment lines.

use std::{io, sync::Arc};

use bakau_model::UtcMillis;
use bakau_registry::Datastream;
use bakau_store::{RangeQuery, Store, StoredObservation};
use bytes::Bytes;
use futures::{Stream, stream};
use tokio::sync::OwnedSemaphorePermit;

use crate::{error::ApiError, query::Span, state::AppState};

/// Observations read from the store at a time: large enough to be cheap, small enough to be forgotten (1 MB of text).
const PAGE_ROWS: usize = 10_000;

const COLUMNS: [&str; 8] =
    ["datastream", "observed_at", "value", "unit", "flag", "time_source", "received_at", "revision"];

/// The first row.
pub(crate) fn header() -> Result<Vec<u8>, ApiError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let written = writer.write_record(COLUMNS);
    written.map_err(|error| ApiError::defect(error.to_string()))?;
    writer.into_inner().map_err(|error| ApiError::defect(error.to_string()))
}

/// Observations as rows.
pub(crate) fn rows(datastream: &Datastream, rows: &[StoredObservation]) -> Result<Vec<u8>, ApiError> {
    let (name, unit) = (harmless(datastream.name.as_str()), harmless(datastream.unit.as_str()));
    let mut writer = csv::Writer::from_writer(Vec::with_capacity(rows.len() * 100));
    for StoredObservation { observation, revision, .. } in rows {
        let record = [
            name.as_str(),
            &observation.observed_at.to_string(),
            &observation.value.map(|value| value.to_string()).unwrap_or_default(),
            unit.as_str(),
            &observation.flag.code().to_string(),
            observation.time_source.key(),
            &observation.received_at.to_string(),
            &revision.to_string(),
        ];
        writer.write_record(record).map_err(|error| ApiError::defect(error.to_string()))?;
    }
    writer.into_inner().map_err(|error| ApiError::defect(error.to_string()))
}

/// A text that no spreadsheet takes for a formula. Numbers are left alone: `-1.5` is a value.
pub(crate) fn harmless(text: &str) -> String {
    match text.chars().next() {
        Some('=' | '+' | '-' | '@' | '\t' | '\r') => format!("'{text}"),
        Some(_) | None => text.to_owned(),
    }
}

/// A download in progress.
pub(crate) struct CsvStream {
    store: Arc<dyn Store>,
    datastream: Datastream,
    query: RangeQuery,
    started: bool,
    ended: bool,
    /// Held as long as the client reads.
    _permit: OwnedSemaphorePermit,
}

impl CsvStream {
    /// The rows of `datastream` in `span`, behind `after`.
    pub(crate) fn new(
        state: &AppState,
        datastream: &Datastream,
        span: Span,
        after: Option<UtcMillis>,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        let query = RangeQuery {
            datastream: datastream.number,
            from: span.from,
            to: span.to,
            after,
            limit: PAGE_ROWS,
            newest_first: false,
        };
        let (store, datastream) = (Arc::clone(&state.store), datastream.clone());
        Self { store, datastream, query, started: false, ended: false, _permit: permit }
    }

    /// The chunks. A failure breaks the connection off, so that nobody takes half a file for a whole one.
    pub(crate) fn into_stream(self) -> impl Stream<Item = Result<Bytes, io::Error>> {
        stream::try_unfold(self, |mut this| async move {
            let chunk = this.next_chunk().await.map_err(|error| {
                tracing::warn!(datastream = %this.datastream.name, error = %error, "download broken off");
                error
            })?;
            Ok(chunk.map(|chunk| (chunk, this)))
        })
    }

    async fn next_chunk(&mut self) -> Result<Option<Bytes>, io::Error> {
        if self.ended {
            return Ok(None);
        }
        let found = self.store.observations(&self.query).await.map_err(io::Error::other)?;
        self.ended = found.len() < PAGE_ROWS;
        self.query.after = found.last().map(|last| last.observation.observed_at);
        let in_text = |error: ApiError| io::Error::other(error.cause().unwrap_or_default().to_owned());
        let mut chunk = if self.started { Vec::new() } else { header().map_err(in_text)? };
        self.started = true;
        chunk.extend_from_slice(&rows(&self.datastream, &found).map_err(in_text)?);
        Ok(Some(chunk.into()))
    }
}

#[cfg(test)]
mod tests {
    use bakau_model::{DatastreamId, DeploymentId, Flag, Observation, Parameter, StationId, TimeSource, Unit};

    use super::*;

    fn datastream(name: &str, unit: &str) -> Datastream {
        Datastream {
            number: DatastreamId::new(1),
            name: name.parse().unwrap(),
            station: StationId::new("s").unwrap(),
            parameter: Parameter::new("do").unwrap(),
            unit: Unit::new(unit),
            interval_ms: 60_000,
            vertical_datum: None,
            limits: bakau_model::QualityLimits::default(),
        }
    }

    fn stored(value: Option<f64>) -> StoredObservation {
        let at = UtcMillis::parse("2026-03-10T00:00:00Z").unwrap();
        let observation = Observation {
            datastream: DatastreamId::new(1),
            observed_at: at,
            value,
            deployment: DeploymentId::new(0),
            time_source: TimeSource::Device,
            received_at: at.saturating_add(1500),
            flag: if value.is_some() { Flag::NotEvaluated } else { Flag::Missing },
        };
        StoredObservation { observation, revision: 1, tests: bakau_model::TestResults::NONE }
    }

    #[test]
    fn a_missing_value_is_an_empty_cell_and_a_negative_one_stays_a_number() {
        let text = rows(&datastream("a/do", "mg/L"), &[stored(None), stored(Some(-1.5))]).unwrap();
        assert_eq!(
            String::from_utf8(text).unwrap(),
            "a/do,2026-03-10T00:00:00Z,,mg/L,9,device,2026-03-10T00:00:01.5Z,1\n\
             a/do,2026-03-10T00:00:00Z,-1.5,mg/L,2,device,2026-03-10T00:00:01.5Z,1\n"
        );
    }

    #[test]
    fn no_cell_starts_a_formula() {
        let text = rows(&datastream("-a/do", "=1+1"), &[stored(Some(1.0))]).unwrap();
        assert!(String::from_utf8(text).unwrap().starts_with("'-a/do,2026-03-10T00:00:00Z,1,'=1+1,"));
    }
}
