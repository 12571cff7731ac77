//! What a notification tells, fixed at the moment of the decision.
//!
//! Names, units and limits may change before a notification is delivered; the decision log keeps what was known.

use std::collections::BTreeMap;

use bakau_model::{
    AgencyId, DatastreamName, Flag, Level, Parameter, PerLevel, RuleId, SourceName, StationId, StationKind, Text, Unit,
    UtcMillis,
};
use bakau_registry::{Band, Direction, Figures, Rule, Snapshot, Threshold};
use serde::{Deserialize, Serialize};

use crate::{
    AlertId, ConditionKind,
    engine::{Reason, Subject, Told, Transition},
    recipients::{concerned::Concerned, routes::Matter},
};

/// The facts of one transition, as stored in the decision log.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct Facts {
    pub(crate) alert: AlertId,
    pub(crate) sequence: u32,
    pub(crate) kind: ConditionKind,
    pub(crate) reason: Reason,
    pub(crate) level: Level,
    pub(crate) previous_level: Level,
    pub(crate) peak: Level,
    pub(crate) onset: UtcMillis,
    /// Whether it may have begun before that. Decisions from before this was kept say that it did not.
    #[serde(default)]
    pub(crate) onset_at_latest: bool,
    pub(crate) observed_at: UtcMillis,
    pub(crate) decided_at: UtcMillis,
    /// Of thresholds only.
    pub(crate) value: Option<f64>,
    pub(crate) flag: Option<Flag>,
    /// When anything was last received, where it is about no data.
    pub(crate) heard: Option<UtcMillis>,
    pub(crate) subject: SubjectFacts,
    /// The owner of the station; none of a source.
    pub(crate) agency: Option<AgencyFacts>,
    /// Whom it concerns: the owner and kind of the station, or those of everything behind a source. Decisions from before
    /// this was kept have nobody here.
    #[serde(default)]
    pub(crate) concerned: Vec<Concerned>,
    pub(crate) rule: RuleFacts,
    /// The worst value of the episode so far; of thresholds only.
    pub(crate) worst: Option<f64>,
    /// When the environment first had it.
    pub(crate) worst_at: Option<UtcMillis>,
    /// The raise or clear value that was passed; none where a rule change decided.
    pub(crate) limit: Option<f64>,
}

/// What the alert is about, as it was named.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum SubjectFacts {
    Datastream { name: DatastreamName, parameter: ParameterFacts, station: StationFacts },
    Station(StationFacts),
    Source(SourceName),
    Store,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct AgencyFacts {
    pub(crate) id: AgencyId,
    pub(crate) name: Text,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct StationFacts {
    pub(crate) id: StationId,
    pub(crate) name: Text,
    /// None where it is no longer registered.
    pub(crate) kind: Option<StationKind>,
    pub(crate) time_zone: String,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct ParameterFacts {
    pub(crate) code: Parameter,
    pub(crate) name: Text,
    pub(crate) unit: Unit,
    pub(crate) decimals: u8,
}

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(crate) struct RuleFacts {
    pub(crate) id: RuleId,
    pub(crate) name: Text,
    pub(crate) revision: u64,
    /// One entry: the kind of the condition with its figures.
    pub(crate) condition: BTreeMap<ConditionKind, FigureFacts>,
    /// Of thresholds only. Decisions from before that was told apart say 0 of the others.
    pub(crate) hold_s: Option<u32>,
    pub(crate) source: Text,
}

/// What the levels of a condition were.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum FigureFacts {
    Bands {
        direction: Direction,
        #[serde(flatten)]
        bands: PerLevel<Band>,
    },
    After(PerLevel<u32>),
}

impl Facts {
    /// The facts of a transition as the registry names things now. What is no longer registered is named by its id.
    /// `behind` is whom a source concerns.
    pub(crate) fn of(transition: &Transition, behind: Vec<Concerned>, snapshot: &Snapshot) -> Option<Self> {
        let (rule, told) = (&transition.rule, &transition.told);
        let subject = SubjectFacts::of(&transition.subject, rule, snapshot)?;
        let station = subject.station().and_then(|station| snapshot.stations.get(&station.id));
        Some(Self {
            alert: transition.alert,
            sequence: transition.sequence,
            kind: rule.condition.kind(),
            reason: transition.reason,
            level: told.to,
            previous_level: told.from,
            peak: told.peak,
            onset: told.onset,
            onset_at_latest: told.onset_at_latest,
            observed_at: told.observed_at,
            decided_at: transition.decided_at,
            value: told.value.map(|(value, _)| value),
            flag: told.value.map(|(_, flag)| flag),
            heard: told.heard,
            agency: station.map(|station| AgencyFacts::of(&station.agency, snapshot)),
            concerned: station.map_or(behind, |station| vec![Concerned::of(station)]),
            subject,
            rule: RuleFacts::of(rule, transition.rule_revision),
            worst: told.worst.map(|(value, _)| value),
            worst_at: told.worst.map(|(_, at)| at),
            limit: passed_limit(rule, told, transition.reason),
        })
    }
}

impl Facts {
    /// What people are chosen by.
    pub(crate) fn matter(&self) -> Matter<'_> {
        Matter { technical: self.kind.is_technical(), peak: self.peak, concerned: &self.concerned }
    }

    /// The datastream, where it is about one.
    pub(crate) const fn datastream(&self) -> Option<&DatastreamName> {
        match &self.subject {
            SubjectFacts::Datastream { name, .. } => Some(name),
            SubjectFacts::Station(_) | SubjectFacts::Source(_) | SubjectFacts::Store => None,
        }
    }

    /// The parameter, where it is about a datastream.
    pub(crate) const fn parameter(&self) -> Option<&ParameterFacts> {
        match &self.subject {
            SubjectFacts::Datastream { parameter, .. } => Some(parameter),
            SubjectFacts::Station(_) | SubjectFacts::Source(_) | SubjectFacts::Store => None,
        }
    }

    /// The station; none where it is about a source.
    pub(crate) const fn station(&self) -> Option<&StationFacts> {
        self.subject.station()
    }

    /// The source, where it is about one.
    pub(crate) const fn source(&self) -> Option<&SourceName> {
        match &self.subject {
            SubjectFacts::Source(source) => Some(source),
            SubjectFacts::Datastream { .. } | SubjectFacts::Station(_) | SubjectFacts::Store => None,
        }
    }
}

