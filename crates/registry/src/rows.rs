//! Items as they are stored: one JSON text each, and back into a snapshot.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    sync::Arc,
};

use bakau_model::{
    Counter, DatastreamId, DatastreamName, DeploymentId, Parameter, QualityLimits, StationId, Unit, UtcMillis,
};
use serde::de::DeserializeOwned;

use crate::{
    catalogue::{Item, Items, Kind},
    missing_codes::missing_codes,
    parameters,
    snapshot::{Datastream, DatastreamEntry, Deployment, DeploymentEntry, Route, Rule, Snapshot},
};

/// Kind and id of an item.
pub(crate) type RowKey = (Kind, String);

/// An item as stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Row {
    /// Place among its kind; only the order of routes means anything.
    pub(crate) position: u32,
    pub(crate) json: String,
}

/// A row that does not hold what it should.
#[derive(Debug, thiserror::Error)]
#[error("{kind} '{id}' is damaged: {detail}")]
pub struct DamagedRow {
    kind: String,
    id: String,
    detail: String,
}

impl DamagedRow {
    fn new(kind: Kind, id: &str, detail: &impl ToString) -> Self {
        Self { kind: kind.key().to_owned(), id: id.to_owned(), detail: detail.to_string() }
    }
}

/// Every item as it is stored.
pub(crate) fn of(items: &Items) -> Result<BTreeMap<RowKey, Row>, DamagedRow> {
    let mut rows = BTreeMap::new();
    let mut add = |kind, id: String, position, value: Result<String, serde_json::Error>| {
        let json = value.map_err(|error| DamagedRow::new(kind, &id, &error))?;
        rows.insert((kind, id), Row { position, json });
        Ok(())
    };
    macro_rules! add_each {
        ($($kind:ident: $map:ident),+) => {
            $(for (id, item) in &items.$map {
                add(Kind::$kind, id.to_string(), 0, serde_json::to_string(&item.value))?;
            })+
        };
    }
    add_each!(City: cities, Agency: agencies, Station: stations, Datastream: datastreams, Instrument: instruments);
    add_each!(Channel: channels, Person: people, Notification: notification_routes, Rule: rules, Device: devices);
    for ((datastream, from), item) in &items.deployments {
        let id = deployment_id(datastream, *from);
        add(Kind::Deployment, id, 0, serde_json::to_string(&item.value))?;
    }
    for (position, Item { value, .. }) in (0..).zip(&items.routes) {
        add(Kind::Route, value.id.to_string(), position, serde_json::to_string(value))?;
    }
    Ok(rows)
}

/// The id a deployment is stored and shown under.
pub(crate) fn deployment_id(datastream: &DatastreamName, from: UtcMillis) -> String {
    format!("{datastream} {from}")
}

/// A datastream as stored.
#[derive(Debug)]
pub(crate) struct DatastreamRow {
    pub(crate) number: u32,
    pub(crate) name: String,
    pub(crate) unit: String,
    pub(crate) json: String,
    pub(crate) retired: bool,
}

/// Everything stored, at one revision.
#[derive(Debug, Default)]
pub(crate) struct Stored {
    pub(crate) revision: u64,
    /// Kind, id and JSON, ordered by position.
    pub(crate) items: Vec<(String, String, String)>,
    pub(crate) datastreams: Vec<DatastreamRow>,
    /// Earlier name and number.
    pub(crate) aliases: Vec<(String, u32)>,
    /// Number, datastream number and first instant.
    pub(crate) deployments: Vec<(u32, u32, i64)>,
}

impl Stored {
    /// The snapshot of what is stored.
    pub(crate) fn snapshot(&self) -> Result<Snapshot, DamagedRow> {
        let parameters = parameters().clone();
        let mut snapshot = Snapshot { revision: self.revision, parameters, ..Snapshot::default() };
        for (_, id, json) in self.items.iter().filter(|(kind, ..)| kind == Kind::Route.key()) {
            snapshot.routes.push(parse(Kind::Route, id, json)?);
        }
        self.add_datastreams(&mut snapshot)?;
        let numbers: HashMap<(u32, i64), u32> =
            self.deployments.iter().map(|(number, datastream, from)| ((*datastream, *from), *number)).collect();
        for (kind, id, json) in &self.items {
            let Some(kind) = Kind::from_key(kind) else {
                return Err(DamagedRow { kind: kind.clone(), id: id.clone(), detail: "unknown kind".to_owned() });
            };
            add(&mut snapshot, kind, id, json, &numbers)?;
        }
        for deployments in snapshot.deployments.values_mut() {
            deployments.sort_by_key(|deployment| deployment.from);
        }
        Ok(snapshot)
    }

