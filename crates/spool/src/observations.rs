//! Payload of an observations blob, version 1.
//!
//! ```text
//! varint  number of sources, then each as bytes
//! varint  number of observations
//! per observation:
//!   byte    bits 0-1 time source, bits 2-4 flag (0 to 4 for QARTOD 1, 2, 3, 4, 9), bit 5: a value follows,
//!           bit 6: source follows, bit 7: received_at follows (else both are those of the observation before)
//!   varint  source index (with bit 6)
//!   delta   received_at (ms) against the observation before (with bit 7)
//!   delta   observed_at (ms) against received_at
//!   varint  datastream, varint deployment
//!   8 bytes value, IEEE 754 little endian (with bit 5)
//! varint  number of statuses
//! per status:
//!   byte    bit 0: online, bit 1: retained
//!   text    station
//!   delta   at (ms) against the status before
//! ```
//! A text is 1 and the bytes for a new one, 2 + n for the n-th one of this blob.

use bakau_model::{
    Batch, DatastreamId, DeploymentId, Flag, Observation, Seq, SourceName, SourcedObservation, StationId,
    StationStatus, TimeSource, UtcMillis,
};

use crate::{
    BatchDraft, SpoolError, SpoolErrorKind,
    blob::{self, BlobError, BlobKind},
    wire::{Malformed, Reader, TextReader, TextWriter, put_bytes, put_delta, put_varint},
};

const FLAG_SHIFT: u8 = 2;
const VALUE: u8 = 1 << 5;
const SOURCE: u8 = 1 << 6;
const RECEIVED: u8 = 1 << 7;

const ONLINE: u8 = 1;
const RETAINED: u8 = 1 << 1;

/// Fewest bytes a status can take: flags, station, at.
const LEAST_STATUS_BYTES: usize = 3;

/// Fewest bytes an observation can take: flags, observed_at, datastream, deployment.
const LEAST_OBSERVATION_BYTES: usize = 4;

/// Makes the batch of a draft: observations with the sources their envelopes name.
pub(crate) fn batch(seq: Seq, draft: &BatchDraft) -> Result<Batch, SpoolError> {
    let BatchDraft { registry_revision, envelopes, observations, statuses, .. } = draft;
    let invalid = |message| SpoolError::new(SpoolErrorKind::InvalidDraft, message);
    if envelopes.is_empty() && !statuses.is_empty() {
        return Err(invalid("a draft has statuses without messages they come from"));
    }
    let mut sources: Vec<SourceName> = Vec::new();
    let mut sourced = Vec::with_capacity(observations.len());
    let mut last: Option<(&SourceName, u16)> = None;
    for (envelope, observation) in observations {
        let envelope = usize::try_from(*envelope).ok().and_then(|index| envelopes.get(index));
        let name =
            &envelope.ok_or_else(|| invalid("an observation names an envelope that is not in its draft"))?.source;
        let source = match last {
            Some((known, index)) if known == name => index,
            Some(_) | None => {
                let index = sources.iter().position(|known| known == name).unwrap_or_else(|| {
                    sources.push(name.clone());
                    sources.len() - 1
                });
                u16::try_from(index).map_err(|_| invalid("a draft has more than 65,536 sources"))?
            }
        };
        last = Some((name, source));
        sourced.push(SourcedObservation { source, observation: *observation });
    }
    let statuses = statuses.clone();
    Ok(Batch { seq, registry_revision: *registry_revision, sources, observations: sourced, statuses })
}

/// Writes the blob of a batch into `out`, replacing what was there.
pub(crate) fn encode(out: &mut Vec<u8>, batch: &Batch) {
    blob::begin(out);
    put_varint(out, batch.sources.len() as u64);
    for source in &batch.sources {
        put_bytes(out, source.as_str().as_bytes());
    }
    put_varint(out, batch.observations.len() as u64);
    let (mut source, mut received_at) = (0_u16, 0_i64);
    for SourcedObservation { source: its_source, observation } in &batch.observations {
        let its_received_at = observation.received_at.get();
        out.push(
            observation.time_source.code()
                | (flag_code(observation.flag) << FLAG_SHIFT)
                | if observation.value.is_some() { VALUE } else { 0 }
                | if *its_source == source { 0 } else { SOURCE }
                | if its_received_at == received_at { 0 } else { RECEIVED },
        );
        if *its_source != source {
            put_varint(out, u64::from(*its_source));
        }
        if its_received_at != received_at {
            put_delta(out, received_at, its_received_at);
        }
        (source, received_at) = (*its_source, its_received_at);
        put_delta(out, received_at, observation.observed_at.get());
        put_varint(out, u64::from(observation.datastream.get()));
        put_varint(out, u64::from(observation.deployment.get()));
        if let Some(value) = observation.value {
            out.extend_from_slice(&value.to_le_bytes());
        }
    }
    encode_statuses(out, &batch.statuses);
    blob::seal(out, BlobKind::Observations, batch.seq, batch.registry_revision);
}

fn encode_statuses(out: &mut Vec<u8>, statuses: &[StationStatus]) {
    put_varint(out, statuses.len() as u64);
    if statuses.is_empty() {
        return;
    }
    let mut texts = TextWriter::new();
    let mut at = 0_i64;
    for status in statuses {
        out.push(if status.online { ONLINE } else { 0 } | if status.retained { RETAINED } else { 0 });
        texts.put(out, Some(status.station.as_str()));
        put_delta(out, at, status.at.get());
        at = status.at.get();
    }
}

