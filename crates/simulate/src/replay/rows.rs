//! A CSV file row by row.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::{Path, PathBuf},
};

use bakau_model::{Missing, UtcMillis};
use bytes::Bytes;
use csv::StringRecord;
use flate2::read::MultiGzDecoder;

use super::{
    ReplayColumn, ReplayError, ReplayMap,
    cell::{self, Cell},
};
use crate::mqtt::Message;

/// One row as a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Line of the file, the header being line 1.
    pub line: u64,
    /// The measured time.
    pub time: UtcMillis,
    /// The message.
    pub message: Message,
    /// Numbers in it.
    pub values: u64,
    /// Empty cells in it, published as `null`.
    pub empty: u64,
}

/// Reads a `.csv` or `.csv.gz` file without holding more than a row of it.
pub struct Rows {
    file: PathBuf,
    topic: String,
    map: ReplayMap,
    reader: csv::Reader<Box<dyn Read + Send>>,
    record: StringRecord,
    time: usize,
    /// Where each column of the map is, and what means "no value" there.
    columns: Vec<(usize, Missing)>,
}

impl std::fmt::Debug for Rows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows").field("file", &self.file).finish_non_exhaustive()
    }
}

impl Rows {
    /// Opens a file and finds the columns of the map in its header.
    ///
    /// # Errors
    /// When the file cannot be read or lacks a column.
    pub fn open(file: &Path, map: &ReplayMap) -> Result<Self, ReplayError> {
        let opened = File::open(file).map_err(|source| ReplayError::Open { file: file.to_owned(), source })?;
        let opened = BufReader::new(opened);
        let zipped = file.extension().is_some_and(|extension| extension.eq_ignore_ascii_case("gz"));
        let bytes: Box<dyn Read + Send> =
            if zipped { Box::new(BufReader::new(MultiGzDecoder::new(opened))) } else { Box::new(opened) };
        let mut reader = csv::Reader::from_reader(bytes);
        let headers = reader.headers().map_err(|error| csv_error(file, error))?.clone();
        let find = |name: &str| {
            let position = headers.iter().position(|header| header.trim_start_matches('\u{FEFF}') == name);
            position.ok_or_else(|| ReplayError::Column {
                file: file.to_owned(),
                name: name.to_owned(),
                known: headers.iter().collect::<Vec<_>>().join(", "),
            })
        };
        let time = find(&map.time)?;
        let codes = |column: &ReplayColumn| Missing::of(map.missing.iter().chain(&column.missing));
        let columns =
            map.columns.iter().map(|column| Ok((find(&column.name)?, codes(column)))).collect::<Result<_, _>>()?;
        let (record, topic) = (StringRecord::new(), map.topic());
        Ok(Self { file: file.to_owned(), topic, map: map.clone(), reader, record, time, columns })
    }

    fn row(&self) -> Result<Row, ReplayError> {
        let line = self.record.position().map_or(0, csv::Position::line);
        let wrong = |column: &str, cell: &str, what: &str| ReplayError::Cell {
            file: self.file.clone(),
            line,
            column: column.to_owned(),
            what: format!("'{}' {what}", cell.chars().take(60).collect::<String>()),
        };
        let text = self.record.get(self.time).unwrap_or("").trim();
        let time = UtcMillis::parse(text).map_err(|_| wrong(&self.map.time, text, "is not an RFC 3339 time"))?;
        let mut payload = format!("{{{}:{}", quoted(&self.map.time_key), quoted(text));
        let (mut values, mut empty) = (0, 0);
        for (column, (index, missing)) in self.map.columns.iter().zip(&self.columns) {
            let text = self.record.get(*index).unwrap_or("");
            payload.push(',');
            payload.push_str(&quoted(&column.key));
            payload.push(':');
            if column.text {
                payload.push_str(&quoted(text));
                continue;
            }
            match cell::read(text, missing).map_err(|what| wrong(&column.name, text, what))? {
                Cell::Number(number) => {
                    values += 1;
                    payload.push_str(&number);
                }
                Cell::Empty => {
                    empty += 1;
                    payload.push_str("null");
                }
            }
        }
        payload.push('}');
        let message = Message { topic: self.topic.clone(), payload: Bytes::from(payload) };
        Ok(Row { line, time, message, values, empty })
    }
}

fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn csv_error(file: &Path, error: csv::Error) -> ReplayError {
    let line = error.position().map_or(1, csv::Position::line);
    ReplayError::Csv { file: file.to_owned(), line, source: error }
}

