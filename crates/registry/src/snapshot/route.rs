//! Routes: which topics carry whose payloads, and how those are read.

use std::collections::BTreeMap;

use bakau_model::{DeclaredCode, GasReference, Parameter, RouteId, SourceName, StationId, Unit};
use serde::{Deserialize, Serialize};

/// How a measured time is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// RFC 3339 with offset.
    Rfc3339,
    /// Seconds since 1970, fractions allowed.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
    /// Date and time without offset, in the time zone of the route or of the source.
    Local,
}

/// One value of a payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonValue {
    /// Where it is: a JSON Pointer (RFC 6901) such as `/water/do`, relative to what the format decodes. For SenML the
    /// record's name.
    pub path: String,
    /// The parameter.
    pub parameter: Parameter,
    /// Tells several datastreams of one parameter apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qualifier: Option<String>,
    /// Unit (UCUM) the device uses.
    pub unit: Unit,
    /// The state of the air for which the share of a gas becomes a mass; only such values have one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gas: Option<GasReference>,
    /// Codes and words that mean "no value" here, besides those of the route and of the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<DeclaredCode>,
    /// Whether a comma in a text is the decimal sign; as the route says where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decimal_comma: Option<bool>,
    /// Texts behind the number that name its unit; the unit itself is `unit`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unit_texts: Vec<String>,
}

/// Mapping of generic JSON payloads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonMapping {
    /// JSON Pointer to an array inside the document, each element of which is one set of readings; time and values are
    /// relative to the element then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readings: Option<String>,
    /// JSON Pointer to the id of the device, from the top of the document or of the element of a top-level array.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub station: Option<String>,
    /// JSON Pointer to the measured time; without it the time of arrival is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// How that time is written.
    #[serde(default = "rfc3339")]
    pub time_format: TimeFormat,
    /// The values.
    pub values: Vec<JsonValue>,
}

/// Mapping of what a network server decoded from a radio payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeviceMapping {
    /// JSON Pointer to the device's own time inside the decoded object; without it the network's time is used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time: Option<String>,
    /// How that time is written.
    #[serde(default = "rfc3339")]
    pub time_format: TimeFormat,
    /// The values, relative to the decoded object.
    pub values: Vec<JsonValue>,
}

/// Mapping of a format that says itself where its time is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ValueMapping {
    /// The values.
    pub values: Vec<JsonValue>,
}

/// Which availability messages and last wills mean what.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusMapping {
    /// JSON Pointer to the text inside a JSON payload; without it the payload is the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// Texts that say that the device is there.
    pub online: Vec<String>,
    /// Texts that say that it is gone.
    pub offline: Vec<String>,
}

fn rfc3339() -> TimeFormat {
    TimeFormat::Rfc3339
}

/// The payload format of a route.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "format")]
pub enum Format {
    /// Generic JSON by mapping.
    Json {
        /// The mapping.
        json: JsonMapping,
    },
    /// Uplink events of ChirpStack v4.
    Chirpstack {
        /// The mapping of the decoded object.
        chirpstack: DeviceMapping,
    },
    /// Uplink messages of The Things Stack v3.
    Tts {
        /// The mapping of the decoded payload.
        tts: DeviceMapping,
    },
    /// Sensor Measurement Lists (RFC 8428) in JSON.
    Senml {
        /// The mapping of record names.
        senml: ValueMapping,
    },
    /// Telemetry of Tasmota, with local times.
    Tasmota {
        /// The mapping.
        tasmota: ValueMapping,
    },
    /// Readings of AirGradient monitors, without times.
    Airgradient {
        /// The mapping; raw and compensated values have names of their own.
        airgradient: ValueMapping,
    },
    /// Availability messages and last wills: no readings, only whether the device is there.
    Status {
        /// What means what.
        status: StatusMapping,
    },
}

bakau_model::words! {
    /// The name of a format, as written in catalogue files; the mapping's table has the same name.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum FormatName {
        /// Of [`Format::Json`].
        Json => "json",
        /// Of [`Format::Chirpstack`].
        Chirpstack => "chirpstack",
        /// Of [`Format::Tts`].
        Tts => "tts",
        /// Of [`Format::Senml`].
        Senml => "senml",
        /// Of [`Format::Tasmota`].
        Tasmota => "tasmota",
        /// Of [`Format::Airgradient`].
        Airgradient => "airgradient",
        /// Of [`Format::Status`].
        Status => "status",
    }
}

impl Format {
    /// The name of every format.
    pub const NAMES: [&str; FormatName::KEYS.len()] = FormatName::KEYS;

    /// Its name.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        let name = match self {
            Self::Json { .. } => FormatName::Json,
            Self::Chirpstack { .. } => FormatName::Chirpstack,
            Self::Tts { .. } => FormatName::Tts,
            Self::Senml { .. } => FormatName::Senml,
            Self::Tasmota { .. } => FormatName::Tasmota,
            Self::Airgradient { .. } => FormatName::Airgradient,
            Self::Status { .. } => FormatName::Status,
        };
        name.key()
    }

    /// The mapped values.
    #[must_use]
    pub fn values(&self) -> &[JsonValue] {
        match self {
            Self::Json { json } => &json.values,
            Self::Chirpstack { chirpstack: mapping } | Self::Tts { tts: mapping } => &mapping.values,
            Self::Senml { senml: mapping }
            | Self::Tasmota { tasmota: mapping }
            | Self::Airgradient { airgradient: mapping } => &mapping.values,
            Self::Status { .. } => &[],
        }
    }
}

/// Which topics carry which station's payloads in which format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Text id.
    pub id: RouteId,
    /// MQTT topic filter in which one level may be `{station}` or `{device}`.
    pub topic: String,
    /// Only messages of this source, where given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<SourceName>,
    /// The station, where neither topic nor payload says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub station: Option<StationId>,
    /// Stations by the device id in topic or payload, compared without regard to ASCII case; without any the device
    /// id is the station's.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub devices: BTreeMap<String, StationId>,
    /// IANA zone of times without offset; that of the source where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub time_zone: Option<String>,
    /// Codes and words that mean "no value" in any of its values, besides those of the source.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub missing: Vec<DeclaredCode>,
    /// Whether a comma in a text is the decimal sign, where a value does not say it itself.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub decimal_comma: bool,
    /// Payload format and its mapping.
    #[serde(flatten)]
    pub format: Format,
}
