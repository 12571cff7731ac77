//! Which stations the overview shows, in which order and groups, what they add up to, and where they are.

use std::{borrow::Borrow, cmp::Ordering};

use bakau_model::{AgencyId, CityId, Language, Level, State, StationKind, Text};

use crate::{
    map::{self, Map, Pin, Place},
    say::Say,
    view::{Freshness, Grouping, ListForm, Named, OverviewFilter, OverviewView, SortBy, StateFilter, StationCard},
};
use table::Table;
pub(super) use table::worst;

mod table;

/// States that are counted; *no data* stands for all that say nothing of a level.
const TOTALS: [State; 6] = [State::Awas, State::Siaga, State::Waspada, State::Pending, State::NoData, State::Normal];

/// Everything on the overview besides what is said around it.
pub(super) struct Layout<'a> {
    pub(super) filter: &'a OverviewFilter,
    /// How the stations are shown.
    pub(super) form: ListForm,
    /// Stations by what they say, the worst first; those that say nothing of a level together. All are there, even with
    /// none, so that nothing moves when that changes.
    pub(super) totals: Vec<Total>,
    pub(super) groups: Vec<Group<'a>>,
    /// Agencies that miss most of their stations first.
    pub(super) agencies: Vec<Readiness<'a>>,
    pub(super) chart: Option<StationMap<'a>>,
    /// The columns, where stations are lines of a table.
    pub(super) table: Option<Table>,
    /// What can be chosen.
    pub(super) cities: Vec<&'a Named<CityId>>,
    pub(super) owners: Vec<&'a Named<AgencyId>>,
    pub(super) shown: usize,
    pub(super) all: usize,
}

/// How many stations are in a state.
pub(super) struct Total {
    pub(super) state: State,
    pub(super) count: usize,
    /// Whether they alone are shown.
    pub(super) chosen: bool,
    /// Shows them alone, or all again.
    pub(super) path: String,
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
    /// To other parts of it.
    pub(super) ways: Vec<Way>,
}

/// A link to another part of the map.
pub(super) struct Way {
    /// As the script knows it, and what it is called behind `map_go_`.
    pub(super) key: &'static str,
    pub(super) path: String,
}

impl Way {
    /// The sign on its button.
    pub(super) fn sign(&self) -> &'static str {
        match self.key {
            "in" => "+",
            "out" => "−",
            "west" => "←",
            "north" => "↑",
            "south" => "↓",
            "east" => "→",
            _ => "⤢",
        }
    }
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
    /// Where it leads: to its station, to a closer look at several, or to the stations of the city where none is closer.
    pub(super) path: String,
    /// Whether it leads to another part of the map.
    pub(super) opens: bool,
}

impl Symbol<'_> {
    /// Ids of its stations with spaces between, for the script.
    pub(super) fn members(&self) -> String {
        self.all.iter().map(|card| card.id.as_str()).collect::<Vec<_>>().join(" ")
    }
}

impl<'a> Layout<'a> {
    pub(super) fn new(view: &'a OverviewView) -> Self {
        let language = view.frame.language;
        let mut shown: Vec<&StationCard> = view.stations.iter().filter(|card| view.filter.takes(card)).collect();
        shown.sort_by(|a, b| urgency(a).cmp(&urgency(b)).then_with(|| by_name(&a.name, &b.name, language)));
        let (agencies, chart) = (readiness(&shown, language), StationMap::new(&shown, &view.filter, language));
        let form = view.filter.form_of(view.stations.len());
        if form != ListForm::Wall {
            sort(&mut shown, view.filter.sort.by.clone(), view.filter.sort.falling, language);
        }
        Self {
            filter: &view.filter,
            form,
            totals: totals(view),
            table: (form == ListForm::Table).then(|| Table::new(&shown, &view.filter)),
            agencies,
            chart,
            cities: distinct(view.stations.iter().filter_map(|card| card.city.as_ref()), language),
            owners: distinct(view.stations.iter().map(|card| &card.agency), language),
            shown: shown.len(),
            all: view.stations.len(),
            // A wall is read from afar: one order, and nothing between.
            groups: grouped(shown, if form == ListForm::Wall { Grouping::None } else { view.filter.group }),
        }
    }

    /// Whether anything behind the fold of the filter is chosen.
    pub(super) fn folded(&self) -> bool {
        let filter = self.filter;
        filter.city.is_some() || filter.agency.is_some() || filter.kind.is_some() || filter.group != Grouping::None
    }

    /// The page with all stations in the same form.
    pub(super) fn cleared(&self) -> String {
        let OverviewFilter { sort, form, .. } = self.filter.clone();
        OverviewFilter { sort, form, ..OverviewFilter::default() }.path()
    }

    /// The same stations in another form.
    pub(super) fn in_form(&self, form: impl Borrow<ListForm>) -> String {
        OverviewFilter { form: Some(*form.borrow()), ..self.filter.clone() }.path()
    }

    /// How large the tiles of a wall are: all fit a screen of 1920 x 1080.
    pub(super) const fn tiles(&self) -> &'static str {
        match self.shown {
            ..=12 => "huge",
            13..=30 => "large",
            31..=60 => "usual",
            61..=112 => "small",
            113.. => "tiny",
        }
    }

    /// Stations whose data is current.
    pub(super) fn reporting(&self) -> usize {
        self.agencies.iter().map(|row| row.reporting).sum()
    }
}

