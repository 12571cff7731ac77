//! The registry as everyone else sees it: an immutable snapshot with a revision.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bakau_model::{
    AgencyId, ChannelId, CityId, DatastreamId, DatastreamName, DeploymentId, InstrumentId, Level, Parameter,
    ParameterInfo, RouteId, RuleId, SourceName, StationId, StationKind, Text, Unit, UtcMillis,
};
use serde::{Deserialize, Serialize};

/// A city and its area code.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct City {
    /// Text id.
    pub id: CityId,
    /// Name shown to people.
    pub name: Text,
    /// Kode wilayah Kemendagri, such as `35.74`.
    pub code: String,
}

/// An agency (OPD) that owns stations.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Agency {
    /// Text id.
    pub id: AgencyId,
    /// Name shown to people.
    pub name: Text,
    /// The city it serves.
    pub city: CityId,
}

/// A place that measures.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Station {
    /// Text id.
    pub id: StationId,
    /// Name shown to people.
    pub name: Text,
    /// The agency that owns it.
    pub agency: AgencyId,
    /// What environment it measures.
    pub kind: StationKind,
    /// Degrees north, WGS 84.
    pub latitude: f64,
    /// Degrees east, WGS 84.
    pub longitude: f64,
    /// IANA zone in which days and months of this station are civil.
    #[serde(default = "default_time_zone")]
    pub time_zone: String,
}

pub(crate) fn default_time_zone() -> String {
    "Asia/Jakarta".to_owned()
}

/// One parameter at one station, as written in a catalogue file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatastreamEntry {
    /// `station/parameter` or `station/parameter@qualifier`.
    pub id: DatastreamName,
    /// Expected seconds between observations.
    pub interval_s: u32,
    /// Vertical datum of a level, such as `MSL`; levels of different datums are never compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vertical_datum: Option<String>,
    /// Names it had before; they keep pointing to it and are never given to another datastream.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub was: Vec<DatastreamName>,
}

/// One parameter at one station, with the integer it is stored under.
#[derive(Debug, Clone, PartialEq)]
pub struct Datastream {
    /// The immutable integer.
    pub number: DatastreamId,
    /// The text name.
    pub name: DatastreamName,
    /// The station.
    pub station: StationId,
    /// The parameter.
    pub parameter: Parameter,
    /// Canonical unit of the stored values.
    pub unit: Unit,
    /// Expected milliseconds between observations.
    pub interval_ms: i64,
    /// Vertical datum of a level.
    pub vertical_datum: Option<String>,
}

/// Make, model and serial number.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Instrument {
    /// Text id.
    pub id: InstrumentId,
    /// Manufacturer.
    pub make: String,
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
}

/// Which instrument served a datastream from when to when, as written in a catalogue file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DeploymentEntry {
    /// The datastream.
    pub datastream: DatastreamName,
    /// The instrument.
    pub instrument: InstrumentId,
    /// First instant, RFC 3339 with offset.
    pub from: String,
    /// First instant after it, RFC 3339 with offset; still deployed where absent.
    #[serde(default)]
    pub to: Option<String>,
    /// Calibration: calibrated = instrument value * gain + offset.
    #[serde(default = "one")]
    pub gain: f64,
    /// Calibration offset, in the canonical unit.
    #[serde(default)]
    pub offset: f64,
}

fn one() -> f64 {
    1.0
}

/// A deployment with its integer and parsed times.
#[derive(Debug, Clone, PartialEq)]
pub struct Deployment {
    /// The integer stored with each observation.
    pub number: DeploymentId,
    /// The datastream.
    pub datastream: DatastreamId,
    /// The instrument.
    pub instrument: InstrumentId,
    /// First instant.
    pub from: UtcMillis,
    /// First instant after it.
    pub to: Option<UtcMillis>,
    /// Calibration gain.
    pub gain: f64,
    /// Calibration offset.
    pub offset: f64,
}

/// How the time in a JSON payload is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TimeFormat {
    /// RFC 3339 with offset.
    Rfc3339,
    /// Seconds since 1970, fractions allowed.
    EpochS,
    /// Milliseconds since 1970.
    EpochMs,
}

/// One value of a JSON payload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonValue {
    /// JSON Pointer (RFC 6901) to the value, such as `/water/do`.
    pub path: String,
    /// The parameter.
    pub parameter: Parameter,
    /// Tells several datastreams of one parameter apart.
    #[serde(default)]
    pub qualifier: Option<String>,
    /// Unit (UCUM) the device uses.
    pub unit: Unit,
}

/// Mapping of generic JSON payloads.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct JsonMapping {
    /// JSON Pointer to the measured time; without it the time of arrival is used.
    #[serde(default)]
    pub time: Option<String>,
    /// How that time is written.
    #[serde(default = "rfc3339")]
    pub time_format: TimeFormat,
    /// The values.
    pub values: Vec<JsonValue>,
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
}

/// Which topics carry which station's payloads in which format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Route {
    /// Text id.
    pub id: RouteId,
    /// MQTT topic filter in which one level may be `{station}`.
    pub topic: String,
    /// Only messages of this source, where given.
    #[serde(default)]
    pub source: Option<SourceName>,
    /// The station, where the topic does not say it.
    #[serde(default)]
    pub station: Option<StationId>,
    /// Payload format and its mapping.
    #[serde(flatten)]
    pub format: Format,
}

/// Which way a threshold is crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Direction {
    /// High values are bad.
    Above,
    /// Low values are bad.
    Below,
}

