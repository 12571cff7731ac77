//! Query results: chunks of rows in MessagePack, in any pieces the network makes of them.
//!
//! Of the formats InfluxDB offers this is the quickest, and the only quick one that reports errors: as CSV a failed
//! query looks like one without rows, also in the middle. Each chunk says whether another follows, so an answer that
//! ends early is never taken for a short one.

use bakau_model::UtcMillis;

use super::super::point::{Fields, INCREMENT, RawPoint, TESTS};

/// Texts of an answer are names of columns and messages.
const MAX_TEXT_BYTES: usize = 64 * 1024;
/// Members of what is skipped.
const MAX_SKIPPED: usize = 100_000;

/// The first column, before the fields that were asked for.
const TIME: &str = "time";
/// Fields that are whole numbers, at most.
const MAX_WHOLE: usize = 4;

/// Why an answer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Broken {
    /// The server reports an error.
    #[error("InfluxDB could not answer: {0}")]
    Said(String),
    /// The bytes are no such answer.
    #[error("the answer of InfluxDB makes no sense")]
    Nonsense,
    /// The answer is cut off.
    #[error("the answer of InfluxDB ends early")]
    Early,
}

/// A row of an answer.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Row {
    /// All fields that were asked for.
    Whole(RawPoint),
    /// A point without some of them.
    Torn(UtcMillis),
}

impl Row {
    /// The instant of the point.
    pub(crate) const fn at(&self) -> UtcMillis {
        match self {
            Self::Whole(point) => point.at,
            Self::Torn(at) => *at,
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum Token<'a> {
    Nil,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(&'a [u8]),
    Array(usize),
    Map(usize),
}

/// Why reading stopped.
enum Stop {
    /// The bytes end before the token does.
    More,
    Broken(Broken),
}

/// A place in bytes.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn take(&mut self, length: usize) -> Result<&'a [u8], Stop> {
        let found = self.bytes.get(self.at..).and_then(|rest| rest.get(..length)).ok_or(Stop::More)?;
        self.at += length;
        Ok(found)
    }

    fn number<const N: usize>(&mut self) -> Result<[u8; N], Stop> {
        self.take(N)?.try_into().map_err(|_| nonsense())
    }

    /// An unsigned number of 1, 2, 4 or 8 bytes.
    fn unsigned(&mut self, length: u8) -> Result<u64, Stop> {
        let bytes = self.take(usize::from(length))?;
        Ok(bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    fn size(&mut self, length: u8) -> Result<usize, Stop> {
        usize::try_from(self.unsigned(length)?).map_err(|_| nonsense())
    }

    fn text_of(&mut self, length: usize) -> Result<Token<'a>, Stop> {
        if MAX_TEXT_BYTES < length {
            return Err(nonsense());
        }
        self.take(length).map(Token::Text)
    }

    fn token(&mut self) -> Result<Token<'a>, Stop> {
        let code = self.take(1)?.first().copied().unwrap_or_default();
        Ok(match code {
            0x00..=0x7F => Token::Int(i64::from(code)),
            0x80..=0x8F => Token::Map(usize::from(code & 0xF)),
            0x90..=0x9F => Token::Array(usize::from(code & 0xF)),
            0xA0..=0xBF => self.text_of(usize::from(code & 0x1F))?,
            0xC0 => Token::Nil,
            0xC2 | 0xC3 => Token::Bool(code == 0xC3),
            0xCA => Token::Float(f64::from(f32::from_be_bytes(self.number()?))),
            0xCB => Token::Float(f64::from_be_bytes(self.number()?)),
            0xCC..=0xCF => Token::Int(i64::try_from(self.unsigned(1 << (code - 0xCC))?).map_err(|_| nonsense())?),
            0xD0 => Token::Int(i64::from(i8::from_be_bytes(self.number()?))),
            0xD1 => Token::Int(i64::from(i16::from_be_bytes(self.number()?))),
            0xD2 => Token::Int(i64::from(i32::from_be_bytes(self.number()?))),
            0xD3 => Token::Int(i64::from_be_bytes(self.number()?)),
            0xD9..=0xDB => {
                let length = self.size(1 << (code - 0xD9))?;
                self.text_of(length)?
            }
            0xDC | 0xDD => Token::Array(self.size(2 << (code - 0xDC))?),
            0xDE | 0xDF => Token::Map(self.size(2 << (code - 0xDE))?),
            0xE0..=0xFF => Token::Int(i64::from(i8::from_be_bytes([code]))),
            _ => return Err(nonsense()),
        })
    }

    fn map(&mut self) -> Result<usize, Stop> {
        if let Token::Map(length) = self.token()? { Ok(length) } else { Err(nonsense()) }
    }

    fn array(&mut self) -> Result<usize, Stop> {
        if let Token::Array(length) = self.token()? { Ok(length) } else { Err(nonsense()) }
    }

    fn text(&mut self) -> Result<&'a [u8], Stop> {
        if let Token::Text(text) = self.token()? { Ok(text) } else { Err(nonsense()) }
    }

