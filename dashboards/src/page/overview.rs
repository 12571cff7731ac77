//! Which stations the overview shows, in which order and groups, what they add up to, and where they are.

use std::borrow::Borrow;

use bakau_model::{AgencyId, CityId, Language, Level, State, StationKind, Text};

use crate::{
    map::{self, Map, Pin, Place},
    say::Say,
    view::{Freshness, Grouping, Named, OverviewFilter, OverviewView, StationCard},
};

/// States that are counted; *no data* stands for all that say nothing of a level.
const TOTALS: [State; 6] = [State::Awas, State::Siaga, State::Waspada, State::Pending, State::NoData, State::Normal];

/// Everything on the overview besides what is said around it.
pub(super) struct Layout<'a> {
    pub(super) filter: &'a OverviewFilter,
    /// Stations by what they say, the worst first; those that say nothing of a level together. All are there, even with
    /// none, so that nothing moves when that changes.
    pub(super) totals: Vec<(State, usize)>,
    pub(super) groups: Vec<Group<'a>>,
    /// Agencies that miss most of their stations first.
    pub(super) agencies: Vec<Readiness<'a>>,
    pub(super) chart: Option<StationMap<'a>>,
    /// What can be chosen.
    pub(super) cities: Vec<&'a Named<CityId>>,
    pub(super) owners: Vec<&'a Named<AgencyId>>,
    pub(super) shown: usize,
    pub(super) all: usize,
}

/// Stations under one heading.
pub(super) struct Group<'a> {
    pub(super) title: Option<GroupTitle<'a>>,
    pub(super) stations: Vec<&'a StationCard>,
}

/// What stations have in common.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum GroupTitle<'a> {
    Name(&'a Text),
    Kind(StationKind),
    /// The catalogue does not say.
    Unknown,
}

/// How many of an agency's stations report.
pub(super) struct Readiness<'a> {
    pub(super) agency: &'a Named<AgencyId>,
    pub(super) reporting: usize,
    pub(super) expected: usize,
}

impl Readiness<'_> {
    pub(super) const fn complete(&self) -> bool {
        self.reporting == self.expected
    }
}

/// A map with its stations.
pub(super) struct StationMap<'a> {
    pub(super) map: Map,
    pub(super) symbols: Vec<Symbol<'a>>,
}

/// A symbol on the map.
pub(super) struct Symbol<'a> {
    pub(super) pin: Pin,
    /// The worst of its stations.
    pub(super) card: &'a StationCard,
    /// How many it stands for.
    pub(super) count: usize,
    /// All of them, where it stands for several.
    pub(super) all: Vec<&'a StationCard>,
}

impl Symbol<'_> {
    /// Ids of its stations with spaces between, for the script.
    pub(super) fn members(&self) -> String {
        self.all.iter().map(|card| card.id.as_str()).collect::<Vec<_>>().join(" ")
    }

    /// Where it leads: to its station, or to the stations of the city.
    pub(super) fn path(&self) -> String {
        match &self.card.city {
            Some(city) if 1 < self.count => format!("/?city={}", city.id),
            Some(_) | None => super::station_path(&self.card.id),
        }
    }
}

impl<'a> Layout<'a> {
    pub(super) fn new(view: &'a OverviewView) -> Self {
        let language = view.frame.language;
        let mut shown: Vec<&StationCard> = view.stations.iter().filter(|card| view.filter.takes(card)).collect();
        shown.sort_by(|a, b| urgency(a).cmp(&urgency(b)).then_with(|| by_name(&a.name, &b.name, language)));
        let class = super::state_class;
        let count = |state| shown.iter().filter(|card| class(card.state) == class(state)).count();
        Self {
            filter: &view.filter,
            totals: TOTALS.map(|state| (state, count(state))).into(),
            agencies: readiness(&shown, language),
            chart: StationMap::new(&shown, map::HEIGHT, language),
            cities: distinct(view.stations.iter().filter_map(|card| card.city.as_ref()), language),
            owners: distinct(view.stations.iter().map(|card| &card.agency), language),
            shown: shown.len(),
            all: view.stations.len(),
            groups: grouped(shown, view.filter.group),
        }
    }

    /// Whether anything is chosen.
    pub(super) fn filtered(&self) -> bool {
        *self.filter != OverviewFilter::default()
    }

    /// Stations whose data is current.
    pub(super) fn reporting(&self) -> usize {
        self.agencies.iter().map(|row| row.reporting).sum()
    }
}

/// The worst state first, and among the same those that report last.
fn urgency(card: &StationCard) -> (State, bool) {
    (card.state, card.freshness.is_live())
}

fn by_name(a: &Text, b: &Text, language: Language) -> std::cmp::Ordering {
    a.get(language).cmp(b.get(language))
}

