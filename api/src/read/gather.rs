//! Plain values for pages, from the handles of the other crates.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use bakau_alerts::{Acknowledgement, AlertDetail, AlertView, ConditionKind, Episode, NotificationState, PendingView};
use bakau_dashboards::view::{
    self, AcknowledgementRow, AlertRow, DeliveryRow, DeliveryState, DeploymentRow, Doubt, EpisodeRow, Freshness, Named,
    OtherStation, ParameterPanel, Pending, StationCard, TransitionRow, ValueCell,
};
use bakau_ingest::{ClockAhead, LatestEntry};
use bakau_model::{
    AgencyId, DatastreamFacts, DatastreamId, DatastreamName, Flag, InstrumentId, Language, Level, MINUTE_MS, Newest,
    Observation, StationFacts, StationId, StationStatus, TestResults, Text, Unit, UtcMillis, datastream_state,
    station_state,
};
use bakau_registry::{Datastream, Snapshot, Station};

use crate::{http::language, read::limits, state::AppState, v1::catalogue};

/// A value older than this many intervals is stale: two may be late or lost on the way without meaning anything.
const STALE_INTERVALS: i64 = 3;
/// Allowed on top, for the way from the device to here.
const STALE_SLACK_MS: i64 = MINUTE_MS;

/// As pages show it.
const fn clock_of(clock: ClockAhead) -> view::ClockAhead {
    let ClockAhead { ahead_ms, since, refused } = clock;
    view::ClockAhead { ahead_ms, since, refused }
}

/// Present values, alerts and registry, read once for one page.
pub(crate) struct Gatherer<'a> {
    state: &'a AppState,
    snapshot: Arc<Snapshot>,
    now: UtcMillis,
    latest: HashMap<DatastreamId, LatestEntry>,
    active: Arc<Vec<AlertView>>,
    levels: HashMap<DatastreamName, Level>,
    pending: HashMap<DatastreamName, Pending>,
}

impl<'a> Gatherer<'a> {
    /// Takes the present values, active alerts and the registry as they are now.
    pub(crate) fn new(state: &'a AppState) -> Self {
        let entries = state.latest.snapshot().into_iter();
        let active = state.alerts.active();
        let levels = levels(&active);
        let snapshot = state.snapshot();
        Self {
            state,
            snapshot,
            now: state.clock.now(),
            latest: entries.map(|entry| (entry.observation.datastream, entry)).collect(),
            active,
            levels,
            pending: pending(&state.alerts.pending()),
        }
    }

    /// The registry of this page.
    pub(crate) fn snapshot(&self) -> &Snapshot {
        &self.snapshot
    }

    /// Every station.
    pub(crate) fn stations(&self) -> Vec<StationCard> {
        let mut datastreams: BTreeMap<&StationId, Vec<&Datastream>> = BTreeMap::new();
        for datastream in self.snapshot.datastreams.values() {
            datastreams.entry(&datastream.station).or_default().push(datastream);
        }
        datastreams.values_mut().for_each(|list| list.sort_by(|a, b| a.name.cmp(&b.name)));
        let stations = self.snapshot.stations.values();
        let card =
            |station: &Station| self.card_of(station, datastreams.get(&station.id).map_or(&[][..], Vec::as_slice));
        stations.map(card).collect()
    }

    /// One station.
    pub(crate) fn card(&self, station: &Station) -> StationCard {
        let datastreams = self.snapshot.datastreams_of(&station.id);
        let datastreams: Vec<&Datastream> = datastreams.into_iter().map(AsRef::as_ref).collect();
        self.card_of(station, &datastreams)
    }

