//! A map of stations, laid out for one fixed drawing size: coast, places pushed apart until each can be seen, and names
//! where they touch nothing. Everything is computed on the server from a small file; nothing is loaded at run time.

use std::{cmp::Reverse, sync::LazyLock};

use layout::Area;

use crate::view::Bounds;

mod coast;
mod layout;

/// Width of the drawing, in its own units; the style sheet scales it.
pub(crate) const WIDTH: f64 = 480.0;
/// Height of the overview's drawing.
pub(crate) const HEIGHT: f64 = 360.0;
/// Side of a station's symbol.
pub(crate) const SYMBOL: f64 = 18.0;
/// Symbols drawn one by one; where there are more stations, neighbours become one symbol with a number.
const MAX_SYMBOLS: usize = 48;
/// Side of the symbol of several stations, which holds their number.
pub(crate) const CLUSTER: f64 = 30.0;
/// Smallest stretch of latitude shown where nobody asks for less: about 6 km, so that a single station has surroundings.
const MIN_DEGREES: f64 = 0.055;
/// The smallest that can be asked for: about 1.5 km, below which the coast is too coarse to mean anything.
const LEAST_DEGREES: f64 = 0.014;
/// Part of the drawing left free around the outermost stations.
const MARGIN: f64 = 0.13;
const KM_PER_DEGREE: f64 = 111.32;

static COAST: LazyLock<coast::Coast> = LazyLock::new(coast::Coast::bundled);

/// A station to be placed.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    /// Position in the caller's list.
    pub(crate) index: usize,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) name: &'a str,
    /// Name of the city, for the names of areas.
    pub(crate) city: &'a str,
    /// Whether a level is raised: it is named before cities and calm stations take the room.
    pub(crate) raised: bool,
}

/// One symbol.
#[derive(Debug, Clone)]
pub(crate) struct Pin {
    /// The stations it stands for, worst first.
    pub(crate) members: Vec<usize>,
    /// Middle of the symbol.
    pub(crate) x: f64,
    pub(crate) y: f64,
    /// Where the station is, when the symbol had to move away from there.
    pub(crate) origin: Option<(f64, f64)>,
    /// The name beside it, where there is room.
    pub(crate) label: Option<Label>,
}

impl Pin {
    /// Half the side of the symbol.
    fn half(&self) -> f64 {
        if self.members.len() == 1 { SYMBOL / 2.0 } else { CLUSTER / 2.0 }
    }
}

/// A text on the map.
#[derive(Debug, Clone)]
pub(crate) struct Label {
    pub(crate) x: f64,
    pub(crate) y: f64,
    pub(crate) text: String,
    pub(crate) anchor: Anchor,
}

bakau_model::words! {
    /// The part of a text that stands at its position, in the words of SVG.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub(crate) enum Anchor {
        Start => "start",
        Middle => "middle",
        End => "end",
    }
}

/// A bar of a round length.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct ScaleBar {
    pub(crate) length: f64,
    pub(crate) km: f64,
}

/// A map, ready to be written down.
#[derive(Debug, Clone)]
pub(crate) struct Map {
    pub(crate) height: f64,
    /// Path of the land; empty where the coast is not on record.
    pub(crate) land: String,
    pub(crate) pins: Vec<Pin>,
    /// Names of cities.
    pub(crate) areas: Vec<Label>,
    pub(crate) scale: ScaleBar,
    /// What is shown.
    pub(crate) bounds: Bounds,
    /// Where to go from there.
    pub(crate) steps: Steps,
}

/// Other parts of the world that somebody may look at next; `None` for all places.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Steps {
    /// Whether a part is shown, not all places.
    pub(crate) within: bool,
    pub(crate) closer: Option<Bounds>,
    pub(crate) farther: Option<Bounds>,
    pub(crate) west: Option<Bounds>,
    pub(crate) east: Option<Bounds>,
    pub(crate) north: Option<Bounds>,
    pub(crate) south: Option<Bounds>,
}