impl SubjectFacts {
    fn of(subject: &Subject, rule: &Rule, snapshot: &Snapshot) -> Option<Self> {
        Some(match subject {
            Subject::Datastream(number) => {
                let registered = snapshot.datastreams.get(number).or_else(|| snapshot.retired.get(number));
                let name = registered.map(|datastream| &datastream.name).or(rule.datastream())?.clone();
                let unit = registered.map(|datastream| &datastream.unit);
                let parameter = ParameterFacts::of(&name, snapshot, unit)?;
                // A datastream name is made of valid parts, so this is always some.
                let station = StationFacts::of(&StationId::new(name.station()).ok()?, snapshot);
                Self::Datastream { name, parameter, station }
            }
            Subject::Station(station) => Self::Station(StationFacts::of(station, snapshot)),
            Subject::Source(source) => Self::Source(source.clone()),
            Subject::Store => Self::Store,
        })
    }

    const fn station(&self) -> Option<&StationFacts> {
        match self {
            Self::Datastream { station, .. } | Self::Station(station) => Some(station),
            Self::Source(_) | Self::Store => None,
        }
    }
}

impl AgencyFacts {
    fn of(id: &AgencyId, snapshot: &Snapshot) -> Self {
        let name = snapshot.agencies.get(id).map_or_else(|| Text::from(id.as_str()), |agency| agency.name.clone());
        Self { id: id.clone(), name }
    }
}

impl StationFacts {
    fn of(id: &StationId, snapshot: &Snapshot) -> Self {
        let station = snapshot.stations.get(id);
        let name = station.map_or_else(|| Text::from(id.as_str()), |station| station.name.clone());
        let time_zone = snapshot.zone_name(id).to_owned();
        Self { id: id.clone(), name, kind: station.map(|station| station.kind), time_zone }
    }
}

impl ParameterFacts {
    fn of(datastream: &DatastreamName, snapshot: &Snapshot, unit: Option<&Unit>) -> Option<Self> {
        let code = Parameter::new(datastream.parameter()).ok()?;
        let info = snapshot.parameters.get(&code);
        let name = info.map_or_else(|| Text::from(code.as_str()), |info| info.name.clone());
        let unit = unit.or(info.map(|info| &info.unit)).cloned().unwrap_or_else(|| Unit::new(""));
        Some(Self { name, unit, decimals: info.map_or(2, |info| info.decimals), code })
    }
}

impl From<Figures<'_>> for FigureFacts {
    fn from(figures: Figures<'_>) -> Self {
        match figures {
            Figures::Bands { direction, bands, .. } => Self::Bands { direction, bands: *bands },
            Figures::After(after_s) => Self::After(*after_s),
        }
    }
}

impl RuleFacts {
    fn of(rule: &Rule, revision: u64) -> Self {
        Self {
            id: rule.id.clone(),
            name: rule.name.clone(),
            revision,
            condition: BTreeMap::from([(rule.condition.kind(), rule.condition.figures().into())]),
            hold_s: rule.condition.hold_s(),
            source: rule.source.clone(),
        }
    }
}

fn passed_limit(rule: &Rule, told: &Told, reason: Reason) -> Option<f64> {
    let (value, _) = told.value.filter(|_| reason == Reason::Threshold)?;
    // Where both sides are bad, the value tells which one it was.
    let nearest =
        |limits: &mut dyn Iterator<Item = f64>| limits.min_by(|a, b| (a - value).abs().total_cmp(&(b - value).abs()));
    if told.from < told.to {
        let crossed =
            |threshold: &Threshold, high: bool| if high { threshold.raise <= value } else { value <= threshold.raise };
        let band = rule.band(told.to)?;
        let sides = [(band.low, false), (band.high, true)].into_iter();
        let sides = sides.filter_map(|(threshold, high)| threshold.filter(|threshold| crossed(threshold, high)));
        return sides.map(|threshold| threshold.raise).next();
    }
    // The last clear value passed on the way down is that of the lowest level left behind.
    let mut left = Level::RAISED.into_iter().filter(|level| told.to < *level && *level <= told.from);
    let band = left.find_map(|level| rule.band(level))?;
    nearest(&mut band.thresholds().map(|threshold| threshold.clear))
}