    fn card_of(&self, station: &Station, datastreams: &[&Datastream]) -> StationCard {
        let mut values: Vec<ValueCell> = datastreams.iter().map(|datastream| self.cell(datastream)).collect();
        let agency = self.snapshot.agencies.get(&station.agency);
        let city = agency.and_then(|agency| self.snapshot.cities.get(&agency.city));
        let freshness = self.freshness(&station.id, datastreams, &values);
        let clock = self.state.latest.clock(&station.id);
        let facts = StationFacts {
            offline: matches!(freshness, Freshness::Offline { .. }),
            clock_refused: clock.is_some_and(|clock| clock.refused),
            no_data: self
                .has_no_data(|alert| alert.station.as_ref() == Some(&station.id) && alert.datastream.is_none()),
        };
        let state = station_state(&facts, values.iter().map(|cell| cell.state));
        // The few that the overview shows are those that matter.
        values.sort_by_key(|cell| (std::cmp::Reverse(cell.level), rank(cell.datastream.parameter())));
        StationCard {
            id: station.id.clone(),
            name: station.name.clone(),
            agency: Named {
                id: station.agency.clone(),
                name: agency.map_or_else(|| Text::from(station.agency.as_str()), |agency| agency.name.clone()),
            },
            city: city.map(|city| Named { id: city.id.clone(), name: city.name.clone() }),
            kind: station.kind,
            latitude: station.latitude,
            longitude: station.longitude,
            state,
            acknowledged_at: acknowledged_at(&self.active, &self.snapshot, &station.id),
            freshness,
            clock: clock.map(clock_of),
            no_data_after_ms: datastreams.iter().map(|datastream| stale_after(datastream)).max().unwrap_or_default(),
            values,
        }
    }

    fn freshness(&self, station: &StationId, datastreams: &[&Datastream], values: &[ValueCell]) -> Freshness {
        let Some(newest) = values.iter().filter_map(|cell| cell.observed_at).max() else {
            return Freshness::NeverReported;
        };
        let age_ms = self.now.since(newest).max(0);
        let entries = datastreams.iter().filter_map(|datastream| self.latest.get(&datastream.number));
        let heard = entries.map(|entry| entry.observation.received_at).max();
        if self.state.latest.status(station).is_some_and(|status| gone(&status, heard)) {
            return Freshness::Offline { age_ms };
        }
        let live = values.iter().any(|cell| cell.observed_at.is_some() && !cell.stale);
        if live { Freshness::Live { age_ms } } else { Freshness::Stale { age_ms } }
    }

    fn cell(&self, datastream: &Datastream) -> ValueCell {
        let entry = self.latest.get(&datastream.number);
        let observation = entry.map(|entry| entry.observation);
        let value = observation.and_then(|observation| observation.value);
        let reading = value.filter(|_| datastream.counter().is_some());
        let newest = observation.map(|observation| Newest {
            current_until: current_until(datastream, &observation),
            has_value: value.is_some(),
            flag: observation.flag,
        });
        let level = self.levels.get(&datastream.name).copied().unwrap_or_default();
        let pending = self.pending.get(&datastream.name).copied();
        let no_data = self.has_no_data(|alert| alert.datastream.as_ref() == Some(&datastream.name));
        let facts = DatastreamFacts { newest, level, pending: pending.is_some(), no_data };
        ValueCell {
            datastream: datastream.name.clone(),
            label: catalogue::label(&self.snapshot, datastream),
            value: if datastream.counter().is_some() { entry.and_then(|entry| entry.increment) } else { value },
            reading,
            unit: datastream.unit.clone(),
            decimals: limits::decimals(&self.snapshot, datastream, value),
            observed_at: observation.map(|observation| observation.observed_at),
            state: datastream_state(&facts, self.now),
            pending,
            level,
            flag: observation.map_or(Flag::Missing, |observation| observation.flag),
            tests: entry.map_or(TestResults::NONE, |entry| entry.tests),
            stale: newest.is_some_and(|newest| newest.current_until < self.now),
            stale_after_ms: stale_after(datastream),
        }
    }

    /// Whether an alert about the absence of data is open on what `about` says.
    fn has_no_data(&self, about: impl Fn(&AlertView) -> bool) -> bool {
        self.active.iter().any(|alert| alert.kind == ConditionKind::NoData && about(alert))
    }

    /// The datastreams of a station with limits, what people look for first at the top.
    pub(crate) fn panels(&self, station: &Station) -> Vec<ParameterPanel> {
        let panel = |datastream: &Arc<Datastream>| ParameterPanel {
            cell: self.cell(datastream),
            rules: limits::of_datastream(&self.snapshot, datastream).map(limits::facts).collect(),
            interval_ms: datastream.interval_ms,
            vertical_datum: datastream.vertical_datum.clone(),
        };
        let mut datastreams = self.snapshot.datastreams_of(&station.id);
        datastreams.sort_by_key(|datastream| rank(datastream.name.parameter()));
        datastreams.into_iter().map(panel).collect()
    }

