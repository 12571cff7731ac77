//! Where symbols and names stand so that none hides another.

use super::{Anchor, Label, MAX_SYMBOLS, Pin, Place, SYMBOL, View, WIDTH};

/// Least distance between two symbols.
const APART: f64 = 3.0;
/// A symbol that moved farther than this is tied to its place with a line.
const TIED: f64 = 7.0;
/// Rounds of pushing; more than a crowd of [`MAX_SYMBOLS`] needs.
const ROUNDS: usize = 80;
/// Longest names on the map, in characters; one of a raised station is shortened further rather than left out.
const LENGTHS: [usize; 3] = [24, 16, 10];
/// Width of a character and height of a line of station names; a little more than most fonts need.
const CHARACTER: f64 = 5.6;
const LINE: f64 = 11.0;
/// Names of cities are set larger by this.
const AREA_FACTOR: f64 = 1.55;

/// A rectangle.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Area {
    pub(super) left: f64,
    pub(super) top: f64,
    pub(super) right: f64,
    pub(super) bottom: f64,
}

impl Area {
    pub(super) fn with(self, x: f64, y: f64) -> Self {
        Self { left: self.left.min(x), top: self.top.min(y), right: self.right.max(x), bottom: self.bottom.max(y) }
    }

    pub(super) fn touches(&self, other: &Self) -> bool {
        self.left < other.right && other.left < self.right && self.top < other.bottom && other.top < self.bottom
    }

    fn around(x: f64, y: f64, half: f64) -> Self {
        Self { left: x - half, top: y - half, right: x + half, bottom: y + half }
    }

    fn inside(&self, view: &View) -> bool {
        2.0 <= self.left && self.right <= WIDTH - 2.0 && 2.0 <= self.top && self.bottom <= view.height - 2.0
    }
}

