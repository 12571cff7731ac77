//! Generators and helpers for the tests of this crate; small sets, so that values collide.

use std::sync::Arc;

use bakau_model::{
    Batch, DatastreamId, DeploymentId, Envelope, Flag, Observation, Qos, Seq, SourceName, SourcedObservation,
    StationId, StationStatus, TimeSource, UtcMillis,
};
use bytes::Bytes;
use proptest::prelude::*;

use crate::{
    BatchDraft,
    blob::{self, BlobKind},
};

pub(crate) fn any_time() -> impl Strategy<Value = UtcMillis> {
    prop_oneof![
        4 => (0_i64..200_000).prop_map(|offset| UtcMillis::new(1_770_000_000_000 + offset)),
        1 => any::<i64>().prop_map(UtcMillis::new),
    ]
}

fn any_text() -> impl Strategy<Value = Option<Arc<str>>> {
    proptest::option::weighted(0.3, "[ab]{0,2}").prop_map(|text| text.map(Arc::from))
}

pub(crate) fn any_source() -> impl Strategy<Value = SourceName> {
    "[ab]".prop_map(|name| SourceName::new(&name).unwrap())
}

pub(crate) fn any_envelope() -> impl Strategy<Value = Envelope> {
    let texts = (any_text(), any_text(), any_text(), "[a-c/]{0,2}");
    let qos = prop_oneof![Just(Qos::AtMostOnce), Just(Qos::AtLeastOnce), Just(Qos::ExactlyOnce)];
    let rest = (any_source(), any::<u64>(), qos, any::<bool>(), any::<bool>(), any_time());
    let payload = prop_oneof![
        "[xy]{0,1}".prop_map(|text| Bytes::from(text.into_bytes())),
        proptest::collection::vec(any::<u8>(), 0..300).prop_map(Bytes::from),
    ];
    (texts, rest, payload).prop_map(|(texts, (source, epoch, qos, dup, retained, received_at), payload)| Envelope {
        source,
        epoch,
        client_id: texts.0,
        username: texts.1,
        topic: Arc::from(texts.3),
        payload,
        qos,
        dup,
        retained,
        content_type: texts.2,
        received_at,
    })
}

pub(crate) fn any_observation() -> impl Strategy<Value = Observation> {
    let value = proptest::option::of(any::<f64>().prop_filter("comparable", |value| !value.is_nan()));
    let numbers = (any::<u32>(), any::<u32>(), any_time(), any_time());
    let codes = (0_usize..TimeSource::ALL.len(), 0_usize..Flag::ALL.len());
    (value, numbers, codes).prop_map(|(value, (datastream, deployment, observed_at, received_at), codes)| Observation {
        datastream: DatastreamId::new(datastream),
        observed_at,
        value,
        deployment: DeploymentId::new(deployment),
        time_source: TimeSource::ALL[codes.0],
        received_at,
        flag: Flag::ALL[codes.1],
    })
}

pub(crate) fn any_status() -> impl Strategy<Value = StationStatus> {
    let station = "[ab]{1,2}".prop_map(|id| StationId::new(&id).unwrap());
    (station, any::<bool>(), any::<bool>(), any_time()).prop_map(|(station, online, retained, at)| StationStatus {
        station,
        online,
        retained,
        at,
    })
}

pub(crate) fn any_batch(seq: Seq) -> impl Strategy<Value = Batch> {
    let observation =
        (0_u16..2, any_observation()).prop_map(|(source, observation)| SourcedObservation { source, observation });
    let observations = proptest::collection::vec(observation, 0..40);
    let parts = (any::<u64>(), observations, proptest::collection::vec(any_status(), 0..5));
    parts.prop_map(move |(registry_revision, observations, statuses)| {
        let sources = ["a", "b"].map(|name| SourceName::new(name).unwrap()).to_vec();
        Batch { seq, registry_revision, sources, observations, statuses }
    })
}

pub(crate) fn flip(blob: &[u8], at: usize, bit: u8) -> Bytes {
    let mut flipped = blob.to_vec();
    flipped[at] ^= 1 << bit;
    Bytes::from(flipped)
}

/// `payload` under a header with a right checksum: what only a defect, not a damaged disk, can produce.
pub(crate) fn resealed(payload: &[u8], kind: BlobKind, seq: Seq) -> Bytes {
    let mut blob = Vec::new();
    blob::begin(&mut blob);
    blob.extend_from_slice(payload);
    blob::seal(&mut blob, kind, seq, 1);
    Bytes::from(blob)
}

pub(crate) fn envelope(source: &str, topic: &str, payload: &[u8], received_at: i64) -> Envelope {
    Envelope {
        source: SourceName::new(source).unwrap(),
        epoch: 1,
        client_id: None,
        username: None,
        topic: Arc::from(topic),
        payload: Bytes::copy_from_slice(payload),
        qos: Qos::AtLeastOnce,
        dup: false,
        retained: false,
        content_type: None,
        received_at: UtcMillis::new(received_at),
    }
}

pub(crate) fn observation(datastream: u32, value: f64, received_at: i64) -> Observation {
    Observation {
        datastream: DatastreamId::new(datastream),
        observed_at: UtcMillis::new(received_at - 5),
        value: Some(value),
        deployment: DeploymentId::new(0),
        time_source: TimeSource::Device,
        received_at: UtcMillis::new(received_at),
        flag: Flag::NotEvaluated,
    }
}

/// A draft of `messages` messages with two observations each; `number` makes it different from others.
pub(crate) fn draft(number: u32, messages: u32) -> BatchDraft {
    let mut draft = BatchDraft { registry_revision: 9, ..BatchDraft::default() };
    for index in 0..messages {
        let received_at = 1_770_000_000_000 + i64::from(number) * 1000 + i64::from(index);
        let payload = format!("{{\"number\":{number},\"index\":{index}}}");
        draft.envelopes.push(envelope("broker", "bakau/st/data", payload.as_bytes(), received_at));
        draft.observations.push((index, observation(1, f64::from(number), received_at)));
        draft.observations.push((index, observation(2, f64::from(index), received_at)));
    }
    draft
}
