//! The page with all stations.

use bakau_model::{AgencyId, CityId, State, StationId, StationKind, Text, UtcMillis};

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

/// Which stations are shown, as `?city=&agency=&kind=&group=` says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OverviewFilter {
    /// Only those of a city.
    pub city: Option<CityId>,
    /// Only those of an agency.
    pub agency: Option<AgencyId>,
    /// Only those of a kind.
    pub kind: Option<StationKind>,
    /// How the list is divided.
    pub group: Grouping,
}

impl OverviewFilter {
    /// Whether a station is shown.
    pub(crate) fn takes(&self, card: &StationCard) -> bool {
        let city = || card.city.as_ref().map(|city| &city.id);
        self.city.as_ref().is_none_or(|wanted| city() == Some(wanted))
            && self.agency.as_ref().is_none_or(|wanted| card.agency.id == *wanted)
            && self.kind.is_none_or(|wanted| card.kind == wanted)
    }
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
