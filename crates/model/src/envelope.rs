//! A message as it arrived, before anyone tried to understand it.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{SourceName, UtcMillis};

/// MQTT quality of service of a delivery; the number is that of MQTT and of stored envelopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Qos {
    /// QoS 0.
    AtMostOnce = 0,
    /// QoS 1.
    AtLeastOnce = 1,
    /// QoS 2.
    ExactlyOnce = 2,
}

/// One MQTT message as it arrived; kept in the spool as it is.
///
/// ```
/// use bakau_model::{Envelope, Qos, SourceName, UtcMillis};
///
/// let envelope = Envelope {
///     source: SourceName::new("broker")?,
///     epoch: 1,
///     client_id: Some("prb-bjbr-01".into()),
///     username: None,
///     topic: "bakau/prb-bjbr-01/data".into(),
///     payload: br#"{"time":"2026-03-10T02:13:00Z","do":0.42}"#.as_slice().into(),
///     qos: Qos::AtLeastOnce,
///     dup: false,
///     retained: false,
///     content_type: None,
///     received_at: UtcMillis::parse("2026-03-10T02:13:01Z")?,
/// };
/// assert_eq!(envelope.topic.split('/').nth(1), Some("prb-bjbr-01"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Envelope {
    /// The source that delivered it.
    pub source: SourceName,
    /// Number of the source's connection; an acknowledgement is sent only while it is still the current one.
    pub epoch: u64,
    /// MQTT client id of the publisher, where the source knows it (embedded broker).
    pub client_id: Option<Arc<str>>,
    /// MQTT user name of the publisher, where the source knows it (embedded broker).
    pub username: Option<Arc<str>>,
    /// Topic published to.
    pub topic: Arc<str>,
    /// Payload bytes.
    pub payload: Bytes,
    /// Quality of service of the delivery.
    pub qos: Qos,
    /// Whether the sender marked it as a repeated delivery.
    pub dup: bool,
    /// Whether the broker delivered it from its retained messages.
    pub retained: bool,
    /// MQTT 5 content type, if given.
    pub content_type: Option<Arc<str>>,
    /// When Bakau received it.
    pub received_at: UtcMillis,
}
