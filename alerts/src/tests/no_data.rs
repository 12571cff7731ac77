//! No data, from the spool to an alert that people see.

use bakau_model::{DatastreamId, Level, PerLevel, Principal, RuleId, SourceName, StationId, StationStatus};
use bakau_registry::{Catalogue, CatalogueFile, Condition, DatastreamTarget, NoDataTarget, Registry, StationTarget};

use super::*;
use crate::{
    AlertView, ConditionKind,
    engine::{Endpoint, Reason},
    testing::do_rule,
};

const NOWHERE: &str = "http://127.0.0.1:9/";

fn station() -> StationId {
    StationId::new("prb-bjbr-01").unwrap()
}

fn no_data_rule() -> Rule {
    Rule {
        id: RuleId::new("senyap").unwrap(),
        condition: Condition::NoData {
            target: NoDataTarget::Stations(StationTarget::Stations { kind: None }),
            after_s: PerLevel { waspada: Some(900), siaga: Some(3_600), awas: None },
        },
        ..do_rule(0)
    }
}

impl House {
    fn with_rules(rules: impl IntoIterator<Item = Rule>) -> Self {
        let house = Self::new(NOWHERE);
        house.snapshots.send_replace(Arc::new(snapshot(NOWHERE, 1, rules)));
        house
    }

    /// A value arrives at this minute.
    fn arrive_at(&mut self, minute: i64) -> Seq {
        self.clock.set(at(minute));
        self.arrive(&[(minute, 6.0)])
    }

    /// The station says whether it is online.
    fn status_at(&mut self, minute: i64, online: bool) -> Seq {
        self.clock.set(at(minute));
        let mut draft = draft(&[testing::observation(minute, 6.0)]);
        draft.observations.clear();
        draft.statuses = vec![StationStatus { station: station(), online, retained: false, at: at(minute) }];
        self.spool.append(&draft).unwrap().seq
    }
}

async fn newest(room: &Room, what: &str, met: impl Fn(&AlertView) -> bool) -> AlertView {
    eventually(what, async || {
        room.alerts.list(&AlertQuery::default()).await.unwrap().into_iter().find(|alert| met(alert))
    })
    .await
}

#[tokio::test]
async fn a_station_without_data_becomes_an_alert_with_its_owner_and_no_value() {
    let mut house = House::with_rules([no_data_rule()]);
    let room = house.open().await;
    let seq = house.arrive_at(1);
    cursor_reaches(&house.reader, seq).await;
    house.clock.set(at(16));
    let alert = newest(&room, "no data", |alert| alert.level == Level::Waspada).await;
    assert_eq!(
        (alert.kind, alert.station.clone(), alert.datastream.clone()),
        (ConditionKind::NoData, Some(station()), None)
    );
    assert_eq!((alert.agency.as_ref().unwrap().as_str(), alert.onset, alert.value), ("dlh", at(1), None));
    house.clock.set(at(61));
    newest(&room, "the next level", |alert| alert.level == Level::Siaga).await;
    house.arrive_at(62);
    let over = newest(&room, "its end", |alert| alert.closed_at.is_some()).await;
    assert_eq!((over.id, over.closed_reason), (alert.id, Some(Reason::Returned)));
    room.close().await;
}

#[tokio::test]
async fn over_a_restart_an_open_alert_stays_open_and_no_other_begins() {
    let mut house = House::with_rules([no_data_rule()]);
    let room = house.open().await;
    let seq = house.arrive_at(1);
    cursor_reaches(&house.reader, seq).await;
    house.clock.set(at(16));
    let alert = newest(&room, "no data", |_| true).await;
    room.close().await;
    house.clock.set(at(600));
    let room = house.open().await;
    let seq = house.status_at(600, true);
    let over = newest(&room, "its end", |alert| alert.closed_at.is_some()).await;
    assert_eq!((over.id, over.peak), (alert.id, Level::Waspada), "it did not grow while nobody looked");
    cursor_reaches(&house.reader, seq).await;
    room.close().await;
    house.clock.set(at(1_200));
    let room = house.open().await;
    let seq = house.arrive_at(1_201);
    cursor_reaches(&house.reader, seq).await;
    house.clock.set(at(1_216));
    let next = newest(&room, "a new alert", |alert| alert.closed_at.is_none()).await;
    assert_eq!((next.onset, room.details().await.len()), (at(1_201), 2), "none for the time that Bakau did not run");
    room.close().await;
}

