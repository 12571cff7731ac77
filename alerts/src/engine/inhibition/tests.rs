use bakau_model::{AgencyId, NotificationRouteId, StationKind};
use bakau_registry::{About, Channel, Condition, NoDataTarget, NotificationRoute, StationTarget};
use proptest::prelude::*;

use super::*;
use crate::testing;

const PEOPLE: [&str; 3] = ["budi", "sari", "tono"];

fn station() -> StationId {
    StationId::new("prb-bjbr-01").unwrap()
}

fn source() -> SourceName {
    SourceName::new("demo").unwrap()
}

/// A rule that reaches so many levels, the first of them at once, and tells webhooks directly.
fn rule(id: &str, condition: Condition, channels: &[&str]) -> Arc<Rule> {
    let channels = channels.iter().map(|id| ChannelId::new(id).unwrap()).collect();
    Arc::new(Rule { id: RuleId::new(id).unwrap(), condition, channels, ..testing::do_rule(0) })
}

fn after_s(levels: usize) -> PerLevel<u32> {
    let after = |place: usize| (place < levels).then_some(60);
    PerLevel { waspada: after(0), siaga: after(1), awas: after(2) }
}

fn own_rule(levels: usize, channels: &[&str]) -> Arc<Rule> {
    let target = NoDataTarget::Stations(StationTarget::Stations { kind: None });
    rule("diam", Condition::NoData { target, after_s: after_s(levels) }, channels)
}

fn source_rule(levels: usize, channels: &[&str]) -> Arc<Rule> {
    rule("putus", Condition::SourceDown { source: None, after_s: after_s(levels) }, channels)
}

/// One mangrove station of the agency `dlh`; everybody named has a Telegram chat, Tono has nothing.
fn registered(routes: Vec<NotificationRoute>) -> Snapshot {
    let mut snapshot = testing::snapshot([]);
    let id = ChannelId::new("bot").unwrap();
    let bot = Channel::Telegram { id: id.clone(), token_env: "BOT".to_owned(), base_url: String::new() };
    snapshot.channels.insert(id, bot);
    for id in PEOPLE {
        let mut person = testing::person(id);
        person.telegram_chat = (id != "tono").then_some(7);
        (person.email, person.name) = (None, id.to_owned());
        snapshot.people.insert(person.id.clone(), person);
    }
    snapshot.notification_routes = routes.into_iter().map(|one| (one.id.clone(), one)).collect();
    snapshot
}

fn route(id: &str, agency: Option<&str>, min_level: Level, people: &[&str]) -> NotificationRoute {
    NotificationRoute {
        id: NotificationRouteId::new(id).unwrap(),
        agencies: agency.map(|id| AgencyId::new(id).unwrap()).into_iter().collect(),
        kinds: Vec::new(),
        min_level,
        about: About::Both,
        people: people.iter().map(|id| PersonId::new(id).unwrap()).collect(),
        channels: vec![ChannelId::new("bot").unwrap()],
    }
}

/// What the alerts of a station's rule are not spared by: its source's alert, and that of the station for a datastream.
fn not_inhibited(snapshot: &Snapshot, own: &Arc<Rule>, of_source: &Arc<Rule>) -> [Option<Level>; 2] {
    let target = NoDataTarget::Datastreams(testing::do_target());
    let of_datastream = rule("do-diam", Condition::NoData { target, after_s: after_s(3) }, &["komando"]);
    let mut rules = vec![
        WatchedRule::new(Arc::clone(own), Subject::Station(station())),
        WatchedRule::new(Arc::clone(of_source), Subject::Source(source())),
        WatchedRule::new(of_datastream, testing::SUBJECT),
    ];
    find_not_inhibited(&mut rules, snapshot);
    [rules[0].not_inhibited.by_source.get(&source()).copied(), rules[2].not_inhibited.by_station]
}

