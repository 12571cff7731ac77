//! What is registered: stations, what they measure, and with which instruments.

use bakau_model::{
    AgencyId, AirType, CityId, DatastreamId, DatastreamName, InstrumentId, Level, Parameter, QualityLimits, Reason,
    RuleId, State, StationId, StationKind, Text, Unit, WaterClass,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{MeasuredValue, Time};

/// Every station.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StationList {
    /// Revision of the registry.
    pub revision: u64,
    /// By id.
    pub stations: Vec<Station>,
}

/// A station with what it measures by name.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Station {
    /// What and where it is.
    #[serde(flatten)]
    pub site: Site,
    /// What it measures.
    pub datastreams: Vec<DatastreamName>,
}

/// A station with everything known about it, present values included.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct StationDetail {
    /// What and where it is.
    #[serde(flatten)]
    pub site: Site,
    /// What is said of it in one word, as pages show it.
    pub state: State,
    /// The worst level of an active alert; null where neither alerts nor values say anything of a level.
    #[schema(required)]
    pub level: Option<Level>,
    /// Whether it reports.
    pub status: StationStatus,
    /// A device clock that is ahead of ours; its values wait for their time.
    #[schema(required)]
    pub clock: Option<DeviceClock>,
    /// What it measures.
    pub datastreams: Vec<DatastreamDetail>,
    /// What measures there, or did.
    pub instruments: Vec<Instrument>,
    /// Which instrument measured what, and when. Gain and offset are recorded, not applied: values are the instrument's.
    pub deployments: Vec<Deployment>,
}

/// What and where a station is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Site {
    /// Its id.
    pub id: StationId,
    /// Its name.
    pub name: Text,
    /// What environment it measures.
    pub kind: StationKind,
    /// Who owns it.
    pub agency: Agency,
    /// Where that agency works.
    #[schema(required)]
    pub city: Option<City>,
    /// Degrees north, WGS 84.
    pub latitude: f64,
    /// Degrees east, WGS 84.
    pub longitude: f64,
    /// Metres above mean sea level.
    #[schema(required)]
    pub elevation_m: Option<f64>,
    /// What people should know about it.
    #[schema(required)]
    pub description: Option<Text>,
    /// The class of the river or lake, 1 to 4 (PP 22/2021, Lampiran VI), and what assigns it.
    #[schema(required)]
    pub water_class: Option<WaterClass>,
    /// How far the values of an air station may be used: those of low-cost sensors (lcs) are indicative.
    #[schema(required)]
    pub air_type: Option<AirType>,
    /// IANA zone in which days of this station are civil.
    pub time_zone: String,
}

/// An agency that owns stations.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Agency {
    /// Its id.
    pub id: AgencyId,
    /// Its name.
    #[schema(required)]
    pub name: Option<Text>,
}

/// A city.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct City {
    /// Its id.
    pub id: CityId,
    /// Its name.
    pub name: Text,
    /// Kode wilayah Kemendagri, such as `35.74`.
    pub code: String,
}

/// Whether a station reports.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct StationStatus {
    /// What is known of it.
    pub state: StationState,
    /// When the environment had its newest value.
    #[schema(required)]
    pub observed_at: Option<Time>,
    /// The same with the offset of the zone.
    #[schema(required, format = DateTime)]
    pub observed_at_local: Option<String>,
    /// Seconds without a value after which it has no data.
    #[schema(minimum = 0)]
    pub no_data_after_s: i64,
}

/// What is known of a station.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum StationState {
    /// Its values are current.
    Live,
    /// Nothing has come for too long.
    Stale,
    /// It said that it is offline, or its broker said it in its name.
    Offline,
    /// Nothing was ever received.
    NeverReported,
}

/// A level that an alert will have if its limit stays crossed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct PendingLevel {
    /// The level.
    pub level: Level,
    /// When the environment had the first value beyond the limit.
    pub since: Time,
    /// A value of this instant or later opens the alert, if no value before is back.
    pub until: Time,
}

