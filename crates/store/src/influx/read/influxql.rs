//! Range queries of one series in InfluxQL, which joins the fields and reads backwards without sorting.

use super::{
    super::{
        http::{
            Server,
            answer::{Next, decide},
            mapping, unavailable,
        },
        point::{INSTANTS, MEASUREMENT, Wanted},
    },
    msgpack::{Answer, Broken, Row},
};
use crate::{Hold, StoreError, StoreErrorKind, StoredObservation};

/// Rows the server puts together at a time.
const CHUNK_ROWS: usize = 10_000;

/// A part of one series; both ends inclusive.
#[derive(Debug, Clone)]
pub(crate) struct SeriesRange {
    pub(crate) station: String,
    pub(crate) parameter: String,
    pub(crate) first: i64,
    pub(crate) last: i64,
    pub(crate) newest_first: bool,
    pub(crate) limit: usize,
}

impl SeriesRange {
    fn text<T: Wanted>(&self) -> String {
        let quote = |text: &str| format!("'{}'", text.replace('\\', "\\\\").replace('\'', "\\'"));
        let order = if self.newest_first { "DESC" } else { "ASC" };
        format!(
            "{} WHERE \"station\" = {} AND \"parameter\" = {} AND time >= {}ms AND time <= {}ms ORDER BY time {order} \
             LIMIT {}",
            select::<T>(),
            quote(&self.station),
            quote(&self.parameter),
            self.first,
            self.last,
            self.limit.min(1_000_000_000),
        )
    }
}

fn select<T: Wanted>() -> String {
    format!("SELECT \"{}\" FROM \"{MEASUREMENT}\"", T::FIELDS.join("\", \""))
}

fn broken(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, what)
}

fn unusable(what: Broken) -> StoreError {
    match &what {
        Broken::Said(text) if text.starts_with("database not found") => Hold::Bucket.into(),
        Broken::Said(_) | Broken::Nonsense | Broken::Early => broken(what),
    }
}

/// The rows of a range, as they come.
#[derive(Debug)]
pub(crate) struct Rows {
    body: reqwest::Response,
    answer: Answer,
    ready: Vec<Row>,
    ended: bool,
}

/// Whether the bucket has any observation.
pub(crate) async fn has_points(server: &Server) -> Result<bool, StoreError> {
    let (fields, (first, last)) = (select::<StoredObservation>(), INSTANTS);
    let text = format!("{fields} WHERE time >= {}ms AND time <= {}ms LIMIT 1", first.get(), last.get());
    Ok(question::<StoredObservation>(server, text).await?.next().await?.is_some_and(|rows| !rows.is_empty()))
}

/// Starts the query of a range.
pub(crate) async fn ask<T: Wanted>(server: &Server, range: &SeriesRange) -> Result<Rows, StoreError> {
    question::<T>(server, range.text::<T>()).await
}

async fn question<T: Wanted>(server: &Server, text: String) -> Result<Rows, StoreError> {
    mapping::check(server).await?;
    let (database, policy) = mapping::database(&server.config.bucket);
    let rows = CHUNK_ROWS.to_string();
    let how = [("db", database), ("rp", policy), ("epoch", "ms"), ("chunked", "true"), ("chunk_size", &rows)];
    let request = server.client.post(server.url("/query")).query(&how).header("Accept", "application/x-msgpack");
    let request =
        request.header("Authorization", server.authorization()).header("Content-Type", "application/vnd.influxql");
    let body = request.body(text).send().await.map_err(unavailable)?;
    let status = body.status().as_u16();
    if status != 200 {
        return Err(match decide(status) {
            Next::Hold(hold) => hold.into(),
            Next::Done | Next::Again | Next::Halve | Next::BadLines | Next::Partly => {
                broken(format!("InfluxDB answered a query with status {status}"))
            }
        });
    }
    Ok(Rows { body, answer: Answer::new(T::FIELDS), ready: Vec::new(), ended: false })
}

impl Rows {
    /// The next rows, some thousands at most; `None` once all have come.
    pub(crate) async fn next(&mut self) -> Result<Option<Vec<Row>>, StoreError> {
        while !self.ended && self.ready.len() < CHUNK_ROWS {
            // A body that ends early is an error of the client or of the chunk it ends in, never the end.
            match self.body.chunk().await.map_err(unavailable)? {
                Some(piece) => self.answer.push(&piece, &mut self.ready).map_err(unusable)?,
                None => {
                    self.answer.finish().map_err(unusable)?;
                    self.ended = true;
                }
            }
        }
        let ready = std::mem::take(&mut self.ready);
        Ok((!ready.is_empty() || !self.ended).then_some(ready))
    }
}