    /// Where the other stations are.
    pub(crate) fn others(&self, station: &Station) -> Vec<OtherStation> {
        let others = self.snapshot.stations.values().filter(|other| other.id != station.id);
        let place = |other: &Station| {
            let agency = self.snapshot.agencies.get(&other.agency);
            let city = agency.and_then(|agency| self.snapshot.cities.get(&agency.city));
            OtherStation {
                id: other.id.clone(),
                name: other.name.clone(),
                city: city.map_or_else(|| "".into(), |city| city.name.clone()),
                latitude: other.latitude,
                longitude: other.longitude,
            }
        };
        others.map(place).collect()
    }

    /// The instruments that are or were deployed at a station, each once for the time it served.
    pub(crate) fn deployments(&self, station: &Station) -> Vec<DeploymentRow> {
        let mut rows: Vec<(&InstrumentId, DeploymentRow)> = Vec::new();
        for datastream in self.snapshot.datastreams_of(&station.id) {
            let label = catalogue::label(&self.snapshot, datastream);
            for deployment in self.snapshot.deployments.get(&datastream.number).into_iter().flatten() {
                let same = |(id, row): &&mut (&InstrumentId, DeploymentRow)| {
                    **id == deployment.instrument && row.from == deployment.from && row.to == deployment.to
                };
                if let Some((_, row)) = rows.iter_mut().find(same) {
                    row.labels.push(label.clone());
                    continue;
                }
                let Some(instrument) = self.snapshot.instruments.get(&deployment.instrument) else { continue };
                let row = DeploymentRow {
                    labels: vec![label.clone()],
                    make: instrument.make.clone(),
                    model: instrument.model.clone(),
                    serial: instrument.serial.clone(),
                    from: deployment.from,
                    to: deployment.to,
                };
                rows.push((&deployment.instrument, row));
            }
        }
        rows.into_iter().map(|(_, row)| row).collect()
    }

    /// An alert as a page shows it; who acknowledged it only where the reader may see `people`.
    pub(crate) fn alert_row(&self, alert: &AlertView, people: bool) -> AlertRow {
        let datastream = alert.datastream.as_ref().and_then(|name| self.snapshot.datastream(name));
        let label = datastream.map(|datastream| catalogue::label(&self.snapshot, datastream));
        let parameter = || alert.datastream.as_ref().map(|name| Text::from(name.parameter()));
        let station = alert.station.as_ref();
        let registered = station.and_then(|id| self.snapshot.stations.get(id)).map(|station| station.name.clone());
        let source = alert.source.as_ref().map(|source| source.as_str());
        let watched = alert.kind == ConditionKind::Threshold;
        let written = station.map(StationId::as_str).or(source).unwrap_or_default();
        AlertRow {
            id: alert.id.to_string(),
            kind: alert.kind,
            station: alert.station.clone(),
            subject: match registered {
                Some(name) => name,
                None if alert.kind == ConditionKind::StoreDown => language::in_both("subject_store"),
                None => Text::from(written),
            },
            datastream: alert.datastream.clone(),
            label: label.or_else(parameter),
            rule_name: alert.rule_name.clone(),
            level: alert.level,
            peak: alert.peak,
            onset: alert.onset,
            onset_at_latest: alert.onset_at_latest,
            observed_at: alert.updated,
            value: alert.value,
            worst: alert.worst.zip(alert.worst_at),
            unit: datastream.map_or_else(|| Unit::new(""), |datastream| datastream.unit.clone()),
            decimals: self.decimals(alert.datastream.as_ref(), [alert.value, alert.worst].into_iter().flatten()),
            unconfirmed_since: alert.unconfirmed_since,
            decided_at: alert.decided_at,
            closed_at: alert.closed_at,
            acknowledged: alert.acknowledged.as_ref().map(|one| acknowledgement(one, people)),
            present: datastream
                .filter(|_| watched && alert.closed_at.is_none())
                .map(|datastream| self.cell(datastream)),
            rule: self.snapshot.rules.get(&alert.rule).map(|rule| limits::facts(rule)),
            chosen: None,
        }
    }

