//! The envelope around every stored blob: kind, version, codec, registry revision and a checksum.
//!
//! ```text
//! byte 0       kind: 'E' envelopes, 'O' observations
//! byte 1       format version of the payload
//! byte 2       codec of the payload: 0 = as it is
//! bytes 3-10   registry revision, little endian
//! bytes 11-14  CRC32C of bytes 0-10, the batch's seq (8 bytes, little endian) and the payload
//! bytes 15-    payload
//! ```
//! The seq is part of the checksum, so that a blob in the wrong row is found like a flipped byte.

use bakau_model::Seq;

use crate::wire::{Malformed, Reader};

/// Bytes before the payload.
pub(crate) const HEADER_BYTES: usize = 15;
const CRC_AT: usize = 11;
const CODEC_PLAIN: u8 = 0;

/// What a blob holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BlobKind {
    Envelopes,
    Observations,
}

impl BlobKind {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Envelopes => "envelopes",
            Self::Observations => "observations",
        }
    }

    const fn code(self) -> u8 {
        match self {
            Self::Envelopes => b'E',
            Self::Observations => b'O',
        }
    }

    /// The only version written and read so far; a change of either codec raises its number here.
    const fn version(self) -> u8 {
        match self {
            Self::Envelopes | Self::Observations => 1,
        }
    }
}

/// Why a blob cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BlobError {
    #[error("the checksum is {found:08x} where {stored:08x} was written")]
    Checksum { stored: u32, found: u32 },
    #[error("it is cut off within its header")]
    Short,
    #[error("it holds kind {kind} version {version} codec {codec}, which this Bakau does not know")]
    Unknown { kind: u8, version: u8, codec: u8 },
    #[error(transparent)]
    Malformed(#[from] Malformed),
}

/// A checked blob.
#[derive(Debug)]
pub(crate) struct Opened<'a> {
    pub(crate) registry_revision: u64,
    pub(crate) payload: Reader<'a>,
    /// Where the payload starts in the blob.
    pub(crate) offset: usize,
}

/// Starts a blob in `out`: room for the header, to be filled by [`seal`].
pub(crate) fn begin(out: &mut Vec<u8>) {
    out.clear();
    out.resize(HEADER_BYTES, 0);
}

/// Fills the header of a blob started by [`begin`].
pub(crate) fn seal(out: &mut [u8], kind: BlobKind, seq: Seq, registry_revision: u64) {
    let Some((header, payload)) = out.split_first_chunk_mut::<HEADER_BYTES>() else { return };
    header[0] = kind.code();
    header[1] = kind.version();
    header[2] = CODEC_PLAIN;
    header[3..CRC_AT].copy_from_slice(&registry_revision.to_le_bytes());
    let crc = checksum(&header[..CRC_AT], seq, payload);
    header[CRC_AT..].copy_from_slice(&crc.to_le_bytes());
}

/// Checks a blob read from the row of `seq`.
pub(crate) fn open(blob: &[u8], kind: BlobKind, seq: Seq) -> Result<Opened<'_>, BlobError> {
    let (header, payload) = blob.split_first_chunk::<HEADER_BYTES>().ok_or(BlobError::Short)?;
    let stored = u32::from_le_bytes([header[11], header[12], header[13], header[14]]);
    let found = checksum(&header[..CRC_AT], seq, payload);
    if stored != found {
        return Err(BlobError::Checksum { stored, found });
    }
    let &[code, version, codec, r0, r1, r2, r3, r4, r5, r6, r7, ..] = header;
    if code != kind.code() || version != kind.version() || codec != CODEC_PLAIN {
        return Err(BlobError::Unknown { kind: code, version, codec });
    }
    let registry_revision = u64::from_le_bytes([r0, r1, r2, r3, r4, r5, r6, r7]);
    Ok(Opened { registry_revision, payload: Reader::new(payload), offset: HEADER_BYTES })
}

fn checksum(header: &[u8], seq: Seq, payload: &[u8]) -> u32 {
    let crc = crc32c::crc32c(header);
    let crc = crc32c::crc32c_append(crc, &seq.get().to_le_bytes());
    crc32c::crc32c_append(crc, payload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn sealed(payload: &[u8], seq: u64) -> Vec<u8> {
        let mut blob = Vec::new();
        begin(&mut blob);
        blob.extend_from_slice(payload);
        seal(&mut blob, BlobKind::Envelopes, Seq::new(seq), 42);
        blob
    }

    #[test]
    fn a_sealed_blob_opens_with_its_revision() {
        let blob = sealed(b"payload", 7);
        let opened = open(&blob, BlobKind::Envelopes, Seq::new(7)).unwrap();
        assert_eq!(opened.registry_revision, 42);
        assert_eq!(&blob[opened.offset..], b"payload");
    }

    #[test]
    fn a_blob_in_the_wrong_row_or_of_the_wrong_kind_is_refused() {
        let blob = sealed(b"payload", 7);
        assert!(matches!(open(&blob, BlobKind::Envelopes, Seq::new(8)), Err(BlobError::Checksum { .. })));
        assert!(matches!(open(&blob, BlobKind::Observations, Seq::new(7)), Err(BlobError::Unknown { .. })));
    }

    #[test]
    fn a_blob_of_a_later_version_is_refused_by_name() {
        let mut blob = sealed(b"payload", 7);
        blob[1] = 2;
        let crc = checksum(&blob[..CRC_AT], Seq::new(7), b"payload");
        blob[CRC_AT..HEADER_BYTES].copy_from_slice(&crc.to_le_bytes());
        let error = open(&blob, BlobKind::Envelopes, Seq::new(7)).unwrap_err();
        assert_eq!(error.to_string(), "it holds kind 69 version 2 codec 0, which this Bakau does not know");
    }

    proptest! {
        #[test]
        fn any_single_flipped_bit_is_found(payload in proptest::collection::vec(any::<u8>(), 0..300), at in any::<prop::sample::Index>(), bit in 0u8..8) {
            let mut blob = sealed(&payload, 9);
            let at = at.index(blob.len());
            blob[at] ^= 1 << bit;
            prop_assert!(open(&blob, BlobKind::Envelopes, Seq::new(9)).is_err());
        }
    }
}
