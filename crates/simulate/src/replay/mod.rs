//! A measured CSV file as MQTT messages, at the speed it was measured or any other.

pub mod cell;
mod map;
mod rows;
mod shuffle;

use std::{
    io,
    net::SocketAddr,
    path::{Path, PathBuf},
    time::Duration,
};

use bakau_model::{Secret, UtcMillis};
use tokio_util::sync::CancellationToken;

use crate::mqtt::{Effort, Login, Next, PublishError, Source, Target, publish_all};

pub use map::{ReplayColumn, ReplayMap};
pub use rows::{Row, Rows};
pub use shuffle::{Shuffle, Shuffled};

/// Settings of a replay.
#[derive(Debug, Clone)]
pub struct ReplayOptions {
    /// MQTT broker.
    pub broker: SocketAddr,
    /// MQTT user name; anonymous where absent.
    pub username: Option<String>,
    /// MQTT password.
    pub password: Option<Secret>,
    /// Measured seconds per second; `None` is as fast as messages are acknowledged.
    pub speed: Option<f64>,
    /// Only rows at or after this instant.
    pub from: Option<UtcMillis>,
    /// Only rows before this instant.
    pub to: Option<UtcMillis>,
    /// Another order than that of the file, whose rows must be in order of time then.
    pub shuffle: Option<Shuffle>,
}

/// Result of a replay.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct ReplayReport {
    /// Rows of the file within the limits.
    pub rows: u64,
    /// Messages acknowledged.
    pub messages: u64,
    /// Values in the rows.
    pub values: u64,
    /// Empty cells in the rows.
    pub empty: u64,
}

/// Why a replay ended early.
#[derive(Debug, thiserror::Error)]
pub enum ReplayError {
    /// The map file is wrong.
    #[error("map: {0}")]
    Map(String),
    /// The file cannot be opened.
    #[error("cannot open {}", file.display())]
    Open {
        /// The file.
        file: PathBuf,
        /// The error.
        source: io::Error,
    },
    /// The file lacks a column of the map.
    #[error("{}:1: there is no column '{name}'; the columns are: {known}", file.display())]
    Column {
        /// The file.
        file: PathBuf,
        /// The column the map names.
        name: String,
        /// The columns of the header.
        known: String,
    },
    /// A cell cannot be read.
    #[error("{}:{line}: column '{column}': {what}", file.display())]
    Cell {
        /// The file.
        file: PathBuf,
        /// Its line, the header being line 1.
        line: u64,
        /// The column.
        column: String,
        /// Description of the error.
        what: String,
    },
    /// The file is not CSV there, or damaged.
    #[error("{}:{line}: {source}", file.display())]
    Csv {
        /// The file.
        file: PathBuf,
        /// Its line.
        line: u64,
        /// The error.
        source: csv::Error,
    },
    /// The broker did not take the messages.
    #[error(transparent)]
    Publish(PublishError),
}

/// Publishes the rows of a file in its order at QoS 1 and returns when each was acknowledged.
///
/// # Errors
/// When a row cannot be read (what came before it was published) or the broker does not take the messages.
pub async fn replay(file: &Path, map: &ReplayMap, options: &ReplayOptions) -> Result<ReplayReport, ReplayError> {
    let rows = Rows::open(file, map)?;
    let rows: Box<dyn Iterator<Item = Result<Row, ReplayError>> + Send> = match options.shuffle {
        Some(shuffle) => Box::new(Shuffled::new(rows, shuffle)),
        None => Box::new(rows),
    };
    let mut tape = Tape { rows, options: options.clone(), first: None, held: None, report: ReplayReport::default() };
    let login = options.username.clone().map(|username| {
        let password = options.password.clone().unwrap_or_else(|| Secret::new(""));
        Login { username, password }
    });
    let target =
        Target { broker: options.broker, client_id: format!("bakau-replay-{}", map.station), login, will: None };
    match publish_all(&target, &Effort::default(), &mut tape, &CancellationToken::new()).await {
        Ok(()) => Ok(tape.report),
        Err(PublishError::Source(cause)) => Err(match cause.downcast::<ReplayError>() {
            Ok(error) => *error,
            Err(other) => ReplayError::Publish(PublishError::Source(other)),
        }),
        Err(error) => Err(ReplayError::Publish(error)),
    }
}