    /// Decimal places with which each of these values stands on the right side of every limit.
    pub(crate) fn decimals(&self, datastream: Option<&DatastreamName>, values: impl Iterator<Item = f64>) -> u8 {
        let Some(datastream) = datastream.and_then(|name| self.snapshot.datastream(name)) else { return 2 };
        let places = |value| limits::decimals(&self.snapshot, datastream, value);
        values.map(|value| places(Some(value))).max().unwrap_or_else(|| places(None))
    }

    /// An episode of the settled history.
    pub(crate) fn episode_row(&self, datastream: &Datastream, episode: &Episode) -> EpisodeRow {
        let rule = self.snapshot.rules.get(&episode.rule);
        EpisodeRow {
            id: episode.id.to_string(),
            label: catalogue::label(&self.snapshot, datastream),
            rule_name: rule.map_or_else(|| episode.rule.as_str().into(), |rule| rule.name.clone()),
            peak: episode.peak,
            onset: episode.onset,
            onset_at_latest: episode.onset_at_latest,
            end: episode.end,
            peak_value: episode.peak_value,
            unit: datastream.unit.clone(),
            decimals: limits::decimals(&self.snapshot, datastream, Some(episode.peak_value)),
        }
    }

    /// Agencies and stations to choose from, by name.
    pub(crate) fn choices(&self, language: Language) -> (Vec<Named<AgencyId>>, Vec<Named<StationId>>) {
        let agencies = self.snapshot.agencies.values();
        let mut agencies: Vec<_> =
            agencies.map(|agency| Named { id: agency.id.clone(), name: agency.name.clone() }).collect();
        agencies.sort_by(|a, b| a.name.get(language).cmp(b.name.get(language)));
        let stations = self.snapshot.stations.values();
        let mut stations: Vec<_> =
            stations.map(|station| Named { id: station.id.clone(), name: station.name.clone() }).collect();
        stations.sort_by(|a, b| a.name.get(language).cmp(b.name.get(language)));
        (agencies, stations)
    }

    /// The decision log of an alert.
    pub(crate) fn transitions(&self, detail: &AlertDetail) -> Vec<TransitionRow> {
        let row = |transition: &bakau_alerts::TransitionView| TransitionRow {
            from: transition.from,
            to: transition.to,
            doubt: transition.reason.confirms().map(|yes| if yes { Doubt::Confirmed } else { Doubt::Unconfirmed }),
            observed_at: transition.observed_at,
            decided_at: transition.decided_at,
            value: transition.value,
        };
        detail.transitions.iter().map(row).collect()
    }

    /// Notifications of an alert, without their receivers.
    pub(crate) fn deliveries(&self, detail: &AlertDetail) -> Vec<DeliveryRow> {
        let level_of = |id: i64| {
            let transition = detail.transitions.iter().find(|transition| transition.id == id);
            transition.map_or(Level::Normal, |transition| transition.to)
        };
        let rows = detail.notifications.iter().filter_map(|notification| {
            let state = match notification.state {
                NotificationState::Pending => DeliveryState::Waiting,
                NotificationState::Sent => DeliveryState::Delivered,
                NotificationState::Failed => DeliveryState::Failed,
                // Held back on purpose: there is nothing to deliver.
                NotificationState::Cancelled => return None,
            };
            Some(DeliveryRow {
                channel: notification.channel.to_string(),
                recipient: notification.person.as_ref().map_or_else(String::new, |_| masked(&notification.recipient)),
                level: level_of(notification.transition),
                state,
                attempts: notification.attempts,
                last_attempt_at: notification.deliveries.last().map(|delivery| delivery.at),
            })
        });
        rows.collect()
    }
}

/// Whether a device is away by its last status message; a value received later cancels that.
fn gone(status: &StationStatus, heard: Option<UtcMillis>) -> bool {
    !status.online && heard.is_none_or(|heard| heard <= status.at)
}

