//! How ready agencies are: how many of their stations and values are current, and how much of the last day is there.

use std::{collections::BTreeMap, sync::Arc};

use bakau_dashboards::view::{Freshness, StationCard};
use bakau_model::{AgencyId, Text};
use bakau_registry::{Agency, Snapshot};
use serde_json::{Value, json};

use crate::{
    http::{answer, query::Span, times},
    read::{
        gather::Gatherer,
        last_day::{self, LastDay, Part},
    },
    state::AppState,
    v1::catalogue,
};

/// How many stations and datastreams of an agency have a current value, and how much of the last day is there.
#[derive(Debug, PartialEq)]
pub(crate) struct Readiness {
    pub(crate) agency: AgencyId,
    pub(crate) name: Text,
    pub(crate) stations: u32,
    pub(crate) reporting: u32,
    pub(crate) datastreams: u32,
    pub(crate) current: u32,
    /// `None` while it has not been counted.
    pub(crate) last_day: Option<Part>,
}

/// Of each agency, those without a station included.
pub(crate) async fn readiness(state: &AppState) -> (Vec<Readiness>, Option<Arc<LastDay>>) {
    let day = last_day::last_day(state).await;
    let gatherer = Gatherer::new(state);
    (count(gatherer.snapshot(), &gatherer.stations(), day.as_deref()), day)
}

fn count(snapshot: &Snapshot, stations: &[StationCard], day: Option<&LastDay>) -> Vec<Readiness> {
    let new = |agency: &Agency| {
        let (agency, name) = (agency.id.clone(), agency.name.clone());
        Readiness { agency, name, stations: 0, reporting: 0, datastreams: 0, current: 0, last_day: None }
    };
    let mut counts: BTreeMap<&AgencyId, Readiness> =
        snapshot.agencies.iter().map(|(id, agency)| (id, new(agency))).collect();
    for card in stations {
        let Some(count) = counts.get_mut(&card.agency.id) else { continue };
        count.stations += 1;
        count.reporting += u32::from(matches!(card.freshness, Freshness::Live { .. }));
        for cell in &card.values {
            count.datastreams += 1;
            count.current += u32::from(cell.observed_at.is_some() && !cell.stale);
            let number = snapshot.datastream(&cell.datastream).map(|datastream| datastream.number);
            if let Some(part) = number.zip(day).and_then(|(number, day)| day.part(number)) {
                *count.last_day.get_or_insert_default() += part;
            }
        }
    }
    counts.into_values().collect()
}

/// As `GET /api/v1/status` tells them.
pub(crate) async fn values(state: &AppState) -> Value {
    let (agencies, day) = readiness(state).await;
    let zone = catalogue::platform_zone();
    let counted = |part: Part, span: Span| {
        json!({
            "from": answer::time(span.from),
            "from_local": times::local(span.from, &zone),
            "to": answer::time(span.to),
            "to_local": times::local(span.to, &zone),
            "observed": part.observed,
            "expected": part.expected,
            "completeness": part.share(),
        })
    };
    let value = |readiness: Readiness| {
        json!({
            "id": readiness.agency,
            "name": answer::text(&readiness.name),
            "stations": readiness.stations,
            "stations_reporting": readiness.reporting,
            "datastreams": readiness.datastreams,
            "datastreams_current": readiness.current,
            "last_24h": readiness.last_day.zip(day.as_ref()).map(|(part, day)| counted(part, day.span)),
        })
    };
    agencies.into_iter().map(value).collect()
}

#[cfg(test)]
mod tests {
    use bakau_dashboards::view::{Named, ValueCell};
    use bakau_model::{CityId, DatastreamId, DatastreamName, Flag, Level, Parameter, StationKind, Unit, UtcMillis};
    use bakau_registry::Datastream;

    use super::*;

    const AT: UtcMillis = UtcMillis::new(0);

    fn agency(id: &str) -> (AgencyId, Agency) {
        let id: AgencyId = id.parse().unwrap();
        (id.clone(), Agency { id, name: "Dinas".into(), city: CityId::new("kota").unwrap() })
    }