impl Iterator for Rows {
    type Item = Result<Row, ReplayError>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.reader.read_record(&mut self.record) {
            Ok(true) => Some(self.row()),
            Ok(false) => None,
            Err(error) => Some(Err(csv_error(&self.file, error))),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn map() -> ReplayMap {
        let text = "station = 's'\ntopic = 't/{station}'\ntime = 'time'\nmissing = ['NA', -99.9]\n\
                    [[column]]\nname = 'temp'\nkey = 'x'\nunit = 'Cel'\nmissing = ['sakit']\n\
                    [[column]]\nname = 'f_temp'\nkey = 'flag'\ntext = true\n";
        ReplayMap::parse(text).unwrap()
    }

    fn rows(text: &str) -> Vec<Result<Row, ReplayError>> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("series.csv");
        std::fs::write(&path, text).unwrap();
        Rows::open(&path, &map()).unwrap().collect()
    }

    #[test]
    fn a_row_becomes_a_message_with_its_digits_and_its_holes() {
        let text = "time,f_temp,temp,other\n2012-01-01T05:00:00Z,<0>,16.90,1\n2012-01-01T00:15:00-05:00,\"<-3> [GSM] (CWD)\",NA,\n";
        let read: Vec<_> = rows(text).into_iter().map(Result::unwrap).collect();
        assert_eq!(read[0].message.topic, "t/s");
        assert_eq!(read[0].message.payload, r#"{"time":"2012-01-01T05:00:00Z","x":16.90,"flag":"<0>"}"#);
        assert_eq!((read[0].line, read[0].values, read[0].empty), (2, 1, 0));
        assert_eq!(
            read[1].message.payload,
            r#"{"time":"2012-01-01T00:15:00-05:00","x":null,"flag":"<-3> [GSM] (CWD)"}"#
        );
        assert_eq!((read[1].line, read[1].values, read[1].empty), (3, 0, 1));
        assert_eq!(read[1].time.since(read[0].time), 15 * 60_000);
    }

    #[test]
    fn a_wrong_cell_is_named_by_file_line_and_column() {
        let text = "time,temp,f_temp\n2012-01-01T05:00:00Z,1,\n2012-01-01T06:00:00Z,warm,\n2012-01-01,3,\n";
        let read = rows(text);
        let message = read[1].as_ref().unwrap_err().to_string();
        assert!(message.ends_with("series.csv:3: column 'temp': 'warm' is not a number"), "{message}");
        let message = read[2].as_ref().unwrap_err().to_string();
        assert!(message.ends_with("series.csv:4: column 'time': '2012-01-01' is not an RFC 3339 time"), "{message}");
    }

    #[test]
    fn codes_and_words_of_the_map_and_of_its_column_are_holes() {
        let text = "time,temp,f_temp\n2012-01-01T05:00:00Z,-99.90,\n2012-01-01T06:00:00Z,Sakit,sakit\n";
        let payloads: Vec<_> = rows(text).into_iter().map(|row| row.unwrap().message.payload).collect();
        assert_eq!(payloads[0], r#"{"time":"2012-01-01T05:00:00Z","x":null,"flag":""}"#);
        assert_eq!(payloads[1], r#"{"time":"2012-01-01T06:00:00Z","x":null,"flag":"sakit"}"#);
    }

    #[test]
    fn a_row_with_too_few_cells_is_named() {
        let read = rows("time,temp,f_temp\n2012-01-01T05:00:00Z,1\n");
        assert!(read[0].as_ref().unwrap_err().to_string().contains("series.csv:2"));
    }

    #[test]
    fn a_missing_column_is_named_with_those_that_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("series.csv");
        std::fs::write(&path, "time,f_temp\n").unwrap();
        let message = Rows::open(&path, &map()).unwrap_err().to_string();
        assert!(message.contains("no column 'temp'") && message.contains("time, f_temp"), "{message}");
    }

    #[test]
    fn a_compressed_file_reads_like_a_plain_one_and_a_cut_one_gives_an_error() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("series.csv.gz");
        let mut text = "time,temp,f_temp\n".to_owned();
        for minute in 0..60 {
            text.push_str(&format!("2012-01-01T05:{minute:02}:00Z,{}.{minute},<0>\n", minute * 7919 % 31));
        }
        let mut zip = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
        zip.write_all(text.as_bytes()).unwrap();
        let bytes = zip.finish().unwrap();
        std::fs::write(&path, &bytes).unwrap();
        let whole: Vec<_> = Rows::open(&path, &map()).unwrap().map(Result::unwrap).collect();
        assert_eq!(whole, rows(&text).into_iter().map(Result::unwrap).collect::<Vec<_>>());
        std::fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
        let cut: Result<Vec<_>, _> = Rows::open(&path, &map()).and_then(Iterator::collect);
        assert!(cut.is_err());
    }
}