#[tokio::test]
async fn a_last_will_is_told_at_once() {
    let mut house = House::with_rules([no_data_rule()]);
    let room = house.open().await;
    house.arrive_at(1);
    house.status_at(2, false);
    let alert = newest(&room, "offline", |_| true).await;
    assert_eq!((alert.onset, alert.level), (at(2), Level::Waspada));
    let detail = room.alerts.get(&alert.id).await.unwrap().unwrap();
    assert_eq!(detail.transitions[0].reason, Reason::Offline);
    room.close().await;
}

fn source_rule() -> Rule {
    Rule {
        id: RuleId::new("sumber").unwrap(),
        condition: Condition::SourceDown {
            source: None,
            after_s: PerLevel { waspada: Some(60), siaga: None, awas: None },
        },
        ..do_rule(0)
    }
}

/// Says of the source, through which values come in these tests, whether it is connected.
fn say(house: &House, up: bool) {
    let endpoint = Endpoint::Source(SourceName::new("demo").unwrap());
    *house.sources.0.lock() = vec![EndpointView { endpoint, up, since: house.clock.now() }];
}

#[tokio::test]
async fn a_source_that_is_down_is_an_alert_of_its_own() {
    let house = House::with_rules([source_rule()]);
    let room = house.open().await;
    say(&house, false);
    newest_after(&house, &room, 60_000).await;
    let alert = room.alerts.list(&AlertQuery::default()).await.unwrap().remove(0);
    let name = SourceName::new("demo").ok();
    assert_eq!((alert.kind, alert.source, alert.station), (ConditionKind::SourceDown, name, None));
    say(&house, true);
    newest(&room, "its end", |alert| alert.closed_at.is_some()).await;
    room.close().await;
}

#[tokio::test]
async fn behind_a_source_that_is_down_no_station_is_told_of_although_bakau_was_restarted() {
    let mut house = House::with_rules([source_rule(), no_data_rule()]);
    say(&house, true);
    let room = house.open().await;
    let seq = house.arrive_at(1);
    cursor_reaches(&house.reader, seq).await;
    room.close().await;
    say(&house, false);
    let room = house.open().await;
    newest_after(&house, &room, 60_000).await;
    house.clock.set(at(120));
    // The tick that closes the source's alert is behind all that the station's deadline could have done.
    say(&house, true);
    newest(&room, "its end", |alert| alert.closed_at.is_some()).await;
    assert_eq!(room.details().await.len(), 1);
    // Its own deadline begins when the source is back.
    house.clock.set(at(136));
    newest(&room, "the station that did not come back", |alert| alert.station.is_some()).await;
    room.close().await;
}

/// Lets time pass in small steps until there is an alert: when the state of the sources is looked at is not told.
async fn newest_after(house: &House, room: &Room, ms: i64) {
    eventually("an alert", async || {
        house.clock.advance(ms / 60);
        room.alerts.list(&AlertQuery::default()).await.unwrap().first().map(drop)
    })
    .await;
}

/// The second datastream of the station, at a depth of 150 cm.
const DEEP: DatastreamId = DatastreamId::new(8);

fn deep(minute: i64, value: f64) -> Observation {
    Observation { datastream: DEEP, ..testing::observation(minute, value) }
}

impl House {
    fn with_two_depths(rules: impl IntoIterator<Item = Rule>) -> Self {
        let mut registered = snapshot(NOWHERE, 1, rules);
        let name = "prb-bjbr-01/do@150cm".parse().unwrap();
        let second = Arc::new(bakau_registry::Datastream { number: DEEP, name, ..testing::datastream() });
        registered.datastreams.insert(DEEP, Arc::clone(&second));
        registered.by_name.insert(second.name.clone(), second);
        let house = Self::with_rules([]);
        house.snapshots.send_replace(Arc::new(registered));
        house
    }
}

