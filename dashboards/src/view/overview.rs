//! The page with all stations.

use std::{
    fmt::{self, Display},
    str::FromStr,
};

use bakau_model::{AgencyId, CityId, InvalidId, Parameter, State, StationId, StationKind, Text, UtcMillis};

use super::{ClockAhead, Frame, Freshness, ValueCell};

/// A station on the overview.
#[derive(Debug, Clone)]
pub struct StationCard {
    /// Text id; the page links to `/stations/{id}`.
    pub id: StationId,
    /// Name.
    pub name: Text,
    /// The agency that owns it.
    pub agency: Named<AgencyId>,
    /// The city that agency serves; `None` where the catalogue lacks it.
    pub city: Option<Named<CityId>>,
    /// What it measures.
    pub kind: StationKind,
    /// Degrees north, WGS 84.
    pub latitude: f64,
    /// Degrees east, WGS 84.
    pub longitude: f64,
    /// What is said of it in one word.
    pub state: State,
    /// Since when every alert of that level is acknowledged; `None` while one is not, and where there is none.
    pub acknowledged_at: Option<UtcMillis>,
    /// Whether it reports.
    pub freshness: Freshness,
    /// Where the clock of its device is ahead.
    pub clock: Option<ClockAhead>,
    /// Its newest value may be so many milliseconds old before it counts as no data.
    pub no_data_after_ms: i64,
    /// Key values, most important first; the page shows the first four.
    pub values: Vec<ValueCell>,
}

/// An id and the name people know it by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named<Id> {
    /// Text id.
    pub id: Id,
    /// Name.
    pub name: Text,
}

bakau_model::words! {
    /// What the list of stations is divided by.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub enum Grouping {
        /// One list, worst first.
        #[default]
        None => "",
        /// A list for each city.
        City => "city",
        /// A list for each agency.
        Agency => "agency",
        /// A list for each kind.
        Kind => "kind",
    }
}

bakau_model::words! {
    /// The state that every station shown is in.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum StateFilter {
        /// *Awas*.
        Awas => "awas",
        /// *Siaga*.
        Siaga => "siaga",
        /// *Waspada*.
        Waspada => "waspada",
        /// A limit is crossed and waits for its hold time.
        Pending => "pending",
        /// No limit is exceeded.
        Normal => "normal",
        /// No current data to judge by.
        None => "none",
    }
}

impl StateFilter {
    /// The one of a station's state.
    pub(crate) const fn of(state: State) -> Self {
        match state {
            State::Awas => Self::Awas,
            State::Siaga => Self::Siaga,
            State::Waspada => Self::Waspada,
            State::Pending => Self::Pending,
            State::Normal => Self::Normal,
            State::Offline
            | State::ClockAhead
            | State::NoData
            | State::NoValidData
            | State::Late
            | State::NeverReported => Self::None,
        }
    }
}

bakau_model::words! {
    /// How stations are shown.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub enum ListForm {
        /// A card for each, with four values.
        Cards => "cards",
        /// A line for each.
        Table => "table",
        /// Tiles that fill a screen on a wall.
        Wall => "wall",
    }
}

/// More stations than this are shown as a table where nothing else is asked for.
const MOST_CARDS: usize = 30;

/// What the list is sorted by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SortBy {
    /// How much it needs somebody.
    Level,
    /// Its name.
    Name,
    /// The name of its city.
    City,
    /// The name of its agency.
    Agency,
    /// The age of its newest value.
    Age,
    /// The newest value of a parameter.
    Parameter(Parameter),
}

impl SortBy {
    const WORDS: [(&'static str, Self); 5] = [
        ("level", Self::Level),
        ("name", Self::Name),
        ("city", Self::City),
        ("agency", Self::Agency),
        ("age", Self::Age),
    ];

    /// Whether the greatest stands first where nothing else is asked for.
    const fn falls(&self) -> bool {
        matches!(self, Self::Level | Self::Parameter(_))
    }
}

/// The order of the list, as `?sort=name` or `?sort=-name` says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sort {
    /// By what.
    pub by: SortBy,
    /// Whether the greatest stands first.
    pub falling: bool,
}

impl Default for Sort {
    /// The worst first.
    fn default() -> Self {
        Self { by: SortBy::Level, falling: true }
    }
}

impl Sort {
    /// The order after somebody asks to sort by `by`: the usual one, or the other way round where it is that already.
    pub(crate) fn toward(&self, by: SortBy) -> Self {
        let falling = if self.by == by { !self.falling } else { by.falls() };
        Self { by, falling }
    }

    fn word(&self) -> String {
        let sign = if self.falling { "-" } else { "" };
        let word = match &self.by {
            SortBy::Parameter(parameter) => parameter.as_str(),
            by => SortBy::WORDS.iter().find(|(_, known)| known == by).map_or("", |(word, _)| word),
        };
        format!("{sign}{word}")
    }
}

impl FromStr for Sort {
    type Err = InvalidId;

    fn from_str(text: &str) -> Result<Self, InvalidId> {
        let (falling, word) = text.strip_prefix('-').map_or((false, text), |word| (true, word));
        let by = match SortBy::WORDS.into_iter().find(|(known, _)| *known == word) {
            Some((_, by)) => by,
            None => SortBy::Parameter(Parameter::new(word)?),
        };
        Ok(Self { by, falling })
    }
}