/// Reads the blob of a batch.
pub(crate) fn decode(blob: &[u8], seq: Seq) -> Result<Batch, BlobError> {
    let mut opened = blob::open(blob, BlobKind::Observations, seq)?;
    let reader = &mut opened.payload;
    let listed = reader.count(1)?;
    let mut sources = Vec::with_capacity(listed);
    for _ in 0..listed {
        sources.push(SourceName::new(reader.text()?).map_err(|_| Malformed("a source name that is none"))?);
    }
    let count = reader.count(LEAST_OBSERVATION_BYTES)?;
    let mut observations = Vec::with_capacity(count);
    let (mut source, mut received_at) = (0_u16, 0_i64);
    for _ in 0..count {
        let next = observation(reader, &sources, source, received_at)?;
        (source, received_at) = (next.source, next.observation.received_at.get());
        observations.push(next);
    }
    let statuses = statuses(reader)?;
    opened.payload.finish()?;
    Ok(Batch { seq, registry_revision: opened.registry_revision, sources, observations, statuses })
}

fn statuses(reader: &mut Reader<'_>) -> Result<Vec<StationStatus>, Malformed> {
    let count = reader.count(LEAST_STATUS_BYTES)?;
    let mut statuses = Vec::with_capacity(count);
    let mut stations = TextReader::new();
    let mut at = 0_i64;
    for _ in 0..count {
        let bits = reader.byte()?;
        if bits & !(ONLINE | RETAINED) != 0 {
            return Err(Malformed("unknown status flags"));
        }
        let id = |text: &str| StationId::new(text).map_err(|_| Malformed("a station id that is none"));
        let station = stations.read(reader, id)?.ok_or(Malformed("a status without station"))?;
        at = reader.delta(at)?;
        let (online, retained) = (bits & ONLINE != 0, bits & RETAINED != 0);
        statuses.push(StationStatus { station, online, retained, at: UtcMillis::new(at) });
    }
    Ok(statuses)
}

fn observation(
    reader: &mut Reader<'_>,
    sources: &[SourceName],
    mut source: u16,
    mut received_at: i64,
) -> Result<SourcedObservation, Malformed> {
    let bits = reader.byte()?;
    if bits & SOURCE != 0 {
        source = u16::try_from(reader.varint()?).map_err(|_| Malformed("a source index that is too large"))?;
    }
    if sources.len() <= usize::from(source) {
        return Err(Malformed("a source that is not listed"));
    }
    if bits & RECEIVED != 0 {
        received_at = reader.delta(received_at)?;
    }
    let observed_at = reader.delta(received_at)?;
    let datastream = DatastreamId::new(reader.varint_u32()?);
    let deployment = DeploymentId::new(reader.varint_u32()?);
    let value = if bits & VALUE == 0 { None } else { Some(reader.f64()?) };
    let time_source = TimeSource::from_code(bits & 0b11).ok_or(Malformed("an unknown time source"))?;
    let flag = flag_from_code((bits >> FLAG_SHIFT) & 0b111)?;
    let received_at = UtcMillis::new(received_at);
    let observed_at = UtcMillis::new(observed_at);
    let observation = Observation { datastream, observed_at, value, deployment, time_source, received_at, flag };
    Ok(SourcedObservation { source, observation })
}

/// Position in [`Flag::ALL`], so that five codes fit three bits.
const fn flag_code(flag: Flag) -> u8 {
    match flag {
        Flag::Good => 0,
        Flag::NotEvaluated => 1,
        Flag::Suspect => 2,
        Flag::Fail => 3,
        Flag::Missing => 4,
    }
}

const fn flag_from_code(code: u8) -> Result<Flag, Malformed> {
    match code {
        0 => Ok(Flag::Good),
        1 => Ok(Flag::NotEvaluated),
        2 => Ok(Flag::Suspect),
        3 => Ok(Flag::Fail),
        4 => Ok(Flag::Missing),
        _ => Err(Malformed("an unknown flag")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{any_batch, flip, resealed};
    use proptest::prelude::*;

    fn encoded(batch: &Batch) -> Vec<u8> {
        let mut out = Vec::new();
        encode(&mut out, batch);
        out
    }

    /// What is read, whatever the bytes were, is what would be written; compared as bytes, because a NaN equals nothing.
    fn comes_back<E: std::fmt::Debug>(read: Result<Batch, E>) {
        if let Ok(batch) = read {
            let blob = encoded(&batch);
            assert_eq!(encoded(&decode(&blob, Seq::new(5)).unwrap()), blob);
        }
    }

    proptest! {
        #[test]
        fn a_batch_comes_back_as_it_was(batch in any_batch(Seq::new(5))) {
            prop_assert_eq!(decode(&encoded(&batch), Seq::new(5)).unwrap(), batch);
        }

        #[test]
        fn a_flipped_or_cut_blob_is_an_error(batch in any_batch(Seq::new(5)), at in any::<prop::sample::Index>(), bit in 0u8..8, cut in any::<prop::sample::Index>()) {
            let blob = encoded(&batch);
            prop_assert!(decode(&flip(&blob, at.index(blob.len()), bit), Seq::new(5)).is_err());
            prop_assert!(decode(&blob[..cut.index(blob.len())], Seq::new(5)).is_err());
        }

        #[test]
        fn any_bytes_under_a_right_checksum_are_an_error_or_a_batch_that_can_be_written(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            comes_back(decode(&resealed(&bytes, BlobKind::Observations, Seq::new(5)), Seq::new(5)));
            prop_assert!(decode(&bytes, Seq::new(5)).is_err());
        }

        #[test]
        fn a_changed_payload_under_a_right_checksum_is_an_error_or_a_batch_that_can_be_written(batch in any_batch(Seq::new(5)), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut payload = encoded(&batch).split_off(blob::HEADER_BYTES);
            let at = at.index(payload.len());
            payload[at] = byte;
            comes_back(decode(&resealed(&payload, BlobKind::Observations, Seq::new(5)), Seq::new(5)));
        }
    }
}
