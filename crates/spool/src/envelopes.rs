//! Payload of an envelopes blob, version 1.
//!
//! ```text
//! varint  number of envelopes
//! per envelope:
//!   byte    bits 0-1 QoS, bit 2 DUP, bit 3 retained, bit 4: client id, user name and content type follow
//!   text    source, text topic; with bit 4 also: text client id, text user name, text content type
//!   delta   epoch, delta received_at (ms), both against the envelope before
//!   bytes   payload
//! ```
//! A text is 0 for none, 1 and the bytes for a new one, 2 + n for the n-th one of this blob.

use std::sync::Arc;

use bakau_model::{Envelope, Qos, Seq, SourceName, UtcMillis};
use bytes::Bytes;

use crate::{
    blob::{self, BlobError, BlobKind},
    wire::{Malformed, Reader, TextReader, TextWriter, put_bytes, put_delta, put_varint},
};

const QOS_BITS: u8 = 0b11;
const DUP: u8 = 1 << 2;
const RETAINED: u8 = 1 << 3;
const PUBLISHER: u8 = 1 << 4;
const KNOWN_BITS: u8 = QOS_BITS | DUP | RETAINED | PUBLISHER;

/// Fewest bytes an envelope can take: flags, source, topic, epoch, received_at, payload length.
const LEAST_ENVELOPE_BYTES: usize = 6;

/// Writes the blob of a batch's envelopes into `out`, replacing what was there.
pub(crate) fn encode(out: &mut Vec<u8>, seq: Seq, registry_revision: u64, envelopes: &[Envelope]) {
    blob::begin(out);
    put_varint(out, envelopes.len() as u64);
    let mut texts = TextWriter::new();
    let (mut epoch, mut received_at) = (0_i64, 0_i64);
    for envelope in envelopes {
        let has_publisher =
            envelope.client_id.is_some() || envelope.username.is_some() || envelope.content_type.is_some();
        out.push(
            envelope.qos as u8
                | if envelope.dup { DUP } else { 0 }
                | if envelope.retained { RETAINED } else { 0 }
                | if has_publisher { PUBLISHER } else { 0 },
        );
        texts.put(out, Some(envelope.source.as_str()));
        texts.put(out, Some(&envelope.topic));
        if has_publisher {
            texts.put(out, envelope.client_id.as_deref());
            texts.put(out, envelope.username.as_deref());
            texts.put(out, envelope.content_type.as_deref());
        }
        put_delta(out, epoch, envelope.epoch.cast_signed());
        put_delta(out, received_at, envelope.received_at.get());
        put_bytes(out, &envelope.payload);
        (epoch, received_at) = (envelope.epoch.cast_signed(), envelope.received_at.get());
    }
    blob::seal(out, BlobKind::Envelopes, seq, registry_revision);
}

/// Reads a blob of envelopes; their payloads are views of `blob`.
pub(crate) fn decode(blob: &Bytes, seq: Seq) -> Result<Vec<Envelope>, BlobError> {
    let opened = blob::open(blob, BlobKind::Envelopes, seq)?;
    let mut decoder = Decoder {
        payload_at: opened.offset,
        reader: opened.payload,
        texts: TextReader::new(),
        source: None,
        epoch: 0,
        received_at: 0,
    };
    let count = decoder.reader.count(LEAST_ENVELOPE_BYTES)?;
    let mut envelopes = Vec::with_capacity(count);
    for _ in 0..count {
        envelopes.push(decoder.envelope(blob)?);
    }
    decoder.reader.finish()?;
    Ok(envelopes)
}

/// When the first and the last message of a blob were received, without making envelopes.
pub(crate) fn received_range(blob: &[u8], seq: Seq) -> Result<(UtcMillis, UtcMillis), BlobError> {
    let mut reader = blob::open(blob, BlobKind::Envelopes, seq)?.payload;
    let count = reader.count(LEAST_ENVELOPE_BYTES)?;
    let (mut received_at, mut least, mut most) = (0_i64, i64::MAX, i64::MIN);
    for _ in 0..count {
        let texts = if reader.byte()? & PUBLISHER == 0 { 2 } else { 5 };
        for _ in 0..texts {
            if reader.varint()? == 1 {
                reader.bytes()?;
            }
        }
        reader.varint()?;
        received_at = reader.delta(received_at)?;
        reader.bytes()?;
        (least, most) = (least.min(received_at), most.max(received_at));
    }
    reader.finish()?;
    if count == 0 {
        return Err(Malformed("a batch without messages").into());
    }
    Ok((UtcMillis::new(least), UtcMillis::new(most)))
}

struct Decoder<'a> {
    reader: Reader<'a>,
    payload_at: usize,
    texts: TextReader<Arc<str>>,
    source: Option<SourceName>,
    epoch: i64,
    received_at: i64,
}