/// A part of the world, in degrees (WGS 84).
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Least longitude.
    pub west: f64,
    /// Least latitude.
    pub south: f64,
    /// Greatest longitude.
    pub east: f64,
    /// Greatest latitude.
    pub north: f64,
}

impl Bounds {
    /// Reads `west,south,east,north`; `None` where that is no part of the world.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut numbers = text.split(',').map(|number| number.trim().parse::<f64>().ok());
        let mut next = || numbers.next().flatten();
        let bounds = Self { west: next()?, south: next()?, east: next()?, north: next()? };
        let inside = -180.0 <= bounds.west && bounds.west < bounds.east && bounds.east <= 180.0;
        let inside = inside && -90.0 <= bounds.south && bounds.south < bounds.north && bounds.north <= 90.0;
        (inside && numbers.next().is_none()).then_some(bounds)
    }
}

impl Display for Bounds {
    /// As [`Bounds::parse`] reads it, exact to about 10 m.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{:.4},{:.4},{:.4},{:.4}", self.west, self.south, self.east, self.north)
    }
}

/// Which stations are shown and how, as
/// `?q=&level=&city=&agency=&kind=&group=&sort=&view=&bbox=` says.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct OverviewFilter {
    /// Only those whose name, id, agency or city has each of these words.
    pub words: SearchWords,
    /// Only those in a state.
    pub level: Option<StateFilter>,
    /// Only those of a city.
    pub city: Option<CityId>,
    /// Only those of an agency.
    pub agency: Option<AgencyId>,
    /// Only those of a kind.
    pub kind: Option<StationKind>,
    /// How the list is divided.
    pub group: Grouping,
    /// Its order.
    pub sort: Sort,
    /// How it is shown; cards for few stations and a table for many where not given.
    pub form: Option<ListForm>,
    /// What the map shows; all stations shown where not given.
    pub bounds: Option<Bounds>,
}

/// What somebody searches for: at most 80 characters.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SearchWords(String);

impl SearchWords {
    /// Most characters of a search.
    pub(crate) const LONGEST: usize = 80;

    /// Takes a text as somebody typed it; what is beyond the longest is left out.
    #[must_use]
    pub fn new(text: &str) -> Self {
        Self(text.trim().chars().take(Self::LONGEST).collect())
    }

    /// As typed.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether a station has all of them.
    fn find(&self, card: &StationCard) -> bool {
        let wanted = self.0.to_lowercase();
        let names = [Some(&card.name), Some(&card.agency.name), card.city.as_ref().map(|city| &city.name)];
        let names = names.into_iter().flatten().flat_map(|name| [name.id.as_str(), name.en.as_str()]);
        let texts = names.chain([card.id.as_str(), card.agency.id.as_str()]).map(str::to_lowercase);
        let all = texts.collect::<Vec<_>>().join("\n");
        wanted.split_whitespace().all(|word| all.contains(word))
    }
}

impl OverviewFilter {
    /// Whether a station is shown.
    pub(crate) fn takes(&self, card: &StationCard) -> bool {
        self.level.is_none_or(|wanted| StateFilter::of(card.state) == wanted) && self.takes_at_any_level(card)
    }

    /// Whether a station would be shown if every level were.
    pub(crate) fn takes_at_any_level(&self, card: &StationCard) -> bool {
        let city = || card.city.as_ref().map(|city| &city.id);
        self.city.as_ref().is_none_or(|wanted| city() == Some(wanted))
            && self.agency.as_ref().is_none_or(|wanted| card.agency.id == *wanted)
            && self.kind.is_none_or(|wanted| card.kind == wanted)
            && self.words.find(card)
    }

    /// Whether stations may be left out.
    pub(crate) fn narrows(&self) -> bool {
        let Self { words, level, city, agency, kind, group: _, sort: _, form: _, bounds: _ } = self;
        !words.0.is_empty() || level.is_some() || city.is_some() || agency.is_some() || kind.is_some()
    }

    /// How `all` stations are shown.
    pub(crate) fn form_of(&self, all: usize) -> ListForm {
        self.form.unwrap_or(if all <= MOST_CARDS { ListForm::Cards } else { ListForm::Table })
    }

    /// Path and query of the page it asks for.
    pub(crate) fn path(&self) -> String {
        let parts = [
            ("q", (!self.words.0.is_empty()).then(|| escaped(&self.words.0))),
            ("level", self.level.map(|level| level.key().to_owned())),
            ("city", self.city.as_ref().map(ToString::to_string)),
            ("agency", self.agency.as_ref().map(ToString::to_string)),
            ("kind", self.kind.map(|kind| kind.key().to_owned())),
            ("group", (self.group != Grouping::None).then(|| self.group.key().to_owned())),
            ("sort", self.sort_word()),
            ("view", self.form.map(|form| form.key().to_owned())),
            ("bbox", self.bounds.map(|bounds| bounds.to_string())),
        ];
        let parts = parts.into_iter().filter_map(|(name, value)| Some(format!("{name}={}", value?)));
        let query = parts.collect::<Vec<_>>().join("&");
        if query.is_empty() { "/".to_owned() } else { format!("/?{query}") }
    }