    fn datastream(number: u32, name: &str) -> Arc<Datastream> {
        let name: DatastreamName = name.parse().unwrap();
        Arc::new(Datastream {
            number: DatastreamId::new(number),
            station: name.station().parse().unwrap(),
            parameter: Parameter::new(name.parameter()).unwrap(),
            name,
            unit: Unit::new("mg/L"),
            interval_ms: 60_000,
            vertical_datum: None,
            limits: Default::default(),
        })
    }

    fn snapshot() -> Snapshot {
        let datastreams = [datastream(1, "a-01/do"), datastream(2, "a-01/ph"), datastream(3, "b-01/do")];
        Snapshot {
            agencies: [agency("dlh"), agency("bpbd"), agency("kosong")].into(),
            by_name: datastreams.iter().map(|each| (each.name.clone(), Arc::clone(each))).collect(),
            ..Snapshot::default()
        }
    }

    fn cell(name: &str, observed_at: Option<UtcMillis>, stale: bool) -> ValueCell {
        ValueCell {
            datastream: name.parse().unwrap(),
            label: "x".into(),
            value: Some(1.0),
            reading: None,
            unit: Unit::new("mg/L"),
            decimals: 1,
            observed_at,
            level: Level::Normal,
            flag: Flag::Good,
            tests: bakau_model::TestResults::NONE,
            stale,
            stale_after_ms: 240_000,
        }
    }

    fn card(id: &str, agency: &str, freshness: Freshness, values: Vec<ValueCell>) -> StationCard {
        StationCard {
            id: id.parse().unwrap(),
            name: id.into(),
            agency: Named { id: agency.parse().unwrap(), name: "Dinas".into() },
            city: None,
            kind: StationKind::Water,
            latitude: 0.0,
            longitude: 0.0,
            level: None,
            taken: None,
            freshness,
            clock: None,
            silent_after_ms: 240_000,
            current_until: None,
            values,
        }
    }

    fn cards() -> Vec<StationCard> {
        let (live, stale) = (Freshness::Live { age_ms: 1 }, Freshness::Stale { age_ms: 900_000 });
        vec![
            card("a-01", "dlh", live, vec![cell("a-01/do", Some(AT), false), cell("a-01/ph", None, false)]),
            card("a-02", "dlh", Freshness::NeverReported, Vec::new()),
            card("b-01", "bpbd", stale, vec![cell("b-01/do", Some(AT), true)]),
            card("c-01", "lain", live, vec![cell("c-01/do", Some(AT), false)]),
        ]
    }

    /// By agency: stations, those that report, datastreams, those with a current value.
    fn counts(readiness: &[Readiness]) -> Vec<(&str, [u32; 4])> {
        let row = |each: &'_ Readiness| [each.stations, each.reporting, each.datastreams, each.current];
        readiness.iter().map(|each| (each.agency.as_str(), row(each))).collect()
    }

    #[test]
    fn what_never_reported_or_is_stale_is_not_ready_and_an_agency_without_stations_is_there() {
        let found = count(&snapshot(), &cards(), None);
        let expected = [("bpbd", [1, 0, 1, 0]), ("dlh", [2, 1, 2, 1]), ("kosong", [0; 4])];
        assert_eq!(counts(&found), expected);
        assert!(found.iter().all(|each| each.last_day.is_none()), "nothing has been counted");
    }

    #[test]
    fn the_last_day_of_an_agency_is_that_of_all_its_datastreams() {
        let part = |observed, covered| Part { observed, expected: 100, covered };
        let day = LastDay::of([(DatastreamId::new(1), part(100, 100.0)), (DatastreamId::new(2), part(90, 50.0))]);
        let found = count(&snapshot(), &cards(), Some(&day));
        let shares: Vec<_> = found.iter().map(|each| each.last_day.and_then(|part| part.share())).collect();
        assert_eq!(shares, [None, Some(0.75), None], "one not counted yet, one without stations");
        assert_eq!(found[1].last_day, Some(Part { observed: 190, expected: 200, covered: 150.0 }));
    }
}
