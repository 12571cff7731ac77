//! The registry as everyone else sees it: an immutable snapshot with a revision.

mod people;
mod route;
mod rule;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bakau_model::{
    AgencyId, ChannelId, CityId, Counter, DEFAULT_ZONE, DatastreamId, DatastreamName, DeploymentId, InstrumentId,
    NotificationRouteId, Parameter, ParameterInfo, PersonId, QualityLimits, RuleId, StationId, StationKind, Text, Unit,
    UtcMillis,
};
use serde::{Deserialize, Serialize};

pub use bakau_model::{AirType, WaterClass};
pub(crate) use people::telegram_url;
pub use people::{About, Channel, MailSecurity, NotificationRoute, Person};
pub(crate) use route::FormatName;
pub use route::{DeviceMapping, Format, JsonMapping, JsonValue, Route, StatusMapping, TimeFormat, ValueMapping};
pub use rule::{
    Band, Condition, DatastreamTarget, Direction, Figures, NoDataTarget, Rule, RuleTarget, StationTarget, Threshold,
};

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
    /// Metres above mean sea level.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elevation_m: Option<f64>,
    /// What people should know about the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<Text>,
    /// Class of the river or lake; water stations only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub water_class: Option<WaterClass>,
    /// Kind of air station; air stations only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub air_type: Option<AirType>,
}

pub(crate) fn default_time_zone() -> String {
    DEFAULT_ZONE.to_owned()
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
    /// Limits of quality control in place of those of the parameter, test by test.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quality: Option<QualityLimits>,
    /// Whether the values are readings of a counter: the amounts are the increments between them.
    #[serde(default, skip_serializing_if = "is_false")]
    pub counter: bool,
    /// The reading at which the counter overflows and begins again at 0, in the canonical unit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter_max: Option<f64>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the signature that serde asks for")]
const fn is_false(value: &bool) -> bool {
    !*value
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
    /// Limits of quality control: those of the parameter, overridden by the datastream's own; and the counter.
    pub limits: QualityLimits,
}

impl Datastream {
    /// The counter whose readings the values are; `None` where the values are what was measured.
    #[must_use]
    pub const fn counter(&self) -> Option<Counter> {
        self.limits.counter
    }
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
    /// The limits of quality control that datastreams have of their own; those in force are in the datastreams.
    pub own_limits: BTreeMap<DatastreamId, QualityLimits>,
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
    /// People.
    pub people: BTreeMap<PersonId, Person>,
    /// Which alerts go to whom.
    pub notification_routes: BTreeMap<NotificationRouteId, NotificationRoute>,
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

    /// The name of the zone in which days of a station are civil.
    #[must_use]
    pub fn zone_name(&self, station: &StationId) -> &str {
        self.stations.get(station).map_or(DEFAULT_ZONE, |station| &station.time_zone)
    }

    /// The deployment in force at an instant; number 0 where none is on record.
    #[must_use]
    pub fn deployment_at(&self, datastream: DatastreamId, at: UtcMillis) -> DeploymentId {
        let in_force = |deployment: &&Deployment| deployment.from <= at && deployment.to.is_none_or(|to| at < to);
        let deployments = self.deployments.get(&datastream).map_or(&[][..], Vec::as_slice);
        deployments.iter().find(in_force).map_or(DeploymentId::new(0), |deployment| deployment.number)
    }

    /// Whether a rule looks at a datastream; rules about stations look at all datastreams of those stations.
    #[must_use]
    pub fn watches(&self, rule: &Rule, datastream: &Datastream) -> bool {
        let of_kind = |wanted: Option<StationKind>| {
            let kind = || self.stations.get(&datastream.station).map(|station| station.kind);
            wanted.is_none_or(|wanted| kind() == Some(wanted))
        };
        match rule.condition.target() {
            RuleTarget::Datastreams(DatastreamTarget::Datastream(name)) => {
                *name == datastream.name || self.datastream(name).is_some_and(|found| found.number == datastream.number)
            }
            RuleTarget::Datastreams(DatastreamTarget::Parameter { parameter, kind }) => {
                datastream.parameter == *parameter && of_kind(*kind)
            }
            RuleTarget::Stations(StationTarget::Stations { kind }) => of_kind(*kind),
            RuleTarget::Stations(StationTarget::Station(station)) => datastream.station == *station,
            RuleTarget::Sources(_) | RuleTarget::Store => false,
        }
    }

    /// The datastreams a rule looks at, by number: for rules about stations all datastreams of those stations.
    #[must_use]
    pub fn datastreams_of_rule(&self, rule: &Rule) -> Vec<&Arc<Datastream>> {
        if let Some(name) = rule.datastream() {
            return self.datastream(name).into_iter().collect();
        }
        self.datastreams.values().filter(|datastream| self.watches(rule, datastream)).collect()
    }

    /// The stations a rule is about, by id; none for rules about sources and the store.
    #[must_use]
    pub fn stations_of_rule(&self, rule: &Rule) -> Vec<StationId> {
        match rule.condition.target() {
            RuleTarget::Datastreams(_) => {
                let stations = self.datastreams_of_rule(rule).into_iter().map(|datastream| datastream.station.clone());
                stations.collect::<BTreeSet<_>>().into_iter().collect()
            }
            RuleTarget::Stations(StationTarget::Stations { kind }) => {
                let wanted = self.stations.values().filter(|station| kind.is_none_or(|kind| station.kind == kind));
                wanted.map(|station| station.id.clone()).collect()
            }
            RuleTarget::Stations(StationTarget::Station(station)) => {
                self.stations.contains_key(station).then(|| station.clone()).into_iter().collect()
            }
            RuleTarget::Sources(_) | RuleTarget::Store => Vec::new(),
        }
    }
}