    fn bool(&mut self) -> Result<bool, Stop> {
        if let Token::Bool(yes) = self.token()? { Ok(yes) } else { Err(nonsense()) }
    }

    /// Whatever is next, with everything in it.
    fn skip(&mut self) -> Result<(), Stop> {
        let (mut left, mut seen) = (1_usize, 0);
        while 0 < left {
            left -= 1;
            seen += 1;
            left = left.saturating_add(match self.token()? {
                Token::Array(length) => length,
                Token::Map(length) => length.saturating_mul(2),
                Token::Nil | Token::Bool(_) | Token::Int(_) | Token::Float(_) | Token::Text(_) => 0,
            });
            if MAX_SKIPPED < left.saturating_add(seen) {
                return Err(nonsense());
            }
        }
        Ok(())
    }

    fn said(&mut self) -> Result<Stop, Stop> {
        let text = String::from_utf8_lossy(self.text()?);
        Ok(Stop::Broken(Broken::Said(text.chars().filter(|c| !c.is_control()).take(200).collect())))
    }

    /// From the start of a chunk to its rows, or to its end when it has none.
    fn head(&mut self, fields: Fields) -> Result<Part, Stop> {
        for _ in 0..self.map()? {
            match self.text()? {
                b"error" => return Err(self.said()?),
                b"results" => {
                    if self.array()? != 1 {
                        return Err(nonsense());
                    }
                    let keys = self.map()?;
                    return self.result(fields, keys, false);
                }
                _ => self.skip()?,
            }
        }
        Err(nonsense())
    }

    /// Members of a result, up to its rows.
    fn result(&mut self, fields: Fields, keys: usize, mut more: bool) -> Result<Part, Stop> {
        for n in 0..keys {
            match self.text()? {
                b"error" => return Err(self.said()?),
                b"partial" => more = self.bool()?,
                b"series" => match self.array()? {
                    0 => {}
                    1 => return self.series(fields, keys - n - 1),
                    _ => return Err(nonsense()),
                },
                _ => self.skip()?,
            }
        }
        Ok(Part::Between { more })
    }

    fn series(&mut self, fields: Fields, after: usize) -> Result<Part, Stop> {
        let keys = self.map()?;
        for n in 0..keys {
            match self.text()? {
                b"columns" => {
                    if self.array()? != 1 + fields.len() {
                        return Err(nonsense());
                    }
                    for column in [TIME].iter().chain(fields) {
                        if self.text()? != column.as_bytes() {
                            return Err(nonsense());
                        }
                    }
                }
                b"values" => return Ok(Part::Rows { left: self.array()?, series: keys - n - 1, result: after }),
                _ => self.skip()?,
            }
        }
        self.result(fields, after, false)
    }

    /// What stands behind the rows of a chunk.
    fn tail(&mut self, fields: Fields, series: usize, result: usize) -> Result<Part, Stop> {
        for _ in 0..series {
            self.text()?;
            self.skip()?;
        }
        self.result(fields, result, false)
    }