#[test]
fn an_alert_stands_for_another_where_it_reaches_everybody_whom_that_one_would() {
    let (own, of_source) = (own_rule, source_rule);
    let piket = || route("piket", Some("dlh"), Level::Waspada, &["sari"]);
    let head = |level| route("kepala", None, level, &["budi"]);
    let (nobody, waspada, siaga) = (Vec::new(), Some(Level::Waspada), Some(Level::Siaga));
    let cases = [
        ("people of the agency", vec![piket()], own(2, &[]), of_source(1, &[]), [None, waspada]),
        ("nobody at all", nobody.clone(), own(2, &[]), of_source(1, &[]), [waspada, waspada]),
        (
            "a program of the source's rule alone",
            nobody.clone(),
            own(2, &[]),
            of_source(1, &["komando"]),
            [None, waspada],
        ),
        (
            "a program of the station's rule alone",
            vec![piket()],
            own(2, &["komando"]),
            of_source(1, &[]),
            [waspada, None],
        ),
        ("the same program", nobody, own(2, &["komando"]), of_source(1, &["komando"]), [None, None]),
        ("who waits for siaga", vec![piket(), head(Level::Siaga)], own(2, &[]), of_source(1, &[]), [siaga, waspada]),
        (
            "who waits for siaga, told in the end",
            vec![head(Level::Siaga)],
            own(2, &[]),
            of_source(2, &[]),
            [None, waspada],
        ),
        (
            "the agency of others",
            vec![route("lain", Some("lain"), Level::Waspada, &["sari"])],
            own(1, &[]),
            of_source(1, &[]),
            [waspada, waspada],
        ),
        (
            "who can be reached by nothing",
            vec![route("piket", None, Level::Waspada, &["tono"])],
            own(1, &[]),
            of_source(1, &[]),
            [waspada, waspada],
        ),
    ];
    for (name, routes, own, of_source, expected) in cases {
        assert_eq!(not_inhibited(&registered(routes), &own, &of_source), expected, "{name}");
    }
}

fn any_route(place: usize) -> impl Strategy<Value = NotificationRoute> {
    let agency = prop_oneof![Just(None), Just(Some("dlh")), Just(Some("lain"))];
    let kinds = prop_oneof![Just(vec![]), Just(vec![StationKind::Mangrove]), Just(vec![StationKind::Air])];
    let about = prop_oneof![Just(About::Both), Just(About::Technical), Just(About::Environment)];
    let people = proptest::sample::subsequence(PEOPLE.to_vec(), 0..=3);
    (agency, kinds, about, 1u8..4, people).prop_map(move |(agency, kinds, about, level, people)| {
        let id = format!("nomor-{place}");
        let level = Level::from_code(level).unwrap();
        NotificationRoute { kinds, about, ..route(&id, agency, level, &people) }
    })
}

fn any_routes() -> impl Strategy<Value = Vec<NotificationRoute>> {
    (any_route(0), any_route(1), any_route(2), 0usize..4)
        .prop_map(|(a, b, c, count)| [a, b, c].into_iter().take(count).collect())
}

proptest! {
    /// However people are chosen: whoever would have been told of a station is told of its source, where that spares them
    /// the station; and something that reaches nobody spares nobody anything.
    #[test]
    fn nobody_is_spared_a_message_for_one_that_does_not_reach_them(
        routes in any_routes(),
        levels in (1usize..4, 1usize..4),
        programs in (any::<bool>(), any::<bool>()),
    ) {
        let snapshot = registered(routes);
        let channels = |told: bool| if told { vec!["komando"] } else { vec![] };
        let own = own_rule(levels.0, &channels(programs.0));
        let of_source = source_rule(levels.1, &channels(programs.1));
        let [from, _] = not_inhibited(&snapshot, &own, &of_source);
        let told = |rule: &Rule, peak| {
            let concerned = [Concerned::of(&snapshot.stations[&station()])];
            let found = recipients(&Matter { technical: true, peak, concerned: &concerned }, rule, &snapshot);
            let reachable = found.into_iter().filter(|recipient| recipient.reachable);
            reachable.map(|recipient| (recipient.person, recipient.channel)).collect::<BTreeSet<_>>()
        };
        let by_source = told(&of_source, Level::from_code(u8::try_from(levels.1).unwrap()).unwrap());
        for level in Level::RAISED.into_iter().take(levels.0) {
            let covered = !by_source.is_empty() && told(&own, level).is_subset(&by_source);
            prop_assert_eq!(from.is_none_or(|from| level < from), covered, "{}", level);
        }
    }
}