/// The rows within the limits, each at its time.
struct Tape {
    rows: Box<dyn Iterator<Item = Result<Row, ReplayError>> + Send>,
    options: ReplayOptions,
    /// Time of the first row within the limits.
    first: Option<UtcMillis>,
    /// A row that was read before it was due.
    held: Option<Row>,
    report: ReplayReport,
}

impl Tape {
    fn read(&mut self) -> Result<Option<Row>, ReplayError> {
        if let Some(row) = self.held.take() {
            return Ok(Some(row));
        }
        for row in &mut self.rows {
            let row = row?;
            let (from, to) = (self.options.from, self.options.to);
            if from.is_none_or(|from| from <= row.time) && to.is_none_or(|to| row.time < to) {
                return Ok(Some(row));
            }
        }
        Ok(None)
    }

    /// Time since the start at which a row is due.
    fn due(&mut self, row: &Row) -> Duration {
        let first = *self.first.get_or_insert(row.time);
        let seconds = self.options.speed.map_or(0.0, |speed| row.time.since(first) as f64 / 1_000.0 / speed);
        if seconds <= 0.0 { Duration::ZERO } else { Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX) }
    }
}

impl Source for Tape {
    fn next(&mut self, elapsed: Duration) -> Result<Next, PublishError> {
        let Some(row) = self.read().map_err(|error| PublishError::Source(Box::new(error)))? else {
            return Ok(Next::End);
        };
        let due = self.due(&row);
        if elapsed < due {
            self.held = Some(row);
            return Ok(Next::NotBefore(due));
        }
        self.report.rows += 1;
        self.report.values += row.values;
        self.report.empty += row.empty;
        Ok(Next::Message(row.message))
    }

    fn acknowledged(&mut self, _number: u64) {
        self.report.messages += 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tape(folder: &Path, options: ReplayOptions) -> Tape {
        let path = folder.join("series.csv");
        std::fs::write(&path, "time,t\n2012-01-01T00:00:00Z,1\n2012-01-01T01:00:00Z,\n2012-01-01T02:00:00Z,3\n")
            .unwrap();
        let map = "station = 's'\ntopic = 't'\ntime = 'time'\n[[column]]\nname = 't'\nkey = 'x'\nunit = 'Cel'\n";
        let rows = Rows::open(&path, &ReplayMap::parse(map).unwrap()).unwrap();
        Tape { rows: Box::new(rows), options, first: None, held: None, report: ReplayReport::default() }
    }

    fn options() -> ReplayOptions {
        let broker = SocketAddr::from(([127, 0, 0, 1], 1));
        ReplayOptions { broker, username: None, password: None, speed: None, from: None, to: None, shuffle: None }
    }

    #[test]
    fn at_a_speed_rows_come_at_their_times() {
        let folder = tempfile::tempdir().unwrap();
        let mut tape = tape(folder.path(), ReplayOptions { speed: Some(360.0), ..options() });
        assert!(matches!(tape.next(Duration::ZERO).unwrap(), Next::Message(_)));
        assert!(matches!(tape.next(Duration::ZERO).unwrap(), Next::NotBefore(due) if due == Duration::from_secs(10)));
        assert!(matches!(tape.next(Duration::from_secs(10)).unwrap(), Next::Message(_)));
        assert!(matches!(tape.next(Duration::from_secs(25)).unwrap(), Next::Message(_)));
        assert!(matches!(tape.next(Duration::from_secs(25)).unwrap(), Next::End));
        assert_eq!(tape.report, ReplayReport { rows: 3, messages: 0, values: 2, empty: 1 });
    }

    #[test]
    fn limits_include_their_start_and_exclude_their_end() {
        let folder = tempfile::tempdir().unwrap();
        let at = |text: &str| Some(UtcMillis::parse(text).unwrap());
        let (from, to) = (at("2012-01-01T01:00:00Z"), at("2012-01-01T02:00:00Z"));
        let mut tape = tape(folder.path(), ReplayOptions { from, to, ..options() });
        let Next::Message(message) = tape.next(Duration::ZERO).unwrap() else { panic!("a row is within the limits") };
        assert_eq!(message.payload, r#"{"time":"2012-01-01T01:00:00Z","x":null}"#);
        assert!(matches!(tape.next(Duration::ZERO).unwrap(), Next::End));
    }
}