impl Map {
    /// Lays out `places`, which stand worst first, those inside `wanted` alone where that is given; `None` where there
    /// are none at all.
    pub(crate) fn new(places: &[Place<'_>], height: f64, wanted: Option<Bounds>) -> Option<Self> {
        let whole = View::around(places, height, MIN_DEGREES)?;
        let view = wanted.map_or(whole, |wanted| whole.part(wanted));
        let inside = |place: &&Place<'_>| view.holds(place);
        let inside: Vec<Place<'_>> = places.iter().filter(inside).copied().collect();
        let places = inside.as_slice();
        let mut pins = layout::pins(places, &view);
        layout::spread(&mut pins, &view);
        let mut taken = layout::symbols(&pins);
        layout::name_pins(places, &mut pins, true, &mut taken, &view);
        let areas = layout::name_areas(places, &pins, &mut taken, &view);
        layout::name_pins(places, &mut pins, false, &mut taken, &view);
        let land = COAST.path(&view);
        // Symbols of calm stations first: whatever overlaps, the worst is on top.
        pins.sort_by_key(|pin| Reverse(pin.members.first().copied()));
        let (scale, bounds, steps) = (view.scale_bar(), view.bounds(), view.steps(&whole));
        Some(Self { height, land, pins, areas, scale, bounds, steps })
    }

    /// The part of the world that shows these places as large as can be, where that is notably larger than now.
    pub(crate) fn closer(&self, spots: impl Iterator<Item = (f64, f64)>) -> Option<Bounds> {
        let place = |(longitude, latitude)| Place { longitude, latitude, ..Place::NOWHERE };
        let view = View::around(&spots.map(place).collect::<Vec<_>>(), self.height, LEAST_DEGREES)?;
        let (now, then) = (self.bounds.north - self.bounds.south, view.bounds().north - view.bounds().south);
        (then < 0.8 * now).then(|| view.bounds())
    }
}

impl Place<'_> {
    const NOWHERE: Self = Self { index: 0, latitude: 0.0, longitude: 0.0, name: "", city: "", raised: false };
}

/// Which part of the world is shown, and where on the drawing a position is.
#[derive(Debug, Clone, Copy)]
struct View {
    west: f64,
    north: f64,
    /// Units per degree of latitude; of longitude it is this times `squeeze`.
    per_degree: f64,
    squeeze: f64,
    height: f64,
}