fn readiness<'a>(shown: &[&'a StationCard], language: Language) -> Vec<Readiness<'a>> {
    let mut rows: Vec<Readiness<'a>> = Vec::new();
    for card in shown {
        let reporting = usize::from(card.freshness.is_live());
        match rows.iter_mut().find(|row| row.agency.id == card.agency.id) {
            Some(row) => (row.reporting, row.expected) = (row.reporting + reporting, row.expected + 1),
            None => rows.push(Readiness { agency: &card.agency, reporting, expected: 1 }),
        }
    }
    let missing = |row: &Readiness<'_>| row.expected - row.reporting;
    // The greatest part that is missing first: a * d < c * b compares a/b with c/d without dividing.
    rows.sort_by(|a, b| {
        let (of_a, of_b) = (missing(a) * b.expected, missing(b) * a.expected);
        of_b.cmp(&of_a).then_with(|| by_name(&a.agency.name, &b.agency.name, language))
    });
    rows
}

fn distinct<'a, Id: Ord>(all: impl Iterator<Item = &'a Named<Id>>, language: Language) -> Vec<&'a Named<Id>> {
    let mut found: Vec<&Named<Id>> = all.collect();
    found.sort_by(|a, b| by_name(&a.name, &b.name, language).then_with(|| a.id.cmp(&b.id)));
    found.dedup_by(|a, b| a.id == b.id);
    found
}

/// Groups keep the order of their worst station.
fn grouped<'a>(stations: Vec<&'a StationCard>, by: Grouping) -> Vec<Group<'a>> {
    let title = |card: &'a StationCard| match by {
        Grouping::None => None,
        Grouping::City => Some(card.city.as_ref().map_or(GroupTitle::Unknown, |city| GroupTitle::Name(&city.name))),
        Grouping::Agency => Some(GroupTitle::Name(&card.agency.name)),
        Grouping::Kind => Some(GroupTitle::Kind(card.kind)),
    };
    let mut groups: Vec<Group<'a>> = Vec::new();
    for card in stations {
        let title = title(card);
        match groups.iter_mut().find(|group| group.title == title) {
            Some(group) => group.stations.push(card),
            None => groups.push(Group { title, stations: vec![card] }),
        }
    }
    groups
}

impl<'a> StationMap<'a> {
    /// The map of `stations`, which stand worst first.
    pub(super) fn new(stations: &[&'a StationCard], height: f64, language: Language) -> Option<Self> {
        let place = |(index, card): (usize, &&'a StationCard)| Place {
            index,
            latitude: card.latitude,
            longitude: card.longitude,
            name: card.name.get(language),
            city: card.city.as_ref().map_or("", |city| city.name.get(language)),
            raised: card.state.level().is_some_and(|level| Level::Normal < level),
        };
        let places: Vec<Place<'a>> = stations.iter().enumerate().map(place).collect();
        let mut map = Map::new(&places, height)?;
        let symbol = |pin: Pin| {
            let all: Vec<&StationCard> = pin.members.iter().filter_map(|index| stations.get(*index).copied()).collect();
            let first = all.first()?;
            Some(Symbol { card: first, count: all.len(), all, pin })
        };
        let symbols = std::mem::take(&mut map.pins).into_iter().filter_map(symbol).collect();
        Some(Self { map, symbols })
    }
}

impl Say<'_> {
    /// What a symbol on the map is, for those who do not see it.
    pub(super) fn symbol(&self, symbol: &Symbol<'_>) -> String {
        let card = symbol.card;
        let state = self.state_word(card.state);
        if 1 < symbol.count {
            let values = [("n", &*symbol.count.to_string()), ("city", self.city(card)), ("state", &state)];
            return self.fill_all("map_cluster", &values);
        }
        let fresh = match card.freshness {
            Freshness::Live { .. } => self.t("map_live"),
            Freshness::Stale { .. } | Freshness::Offline { .. } | Freshness::NeverReported => self.t("map_no_data"),
        };
        self.fill_all("map_station", &[("name", self.text(&card.name)), ("state", &state), ("fresh", fresh)])
    }

    /// The city of a station; empty where the catalogue lacks it.
    pub(super) fn city<'a>(&self, card: &'a StationCard) -> &'a str {
        card.city.as_ref().map_or("", |city| self.text(&city.name))
    }

    pub(super) fn group_title(&self, title: &GroupTitle<'_>) -> String {
        match title {
            GroupTitle::Name(name) => self.text(name).to_owned(),
            GroupTitle::Kind(kind) => self.kind(*kind).to_owned(),
            GroupTitle::Unknown => self.t("group_unknown").to_owned(),
        }
    }

    pub(super) fn grouping(&self, grouping: impl Borrow<Grouping>) -> &'static str {
        match *grouping.borrow() {
            Grouping::None => self.t("group_none"),
            Grouping::City => self.t("station_city"),
            Grouping::Agency => self.t("station_agency"),
            Grouping::Kind => self.t("station_kind"),
        }
    }
}
