//! The raw record: every consumed batch as it arrived, in daily compressed segments sealed with a hash chain.
//!
//! [`Spool::trim`](crate::Spool::trim) appends a batch to `raw/<UTC date>.seg` beside `spool.db` and makes that durable
//! before it deletes the batch. Segments are never changed afterwards and never deleted by Bakau: they are kept until an
//! operator removes them, oldest first, when the legal record no longer needs them. A batch belongs to the day on which
//! its first message arrived; when the clock is set back over midnight by more than an hour, the day gets a further
//! segment, `<date>.2.seg`. Order is that of the numbers in the headers, not that of the names.
//!
//! A crash between segment and deletion writes a batch twice; readers drop the repeat. `format` has the bytes, `scan`
//! walks over them, `writer` appends, `verify` follows the chain.

mod format;
mod scan;
mod verify;
mod writer;

#[cfg(test)]
mod tests;

use std::{
    collections::VecDeque,
    fmt, fs,
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
};

use bakau_model::{Envelope, Seq, UtcMillis};
use bytes::Bytes;
use flate2::read::ZlibDecoder;

pub use self::verify::verify;
pub(crate) use self::writer::{RawWriter, belongs};
use self::{
    format::{Head, Header, HeaderError},
    scan::{Found, Gap, Record, Scanner},
};
use crate::{SpoolError, SpoolErrorKind, envelopes};

/// Records a repeat can be behind its original: what one trim writes at most.
pub(crate) const REPEAT_RECORDS: usize = 256;

/// Folder of the segments beside `spool.db`.
const FOLDER: &str = "raw";
const EXTENSION: &str = "seg";

/// A file of the raw record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// Path of the file.
    pub path: PathBuf,
    /// Number in the chain, from 1; `None` when its header is damaged or newer.
    pub number: Option<u64>,
    /// Size in bytes.
    pub bytes: u64,
}

/// A part of the raw record that is not what was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawDamage {
    /// File name of the segment.
    pub segment: String,
    /// First byte of the damaged part.
    pub offset: u64,
    /// The damaged batch, where that is still known.
    pub seq: Option<Seq>,
    /// Description of the damage.
    pub problem: String,
}

impl fmt::Display for RawDamage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} at byte {}", self.segment, self.offset)?;
        if let Some(seq) = self.seq {
            write!(f, ", batch {seq}")?;
        }
        write!(f, ": {}", self.problem)
    }
}

/// Result of [`verify()`].
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct RawReport {
    /// Segments read.
    pub segments: u64,
    /// Bytes of all segments.
    pub bytes: u64,
    /// Batches in intact records, without repeats.
    pub batches: u64,
    /// Messages in these batches.
    pub messages: u64,
    /// Records written twice around a crash, which readers drop.
    pub repeats: u64,
    /// Damaged parts, at most 1,000; every other record stays readable.
    pub damaged: Vec<RawDamage>,
    /// Last chain value, in hex. Written down elsewhere, it proves later that nothing before it was changed.
    pub seal: Option<String>,
}

impl RawReport {
    /// Whether nothing is wrong.
    #[must_use]
    pub const fn is_sound(&self) -> bool {
        self.damaged.is_empty()
    }
}

/// The segments beside the `spool.db` in `folder`, in the order they were written; empty when there is no raw record.
///
/// # Errors
/// `Unavailable` when the folder or a file in it cannot be read.
pub fn segments(folder: &Path) -> Result<Vec<Segment>, SpoolError> {
    list(&folder.join(FOLDER)).map_err(|error| SpoolError::io("listing the raw record", error))
}

/// The batches of a segment in order, each with its messages as they arrived. Damage is an item of its own; what comes
/// after it is still read. While Bakau runs, the newest segment may end in a record that is just being written.
///
/// # Errors
/// `NewerFormat` when a newer Bakau wrote the segment, `Unavailable` when it cannot be read.
pub fn read(path: &Path) -> Result<Records, SpoolError> {
    let opened = File::open(path).and_then(Scanner::new).and_then(|mut scanner| Ok((scanner.header()?, scanner)));
    let (header, scanner) = opened.map_err(|error| SpoolError::io("opening a segment of the raw record", error))?;
    let segment = file_name(path);
    let pending = match header {
        Ok(_) => None,
        Err(HeaderError::Damaged) => Some(header_damage(&segment)),
        Err(error @ HeaderError::Newer(_)) => return Err(newer(&segment, error)),
    };
    Ok(Records { scanner, segment, pending, recent: Recent::default(), failed: false })
}

/// Iterator of [`read`].
#[derive(Debug)]
pub struct Records {
    scanner: Scanner<File>,
    segment: String,
    pending: Option<RawDamage>,
    recent: Recent,
    failed: bool,
}

impl Iterator for Records {
    type Item = Result<(Seq, Vec<Envelope>), RawDamage>;