impl View {
    fn around(places: &[Place<'_>], height: f64, least_degrees: f64) -> Option<Self> {
        let first = places.first()?;
        let mut area =
            Area { left: first.longitude, top: first.latitude, right: first.longitude, bottom: first.latitude };
        for place in places {
            area = area.with(place.longitude, place.latitude);
        }
        let (middle_x, middle_y) = (area.left / 2.0 + area.right / 2.0, area.top / 2.0 + area.bottom / 2.0);
        let squeeze = middle_y.to_radians().cos().max(0.1);
        let free = 1.0 - 2.0 * MARGIN;
        let wide = WIDTH * free / ((area.right - area.left) * squeeze).max(f64::EPSILON);
        let high = height * free / (area.bottom - area.top).max(f64::EPSILON);
        let per_degree = wide.min(high).min(height / least_degrees);
        let (half_x, half_y) = (WIDTH / 2.0 / (per_degree * squeeze), height / 2.0 / per_degree);
        Some(Self { west: middle_x - half_x, north: middle_y + half_y, per_degree, squeeze, height })
    }

    /// The part of this view that shows `wanted`, no closer than the coast bears and no farther than this view.
    fn part(&self, wanted: Bounds) -> Self {
        let (x, y) = (wanted.west / 2.0 + wanted.east / 2.0, wanted.north / 2.0 + wanted.south / 2.0);
        let wide = WIDTH / ((wanted.east - wanted.west) * self.squeeze);
        let high = self.height / (wanted.north - wanted.south);
        let closest = (self.height / LEAST_DEGREES).max(self.per_degree);
        self.at(x, y, wide.min(high).clamp(self.per_degree, closest))
    }

    /// The same view around another middle, which stays inside this one, with so many units per degree.
    fn at(&self, x: f64, y: f64, per_degree: f64) -> Self {
        let all = self.bounds();
        let (x, y) = (x.max(all.west).min(all.east), y.max(all.south).min(all.north));
        let (half_x, half_y) = (WIDTH / 2.0 / (per_degree * self.squeeze), self.height / 2.0 / per_degree);
        Self { west: x - half_x, north: y + half_y, per_degree, ..*self }
    }

    fn bounds(&self) -> Bounds {
        let (wide, high) = (WIDTH / (self.per_degree * self.squeeze), self.height / self.per_degree);
        Bounds { west: self.west, south: self.north - high, east: self.west + wide, north: self.north }
    }

    fn holds(&self, place: &Place<'_>) -> bool {
        let (x, y) = self.spot(place.longitude, place.latitude);
        // Rounding must not lose the outermost.
        (-0.5..=WIDTH + 0.5).contains(&x) && (-0.5..=self.height + 0.5).contains(&y)
    }

    /// Where to go from here, `whole` being the view of all places.
    fn steps(&self, whole: &Self) -> Steps {
        let here = self.bounds();
        let (x, y) = (here.west / 2.0 + here.east / 2.0, here.north / 2.0 + here.south / 2.0);
        let (side, up) = ((here.east - here.west) * 0.4, (here.north - here.south) * 0.4);
        let step = |dx: f64, dy: f64, factor: f64| {
            let closest = (whole.height / LEAST_DEGREES).max(whole.per_degree);
            let per_degree = (self.per_degree * factor).clamp(whole.per_degree, closest);
            let whole_again = per_degree < whole.per_degree * 1.01;
            (!whole_again).then(|| whole.at(x + dx, y + dy, per_degree).bounds())
        };
        Steps {
            within: whole.per_degree * 1.01 <= self.per_degree,
            closer: step(0.0, 0.0, 2.0),
            farther: step(0.0, 0.0, 0.5),
            west: step(-side, 0.0, 1.0),
            east: step(side, 0.0, 1.0),
            north: step(0.0, up, 1.0),
            south: step(0.0, -up, 1.0),
        }
    }

    fn spot(&self, longitude: f64, latitude: f64) -> (f64, f64) {
        ((longitude - self.west) * self.per_degree * self.squeeze, (self.north - latitude) * self.per_degree)
    }

    fn scale_bar(&self) -> ScaleBar {
        let per_km = self.per_degree / KM_PER_DEGREE;
        let lengths = [200.0, 100.0, 50.0, 20.0, 10.0, 5.0, 2.0, 1.0, 0.5, 0.2];
        let km = lengths.into_iter().find(|km| km * per_km <= WIDTH / 4.0).unwrap_or(0.1);
        ScaleBar { length: (km * per_km).round(), km }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn place(index: usize, latitude: f64, longitude: f64) -> Place<'static> {
        Place { index, latitude, longitude, name: "Stasiun", city: "Kota", raised: false }
    }

    /// A few in each of the four cities, some at the very same spot.
    fn cities() -> Vec<Place<'static>> {
        let spots = [
            (-7.87, 112.53, "Batu"),
            (-7.98, 112.63, "Malang"),
            (-7.73, 113.22, "Probolinggo"),
            (-7.64, 112.91, "Pasuruan"),
        ];
        let place = |index: usize| {
            let (latitude, longitude, city) = spots[index % 4];
            let away = (index / 8) as f64 * 0.004;
            Place { city, ..place(index, latitude + away, longitude - away) }
        };
        (0..16).map(place).collect()
    }

    #[test]
    fn every_station_has_a_symbol_inside_the_map_that_covers_no_other() {
        let map = Map::new(&cities(), HEIGHT, None).unwrap();
        assert_eq!(map.pins.iter().flat_map(|pin| &pin.members).count(), 16);
        for (at, pin) in map.pins.iter().enumerate() {
            let half = pin.half();
            assert!(half <= pin.x && pin.x <= WIDTH - half && half <= pin.y && pin.y <= HEIGHT - half, "{pin:?}");
            for other in &map.pins[at + 1..] {
                let apart = (pin.x - other.x).hypot(pin.y - other.y);
                assert!(SYMBOL * 0.9 <= apart, "{pin:?} {other:?}");
            }
        }
    }