#[tokio::test]
async fn a_rule_about_a_parameter_watches_each_datastream_by_itself() {
    let mut rule = do_rule(0);
    let Condition::Threshold { target, .. } = &mut rule.condition else { panic!() };
    *target = DatastreamTarget::Parameter { parameter: "do".parse().unwrap(), kind: None };
    let mut house = House::with_two_depths([rule]);
    house.clock.set(at(1));
    let room = house.open().await;
    house.spool.append(&draft(&[testing::observation(1, 3.0), deep(1, 1.0)])).unwrap();
    let alerts = eventually("two alerts", async || {
        let alerts = room.alerts.list(&AlertQuery::default()).await.unwrap();
        (alerts.len() == 2).then_some(alerts)
    })
    .await;
    let mut found: Vec<_> =
        alerts.iter().map(|alert| (alert.datastream.as_ref().unwrap().to_string(), alert.level)).collect();
    found.sort();
    assert_eq!(
        found,
        [("prb-bjbr-01/do".to_owned(), Level::Waspada), ("prb-bjbr-01/do@150cm".to_owned(), Level::Siaga)]
    );
    room.close().await;
}

const ONE_SENSOR: &str = r#"
[[city]]
id = "probolinggo"
name = "Probolinggo"
code = "35.74"

[[agency]]
id = "dlh"
name = "DLH"
city = "probolinggo"

[[station]]
id = "prb-bjbr-01"
name = "BeeJay Bakau"
agency = "dlh"
kind = "mangrove"
latitude = -7.735
longitude = 113.219

[[datastream]]
id = "prb-bjbr-01/do"
interval_s = 60

[[rule]]
id = "oksigen-senyap"
name = "Oksigen tanpa data"
condition = "no_data"
datastream = "prb-bjbr-01/do"
waspada = { after_s = 900 }
source = "test"

[[rule]]
id = "stasiun-senyap"
name = "Stasiun tanpa data"
condition = "no_data"
waspada = { after_s = 900 }
source = "test"
"#;

/// The rules of a catalogue, as a registry that it was applied to has them.
async fn rules_of(catalogue: &str) -> Vec<Rule> {
    let folder = tempfile::tempdir().unwrap();
    let registry = Registry::open(&folder.path().join("registry.db")).await.unwrap();
    let file = CatalogueFile { path: "a.toml".to_owned(), text: catalogue.to_owned() };
    let plan = registry.plan(&Catalogue::parse(&[file]).unwrap(), false).await.unwrap();
    registry.apply(plan, &Principal::CommandLine("sari".to_owned()), at(0)).await.unwrap();
    registry.snapshot().rules.values().map(|rule| Rule::clone(rule)).collect()
}

#[tokio::test]
async fn a_catalogue_has_one_datastream_watched_for_missing_data_while_its_station_reports() {
    let mut house = House::with_two_depths(rules_of(ONE_SENSOR).await);
    let room = house.open().await;
    for (minute, values) in [(1, vec![testing::observation(1, 6.0), deep(1, 6.0)]), (15, vec![deep(15, 6.0)])] {
        house.clock.set(at(minute));
        let seq = house.spool.append(&draft(&values)).unwrap().seq;
        cursor_reaches(&house.reader, seq).await;
    }
    house.clock.set(at(16));
    let alert = newest(&room, "no data of one datastream", |_| true).await;
    let watched = alert.datastream.as_ref().map(ToString::to_string);
    assert_eq!((alert.kind, watched.as_deref()), (ConditionKind::NoData, Some("prb-bjbr-01/do")));
    assert_eq!((alert.rule.as_str(), alert.onset, alert.value), ("oksigen-senyap", at(1), None));
    house.arrive_at(17);
    let over = newest(&room, "its end", |alert| alert.closed_at.is_some()).await;
    assert_eq!((over.id, room.details().await.len()), (alert.id, 1), "the station reported all the time");
    room.close().await;
}