    /// The order as the address says it; `None` for the usual one.
    pub(crate) fn sort_word(&self) -> Option<String> {
        (self.sort != Sort::default()).then(|| self.sort.word())
    }

    /// The same with the map on all stations: others may be shown.
    pub(crate) fn on_all(&self) -> Self {
        Self { bounds: None, ..self.clone() }
    }
}

/// A text as the value of a parameter in an address.
fn escaped(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' => char::from(byte).to_string(),
        b' ' => "+".to_owned(),
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// The page with all stations (`/`). The page filters, sorts, groups and counts them itself.
#[derive(Debug, Clone)]
pub struct OverviewView {
    /// Around the content.
    pub frame: Frame,
    /// Every station, in any order.
    pub stations: Vec<StationCard>,
    /// Which of them are shown.
    pub filter: OverviewFilter,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::Freshness;

    fn card(id: &str, name: &str, state: State) -> StationCard {
        let text = |id: &str, en: &str| Text { id: id.to_owned(), en: en.to_owned() };
        StationCard {
            id: id.parse().unwrap(),
            name: text(name, "Mangrove floor"),
            agency: Named { id: "dlh-malang".parse().unwrap(), name: Text::from("Dinas Lingkungan Hidup") },
            city: Some(Named { id: "malang".parse().unwrap(), name: Text::from("Kota Malang") }),
            kind: StationKind::Air,
            latitude: 0.0,
            longitude: 0.0,
            state,
            acknowledged_at: None,
            freshness: Freshness::NeverReported,
            clock: None,
            no_data_after_ms: 1,
            values: Vec::new(),
        }
    }

    #[test]
    fn a_search_finds_every_word_in_name_id_agency_or_city_of_either_language() {
        let station = card("mlg-01", "Lantai Bakau", State::Normal);
        let finds =
            |text: &str| OverviewFilter { words: SearchWords::new(text), ..OverviewFilter::default() }.takes(&station);
        for text in ["", "  ", "BAKAU", "mangrove", "mlg", "lantai malang", "lingkungan", "dlh-malang 01"] {
            assert!(finds(text), "{text}");
        }
        for text in ["batu", "lantai batu", "lantaibakau", "%"] {
            assert!(!finds(text), "{text}");
        }
        assert_eq!(SearchWords::new(&"ü".repeat(500)).as_str().chars().count(), SearchWords::LONGEST);
    }

    #[test]
    fn a_level_takes_its_own_stations_alone_and_each_station_has_one() {
        for state in State::ALL {
            let station = card("a", "A", state);
            let takes = |level: &StateFilter| {
                OverviewFilter { level: Some(*level), ..OverviewFilter::default() }.takes(&station)
            };
            let taken: Vec<&str> = StateFilter::ALL.iter().filter(|level| takes(level)).map(|one| one.key()).collect();
            let expected = if state.level().is_none() { "none" } else { state.key() };
            assert_eq!(taken, [expected]);
        }
    }

    #[test]
    fn an_order_is_said_as_it_is_read_and_turned_round_when_asked_again() {
        for word in ["level", "-name", "city", "-agency", "age", "-pm25", "do"] {
            assert_eq!(word.parse::<Sort>().unwrap().word(), word);
        }
        assert!("-".parse::<Sort>().is_err() && "Nama".parse::<Sort>().is_err());
        let sort = Sort::default();
        assert_eq!(sort.toward(SortBy::Level).word(), "level");
        assert_eq!(sort.toward(SortBy::Name).word(), "name");
        assert_eq!(sort.toward(SortBy::Name).toward(SortBy::Name).word(), "-name");
        let parameter = SortBy::Parameter(Parameter::new("pm25").unwrap());
        assert_eq!(sort.toward(parameter).word(), "-pm25");
    }

    #[test]
    fn an_address_holds_everything_that_was_asked_for() {
        let filter = OverviewFilter {
            words: SearchWords::new(" a&b=ü c "),
            level: Some(StateFilter::None),
            kind: Some(StationKind::Air),
            group: Grouping::City,
            sort: Sort { by: SortBy::Name, falling: false },
            form: Some(ListForm::Wall),
            bounds: Bounds::parse("112.5,-8,112.75,-7.5"),
            ..OverviewFilter::default()
        };
        let address = "/?q=a%26b%3D%C3%BC+c&level=none&kind=air&group=city&sort=name&view=wall\
                       &bbox=112.5000,-8.0000,112.7500,-7.5000";
        assert_eq!(filter.path(), address);
        assert_eq!(OverviewFilter::default().path(), "/");
    }

    #[test]
    fn what_is_no_part_of_the_world_is_no_bounds() {
        for text in ["", "1,2,3", "1,2,3,4,5", "3,2,1,4", "1,4,3,2", "NaN,0,1,1", "0,0,inf,1", "0,0,181,1", "a,0,1,1"] {
            assert_eq!(Bounds::parse(text), None, "{text}");
        }
    }
}