/// Raise and clear value of one level, in the parameter's canonical unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Threshold {
    /// At or beyond this value the level holds.
    pub raise: f64,
    /// Back behind this value the level ends; between the two nothing changes.
    pub clear: f64,
}

/// A threshold rule with up to three levels.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Text id.
    pub id: RuleId,
    /// Name shown to people.
    pub name: Text,
    /// The datastream it watches.
    pub datastream: DatastreamName,
    /// Which way is bad.
    pub direction: Direction,
    /// Thresholds of *waspada*.
    #[serde(default)]
    pub waspada: Option<Threshold>,
    /// Thresholds of *siaga*.
    #[serde(default)]
    pub siaga: Option<Threshold>,
    /// Thresholds of *awas*.
    #[serde(default)]
    pub awas: Option<Threshold>,
    /// Seconds of event time a level must be crossed without a break before it is raised.
    #[serde(default)]
    pub hold_s: u32,
    /// Where the figures come from and how sure they are.
    pub source: String,
    /// The channels its alerts go to; without any they are shown on pages only.
    #[serde(default)]
    pub channels: Vec<ChannelId>,
}

impl Rule {
    /// The thresholds of a level; *normal* has none.
    #[must_use]
    pub const fn threshold(&self, level: Level) -> Option<Threshold> {
        match level {
            Level::Normal => None,
            Level::Waspada => self.waspada,
            Level::Siaga => self.siaga,
            Level::Awas => self.awas,
        }
    }
}

/// A way to reach people.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", deny_unknown_fields)]
pub enum Channel {
    /// A signed HTTP POST.
    Webhook {
        /// Text id.
        id: ChannelId,
        /// Where to post.
        url: String,
        /// Name of the environment variable with the signing secret; the secret itself is in no file.
        secret_env: String,
    },
}

impl Channel {
    /// The text id.
    #[must_use]
    pub const fn id(&self) -> &ChannelId {
        match self {
            Self::Webhook { id, .. } => id,
        }
    }
}

/// A device that may publish to the embedded broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Device {
    /// MQTT user name.
    pub username: String,
    /// SHA-256 of its 128-bit random token, in hexadecimal.
    pub token_sha256: String,
    /// Topic filters it may publish to.
    pub publish: Vec<String>,
}

/// Everything registered, at one revision. Cheap to share, never changed.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// Increases by one with each applied change.
    pub revision: u64,
    /// The parameter code list.
    pub parameters: BTreeMap<Parameter, ParameterInfo>,
    /// Cities.
    pub cities: BTreeMap<CityId, City>,
    /// Agencies.
    pub agencies: BTreeMap<AgencyId, Agency>,
    /// Stations.
    pub stations: BTreeMap<StationId, Station>,
    /// Datastreams in use, by number.
    pub datastreams: BTreeMap<DatastreamId, Arc<Datastream>>,
    /// Datastreams in use, by name and by every earlier name: for look-up, not for listing.
    pub by_name: HashMap<DatastreamName, Arc<Datastream>>,
    /// Datastreams no longer in any catalogue; their history stays readable under their number.
    pub retired: BTreeMap<DatastreamId, Arc<Datastream>>,
    /// Earlier names of datastreams, in use or retired.
    pub aliases: BTreeMap<DatastreamName, DatastreamId>,
    /// Instruments.
    pub instruments: BTreeMap<InstrumentId, Instrument>,
    /// Deployments of each datastream, earliest first, never overlapping.
    pub deployments: HashMap<DatastreamId, Vec<Deployment>>,
    /// Routes, in catalogue order: the first that matches wins.
    pub routes: Vec<Route>,
    /// Rules.
    pub rules: BTreeMap<RuleId, Arc<Rule>>,
    /// Channels.
    pub channels: BTreeMap<ChannelId, Channel>,
    /// Devices, by user name.
    pub devices: HashMap<String, Device>,
}

impl Snapshot {
    /// The datastream in use of a present or earlier name.
    #[must_use]
    pub fn datastream(&self, name: &DatastreamName) -> Option<&Arc<Datastream>> {
        self.by_name.get(name)
    }

    /// The datastream that has or ever had a name, in use or retired: for reading history.
    #[must_use]
    pub fn ever(&self, name: &DatastreamName) -> Option<&Arc<Datastream>> {
        let numbered = |number| self.datastreams.get(number).or_else(|| self.retired.get(number));
        let in_use = self.by_name.get(name);
        let retired = || self.retired.values().find(|datastream| datastream.name == *name);
        in_use.or_else(retired).or_else(|| self.aliases.get(name).and_then(numbered))
    }

    /// The datastreams of a station, by name.
    #[must_use]
    pub fn datastreams_of(&self, station: &StationId) -> Vec<&Arc<Datastream>> {
        let mut found: Vec<_> = self.datastreams.values().filter(|datastream| datastream.station == *station).collect();
        found.sort_by(|a, b| a.name.cmp(&b.name));
        found
    }

    /// The deployment in force at an instant; number 0 where none is on record.
    #[must_use]
    pub fn deployment_at(&self, datastream: DatastreamId, at: UtcMillis) -> DeploymentId {
        let in_force = |deployment: &&Deployment| deployment.from <= at && deployment.to.is_none_or(|to| at < to);
        let deployments = self.deployments.get(&datastream).map_or(&[][..], Vec::as_slice);
        deployments.iter().find(in_force).map_or(DeploymentId::new(0), |deployment| deployment.number)
    }
}
