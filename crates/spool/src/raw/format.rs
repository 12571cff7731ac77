//! Bytes of a segment, version 1. All numbers are little endian.
//!
//! ```text
//! header   8  "BkRawSeg"
//!          4  format version
//!          8  number of the segment, from 1
//!          8  day since 1970-01-01 (UTC)
//!         32  last chain value of the segment before, zeros in the first
//!          4  CRC32C of the bytes before
//! record   4  "BkRr"
//!          4  length of the compressed blob
//!          4  length of the blob
//!          8  seq of the batch
//!          8  received_min, 8 received_max (ms)
//!          4  CRC32C of the bytes before and of the record's offset in the file (8 bytes)
//!          n  the envelopes blob as the spool held it, its header included, compressed (zlib)
//!          4  CRC32C of all bytes of the record before
//!         32  chain value: SHA-256 of the chain value before and of all bytes of the record before
//! ```
//! The chain of a segment starts with the SHA-256 of its header. The head of a record has a checksum of its own, so that
//! a damaged blob does not lose the records behind it; the offset in it makes copied bytes no record.

use bakau_model::{Seq, UtcMillis};
use sha2::{Digest, Sha256};

pub(crate) type Chain = [u8; 32];

pub(crate) const VERSION: u32 = 1;
pub(crate) const HEADER_BYTES: usize = 64;
pub(crate) const MARKER: [u8; 4] = *b"BkRr";
pub(crate) const HEAD_BYTES: usize = 40;
const HEAD_CRC_AT: usize = HEAD_BYTES - 4;
const MAGIC: [u8; 8] = *b"BkRawSeg";
const CRC_BYTES: usize = 4;
pub(crate) const CHAIN_BYTES: usize = 32;
/// Bytes of a record beside its compressed blob.
const AROUND_BYTES: u64 = (HEAD_BYTES + CRC_BYTES + CHAIN_BYTES) as u64;

/// Header of a segment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) number: u64,
    pub(crate) day: i64,
    pub(crate) previous: Chain,
}

/// Why the first bytes of a file are no header.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum HeaderError {
    #[error("its header is cut off or damaged")]
    Damaged,
    #[error("it has format {0}, which this Bakau does not know")]
    Newer(u32),
}

impl Header {
    pub(crate) fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut bytes = [0; HEADER_BYTES];
        bytes[..8].copy_from_slice(&MAGIC);
        bytes[8..12].copy_from_slice(&VERSION.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.number.to_le_bytes());
        bytes[20..28].copy_from_slice(&self.day.to_le_bytes());
        bytes[28..60].copy_from_slice(&self.previous);
        let crc = crc32c::crc32c(&bytes[..60]);
        bytes[60..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    pub(crate) fn parse(bytes: &[u8]) -> Result<Self, HeaderError> {
        let mut fields = Fields(bytes.get(..HEADER_BYTES).ok_or(HeaderError::Damaged)?);
        if fields.take::<8>() != MAGIC || u32::from_le_bytes(tail(bytes, 60)) != crc32c::crc32c(&bytes[..60]) {
            return Err(HeaderError::Damaged);
        }
        let version = u32::from_le_bytes(fields.take());
        if version != VERSION {
            return Err(HeaderError::Newer(version));
        }
        Ok(Self {
            number: u64::from_le_bytes(fields.take()),
            day: i64::from_le_bytes(fields.take()),
            previous: fields.take(),
        })
    }

    /// The chain value the first record continues.
    pub(crate) fn chain(self) -> Chain {
        Sha256::digest(self.to_bytes()).into()
    }
}

/// The first bytes of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Head {
    pub(crate) stored_bytes: u32,
    pub(crate) blob_bytes: u32,
    pub(crate) seq: Seq,
    pub(crate) received_min: UtcMillis,
    pub(crate) received_max: UtcMillis,
}

impl Head {
    pub(crate) fn to_bytes(self, offset: u64) -> [u8; HEAD_BYTES] {
        let mut bytes = [0; HEAD_BYTES];
        bytes[..4].copy_from_slice(&MARKER);
        bytes[4..8].copy_from_slice(&self.stored_bytes.to_le_bytes());
        bytes[8..12].copy_from_slice(&self.blob_bytes.to_le_bytes());
        bytes[12..20].copy_from_slice(&self.seq.get().to_le_bytes());
        bytes[20..28].copy_from_slice(&self.received_min.get().to_le_bytes());
        bytes[28..36].copy_from_slice(&self.received_max.get().to_le_bytes());
        let crc = head_crc(&bytes[..HEAD_CRC_AT], offset);
        bytes[HEAD_CRC_AT..].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// The head at `offset` of its file; `None` for other or damaged bytes.
    pub(crate) fn parse(bytes: &[u8], offset: u64) -> Option<Self> {
        let mut fields = Fields(bytes.get(..HEAD_BYTES)?);
        let crc = u32::from_le_bytes(tail(bytes, HEAD_CRC_AT));
        if fields.take::<4>() != MARKER || crc != head_crc(&bytes[..HEAD_CRC_AT], offset) {
            return None;
        }
        Some(Self {
            stored_bytes: u32::from_le_bytes(fields.take()),
            blob_bytes: u32::from_le_bytes(fields.take()),
            seq: Seq::new(u64::from_le_bytes(fields.take())),
            received_min: UtcMillis::new(i64::from_le_bytes(fields.take())),
            received_max: UtcMillis::new(i64::from_le_bytes(fields.take())),
        })
    }

    /// Bytes of the whole record.
    pub(crate) const fn record_bytes(self) -> u64 {
        self.stored_bytes as u64 + AROUND_BYTES
    }
}

fn head_crc(bytes: &[u8], offset: u64) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(bytes), &offset.to_le_bytes())
}

/// Ends a record that starts at `out[start..]` with head and blob: checksum and chain value.
pub(crate) fn seal(out: &mut Vec<u8>, start: usize, previous: &Chain) -> Chain {
    let crc = crc32c::crc32c(&out[start..]);
    out.extend_from_slice(&crc.to_le_bytes());
    let chain = link(previous, &out[start..]);
    out.extend_from_slice(&chain);
    chain
}

/// The chain value after `sealed`, which is a record without its chain value.
pub(crate) fn link(previous: &Chain, sealed: &[u8]) -> Chain {
    Sha256::new().chain_update(previous).chain_update(sealed).finalize().into()
}

/// A whole record split into what its chain value covers, its compressed blob and its chain value; `None` when the
/// checksum is wrong.
pub(crate) fn check(record: &[u8]) -> Option<(&[u8], &[u8], Chain)> {
    let (sealed, chain) = record.split_last_chunk::<CHAIN_BYTES>()?;
    let (checked, crc) = sealed.split_last_chunk::<CRC_BYTES>()?;
    let stored = checked.get(HEAD_BYTES..)?;
    (u32::from_le_bytes(*crc) == crc32c::crc32c(checked)).then_some((sealed, stored, *chain))
}

fn tail(bytes: &[u8], at: usize) -> [u8; 4] {
    let mut crc = [0; 4];
    crc.copy_from_slice(&bytes[at..at + 4]);
    crc
}

/// Takes fields of known length off the front; the caller has checked that they are there.
struct Fields<'a>(&'a [u8]);

impl Fields<'_> {
    fn take<const N: usize>(&mut self) -> [u8; N] {
        let Some((field, rest)) = self.0.split_first_chunk::<N>() else { return [0; N] };
        self.0 = rest;
        *field
    }
}