    fn add_datastreams(&self, snapshot: &mut Snapshot) -> Result<(), DamagedRow> {
        let sent = sent_units(&snapshot.routes);
        for row in &self.datastreams {
            let (datastream, own_limits) = datastream(row, &sent)?;
            let datastream = Arc::new(datastream);
            if let Some(own) = own_limits {
                snapshot.own_limits.insert(datastream.number, own);
            }
            if row.retired {
                snapshot.retired.insert(datastream.number, datastream);
            } else {
                snapshot.by_name.insert(datastream.name.clone(), Arc::clone(&datastream));
                snapshot.datastreams.insert(datastream.number, datastream);
            }
        }
        for (alias, number) in &self.aliases {
            let damaged = |error| DamagedRow::new(Kind::Datastream, alias, &error);
            let alias: DatastreamName = alias.parse().map_err(damaged)?;
            let number = DatastreamId::new(*number);
            if let Some(datastream) = snapshot.datastreams.get(&number) {
                snapshot.by_name.insert(alias.clone(), Arc::clone(datastream));
            }
            snapshot.aliases.insert(alias, number);
        }
        Ok(())
    }
}

/// The units in which devices send the datastreams of a parameter and qualifier.
type SentUnits<'a> = HashMap<(&'a str, Option<&'a str>), BTreeSet<&'a Unit>>;

/// By the values of all routes: which station a route is for, the payload may say.
fn sent_units(routes: &[Route]) -> SentUnits<'_> {
    let mut sent = SentUnits::new();
    for value in routes.iter().flat_map(|route| route.format.values()) {
        sent.entry((value.parameter.as_str(), value.qualifier.as_deref())).or_default().insert(&value.unit);
    }
    sent
}

fn datastream(row: &DatastreamRow, sent: &SentUnits<'_>) -> Result<(Datastream, Option<QualityLimits>), DamagedRow> {
    let entry: DatastreamEntry = parse(Kind::Datastream, &row.name, &row.json)?;
    let damaged = |error| DamagedRow::new(Kind::Datastream, &row.name, &error);
    let name: DatastreamName = row.name.parse().map_err(damaged)?;
    let of_parameter = parameters().get(name.parameter()).map(|info| info.limits(entry.interval_s)).unwrap_or_default();
    let interval_ms = i64::from(entry.interval_s) * 1000;
    let mut limits = entry.quality.map_or(of_parameter, |own| of_parameter.overridden_by(&own));
    limits.counter = entry.counter.then_some(Counter { max: entry.counter_max, interval_ms });
    let unit = Unit::new(&row.unit);
    let sent = sent.get(&(name.parameter(), name.qualifier())).into_iter().flatten().copied();
    limits.codes = missing_codes(&unit, sent);
    let datastream = Datastream {
        number: DatastreamId::new(row.number),
        station: StationId::new(name.station()).map_err(damaged)?,
        parameter: Parameter::new(name.parameter()).map_err(damaged)?,
        name,
        unit,
        interval_ms,
        vertical_datum: entry.vertical_datum,
        limits,
    };
    Ok((datastream, entry.quality))
}

fn add(
    snapshot: &mut Snapshot,
    kind: Kind,
    id: &str,
    json: &str,
    numbers: &HashMap<(u32, i64), u32>,
) -> Result<(), DamagedRow> {
    macro_rules! insert {
        ($map:ident) => {{
            let key = id.parse().map_err(|error| DamagedRow::new(kind, id, &error))?;
            snapshot.$map.insert(key, parse(kind, id, json)?);
        }};
    }
    match kind {
        Kind::City => insert!(cities),
        Kind::Agency => insert!(agencies),
        Kind::Station => insert!(stations),
        Kind::Instrument => insert!(instruments),
        Kind::Person => insert!(people),
        Kind::Notification => insert!(notification_routes),
        Kind::Channel => insert!(channels),
        Kind::Device => insert!(devices),
        // Read before the datastreams, which the units in them matter for.
        Kind::Route => {}
        Kind::Rule => {
            let rule: Rule = parse(kind, id, json)?;
            snapshot.rules.insert(rule.id.clone(), Arc::new(rule));
        }
        Kind::Deployment => {
            let deployment = deployment(snapshot, id, json, numbers)?;
            snapshot.deployments.entry(deployment.datastream).or_default().push(deployment);
        }
        Kind::Datastream => return Err(DamagedRow::new(kind, id, &"stored in the wrong table")),
    }
    Ok(())
}

fn deployment(
    snapshot: &Snapshot,
    id: &str,
    json: &str,
    numbers: &HashMap<(u32, i64), u32>,
) -> Result<Deployment, DamagedRow> {
    let entry: DeploymentEntry = parse(Kind::Deployment, id, json)?;
    let damaged = |detail: &str| DamagedRow::new(Kind::Deployment, id, &detail);
    let instant = |text: &str| UtcMillis::parse(text).map_err(|error| DamagedRow::new(Kind::Deployment, id, &error));
    let datastream = snapshot.ever(&entry.datastream).ok_or_else(|| damaged("its datastream is missing"))?.number;
    let from = instant(&entry.from)?;
    let number = numbers.get(&(datastream.get(), from.get())).ok_or_else(|| damaged("its number is missing"))?;
    Ok(Deployment {
        number: DeploymentId::new(*number),
        datastream,
        instrument: entry.instrument,
        from,
        to: entry.to.as_deref().map(instant).transpose()?,
        gain: entry.gain,
        offset: entry.offset,
    })
}

fn parse<T: DeserializeOwned>(kind: Kind, id: &str, json: &str) -> Result<T, DamagedRow> {
    serde_json::from_str(json).map_err(|error| DamagedRow::new(kind, id, &error))
}
