//! The coast: rings from the bundled file, cut to what is shown and written as an SVG path.

use std::fmt::Write as _;

use super::{View, WIDTH};

/// Part of the world the bundled file covers.
const WEST: f64 = 110.5;
const EAST: f64 = 115.0;
const SOUTH: f64 = -9.0;
const NORTH: f64 = -6.4;
/// Land goes on this far outside the drawing, so that its cut edges are never seen.
const BEYOND: f64 = 6.0;
/// Points closer than this to the one before are left out.
const FINEST: f64 = 1.2;

type Spot = (f64, f64);

/// Rings of (longitude, latitude).
#[derive(Debug)]
pub(super) struct Coast(Vec<Vec<Spot>>);

impl Coast {
    pub(super) fn bundled() -> Self {
        Self::parse(include_str!("../../assets/coast.txt"))
    }

    /// Reads rings, one a line; what is no number is left out.
    fn parse(file: &str) -> Self {
        let point = |text: &str| {
            let (longitude, latitude) = text.split_once(',')?;
            Some((longitude.parse().ok()?, latitude.parse().ok()?))
        };
        let rings = file.lines().filter(|line| !line.starts_with('#'));
        Self(rings.map(|line| line.split(' ').filter_map(point).collect()).collect())
    }

    /// The land as a path; empty where the view reaches beyond what is known, because a sea without its coast would be
    /// taken for water.
    pub(super) fn path(&self, view: &View) -> String {
        let (east, south) =
            (view.west + WIDTH / (view.per_degree * view.squeeze), view.north - view.height / view.per_degree);
        if view.west < WEST || EAST < east || south < SOUTH || NORTH < view.north {
            return String::new();
        }
        let mut path = String::new();
        for ring in &self.0 {
            let ring: Vec<Spot> = ring.iter().map(|(longitude, latitude)| view.spot(*longitude, *latitude)).collect();
            write_ring(&cut(&ring, view.height), &mut path);
        }
        path
    }
}

/// Cuts a ring to the drawing, one edge after the other (Sutherland and Hodgman).
fn cut(ring: &[Spot], height: f64) -> Vec<Spot> {
    let left = |spot: &Spot| spot.0 + BEYOND;
    let right = |spot: &Spot| WIDTH + BEYOND - spot.0;
    let top = |spot: &Spot| spot.1 + BEYOND;
    let bottom = move |spot: &Spot| height + BEYOND - spot.1;
    let ring = cut_edge(ring, left);
    let ring = cut_edge(&ring, right);
    let ring = cut_edge(&ring, top);
    cut_edge(&ring, bottom)
}

/// Keeps the part of a ring where `inside` is not negative.
fn cut_edge(ring: &[Spot], inside: impl Fn(&Spot) -> f64) -> Vec<Spot> {
    let mut kept = Vec::with_capacity(ring.len() + 4);
    let next = ring.iter().cycle().skip(1);
    for (a, b) in ring.iter().zip(next) {
        let (of_a, of_b) = (inside(a), inside(b));
        if 0.0 <= of_a {
            kept.push(*a);
        }
        if (0.0 <= of_a) != (0.0 <= of_b) {
            let part = of_a / (of_a - of_b);
            kept.push((a.0 + (b.0 - a.0) * part, a.1 + (b.1 - a.1) * part));
        }
    }
    kept
}

/// Writes a ring in steps of whole units, which compresses well; one too small to be seen is left out.
fn write_ring(ring: &[Spot], path: &mut String) {
    let (xs, ys) = (ring.iter().map(|spot| spot.0), ring.iter().map(|spot| spot.1));
    if ring.len() < 3 || extent(xs).max(extent(ys)) < FINEST {
        return;
    }
    let mut last: Option<(i64, i64)> = None;
    for (x, y) in ring {
        let spot = (x.round() as i64, y.round() as i64);
        // Writing to a String cannot fail.
        let _ = match last {
            None => write!(path, "M{} {}l", spot.0, spot.1),
            Some(last) if ((spot.0 - last.0) as f64).hypot((spot.1 - last.1) as f64) < FINEST => continue,
            Some(last) => {
                let (dx, dy) = (spot.0 - last.0, spot.1 - last.1);
                // A minus sign is separator enough.
                let space = |value: i64| if value < 0 { "" } else { " " };
                write!(path, "{}{dx}{}{dy}", space(dx), space(dy))
            }
        };
        last = Some(spot);
    }
    path.push('z');
}

fn extent(along: impl Iterator<Item = f64>) -> f64 {
    let (least, most) = along.fold((f64::MAX, f64::MIN), |(least, most), at| (least.min(at), most.max(at)));
    most - least
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_of_the_bundled_file_is_a_ring_inside_its_bounds() {
        let coast = Coast::bundled();
        let lines = include_str!("../../assets/coast.txt").lines().filter(|line| !line.starts_with('#'));
        assert_eq!(coast.0.len(), lines.count());
        for ring in &coast.0 {
            assert!(3 <= ring.len());
            assert!(ring.iter().all(|(x, y)| (WEST..=EAST).contains(x) && (SOUTH..=NORTH).contains(y)));
        }
    }

    #[test]
    fn cutting_keeps_what_is_inside_and_closes_along_the_edge() {
        let square = vec![(-100.0, 10.0), (50.0, 10.0), (50.0, 40.0), (-100.0, 40.0)];
        assert_eq!(cut(&square, 100.0), [(-BEYOND, 10.0), (50.0, 10.0), (50.0, 40.0), (-BEYOND, 40.0)]);
        assert!(cut(&[(-50.0, 0.0), (-40.0, 0.0), (-40.0, 9.0)], 100.0).is_empty());
    }

    #[test]
    fn a_ring_is_written_in_steps() {
        let mut path = String::new();
        write_ring(&[(0.0, 0.0), (10.2, 0.0), (10.9, 0.4), (10.0, -12.0)], &mut path);
        assert_eq!(path, "M0 0l 10 0 0-12z");
    }
}