/// Stations of each state among those that the rest of the filter takes, and the way to them alone.
fn totals(view: &OverviewView) -> Vec<Total> {
    let filter = &view.filter;
    let others: Vec<&StationCard> = view.stations.iter().filter(|card| filter.takes_at_any_level(card)).collect();
    let total = |state| {
        let word = StateFilter::of(state);
        let chosen = filter.level == Some(word);
        let count = others.iter().filter(|card| StateFilter::of(card.state) == word).count();
        let path = OverviewFilter { level: (!chosen).then_some(word), ..filter.on_all() }.path();
        Total { state, count, chosen, path }
    };
    TOTALS.map(total).into()
}

/// Sorts stations that stand worst first; those equal in what they are sorted by stay so, and those without it are last.
fn sort(stations: &mut [&StationCard], by: SortBy, falling: bool, language: Language) {
    let city = |card: &StationCard| card.city.as_ref().map(|city| city.name.get(language).to_owned());
    let turned = |order: Ordering| if falling { order.reverse() } else { order };
    match by {
        SortBy::Level => stations.sort_by(|a, b| turned(urgency(b).cmp(&urgency(a)))),
        SortBy::Name => stations.sort_by(|a, b| turned(by_name(&a.name, &b.name, language))),
        SortBy::City => stations.sort_by(|a, b| with_last(city(a), city(b), |a, b| turned(a.cmp(b)))),
        SortBy::Agency => stations.sort_by(|a, b| turned(by_name(&a.agency.name, &b.agency.name, language))),
        SortBy::Age => {
            stations.sort_by(|a, b| with_last(a.freshness.age_ms(), b.freshness.age_ms(), |a, b| turned(a.cmp(b))));
        }
        SortBy::Parameter(parameter) => {
            let value = |card: &StationCard| table::cell_of(card, parameter.as_str()).and_then(|cell| cell.value);
            stations.sort_by(|a, b| with_last(value(a), value(b), |a, b| turned(a.total_cmp(b))));
        }
    }
}

/// What is not there stands last, whatever the order.
fn with_last<T>(a: Option<T>, b: Option<T>, order: impl Fn(&T, &T) -> Ordering) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) => order(&a, &b),
        (a, b) => a.is_none().cmp(&b.is_none()),
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
    pub(super) fn new(stations: &[&'a StationCard], filter: &OverviewFilter, language: Language) -> Option<Self> {
        let place = |(index, card): (usize, &&'a StationCard)| Place {
            index,
            latitude: card.latitude,
            longitude: card.longitude,
            name: card.name.get(language),
            city: card.city.as_ref().map_or("", |city| city.name.get(language)),
            raised: card.state.level().is_some_and(|level| Level::Normal < level),
        };
        let places: Vec<Place<'a>> = stations.iter().enumerate().map(place).collect();
        let map = Map::new(&places, map::HEIGHT, filter.bounds)?;
        let symbol = |pin: &Pin| {
            let all: Vec<&StationCard> = pin.members.iter().filter_map(|index| stations.get(*index).copied()).collect();
            let first = *all.first()?;
            let spots = all.iter().map(|card| (card.longitude, card.latitude));
            let closer = if all.len() == 1 { None } else { map.closer(spots) };
            let path = match (closer, &first.city) {
                (Some(_), _) => OverviewFilter { bounds: closer, ..filter.clone() }.path(),
                (None, Some(city)) if 1 < all.len() => {
                    OverviewFilter { city: Some(city.id.clone()), ..filter.on_all() }.path()
                }
                (None, Some(_) | None) => super::station_path(&first.id),
            };
            Some(Symbol { card: first, count: all.len(), path, opens: closer.is_some(), all, pin: pin.clone() })
        };
        let symbols = map.pins.iter().filter_map(symbol).collect();
        let way = |key, bounds| Way { key, path: OverviewFilter { bounds, ..filter.clone() }.path() };
        let steps = map.steps;
        let mut ways = vec![way("in", steps.closer), way("out", steps.farther)];
        if steps.within {
            let turns = [("west", steps.west), ("north", steps.north), ("south", steps.south), ("east", steps.east)];
            ways.extend(turns.map(|(key, bounds)| way(key, bounds)));
            ways.push(way("all", None));
        }
        Some(Self { map, symbols, ways })
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

    /// The way to another part of the map in words.
    pub(super) fn way(&self, way: &Way) -> &'static str {
        self.t(match way.key {
            "in" => "map_go_in",
            "out" => "map_go_out",
            "west" => "map_go_west",
            "north" => "map_go_north",
            "south" => "map_go_south",
            "east" => "map_go_east",
            _ => "map_go_all",
        })
    }

    pub(super) fn list_form(&self, form: impl Borrow<ListForm>) -> &'static str {
        match *form.borrow() {
            ListForm::Cards => self.t("view_cards"),
            ListForm::Table => self.t("view_table"),
            ListForm::Wall => self.t("view_wall"),
        }
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