    #[test]
    fn no_name_of_a_city_or_of_a_calm_station_takes_the_room_of_a_raised_one() {
        let names = |map: &Map, raised: usize| {
            let of_raised = map.pins.iter().filter(|pin| pin.members[0] < raised);
            of_raised
                .map(|pin| (pin.members[0], pin.label.as_ref().map(|label| (label.x, label.y))))
                .collect::<Vec<_>>()
        };
        for raised in 1..=cities().len() {
            let place = |calm_too: bool| {
                cities().into_iter().map(move |place| {
                    let worse = place.index < raised;
                    let city = if calm_too { place.city } else { "" };
                    Place {
                        raised: worse,
                        name: if worse || calm_too { "Stasiun Uji Mutu Air" } else { "" },
                        city,
                        ..place
                    }
                })
            };
            let [all, alone] = [true, false].map(|calm_too| place(calm_too).collect::<Vec<_>>());
            let [all, alone] = [all, alone].map(|places| Map::new(&places, HEIGHT, None).unwrap());
            assert_eq!(names(&all, raised), names(&alone, raised), "{raised} raised");
            assert!(1 < raised || names(&all, 1)[0].1.is_some(), "the worst has a name");
        }
    }

    #[test]
    fn names_on_the_map_never_overlap() {
        let map = Map::new(&cities(), HEIGHT, None).unwrap();
        let labels = map.pins.iter().filter_map(|pin| pin.label.as_ref()).chain(&map.areas);
        let boxes: Vec<Area> = labels.map(layout::extent).collect();
        assert!(4 <= boxes.len());
        for (at, one) in boxes.iter().enumerate() {
            assert!(boxes[at + 1..].iter().all(|other| !one.touches(other)), "{one:?}");
        }
    }

    #[test]
    fn many_stations_become_a_readable_number_of_symbols_and_none_is_lost() {
        let places: Vec<_> =
            (0..200).map(|n| place(n, -7.6 - (n % 20) as f64 * 0.02, 112.5 + (n / 20) as f64 * 0.08)).collect();
        let map = Map::new(&places, HEIGHT, None).unwrap();
        assert!(map.pins.len() <= MAX_SYMBOLS, "{}", map.pins.len());
        let mut members: Vec<usize> = map.pins.iter().flat_map(|pin| pin.members.clone()).collect();
        members.sort_unstable();
        assert_eq!(members, (0..200).collect::<Vec<_>>());
    }

    #[test]
    fn clusters_open_when_somebody_looks_closer_and_nothing_is_lost_on_the_way() {
        let places: Vec<_> =
            (0..200).map(|n| place(n, -7.6 - (n % 20) as f64 * 0.02, 112.5 + (n / 20) as f64 * 0.08)).collect();
        let mut map = Map::new(&places, HEIGHT, None).unwrap();
        assert!(!map.steps.within && map.steps.farther.is_none() && map.steps.west.is_none());
        for _ in 0..3 {
            let several = map.pins.iter().find(|pin| 1 < pin.members.len());
            let Some(pin) = several else { break };
            let spots = pin.members.iter().map(|index| (places[*index].longitude, places[*index].latitude));
            let (members, closer) = (pin.members.clone(), map.closer(spots).unwrap());
            map = Map::new(&places, HEIGHT, Some(closer)).unwrap();
            assert!(map.steps.within);
            let shown: Vec<usize> = map.pins.iter().flat_map(|pin| pin.members.clone()).collect();
            assert!(members.iter().all(|member| shown.contains(member)), "{members:?} {shown:?}");
        }
        assert!(map.pins.iter().all(|pin| pin.members.len() == 1), "{:?}", map.pins);
    }

