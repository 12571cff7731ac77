//! Where a station is among those near it. The others are places only: the page hears the events of its own station, so
//! a level shown for another would soon be out of date.

use crate::{
    map::{Map, Pin, Place},
    view::{OtherStation, StationView},
};

/// Height of the drawing.
const HEIGHT: f64 = 260.0;
/// Stations within this distance share a map at which the way between them can still be seen.
const NEAR_KM: f64 = 15.0;
/// Most stations beside the one the page is about.
const MOST: usize = 12;
/// Stations shown however far they are.
const LEAST: usize = 3;
/// Stations named below the map, with their distance.
const NAMED: usize = 3;
const KM_PER_DEGREE: f64 = 111.32;

/// The map on a station's page.
pub(super) struct Nearby<'a> {
    pub(super) map: Map,
    pub(super) symbols: Vec<Symbol<'a>>,
    /// The nearest few, with the distance in kilometres.
    pub(super) nearest: Vec<(&'a OtherStation, f64)>,
}

/// A symbol on the map.
pub(super) struct Symbol<'a> {
    pub(super) pin: Pin,
    /// `None` for the station the page is about.
    pub(super) other: Option<&'a OtherStation>,
}

impl<'a> Nearby<'a> {
    /// The map of the surroundings; `None` where it would show nothing but the station.
    pub(super) fn new(view: &'a StationView) -> Option<Self> {
        let language = view.frame.language;
        let near = near(view);
        let own = Place {
            index: 0,
            latitude: view.latitude,
            longitude: view.longitude,
            name: view.name.get(language),
            city: view.city.get(language),
            raised: false,
        };
        let place = |(at, (other, _)): (usize, &(&'a OtherStation, f64))| Place {
            index: at + 1,
            latitude: other.latitude,
            longitude: other.longitude,
            name: other.name.get(language),
            city: other.city.get(language),
            raised: false,
        };
        // Its own place first: it is named before all others and drawn above them.
        let places: Vec<Place<'a>> = std::iter::once(own).chain(near.iter().enumerate().map(place)).collect();
        let mut map = Map::new(&places, HEIGHT, None)?;
        if near.is_empty() && map.land.is_empty() {
            return None;
        }
        let symbol = |pin: Pin| {
            let first = pin.members.first().copied().unwrap_or_default();
            let other = first.checked_sub(1).and_then(|at| near.get(at)).map(|(other, _)| *other);
            Symbol { pin, other }
        };
        let symbols = std::mem::take(&mut map.pins).into_iter().map(symbol).collect();
        let nearest = near.into_iter().take(NAMED).collect();
        Some(Self { map, symbols, nearest })
    }
}

/// The stations on the map, the nearest first.
fn near(view: &StationView) -> Vec<(&OtherStation, f64)> {
    let measured = |other| (other, distance_km(view, other));
    let mut others: Vec<(&OtherStation, f64)> = view.others.iter().map(measured).collect();
    others.sort_by(|(a, a_km), (b, b_km)| a_km.total_cmp(b_km).then_with(|| a.id.cmp(&b.id)));
    let within = others.iter().filter(|(_, km)| *km <= NEAR_KM).count();
    others.truncate(within.clamp(LEAST, MOST));
    others
}

/// Distance on a plane that touches the globe at the station: good to a few metres where the map is of use.
fn distance_km(view: &StationView, other: &OtherStation) -> f64 {
    let north = other.latitude - view.latitude;
    let east = (other.longitude - view.longitude) * view.latitude.to_radians().cos();
    north.hypot(east) * KM_PER_DEGREE
}
