//! How ready agencies are: how many of their stations and values are current, and how much of the last day is there.

use std::collections::BTreeMap;

use bakau_answers::AgencyReadiness;
use bakau_dashboards::view::{Freshness, StationCard};
use bakau_model::AgencyId;
use bakau_registry::{Agency, Snapshot};
use jiff::tz::TimeZone;

use crate::{
    http::{query::Span, times},
    read::{
        gather::Gatherer,
        last_day::{LastDay, Part},
    },
    state::AppState,
    v1::catalogue,
};

/// Readiness of each agency, those without a station included.
pub(crate) async fn readiness(state: &AppState) -> Vec<AgencyReadiness> {
    let day = state.own.last_day.get(state.clock.now()).await;
    let gatherer = Gatherer::new(state);
    count(gatherer.snapshot(), &gatherer.stations(), day.as_deref())
}

fn count(snapshot: &Snapshot, stations: &[StationCard], day: Option<&LastDay>) -> Vec<AgencyReadiness> {
    let new = |agency: &Agency| AgencyReadiness {
        id: agency.id.clone(),
        name: agency.name.clone(),
        stations: 0,
        stations_reporting: 0,
        datastreams: 0,
        datastreams_current: 0,
        last_24h: None,
    };
    let mut counts: BTreeMap<&AgencyId, (AgencyReadiness, Option<Part>)> =
        snapshot.agencies.iter().map(|(id, agency)| (id, (new(agency), None))).collect();
    for card in stations {
        let Some((count, last_day)) = counts.get_mut(&card.agency.id) else { continue };
        count.stations += 1;
        count.stations_reporting += u32::from(matches!(card.freshness, Freshness::Live { .. }));
        for cell in &card.values {
            count.datastreams += 1;
            count.datastreams_current += u32::from(cell.observed_at.is_some() && !cell.stale);
            let number = snapshot.datastream(&cell.datastream).map(|datastream| datastream.number);
            if let Some(part) = number.zip(day).and_then(|(number, day)| day.part(number)) {
                *last_day.get_or_insert_default() += part;
            }
        }
    }
    let zone = catalogue::platform_zone();
    let with_day = |(count, part): (AgencyReadiness, Option<Part>)| {
        let last_24h = part.zip(day).map(|(part, day)| tell(part, day.span, &zone));
        AgencyReadiness { last_24h, ..count }
    };
    counts.into_values().map(with_day).collect()
}

fn tell(part: Part, span: Span, zone: &TimeZone) -> bakau_answers::LastDay {
    bakau_answers::LastDay {
        from: span.from.into(),
        from_local: times::local(span.from, zone),
        to: span.to.into(),
        to_local: times::local(span.to, zone),
        observed: part.observed,
        expected: part.expected,
        completeness: part.share(),
    }
}

#[cfg(test)]
mod tests {
    use bakau_dashboards::view::{Named, ValueCell};
    use bakau_model::{CityId, DatastreamId, DatastreamName, Flag, Level, Parameter, StationKind, Unit, UtcMillis};
    use bakau_registry::Datastream;

    use std::sync::Arc;

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
            state: bakau_model::State::Normal,
            pending: None,
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
            state: bakau_model::State::Normal,
            acknowledged_at: None,
            freshness,
            clock: None,
            no_data_after_ms: 240_000,
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
    fn counts(readiness: &[AgencyReadiness]) -> Vec<(&str, [u32; 4])> {
        let row = |each: &'_ AgencyReadiness| {
            [each.stations, each.stations_reporting, each.datastreams, each.datastreams_current]
        };
        readiness.iter().map(|each| (each.id.as_str(), row(each))).collect()
    }

    #[test]
    fn what_never_reported_or_is_stale_is_not_ready_and_an_agency_without_stations_is_there() {
        let found = count(&snapshot(), &cards(), None);
        let expected = [("bpbd", [1, 0, 1, 0]), ("dlh", [2, 1, 2, 1]), ("kosong", [0; 4])];
        assert_eq!(counts(&found), expected);
        assert!(found.iter().all(|each| each.last_24h.is_none()), "nothing has been counted");
    }

    #[test]
    fn the_last_day_of_an_agency_is_that_of_all_its_datastreams() {
        let part = |observed, covered| Part { observed, expected: 100, covered };
        let day = LastDay::of([(DatastreamId::new(1), part(100, 100.0)), (DatastreamId::new(2), part(90, 50.0))]);
        let found = count(&snapshot(), &cards(), Some(&day));
        let shares: Vec<_> = found.iter().map(|each| each.last_24h.as_ref().and_then(|day| day.completeness)).collect();
        assert_eq!(shares, [None, Some(0.75), None], "one not counted yet, one without stations");
        let counted = found[1].last_24h.as_ref().map(|day| (day.observed, day.expected));
        assert_eq!(counted, Some((190, 200)));
    }
}
