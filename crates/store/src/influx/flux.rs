//! Ranges of one series as streamed CSV without pivot; the fields are joined here.

use bakau_model::UtcMillis;

use super::{
    answer::{Next, decide},
    http::Server,
    point::{INSTANTS, MEASUREMENT, RawPoint},
};
use crate::{StoreError, StoreErrorKind};

/// A part of one series; both ends inclusive.
#[derive(Debug, Clone)]
pub(super) struct FluxRange {
    pub(super) station: String,
    pub(super) parameter: String,
    pub(super) first: i64,
    pub(super) last: i64,
    pub(super) newest_first: bool,
    pub(super) limit: usize,
}

/// One line of an answer is a stamp and a number.
const MAX_LINE_BYTES: usize = 64 * 1024;

impl FluxRange {
    fn text(&self, bucket: &str) -> String {
        // Nanoseconds. Written as numbers: Flux does not read a literal with leading zeros.
        let start = i128::from(self.first) * 1_000_000;
        let stop = i128::from(self.last) * 1_000_000 + 1;
        let order = if self.newest_first { " |> sort(columns: [\"_time\"], desc: true)" } else { "" };
        format!(
            "from(bucket: {}) |> range(start: time(v: {start}), stop: time(v: {stop})) |> filter(fn: (r) => \
             r._measurement == \"{MEASUREMENT}\" and r.station == {} and r.parameter == {}) |> keep(columns: [\"_field\", \
             \"_time\", \"_value\"]){order} |> limit(n: {})",
            quote(bucket),
            quote(&self.station),
            quote(&self.parameter),
            self.limit.min(1_000_000_000),
        )
    }
}

/// A text of Flux.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\"").replace("${", "\\${"))
}

fn broken(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, what)
}

/// Whether the bucket has any observation.
pub(super) async fn has_points(server: &Server) -> Result<bool, StoreError> {
    let bucket = quote(&server.config.bucket);
    let (start, stop) = (i128::from(INSTANTS.0.get()) * 1_000_000, i128::from(INSTANTS.1.get()) * 1_000_000);
    let text = format!(
        "from(bucket: {bucket}) |> range(start: time(v: {start}), stop: time(v: {stop})) |> filter(fn: (r) => \
         r._measurement == \"{MEASUREMENT}\") |> keep(columns: [\"_field\", \"_time\"]) |> limit(n: 1)"
    );
    Ok(ask(server, text).await?.chunk().await.map_err(broken)?.is_some_and(|piece| !piece.trim_ascii().is_empty()))
}

/// A question that was accepted.
async fn ask(server: &Server, query: String) -> Result<reqwest::Response, StoreError> {
    let body = serde_json::json!({
        "query": query,
        "dialect": { "header": true, "annotations": [], "dateTimeFormat": "RFC3339Nano" },
    });
    let request = server.reader.post(server.url("/api/v2/query")).query(&[("org", &server.config.org)]);
    let request = request.header("Authorization", format!("Token {}", server.config.token));
    let answer = request.header("Accept", "application/csv").json(&body).send().await.map_err(broken)?;
    let status = answer.status().as_u16();
    if status != 200 {
        return Err(match decide(status) {
            Next::Hold(hold) => StoreError::new(StoreErrorKind::Refused, hold.sentence()),
            Next::Done | Next::Again | Next::Halve | Next::BadLines | Next::Partly => {
                broken(format!("InfluxDB answered a question with status {status}"))
            }
        });
    }
    Ok(answer)
}

/// Points of a range; `range.limit` bounds the memory.
pub(super) async fn points(server: &Server, range: &FluxRange) -> Result<Vec<RawPoint>, StoreError> {
    let mut answer = ask(server, range.text(&server.config.bucket)).await?;
    let mut columns = Columns::default();
    let mut rest: Vec<u8> = Vec::new();
    // A body that ends early is an error of the client, not the end.
    while let Some(piece) = answer.chunk().await.map_err(broken)? {
        rest.extend_from_slice(&piece);
        let mut start = 0;
        while let Some(length) = rest[start..].iter().position(|&byte| byte == b'\n') {
            columns.line(&rest[start..start + length])?;
            start += length + 1;
        }
        rest.drain(..start);
        if MAX_LINE_BYTES < rest.len() {
            return Err(broken("a line of the answer is too long"));
        }
    }
    if !rest.is_empty() {
        return Err(broken("the answer ends in the middle of a line"));
    }
    columns.join()
}

/// The four tables of an answer, one after the other.
#[derive(Debug, Default)]
struct Columns {
    header: Option<Places>,
    value: Vec<(i64, f64)>,
    lag: Vec<(i64, i64)>,
    flag: Vec<(i64, i64)>,
    meta: Vec<(i64, i64)>,
}

/// Where the columns are.
#[derive(Debug, Clone, Copy)]
struct Places {
    time: usize,
    value: usize,
    field: usize,
}

impl Columns {
    fn line(&mut self, line: &[u8]) -> Result<(), StoreError> {
        let line = std::str::from_utf8(line).map_err(broken)?.trim_end_matches('\r');
        if line.is_empty() {
            self.header = None;
            return Ok(());
        }
        let mut cells = line.split(',');
        let Some(places) = self.header else {
            let place = |name: &str| line.split(',').position(|cell| cell == name);
            let (Some(time), Some(value), Some(field)) = (place("_time"), place("_value"), place("_field")) else {
                return Err(broken("InfluxDB broke off its answer with an error"));
            };
            self.header = Some(Places { time, value, field });
            return Ok(());
        };
        let cells: [&str; 8] = std::array::from_fn(|_| cells.next().unwrap_or_default());
        let cell = |place: usize| cells.get(place).copied().unwrap_or_default();
        let at = UtcMillis::parse(cell(places.time)).map_err(broken)?.get();
        let value = cell(places.value);
        let whole = || value.parse::<i64>().map_err(broken);
        let number = || value.parse::<f64>().map_err(broken);
        match cell(places.field) {
            "value" => self.value.push((at, number()?)),
            "lag" => self.lag.push((at, whole()?)),
            "flag" => self.flag.push((at, whole()?)),
            "meta" => self.meta.push((at, whole()?)),
            _ => {}
        }
        Ok(())
    }

    fn join(self) -> Result<Vec<RawPoint>, StoreError> {
        let count = self.value.len();
        if [self.lag.len(), self.flag.len(), self.meta.len()] != [count; 3] {
            return Err(broken("the fields of the points do not belong together"));
        }
        let mut points = Vec::with_capacity(count);
        for (((value, lag), flag), meta) in self.value.into_iter().zip(self.lag).zip(self.flag).zip(self.meta) {
            if [lag.0, flag.0, meta.0] != [value.0; 3] {
                return Err(broken("the fields of a point do not belong together"));
            }
            points.push(RawPoint {
                at: UtcMillis::new(value.0),
                value: value.1,
                flag: flag.1,
                lag: lag.1,
                meta: meta.1,
            });
        }
        Ok(points)
    }
}
