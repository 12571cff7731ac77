//! Appends consumed batches to the segment of their day.

use std::{
    fs::{self, File, OpenOptions},
    io::{self, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use bakau_model::{DAY_MS, HOUR_MS, Seq, UtcMillis};
use flate2::{Compress, Compression, FlushCompress, Status};

use super::{
    EXTENSION, FOLDER, file_name,
    format::{self, Chain, HEADER_BYTES, Head, Header, HeaderError},
    list, newer,
    scan::{Found, Scanner},
};
use crate::{SpoolError, envelopes, metrics::METRICS};

/// Messages of two sources around midnight come in any order: this much before its day a batch stays in a segment.
const EARLY_MS: i64 = HOUR_MS;

/// Bytes at the end of a segment searched at opening: several times what one trim writes, so that a start is quick.
const TAIL_BYTES: u64 = 64 << 20;

/// Bytes written at once.
const WRITE_BYTES: usize = 1 << 20;

/// Appends to the newest segment and keeps the end of the chain.
#[derive(Debug)]
pub(crate) struct RawWriter {
    folder: PathBuf,
    place: Option<Place>,
    /// The newest batch made durable in this run, so that a failed deletion does not write batches again and again.
    archived: Seq,
    packer: Compress,
    pending: Vec<u8>,
    #[cfg(test)]
    pub(crate) room: Option<u64>,
}

/// The end of the chain.
#[derive(Debug)]
struct Place {
    /// Number of the newest segment, 0 when there is none.
    number: u64,
    chain: Chain,
    /// The newest segment; `None` when there is none or it is damaged at its ends, which no record may follow.
    open: Option<Open>,
}

#[derive(Debug)]
struct Open {
    file: File,
    day: i64,
    length: u64,
}

/// The intact end of a segment.
struct Tail {
    seq: Option<Seq>,
    end: u64,
    chain: Option<Chain>,
    /// Position of the batch of what follows, where its head is intact.
    after: Option<Seq>,
}

impl RawWriter {
    pub(crate) fn new(spool: &Path) -> Self {
        Self {
            folder: spool.with_file_name(FOLDER),
            place: None,
            archived: Seq::START,
            packer: Compress::new(Compression::fast(), true),
            pending: Vec::new(),
            #[cfg(test)]
            room: None,
        }
    }

    /// Finds the end of the chain, unless it is known, and cuts a record off that was not written to its end.
    /// `oldest` is the oldest batch the spool still has: only what it can write again is cut off.
    pub(crate) fn prepare(&mut self, oldest: Seq) -> Result<(), SpoolError> {
        while self.place.is_none() {
            let newest = list(&self.folder).map_err(|error| SpoolError::io("listing the raw record", error))?.pop();
            let Some(newest) = newest else {
                self.place = Some(Place { number: 0, chain: [0; 32], open: None });
                break;
            };
            self.place = find_place(&newest.path, oldest)?;
        }
        Ok(())
    }

    /// The day whose segment takes a batch, given that batches before it are written.
    pub(crate) fn day_for(&self, received_at: UtcMillis) -> i64 {
        let open = self.place.as_ref().and_then(|place| place.open.as_ref());
        open.map(|open| open.day).filter(|day| belongs(*day, received_at)).unwrap_or_else(|| day_of(received_at))
    }

    /// Appends the batches `fill` pushes to the segment of `day` and makes them durable.
    pub(crate) fn append(
        &mut self,
        day: i64,
        fill: impl FnOnce(&mut Group<'_>) -> Result<(), SpoolError>,
    ) -> Result<(), SpoolError> {
        let appended = self.try_append(day, fill);
        if appended.is_err() {
            METRICS.raw_failed.inc();
            self.pending.clear();
        }
        appended
    }

    fn try_append(
        &mut self,
        day: i64,
        fill: impl FnOnce(&mut Group<'_>) -> Result<(), SpoolError>,
    ) -> Result<(), SpoolError> {
        // Until all is durable the place is unknown: whatever fails on the way, the next call looks at the file again.
        let Some(mut place) = self.place.take() else { return Err(unprepared()) };
        if place.open.as_ref().is_none_or(|open| open.day != day) {
            match self.create(day, &mut place) {
                Ok(open) => place.open = Some(open),
                Err(error) => {
                    self.place = Some(place);
                    return Err(failed(error));
                }
            }
        }
        let Some(mut open) = place.open.take() else { return Err(unprepared()) };
        let (start, chain) = (open.length, place.chain);
        let mut group = Group { writer: self, open: &mut open, chain, last: None };
        let filled = fill(&mut group).and_then(|()| group.finish());
        if let Err(error) = filled {
            // Without a trace, so that a full disk does not make repeats; if this fails too, the tail is found later.
            if open.file.set_len(start).and_then(|()| open.file.seek(SeekFrom::Start(start))).is_ok() {
                open.length = start;
                place.open = Some(open);
                self.place = Some(place);
            }
            return Err(error);
        }
        let (last, chain) = (group.last, group.chain);
        METRICS.raw_bytes.inc_by(open.length - start);
        self.archived = last.map_or(self.archived, |last| self.archived.max(last));
        place.chain = chain;
        place.open = Some(open);
        self.place = Some(place);
        Ok(())
    }

    /// Starts the next segment, durable with its name before anything is in it.
    fn create(&self, day: i64, place: &mut Place) -> io::Result<Open> {
        fs::create_dir_all(&self.folder)?;
        let header = Header { number: place.number + 1, day, previous: place.chain };
        let (path, mut file) = self.new_file(day)?;
        let written = self.check_room(HEADER_BYTES).and_then(|()| file.write_all(&header.to_bytes()));
        if let Err(error) = written.and_then(|()| file.sync_all()) {
            drop(file);
            fs::remove_file(&path)?;
            return Err(error);
        }
        File::open(&self.folder)?.sync_all()?;
        if let Some(parent) = self.folder.parent().filter(|parent| !parent.as_os_str().is_empty()) {
            File::open(parent)?.sync_all()?;
        }
        place.number = header.number;
        place.chain = header.chain();
        Ok(Open { file, day, length: HEADER_BYTES as u64 })
    }

    fn new_file(&self, day: i64) -> io::Result<(PathBuf, File)> {
        let date = date_of(day);
        let mut name = format!("{date}.{EXTENSION}");
        let mut repeat = 2_u32;
        loop {
            let path = self.folder.join(&name);
            match OpenOptions::new().read(true).write(true).create_new(true).open(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                    name = format!("{date}.{repeat}.{EXTENSION}");
                    repeat += 1;
                }
                Ok(file) => return Ok((path, file)),
                Err(error) => return Err(error),
            }
        }
    }

    #[cfg(test)]
    fn check_room(&self, bytes: usize) -> io::Result<()> {
        match self.room {
            Some(room) if room < bytes as u64 => Err(io::ErrorKind::StorageFull.into()),
            Some(_) | None => Ok(()),
        }
    }

    #[cfg(not(test))]
    #[expect(clippy::unused_self, clippy::unnecessary_wraps, reason = "only tests run out of room on purpose")]
    const fn check_room(&self, _bytes: usize) -> io::Result<()> {
        Ok(())
    }
}

/// Batches on their way into one segment.
#[derive(Debug)]
pub(crate) struct Group<'a> {
    writer: &'a mut RawWriter,
    open: &'a mut Open,
    chain: Chain,
    last: Option<Seq>,
}

impl Group<'_> {
    /// Adds the envelopes blob of a batch; `received_at` stands for both times when the blob is damaged.
    pub(crate) fn push(&mut self, seq: Seq, received_at: UtcMillis, blob: &[u8]) -> Result<(), SpoolError> {
        if seq <= self.writer.archived {
            return Ok(());
        }
        let (received_min, received_max) = envelopes::received_range(blob, seq).unwrap_or_else(|error| {
            tracing::error!(seq = seq.get(), %error, "damaged envelopes go into the raw record as they are");
            (received_at, received_at)
        });
        let start = self.writer.pending.len();
        let offset = self.open.length + start as u64;
        self.writer.pending.resize(start + format::HEAD_BYTES, 0);
        pack(&mut self.writer.packer, blob, &mut self.writer.pending).map_err(failed)?;
        let stored = self.writer.pending.len() - start - format::HEAD_BYTES;
        let lengths = u32::try_from(stored).and_then(|stored| Ok((stored, u32::try_from(blob.len())?)));
        let (stored_bytes, blob_bytes) = lengths.map_err(|error| failed(io::Error::other(error)))?;
        let head = Head { stored_bytes, blob_bytes, seq, received_min, received_max };
        self.writer.pending[start..start + format::HEAD_BYTES].copy_from_slice(&head.to_bytes(offset));
        self.chain = format::seal(&mut self.writer.pending, start, &self.chain);
        self.last = Some(seq);
        if WRITE_BYTES <= self.writer.pending.len() {
            self.write().map_err(failed)?;
        }
        Ok(())
    }

    fn finish(&mut self) -> Result<(), SpoolError> {
        self.write().and_then(|()| self.open.file.sync_data()).map_err(failed)
    }

    fn write(&mut self) -> io::Result<()> {
        #[cfg(test)]
        if let Err(error) = self.writer.check_room(self.writer.pending.len()) {
            // As a disk does: what fits is written.
            let fits = usize::try_from(self.writer.room.unwrap_or_default()).unwrap();
            self.open.file.write_all(&self.writer.pending[..fits])?;
            return Err(error);
        }
        self.open.file.write_all(&self.writer.pending)?;
        self.open.length += self.writer.pending.len() as u64;
        self.writer.pending.clear();
        Ok(())
    }
}

fn pack(packer: &mut Compress, blob: &[u8], out: &mut Vec<u8>) -> io::Result<()> {
    packer.reset();
    out.reserve(blob.len() / 2 + 64);
    loop {
        let taken = usize::try_from(packer.total_in()).map_err(io::Error::other)?;
        let rest = blob.get(taken..).unwrap_or_default();
        match packer.compress_vec(rest, out, FlushCompress::Finish).map_err(io::Error::other)? {
            Status::StreamEnd => return Ok(()),
            Status::Ok | Status::BufError => out.reserve(blob.len() / 4 + 64),
        }
    }
}

/// The end of the chain in the newest segment; `None` when the file was nothing and is gone.
fn find_place(path: &Path, oldest: Seq) -> Result<Option<Place>, SpoolError> {
    let opened = OpenOptions::new().read(true).write(true).open(path);
    let file = opened.map_err(failed)?;
    let mut scanner = Scanner::new(&file).map_err(failed)?;
    let length = scanner.length();
    let header = match scanner.header().map_err(failed)? {
        Ok(header) => Some(header),
        Err(error @ HeaderError::Newer(_)) => return Err(newer(&file_name(path), error)),
        Err(HeaderError::Damaged) if length <= HEADER_BYTES as u64 => {
            tracing::error!(
                segment = file_name(path),
                length,
                "a segment of the raw record was not begun whole; removed"
            );
            fs::remove_file(path).map_err(failed)?;
            return Ok(None);
        }
        Err(HeaderError::Damaged) => None,
    };
    let tail = find_tail(&mut scanner, header).map_err(failed)?;
    let chain = tail.chain.or(header.map(Header::chain)).unwrap_or_default();
    let Some(header) = header else {
        tracing::error!(segment = file_name(path), "the header of the newest segment is damaged; a new one follows it");
        let number = before_damaged(path).map_err(failed)?;
        return Ok(Some(Place { number: number + 1, chain, open: None }));
    };
    let mut open = Some(Open { file, day: header.day, length: tail.end });
    if tail.end < length {
        let next = tail.after.or(tail.seq.map(|seq| Seq::new(seq.get().saturating_add(1))));
        let (segment, at, bytes) = (file_name(path), tail.end, length - tail.end);
        if next.is_none_or(|next| oldest <= next) {
            tracing::error!(
                segment,
                at,
                bytes,
                "a record was not written whole; cut off, the spool still has its batch"
            );
            open.as_ref()
                .map_or(Ok(()), |open| open.file.set_len(at).and_then(|()| open.file.sync_all()))
                .map_err(failed)?;
        } else {
            tracing::error!(
                segment,
                at,
                bytes,
                "the last record is damaged; a new segment follows, run `bakau verify`"
            );
            open = None;
        }
    }
    if let Some(open) = &mut open {
        open.file.seek(SeekFrom::Start(open.length)).map_err(failed)?;
    }
    Ok(Some(Place { number: header.number, chain, open }))
}

/// The greatest number known, for a segment whose own is damaged.
fn before_damaged(path: &Path) -> io::Result<u64> {
    let segments = path.parent().map(list).transpose()?.unwrap_or_default();
    Ok(segments.iter().filter_map(|segment| segment.number).max().unwrap_or(0))
}

fn find_tail<R: Read + Seek>(scanner: &mut Scanner<R>, header: Option<Header>) -> io::Result<Tail> {
    let start = HEADER_BYTES as u64;
    let near = scanner.length().saturating_sub(TAIL_BYTES);
    if start < near {
        scanner.skip_to(near)?;
        let tail = walk(scanner, None)?;
        if tail.seq.is_some() {
            return Ok(tail);
        }
    }
    scanner.rewind();
    walk(scanner, header.map(Header::chain))
}

fn walk<R: Read + Seek>(scanner: &mut Scanner<R>, mut previous: Option<Chain>) -> io::Result<Tail> {
    let mut tail = Tail { seq: None, end: HEADER_BYTES as u64, chain: None, after: None };
    while let Some(found) = scanner.next()? {
        match found {
            Found::Record(record) => {
                let Some((sealed, _, chain)) = format::check(&record.bytes) else { continue };
                let follows = previous.is_none_or(|previous| format::link(&previous, sealed) == chain);
                if !follows {
                    // Its chain value did not reach the disk, unless a whole record follows.
                    previous = None;
                    tail.after = tail.after.or(Some(record.head.seq));
                    continue;
                }
                previous = Some(chain);
                tail = Tail { seq: Some(record.head.seq), end: scanner.position(), chain: Some(chain), after: None };
            }
            Found::Gap(gap) => {
                previous = None;
                tail.after = tail.after.or(gap.head.map(|head| head.seq));
            }
        }
    }
    Ok(tail)
}

/// Whether a batch goes into the segment of `day` while that is the newest one.
pub(crate) const fn belongs(day: i64, received_at: UtcMillis) -> bool {
    day == day_of(received_at) || day == day_of(received_at.saturating_add(EARLY_MS))
}

const fn day_of(at: UtcMillis) -> i64 {
    at.get().div_euclid(DAY_MS)
}

/// The date as in RFC 3339, or the number of the day for a clock beyond the calendar.
fn date_of(day: i64) -> String {
    let start = UtcMillis::new(day.saturating_mul(DAY_MS));
    match start.to_string().split_once('T') {
        Some((date, _)) => date.to_owned(),
        None => format!("day{day}"),
    }
}

fn unprepared() -> SpoolError {
    failed(io::Error::other("the end of its newest segment is not known"))
}

fn failed(error: io::Error) -> SpoolError {
    SpoolError::io("writing the raw record", error)
}