    fn next(&mut self) -> Option<Self::Item> {
        if let Some(damage) = self.pending.take() {
            return Some(Err(damage));
        }
        while !self.failed {
            match self.scanner.next() {
                Ok(None) => return None,
                Ok(Some(Found::Gap(gap))) => return Some(Err(gap_damage(&self.segment, &gap))),
                Ok(Some(Found::Record(record))) if self.recent.holds(&record.head) => {}
                Ok(Some(Found::Record(record))) => return Some(self.content(&record)),
                Err(error) => {
                    self.failed = true;
                    let problem = format!("it cannot be read from here on: {error}");
                    let offset = self.scanner.position();
                    return Some(Err(RawDamage { segment: self.segment.clone(), offset, seq: None, problem }));
                }
            }
        }
        None
    }
}

impl Records {
    fn content(&mut self, record: &Record) -> Result<(Seq, Vec<Envelope>), RawDamage> {
        let envelopes = content(record).map_err(|problem| record_damage(&self.segment, record, problem))?;
        self.recent.insert(record.head);
        Ok((record.head.seq, envelopes))
    }
}

/// The records just read, to recognise a batch that was written again after a crash.
#[derive(Debug, Default)]
struct Recent(VecDeque<(Seq, UtcMillis, UtcMillis, u32)>);

impl Recent {
    fn holds(&self, head: &Head) -> bool {
        self.0.contains(&Self::key(head))
    }

    fn insert(&mut self, head: Head) {
        if REPEAT_RECORDS <= self.0.len() {
            self.0.pop_front();
        }
        self.0.push_back(Self::key(&head));
    }

    /// More than the position, which starts again when a spool was lost and the raw record was not.
    const fn key(head: &Head) -> (Seq, UtcMillis, UtcMillis, u32) {
        (head.seq, head.received_min, head.received_max, head.blob_bytes)
    }
}

/// The messages in a record whose checksum is right.
fn content(record: &Record) -> Result<Vec<Envelope>, String> {
    let (_, stored, _) = format::check(&record.bytes).ok_or("its checksum is wrong")?;
    let expected = u64::from(record.head.blob_bytes);
    let mut blob = Vec::new();
    // One byte more than expected is enough to see that there is too much, whatever the bytes would expand to.
    let unpacked = ZlibDecoder::new(stored).take(expected + 1).read_to_end(&mut blob);
    unpacked.map_err(|error| format!("it cannot be unpacked: {error}"))?;
    if blob.len() as u64 != expected {
        return Err("it unpacks to another length than was written".to_owned());
    }
    let decoded = envelopes::decode(&Bytes::from(blob), record.head.seq);
    decoded.map_err(|error| format!("the batch was damaged in the spool already: {error}"))
}

/// Segments in `raw`, those with a readable header by number, others where their name puts them.
fn list(raw: &Path) -> io::Result<Vec<Segment>> {
    let entries = match fs::read_dir(raw) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(error),
    };
    let (mut numbered, mut others) = (Vec::new(), Vec::new());
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_none_or(|extension| extension != EXTENSION) {
            continue;
        }
        let mut file = File::open(&path)?;
        let bytes = file.metadata()?.len();
        let mut header = Vec::new();
        file.by_ref().take(format::HEADER_BYTES as u64).read_to_end(&mut header)?;
        let number = Header::parse(&header).ok().map(|header| header.number);
        let list = if number.is_some() { &mut numbered } else { &mut others };
        list.push(Segment { path, number, bytes });
    }
    numbered.sort_by(|a, b| (a.number, &a.path).cmp(&(b.number, &b.path)));
    others.sort_by_key(|one| name_key(&one.path));
    for other in others {
        let after =
            numbered.iter().position(|known| name_key(&other.path) < name_key(&known.path)).unwrap_or(numbered.len());
        numbered.insert(after, other);
    }
    Ok(numbered)
}

/// The date and the number of the segment within it: what a name tells of the order when the clock was right.
fn name_key(path: &Path) -> (String, u32) {
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    match stem.split_once('.') {
        Some((date, repeat)) => (date.to_owned(), repeat.parse().unwrap_or(u32::MAX)),
        None => (stem.into_owned(), 1),
    }
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn newer(segment: &str, error: HeaderError) -> SpoolError {
    let message =
        format!("the segment {segment} of the raw record was written by a newer Bakau: {error}; start that one");
    SpoolError::new(SpoolErrorKind::NewerFormat, message)
}

fn header_damage(segment: &str) -> RawDamage {
    let problem = HeaderError::Damaged.to_string();
    RawDamage { segment: segment.to_owned(), offset: 0, seq: None, problem }
}

fn gap_damage(segment: &str, gap: &Gap) -> RawDamage {
    let problem = match (gap.head, gap.last) {
        (Some(head), _) if gap.bytes < head.record_bytes() => format!("it is cut off after {} bytes", gap.bytes),
        (Some(_), _) => "its checksum is wrong".to_owned(),
        (None, true) => format!("{} bytes at the end are no record", gap.bytes),
        (None, false) => format!("{} bytes are no record", gap.bytes),
    };
    RawDamage { segment: segment.to_owned(), offset: gap.at, seq: gap.head.map(|head| head.seq), problem }
}

fn record_damage(segment: &str, record: &Record, problem: String) -> RawDamage {
    RawDamage { segment: segment.to_owned(), offset: record.at, seq: Some(record.head.seq), problem }
}
