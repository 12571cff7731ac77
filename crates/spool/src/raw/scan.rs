//! Walks over the records of a segment and finds the next one behind damage. Any bytes are a valid input.

use std::{
    io::{self, Read, Seek, SeekFrom},
    ops::Range,
};

use super::format::{self, CHAIN_BYTES, Chain, HEAD_BYTES, HEADER_BYTES, Head, Header, HeaderError, MARKER};

/// Bytes asked of the file at once: few calls, little memory.
const CHUNK_BYTES: u64 = 256 * 1024;

/// A record whose checksum is right.
#[derive(Debug, Clone)]
pub(crate) struct Record {
    pub(crate) at: u64,
    pub(crate) head: Head,
    /// All its bytes.
    pub(crate) bytes: Vec<u8>,
}

/// Bytes that are no record.
#[derive(Debug, Clone)]
pub(crate) struct Gap {
    pub(crate) at: u64,
    pub(crate) bytes: u64,
    /// The head, where that part is intact.
    pub(crate) head: Option<Head>,
    /// Whether nothing follows: the mark of a write that was cut off.
    pub(crate) last: bool,
    /// The last bytes before what follows: the chain value of the damaged record, if that part is intact.
    pub(crate) chain: Option<Chain>,
}

#[derive(Debug, Clone)]
pub(crate) enum Found {
    Record(Record),
    Gap(Gap),
}

/// Reads a segment from front to back.
#[derive(Debug)]
pub(crate) struct Scanner<R> {
    source: R,
    /// How long the file is; what is appended later is not looked at.
    length: u64,
    at: u64,
    window: Vec<u8>,
    window_at: u64,
}

impl<R: Read + Seek> Scanner<R> {
    pub(crate) fn new(mut source: R) -> io::Result<Self> {
        let length = source.seek(SeekFrom::End(0))?;
        Ok(Self { source, length, at: HEADER_BYTES as u64, window: Vec::new(), window_at: 0 })
    }

    pub(crate) const fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn header(&mut self) -> io::Result<Result<Header, HeaderError>> {
        let bytes = self.bytes(0, HEADER_BYTES as u64)?;
        Ok(Header::parse(bytes.unwrap_or_default()))
    }

    /// Goes on at the first head at or after `from`.
    pub(crate) fn skip_to(&mut self, from: u64) -> io::Result<()> {
        self.at = self.next_head(from.max(HEADER_BYTES as u64))?;
        Ok(())
    }

    /// Goes on at the first record.
    pub(crate) const fn rewind(&mut self) {
        self.at = HEADER_BYTES as u64;
    }

    /// Offset at which [`Self::next`] continues.
    pub(crate) const fn position(&self) -> u64 {
        self.at
    }

    /// The next record or the damage before it; `None` at the end.
    pub(crate) fn next(&mut self) -> io::Result<Option<Found>> {
        let at = self.at;
        if self.length <= at {
            return Ok(None);
        }
        let head = self.head(at)?;
        let end = head.map(|head| at.saturating_add(head.record_bytes()));
        if let (Some(head), Some(end)) = (head, end)
            && let Some(bytes) = self.bytes(at, end - at)?
            && format::check(bytes).is_some()
        {
            let bytes = bytes.to_vec();
            self.at = end;
            return Ok(Some(Found::Record(Record { at, head, bytes })));
        }
        // With an intact head the next record is known, unless the file is cut: never look for heads within a blob then.
        let known = match end {
            Some(end) if end == self.length || self.head(end)?.is_some() => Some(end),
            Some(_) | None => None,
        };
        let next = match known {
            Some(end) => end,
            None => self.next_head(at + 1)?,
        };
        self.at = next;
        let chain = self.chain_before(at..next)?;
        Ok(Some(Found::Gap(Gap { at, bytes: next - at, head, last: next == self.length, chain })))
    }

    fn head(&mut self, at: u64) -> io::Result<Option<Head>> {
        Ok(self.bytes(at, HEAD_BYTES as u64)?.and_then(|bytes| Head::parse(bytes, at)))
    }

    /// The offset of the first intact head at or after `from`, or the end of the file.
    fn next_head(&mut self, mut from: u64) -> io::Result<u64> {
        loop {
            let left = self.length.saturating_sub(from);
            if left < HEAD_BYTES as u64 {
                return Ok(self.length);
            }
            let chunk = left.min(CHUNK_BYTES);
            let Some(bytes) = self.bytes(from, chunk)? else { return Ok(self.length) };
            let mut found = None;
            for (index, window) in bytes.windows(HEAD_BYTES).enumerate() {
                let at = from + index as u64;
                if window.starts_with(&MARKER) && Head::parse(window, at).is_some() {
                    found = Some(at);
                    break;
                }
            }
            if let Some(at) = found {
                return Ok(at);
            }
            from += chunk - HEAD_BYTES as u64 + 1;
        }
    }

    fn chain_before(&mut self, gap: Range<u64>) -> io::Result<Option<Chain>> {
        let Some(at) = gap.end.checked_sub(CHAIN_BYTES as u64) else { return Ok(None) };
        if at < gap.start {
            return Ok(None);
        }
        Ok(self.bytes(at, CHAIN_BYTES as u64)?.and_then(|bytes| bytes.try_into().ok()))
    }

    /// `count` bytes at `at`; `None` when the file is shorter.
    fn bytes(&mut self, at: u64, count: u64) -> io::Result<Option<&[u8]>> {
        let Some(end) = at.checked_add(count).filter(|end| *end <= self.length) else { return Ok(None) };
        let held = self.window_at..self.window_at + self.window.len() as u64;
        if at < held.start || held.end < end {
            let ahead = count.max(CHUNK_BYTES).min(self.length - at);
            self.window.clear();
            self.window_at = at;
            self.source.seek(SeekFrom::Start(at))?;
            self.source.by_ref().take(ahead).read_to_end(&mut self.window)?;
        }
        let start = usize::try_from(at - self.window_at).unwrap_or(usize::MAX);
        let length = usize::try_from(count).unwrap_or(usize::MAX);
        // Shorter than it was: somebody cut the file meanwhile.
        Ok(self.window.get(start..).and_then(|rest| rest.get(..length)))
    }
}