    /// A number or nothing.
    fn float(&mut self) -> Result<Option<f64>, Stop> {
        #[expect(clippy::cast_precision_loss, reason = "a stranger's whole number; ours are floats")]
        match self.token()? {
            Token::Float(value) => Ok(Some(value)),
            Token::Int(value) => Ok(Some(value as f64)),
            Token::Nil => Ok(None),
            _ => Err(nonsense()),
        }
    }

    fn row(&mut self, fields: Fields) -> Result<Row, Stop> {
        if self.array()? != 1 + fields.len() {
            return Err(nonsense());
        }
        let Token::Int(at) = self.token()? else { return Err(nonsense()) };
        let at = UtcMillis::new(at);
        let value = self.float()?;
        let (mut whole, mut torn) = ([0; MAX_WHOLE], false);
        let has_increment = fields.last() == Some(&INCREMENT);
        let names = &fields[1..fields.len() - usize::from(has_increment)];
        for (place, name) in whole.iter_mut().zip(names) {
            match self.token()? {
                Token::Int(number) => *place = number,
                Token::Nil => torn |= *name != TESTS,
                _ => return Err(nonsense()),
            }
        }
        let [flag, lag, meta, tests] = whole;
        let increment = if has_increment { self.float()? } else { None };
        Ok(match value.filter(|_| !torn) {
            Some(value) => Row::Whole(RawPoint { at, value, flag, lag, meta, tests, increment }),
            None => Row::Torn(at),
        })
    }
}

fn nonsense() -> Stop {
    Stop::Broken(Broken::Nonsense)
}

/// Where in an answer we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Part {
    /// Before the first chunk, or behind one.
    Between { more: bool },
    /// Among rows; then come members of the series and of the result.
    Rows { left: usize, series: usize, result: usize },
}

/// Takes an answer in pieces and gives its rows.
#[derive(Debug)]
pub(crate) struct Answer {
    fields: Fields,
    bytes: Vec<u8>,
    part: Part,
}

impl Answer {
    /// The answer to a question for these fields.
    pub(crate) const fn new(fields: Fields) -> Self {
        Self { fields, bytes: Vec::new(), part: Part::Between { more: true } }
    }

    /// Takes the next piece and adds the rows that are whole now.
    pub(crate) fn push(&mut self, piece: &[u8], rows: &mut Vec<Row>) -> Result<(), Broken> {
        self.bytes.extend_from_slice(piece);
        let mut done = 0;
        let stopped = loop {
            // Each step is taken again from its start when its bytes end early.
            let mut reader = Reader { bytes: &self.bytes, at: done };
            let step = match self.part {
                // The encoder ends a chunk with a line feed in some versions.
                Part::Between { .. } if self.bytes.get(done) == Some(&b'\n') => reader.take(1).map(|_| self.part),
                Part::Between { more: false } if done < self.bytes.len() => Err(nonsense()),
                Part::Between { .. } => reader.head(self.fields),
                Part::Rows { left: 0, series, result } => reader.tail(self.fields, series, result),
                Part::Rows { left, series, result } => reader.row(self.fields).map(|row| {
                    rows.push(row);
                    Part::Rows { left: left - 1, series, result }
                }),
            };
            match step {
                Ok(part) => (self.part, done) = (part, reader.at),
                Err(stop) => break stop,
            }
        };
        self.bytes.drain(..done);
        match stopped {
            Stop::More if self.bytes.len() <= 2 * MAX_TEXT_BYTES => Ok(()),
            Stop::More => Err(Broken::Nonsense),
            Stop::Broken(broken) => Err(broken),
        }
    }

    /// Whether everything has come, when nothing more comes.
    pub(crate) fn finish(&self) -> Result<(), Broken> {
        if self.bytes.is_empty() && self.part == (Part::Between { more: false }) { Ok(()) } else { Err(Broken::Early) }
    }
}

#[cfg(test)]
mod tests;