    #[test]
    fn from_any_part_the_way_back_ends_at_all_places_and_no_step_leaves_them() {
        let whole = Map::new(&cities(), HEIGHT, None).unwrap();
        let inside = |bounds: Bounds| {
            let (x, y) = (bounds.west / 2.0 + bounds.east / 2.0, bounds.south / 2.0 + bounds.north / 2.0);
            let all = whole.bounds;
            (all.west..=all.east).contains(&x) && (all.south..=all.north).contains(&y)
        };
        for wanted in ["112.9,-7.65,112.92,-7.64", "0,0,1,1", "-180,-90,180,90", "113.2199,-7.72,113.22,-7.71"] {
            let mut map = Map::new(&cities(), HEIGHT, Bounds::parse(wanted)).unwrap();
            assert!(inside(map.bounds), "{wanted}");
            for step in [map.steps.west, map.steps.north, map.steps.closer].into_iter().flatten() {
                assert!(inside(step), "{wanted}: {step}");
            }
            for _ in 0..12 {
                let Some(farther) = map.steps.farther else { break };
                map = Map::new(&cities(), HEIGHT, Some(farther)).unwrap();
            }
            assert_eq!(map.steps.farther, None, "{wanted}");
        }
    }

    #[test]
    fn the_coast_is_drawn_where_it_is_known_and_not_elsewhere() {
        let here = Map::new(&cities(), HEIGHT, None).unwrap();
        assert!(here.land.starts_with('M') && here.land.len() < 4_000, "{}", here.land.len());
        let elsewhere = Map::new(&[place(0, 52.5, 13.4)], HEIGHT, None).unwrap();
        assert_eq!(elsewhere.land, "");
        assert!(Map::new(&[], HEIGHT, None).is_none());
    }

    #[test]
    fn the_scale_bar_has_a_round_length_that_fits() {
        let map = Map::new(&cities(), HEIGHT, None).unwrap();
        assert_eq!(map.scale.km, 20.0);
        assert!(map.scale.length <= WIDTH / 4.0);
    }

    #[test]
    fn the_name_of_a_city_that_is_too_long_for_the_map_is_shortened() {
        let city = "Kabupaten".repeat(12);
        let map = Map::new(&[Place { city: &city, ..place(0, -7.9, 112.6) }], HEIGHT, None).unwrap();
        let [name] = map.areas.as_slice() else { panic!("one city is named: {:?}", map.areas) };
        assert!(name.text.starts_with("Kabupaten") && name.text.ends_with('…'), "{name:?}");
    }

    /// One station, several at one place, and far apart; at the poles, at the antimeridian, anywhere.
    fn anywhere() -> impl Strategy<Value = Vec<(f64, f64, usize, usize)>> {
        let latitude = || prop_oneof![Just(-90.0), Just(90.0), Just(0.0), -90.0..=90.0];
        let longitude = || prop_oneof![Just(-180.0), Just(180.0), Just(179.999), -180.0..=180.0];
        let lengths = || (0_usize..400, 0_usize..400);
        let apart = prop::collection::vec((latitude(), longitude(), lengths()), 1..90);
        let together = (latitude(), longitude(), prop::collection::vec(lengths(), 1..90))
            .prop_map(|(y, x, all)| all.into_iter().map(|lengths| (y, x, lengths)).collect::<Vec<_>>());
        let places = prop_oneof![apart, together];
        places.prop_map(|all| all.into_iter().map(|(y, x, (name, city))| (y, x, name, city)).collect())
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_station_anywhere_with_any_name_is_on_the_map(spots in anywhere(), high: bool) {
            let name = "Wilayah Sungai ".repeat(27);
            let height = if high { HEIGHT } else { 260.0 };
            let place = |(index, spot): (usize, &(f64, f64, usize, usize))| {
                let &(latitude, longitude, long, city) = spot;
                Place { index, latitude, longitude, name: &name[..long], city: &name[..city], raised: index % 3 == 0 }
            };
            let places: Vec<Place<'_>> = spots.iter().enumerate().map(place).collect();
            let map = Map::new(&places, height, None).unwrap();
            prop_assert_eq!(map.pins.iter().map(|pin| pin.members.len()).sum::<usize>(), places.len());
            for pin in &map.pins {
                prop_assert!((0.0..=WIDTH).contains(&pin.x) && (0.0..=height).contains(&pin.y), "{:?}", pin);
            }
            for label in map.pins.iter().filter_map(|pin| pin.label.as_ref()).chain(&map.areas) {
                prop_assert!((0.0..=WIDTH).contains(&label.x) && (0.0..=height).contains(&label.y), "{:?}", label);
            }
            prop_assert!(!map.land.contains("NaN") && !map.land.contains("inf"));
        }
    }
}
