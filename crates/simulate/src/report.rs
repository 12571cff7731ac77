//! What a station says at an instant.

use std::fmt::Write as _;

use bakau_model::UtcMillis;
use bytes::Bytes;

use crate::channel::Channel;

/// What a station says at an instant.
#[derive(Debug, Clone, PartialEq)]
pub struct Report {
    /// The time the device claims.
    pub time: UtcMillis,
    /// Values in canonical units; `None` where the device has no value.
    pub values: Vec<(Channel, Option<f64>)>,
}

impl Report {
    /// `{"time":"2026-03-10T00:00:00Z","do":5.13}`, values with the digits such an instrument sends.
    #[must_use]
    pub fn payload(&self) -> Bytes {
        let mut text = String::with_capacity(40 + 24 * self.values.len());
        self.write(&mut text);
        Bytes::from(text)
    }

    /// Appends the payload to a text.
    pub(crate) fn write(&self, text: &mut String) {
        // Writing into a String cannot fail.
        let _infallible = write!(text, "{{\"time\":\"{}\"", self.time);
        for (channel, value) in &self.values {
            let (key, digits) = (channel.key(), channel.digits());
            let _infallible = match value {
                Some(value) => write!(text, ",\"{key}\":{value:.digits$}"),
                None => write!(text, ",\"{key}\":null"),
            };
        }
        text.push('}');
    }
}