/// That the clock of a device is ahead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct DeviceClock {
    /// By how many seconds, as the newest reading says.
    #[schema(minimum = 0)]
    pub ahead_s: i64,
    /// When the first of these readings was received.
    pub since: Time,
    /// The same with the offset of the zone.
    #[schema(format = DateTime)]
    pub since_local: String,
    /// Whether it is so far ahead that every reading is refused.
    pub refused: bool,
}

/// Every datastream, or one station's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DatastreamList {
    /// Revision of the registry.
    pub revision: u64,
    /// By name.
    pub datastreams: Vec<Datastream>,
}

/// One parameter at one station.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Datastream {
    /// Its name.
    pub id: DatastreamName,
    /// The immutable number it is stored under.
    pub number: DatastreamId,
    /// The station.
    pub station: StationId,
    /// What is measured.
    pub parameter: Parameter,
    /// What tells several datastreams of one parameter apart, such as a depth.
    #[schema(required)]
    pub qualifier: Option<String>,
    /// Name of the parameter.
    #[schema(required)]
    pub name: Option<Text>,
    /// CF standard name of the parameter.
    #[schema(required)]
    pub cf_name: Option<String>,
    /// Unit of its values (UCUM).
    pub unit: Unit,
    /// The unit as people write it.
    pub unit_symbol: String,
    /// Decimal places that mean something.
    #[schema(required)]
    pub decimals: Option<u8>,
    /// Expected seconds between observations.
    #[schema(minimum = 0)]
    pub interval_s: i64,
    /// Of a level; levels of different datums are never compared.
    #[schema(required)]
    pub vertical_datum: Option<String>,
    /// Whether values are readings of a counter; sums, charts and rules use its increments.
    pub counter: bool,
    /// The reading at which the counter begins again at 0, where it is known.
    #[schema(required)]
    pub counter_max: Option<f64>,
    /// Limits of quality control, in the unit of the datastream; of a counter for increments.
    pub limits: QualityLimits,
}

/// A datastream with its present value.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct DatastreamDetail {
    /// The datastream.
    #[serde(flatten)]
    pub datastream: Datastream,
    /// The rules that look at its values.
    pub rules: Vec<RuleId>,
    /// Its present value; null where there is none.
    #[schema(required)]
    pub latest: Option<PresentValue>,
}

/// The present value of a datastream, as its station shows it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PresentValue {
    /// When the environment had it.
    pub observed_at: Time,
    /// The same with the offset of the zone.
    #[schema(format = DateTime)]
    pub observed_at_local: String,
    /// The value.
    #[serde(flatten)]
    pub measured: MeasuredValue,
    /// Why it is suspect or fails; empty where it does not.
    pub reasons: Vec<Reason>,
    /// What is said of it in one word, as pages show it.
    pub state: State,
    /// A level whose limit is crossed and which waits for the hold time of its rule.
    #[schema(required)]
    pub pending: Option<PendingLevel>,
    /// The worst level of the alerts about it.
    pub level: Level,
    /// Whether it is too old to be current.
    pub stale: bool,
}

/// A physical instrument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Instrument {
    /// Its id.
    pub id: InstrumentId,
    /// Manufacturer.
    pub make: String,
    /// Model.
    pub model: String,
    /// Serial number.
    pub serial: String,
}

/// Which instrument served a datastream from when to when.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Deployment {
    /// The datastream.
    pub datastream: DatastreamName,
    /// The instrument.
    pub instrument: InstrumentId,
    /// Since when.
    pub from: Time,
    /// Until when; null while it is deployed.
    #[schema(required)]
    pub to: Option<Time>,
    /// Calibration gain.
    pub gain: f64,
    /// Calibration offset.
    pub offset: f64,
    /// Whether it is deployed at present.
    pub current: bool,
}