/// One symbol for each station; for stations that stand close together one for all of them, where there are too many.
pub(super) fn pins(places: &[Place<'_>], view: &View) -> Vec<Pin> {
    let mut reach = 0.0;
    loop {
        let pins = gather(places, view, reach);
        if pins.len() <= MAX_SYMBOLS {
            return pins;
        }
        reach = if reach == 0.0 { SYMBOL } else { reach * 1.3 };
    }
}

/// The worst station of each neighbourhood keeps its place; those within `reach` join it.
fn gather(places: &[Place<'_>], view: &View, reach: f64) -> Vec<Pin> {
    let mut pins: Vec<Pin> = Vec::new();
    for place in places {
        let (x, y) = view.spot(place.longitude, place.latitude);
        let near = pins.iter_mut().find(|pin| (pin.x - x).hypot(pin.y - y) < reach);
        match near {
            Some(pin) => pin.members.push(place.index),
            None => pins.push(Pin { members: vec![place.index], x, y, origin: None, label: None }),
        }
    }
    pins
}

/// Pushes symbols apart until none covers another, inside the drawing.
pub(super) fn spread(pins: &mut [Pin], view: &View) {
    let origins: Vec<(f64, f64)> = pins.iter().map(|pin| (pin.x, pin.y)).collect();
    for _ in 0..ROUNDS {
        let mut moved = false;
        for at in 1..pins.len() {
            let (before, rest) = pins.split_at_mut(at);
            let Some(pin) = rest.first_mut() else { continue };
            for other in before {
                moved |= push(pin, other, at);
            }
        }
        for pin in pins.iter_mut() {
            let half = pin.half() + 3.0;
            (pin.x, pin.y) = (pin.x.clamp(half, WIDTH - half), pin.y.clamp(half, view.height - half));
        }
        if !moved {
            break;
        }
    }
    for (pin, origin) in pins.iter_mut().zip(origins) {
        (pin.x, pin.y) = (pin.x.round(), pin.y.round());
        let far = TIED < (pin.x - origin.0).hypot(pin.y - origin.1);
        pin.origin = far.then(|| (origin.0.round(), origin.1.round()));
    }
}

/// Moves two symbols that touch apart; those at the same spot part in a direction of their own.
fn push(pin: &mut Pin, other: &mut Pin, number: usize) -> bool {
    let (dx, dy) = (pin.x - other.x, pin.y - other.y);
    let distance = dx.hypot(dy);
    let apart = pin.half() + other.half() + APART;
    if apart - 0.01 <= distance {
        return false;
    }
    // The golden angle keeps directions from repeating.
    let (turn, short) = (number as f64 * 2.399_963, distance < 0.01);
    let (ux, uy) = if short { (turn.cos(), turn.sin()) } else { (dx / distance, dy / distance) };
    let step = (apart - distance) / 2.0;
    (pin.x, pin.y) = (pin.x + ux * step, pin.y + uy * step);
    (other.x, other.y) = (other.x - ux * step, other.y - uy * step);
    true
}

/// The room that symbols take.
pub(super) fn symbols(pins: &[Pin]) -> Vec<Area> {
    pins.iter().map(|pin| Area::around(pin.x, pin.y, pin.half())).collect()
}

/// Names the cities beside their stations, in the room that is not taken.
pub(super) fn name_areas(places: &[Place<'_>], pins: &[Pin], taken: &mut Vec<Area>, view: &View) -> Vec<Label> {
    let mut cities: Vec<&str> = places.iter().map(|place| place.city).filter(|city| !city.is_empty()).collect();
    cities.sort_unstable();
    cities.dedup();
    let mut named = Vec::new();
    for city in cities {
        let of_city = |pin: &&Pin| {
            let first = pin.members.first();
            places.iter().any(|place| first == Some(&place.index) && place.city == city)
        };
        let mut spots = pins.iter().filter(of_city).map(|pin| (pin.x, pin.y));
        let Some((x, y)) = spots.next() else { continue };
        let group = spots.fold(Area::around(x, y, 0.0), |area, (x, y)| area.with(x, y));
        let text = shortened(city, LENGTHS[0]);
        let middle = kept_inside(group.left / 2.0 + group.right / 2.0, width(&text) * AREA_FACTOR / 2.0 + 2.0);
        let below = [18.0, 30.0, 42.0].map(|away| (middle, group.bottom + SYMBOL / 2.0 + away - 5.0));
        let above = [7.0, 19.0].map(|away| (middle, group.top - SYMBOL / 2.0 - away));
        let label =
            |(x, y): (f64, f64)| Label { x: x.round(), y: y.round(), text: text.clone(), anchor: Anchor::Middle };
        let mut candidates = below.into_iter().chain(above).map(label).map(|label| {
            let area = scaled_extent(&label, AREA_FACTOR);
            (label, area)
        });
        let free = |area: &Area| area.inside(view) && taken.iter().all(|other| !other.touches(area));
        if let Some((label, area)) = candidates.find(|(_, area)| free(area)) {
            named.push(label);
            taken.push(area);
        }
    }
    named
}

/// Names the symbols of stations at a raised level, or those of all others, the worst first, where there is room beside,
/// below or above them.
pub(super) fn name_pins(places: &[Place<'_>], pins: &mut [Pin], raised: bool, taken: &mut Vec<Area>, view: &View) {
    for pin in pins.iter_mut() {
        let [only] = pin.members.as_slice() else { continue };
        let is_it = |place: &&Place<'_>| place.index == *only && place.raised == raised;
        let Some(place) = places.iter().find(is_it) else { continue };
        let spots = spots(pin);
        let lengths = if raised { &LENGTHS[..] } else { &LENGTHS[..1] };
        let labels = lengths.iter().flat_map(|length| {
            let text = shortened(place.name, *length);
            spots.map(|(x, y, anchor)| Label { x, y, text: text.clone(), anchor })
        });
        let free = |area: &Area| area.inside(view) && taken.iter().all(|other| !other.touches(area));
        let mut free_ones = labels.filter(|label| free(&extent(label)));
        pin.label = free_ones.next();
        taken.extend(pin.label.as_ref().map(extent));
    }
}

/// Where the name of a symbol may stand, the best first.
fn spots(pin: &Pin) -> [(f64, f64, Anchor); 8] {
    let side = SYMBOL / 2.0 + 3.0;
    let (below, above) = (pin.y + side + 8.0, pin.y - side - 1.0);
    let (left, right) = (pin.x - SYMBOL / 2.0, pin.x + SYMBOL / 2.0);
    [
        (pin.x + side, pin.y + 3.5, Anchor::Start),
        (pin.x - side, pin.y + 3.5, Anchor::End),
        (pin.x, below, Anchor::Middle),
        (pin.x, above, Anchor::Middle),
        // Near an edge or another symbol: under or over it, to one side.
        (left, below, Anchor::Start),
        (right, below, Anchor::End),
        (left, above, Anchor::Start),
        (right, above, Anchor::End),
    ]
}

/// The room a station's name takes.
pub(super) fn extent(label: &Label) -> Area {
    scaled_extent(label, 1.0)
}

fn scaled_extent(label: &Label, factor: f64) -> Area {
    let width = width(&label.text) * factor;
    let left = match label.anchor {
        Anchor::Start => label.x,
        Anchor::End => label.x - width,
        Anchor::Middle => label.x - width / 2.0,
    };
    Area { left, top: label.y - (LINE - 2.0) * factor, right: left + width, bottom: label.y + 2.5 * factor }
}

/// The place nearest to `x` at which something that reaches `half` to both sides is inside the drawing; the middle where
/// there is none. (`f64::clamp` panics where its bounds cross, and here they come from names that people choose.)
fn kept_inside(x: f64, half: f64) -> f64 {
    if WIDTH <= 2.0 * half { WIDTH / 2.0 } else { x.max(half).min(WIDTH - half) }
}

fn width(text: &str) -> f64 {
    text.chars().count() as f64 * CHARACTER
}

fn shortened(name: &str, length: usize) -> String {
    if name.chars().count() <= length {
        return name.to_owned();
    }
    let kept: String = name.chars().take(length - 1).collect();
    format!("{}…", kept.trim_end_matches([' ', ',', '·', '-']))
}