impl Decoder<'_> {
    fn envelope(&mut self, blob: &Bytes) -> Result<Envelope, Malformed> {
        let flags = self.reader.byte()?;
        if flags & !KNOWN_BITS != 0 {
            return Err(Malformed("unknown envelope flags"));
        }
        let source = self.text()?.ok_or(Malformed("an envelope without source"))?;
        let source = self.source(&source)?;
        let topic = self.text()?.ok_or(Malformed("an envelope without topic"))?;
        let (mut client_id, mut username, mut content_type) = (None, None, None);
        if flags & PUBLISHER != 0 {
            (client_id, username, content_type) = (self.text()?, self.text()?, self.text()?);
        }
        self.epoch = self.reader.delta(self.epoch)?;
        self.received_at = self.reader.delta(self.received_at)?;
        let length = self.reader.bytes()?.len();
        let end = self.payload_at + self.reader.position();
        Ok(Envelope {
            source,
            epoch: self.epoch.cast_unsigned(),
            client_id,
            username,
            topic,
            payload: blob.slice(end - length..end),
            qos: qos_from_code(flags & QOS_BITS)?,
            dup: flags & DUP != 0,
            retained: flags & RETAINED != 0,
            content_type,
            received_at: UtcMillis::new(self.received_at),
        })
    }

    fn text(&mut self) -> Result<Option<Arc<str>>, Malformed> {
        self.texts.read(&mut self.reader, |text| Ok(Arc::from(text)))
    }

    /// Neighbours mostly share their source: one allocation then serves many.
    fn source(&mut self, name: &str) -> Result<SourceName, Malformed> {
        match &self.source {
            Some(source) if source.as_str() == name => Ok(source.clone()),
            Some(_) | None => {
                let source = SourceName::new(name).map_err(|_| Malformed("a source name that is none"))?;
                self.source = Some(source.clone());
                Ok(source)
            }
        }
    }
}

const fn qos_from_code(code: u8) -> Result<Qos, Malformed> {
    match code {
        0 => Ok(Qos::AtMostOnce),
        1 => Ok(Qos::AtLeastOnce),
        2 => Ok(Qos::ExactlyOnce),
        _ => Err(Malformed("an unknown QoS")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{any_envelope, flip, resealed};
    use proptest::prelude::*;

    fn encoded(envelopes: &[Envelope]) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, Seq::new(3), 8, envelopes);
        out
    }

    /// What is read, whatever the bytes were, is what would be written.
    fn comes_back<E: std::fmt::Debug>(read: Result<Vec<Envelope>, E>) {
        if let Ok(envelopes) = read {
            assert_eq!(decode(&Bytes::from(encoded(&envelopes)), Seq::new(3)).unwrap(), envelopes);
        }
    }

    proptest! {
        #[test]
        fn envelopes_come_back_as_they_were(envelopes in proptest::collection::vec(any_envelope(), 0..40)) {
            let blob = Bytes::from(encoded(&envelopes));
            let times = || envelopes.iter().map(|one| one.received_at);
            let range = times().min().zip(times().max());
            prop_assert_eq!(received_range(&blob, Seq::new(3)).ok(), range);
            prop_assert_eq!(decode(&blob, Seq::new(3)).unwrap(), envelopes);
        }

        #[test]
        fn a_flipped_or_cut_blob_is_an_error(envelopes in proptest::collection::vec(any_envelope(), 1..8), at in any::<prop::sample::Index>(), bit in 0u8..8, cut in any::<prop::sample::Index>()) {
            let blob = encoded(&envelopes);
            prop_assert!(decode(&flip(&blob, at.index(blob.len()), bit), Seq::new(3)).is_err());
            prop_assert!(decode(&Bytes::copy_from_slice(&blob[..cut.index(blob.len())]), Seq::new(3)).is_err());
        }

        #[test]
        fn any_bytes_under_a_right_checksum_are_an_error_or_envelopes_that_can_be_written(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let blob = resealed(&bytes, BlobKind::Envelopes, Seq::new(3));
            comes_back(decode(&blob, Seq::new(3)));
            if let Ok((first, last)) = received_range(&blob, Seq::new(3)) {
                prop_assert!(first <= last);
            }
            prop_assert!(decode(&Bytes::from(bytes), Seq::new(3)).is_err());
        }

        #[test]
        fn a_changed_payload_under_a_right_checksum_is_an_error_or_envelopes_that_can_be_written(envelopes in proptest::collection::vec(any_envelope(), 1..8), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut payload = encoded(&envelopes).split_off(blob::HEADER_BYTES);
            let at = at.index(payload.len());
            payload[at] = byte;
            comes_back(decode(&resealed(&payload, BlobKind::Envelopes, Seq::new(3)), Seq::new(3)));
        }
    }
}