/// Whether a status message still holds: a value received later cancels that a device is away.
pub(crate) fn holds(state: &AppState, snapshot: &Snapshot, status: &StationStatus) -> bool {
    let datastreams = snapshot.datastreams_of(&status.station);
    let entries = datastreams.into_iter().filter_map(|datastream| state.latest.get(datastream.number));
    status.online || gone(status, entries.map(|entry| entry.observation.received_at).max())
}

/// Whether a station's device is away.
pub(crate) fn is_away(state: &AppState, snapshot: &Snapshot, station: &StationId) -> bool {
    state.latest.status(station).is_some_and(|status| !status.online && holds(state, snapshot, &status))
}

/// Until when a value is current.
pub(crate) fn current_until(datastream: &Datastream, observation: &Observation) -> UtcMillis {
    observation.observed_at.saturating_add(stale_after(datastream))
}

/// The level of each datastream that has an active alert. Pages, and events that keep pages current, show these and the
/// worst of them as the level of a station; no data says nothing about its environment.
pub(crate) fn levels(active: &[AlertView]) -> HashMap<DatastreamName, Level> {
    let mut levels: HashMap<DatastreamName, Level> = HashMap::new();
    for alert in active.iter().filter(|alert| !alert.kind.is_technical()) {
        if let Some(datastream) = &alert.datastream {
            let worst = levels.entry(datastream.clone()).or_default();
            *worst = alert.level.max(*worst);
        }
    }
    levels
}

/// The highest level that waits for its hold time, by datastream.
fn pending(views: &[PendingView]) -> HashMap<DatastreamName, Pending> {
    let mut pending: HashMap<DatastreamName, Pending> = HashMap::new();
    for &PendingView { ref datastream, level, since, until, .. } in views {
        let known = pending.entry(datastream.clone()).or_insert(Pending { level, since, until });
        if known.level < level {
            *known = Pending { level, since, until };
        }
    }
    pending
}

/// Since when every alert of a station's level is acknowledged; `None` while one is not, or where nothing is raised.
pub(crate) fn acknowledged_at(active: &[AlertView], snapshot: &Snapshot, station: &StationId) -> Option<UtcMillis> {
    let about_it = |alert: &&AlertView| {
        alert.station.as_ref() == Some(station)
            && !alert.kind.is_technical()
            && alert.datastream.as_ref().is_some_and(|name| snapshot.datastream(name).is_some())
    };
    let worst = active.iter().filter(about_it).map(|alert| alert.level).max()?;
    let mut newest = None;
    for alert in active.iter().filter(about_it).filter(|alert| alert.level == worst) {
        newest = newest.max(Some(alert.acknowledged.as_ref().filter(|_| alert.is_acknowledged())?.at));
    }
    newest
}

/// An acknowledgement as a page may show it.
pub(crate) fn acknowledgement(of: &Acknowledgement, people: bool) -> AcknowledgementRow {
    AcknowledgementRow {
        level: of.level,
        at: of.at,
        by: people.then(|| of.by.clone()),
        note: of.note.clone().filter(|_| people),
    }
}

/// A value older than this is stale.
fn stale_after(datastream: &Datastream) -> i64 {
    STALE_INTERVALS.saturating_mul(datastream.interval_ms).saturating_add(STALE_SLACK_MS)
}

/// Parameters of air, water and mangrove, in the order in which people look for them.
const RANKED: [&str; 14] = [
    "pm25",
    "pm10",
    "do",
    "water_level",
    "salinity",
    "rain",
    "ph",
    "turbidity",
    "flow",
    "o3",
    "no2",
    "water_temperature",
    "air_temperature",
    "humidity",
];

/// Rank of a parameter: unlisted ones come after, those about the device itself last.
fn rank(parameter: &str) -> usize {
    let listed = RANKED.iter().position(|known| *known == parameter);
    listed.unwrap_or_else(|| RANKED.len() + usize::from(parameter.starts_with("battery") || parameter == "rssi"))
}

/// The first letter of a receiver: enough to tell two apart, too little to name one.
fn masked(recipient: &str) -> String {
    recipient.chars().next().map(|first| format!("{first}…")).unwrap_or_default()
}
