//! A backend that draws smooth edges straight into the pixels of a picture.
//!
//! Shapes are given in quarters of a pixel. Each pixel column is cut into as many thin columns, and of each of them it
//! is worked out from where to where a shape covers it: so a line that goes up and down in every column, as restless
//! values make it, costs its length and not its area.

use std::{convert::Infallible, ops::Range};

use plotters::style::FontDesc;
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind,
    text_anchor::{HPos, VPos},
};

/// Parts of a pixel that coordinates count, and thin columns in one pixel.
pub(super) const FINE: u32 = 4;
/// Text is drawn this much larger and averaged, so that letters stand at halves of a pixel.
const TEXT_FINE: i32 = 2;
/// Shades between ground and colour: few shades make a small file, and more are not seen.
const SHADES: f32 = 16.0;

type Answer = Result<(), DrawingErrorKind<Infallible>>;
type Spot = (f32, f32);

/// A picture being drawn.
#[derive(Debug)]
pub(super) struct Raster {
    width: usize,
    height: usize,
    /// Red, green and blue, row by row.
    pixels: Vec<u32>,
    /// What the shape being drawn covers of each thin column.
    spans: Vec<Vec<Spot>>,
    /// Columns that the shape being drawn touches.
    touched: Range<usize>,
    /// How much the shape covers of each pixel of one column.
    covered: Vec<f32>,
}

impl Raster {
    pub(super) fn new(width: u32, height: u32) -> Self {
        let (width, height) = (width as usize, height as usize);
        Self {
            width,
            height,
            pixels: vec![0; width * height],
            spans: vec![Vec::new(); width * FINE as usize],
            touched: 0..0,
            covered: vec![0.0; height],
        }
    }

    /// Red, green and blue of each pixel, row by row.
    pub(super) fn into_pixels(self) -> Vec<u32> {
        self.pixels
    }

    /// The thin columns whose middles lie in `[from, to]`.
    fn columns(&self, from: f32, to: f32) -> Range<usize> {
        let fine = FINE as f32;
        let first = (from * fine - 0.5).ceil().max(0.0) as usize;
        let end = ((to * fine - 0.5).floor() + 1.0).max(0.0) as usize;
        first..end.min(self.spans.len())
    }

    fn touch(&mut self, columns: &Range<usize>) {
        if columns.is_empty() {
            return;
        }
        let (first, end) = (columns.start / FINE as usize, columns.end.div_ceil(FINE as usize));
        let old = &self.touched;
        self.touched = if old.is_empty() { first..end } else { old.start.min(first)..old.end.max(end) };
    }

    /// Covers a stretch of a line with round ends.
    fn stroke(&mut self, capsule: &Capsule) {
        let columns = self.columns(capsule.a.0 - capsule.reach, capsule.b.0 + capsule.reach);
        self.touch(&columns);
        for column in columns {
            let Some(span) = capsule.at((column as f32 + 0.5) / FINE as f32) else { continue };
            let spans = &mut self.spans[column];
            // Stretches of one line follow each other, so most of them continue the last span.
            match spans.last_mut() {
                Some(last) if span.0 <= last.1 && last.0 <= span.1 => *last = (last.0.min(span.0), last.1.max(span.1)),
                Some(_) | None => spans.push(span),
            }
        }
    }

    /// Paints what was covered and forgets it.
    fn paint(&mut self, color: BackendColor) {
        let (r, g, b) = color.rgb;
        let color = u32::from_be_bytes([0, r, g, b]);
        for column in std::mem::take(&mut self.touched) {
            let fine = FINE as usize;
            let (mut top, mut bottom) = (self.height, 0);
            for spans in &mut self.spans[column * fine..(column + 1) * fine] {
                spans.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
                let mut end = 0.0;
                for span in spans.drain(..) {
                    let (from, to) = (span.0.max(end), span.1.min(self.height as f32));
                    if from < to {
                        cover(&mut self.covered, from, to);
                        (top, bottom) = (top.min(from as usize), bottom.max(to.ceil() as usize));
                        end = to;
                    }
                }
            }
            for row in top..bottom {
                let part = std::mem::take(&mut self.covered[row]) / FINE as f32;
                blend(&mut self.pixels[row * self.width + column], color, part);
            }
        }
    }

    fn fill(&mut self, from: BackendCoord, to: BackendCoord, color: BackendColor) {
        let fine = FINE as i32;
        let clamp = |value: i32, end: usize| usize::try_from(value).unwrap_or(0).min(end);
        // A shape is never thinner than the pixels it touches, and edges of areas are sharp.
        let ends = |a: i32, b: i32, end: usize| {
            clamp(a.min(b).div_euclid(fine), end)..clamp((a.max(b) + fine - 1).div_euclid(fine), end)
        };
        let (columns, rows) = (ends(from.0, to.0, self.width), ends(from.1, to.1, self.height));
        let (r, g, b) = color.rgb;
        for row in rows {
            let start = row * self.width;
            self.pixels[start + columns.start..start + columns.end].fill(u32::from_be_bytes([0, r, g, b]));
        }
    }
}

/// A stretch of a line with round ends: everything at most `reach` away from the way from `a` to `b`.
#[derive(Debug)]
struct Capsule {
    /// The left end.
    a: Spot,
    b: Spot,
    reach: f32,
    /// From an end to where its round part meets the straight edge.
    normal: Spot,
    slope: f32,
}

impl Capsule {
    fn new(a: Spot, b: Spot, reach: f32) -> Self {
        let (a, b) = if a.0 <= b.0 { (a, b) } else { (b, a) };
        let along = (b.0 - a.0, b.1 - a.1);
        let length = along.0.hypot(along.1).max(f32::MIN_POSITIVE);
        let normal = (-along.1 / length * reach, along.0 / length * reach);
        Self { a, b, reach, normal, slope: along.1 / along.0 }
    }

    /// From where to where it covers the vertical at `x`.
    fn at(&self, x: f32) -> Option<Spot> {
        let mut span = (f32::INFINITY, f32::NEG_INFINITY);
        let mut widen = |from: f32, to: f32| span = (span.0.min(from), span.1.max(to));
        for end in [self.a, self.b] {
            let room = self.reach * self.reach - (x - end.0) * (x - end.0);
            if 0.0 <= room {
                widen(end.1 - room.sqrt(), end.1 + room.sqrt());
            }
        }
        for side in [-1.0, 1.0] {
            let away = x - (self.a.0 + self.normal.0 * side);
            if self.a.0 < self.b.0 && 0.0 <= away && away <= self.b.0 - self.a.0 {
                let y = self.a.1 + self.normal.1 * side + away * self.slope;
                widen(y, y);
            }
        }
        (span.0 <= span.1).then_some(span)
    }
}

/// Adds one thin column's stretch from `from` to `to`, which is inside the picture.
fn cover(covered: &mut [f32], from: f32, to: f32) {
    let (first, last) = (from as usize, to as usize);
    if first == last {
        covered[first] += to - from;
        return;
    }
    covered[first] += (first + 1) as f32 - from;
    covered[first + 1..last].iter_mut().for_each(|covered| *covered += 1.0);
    if let Some(covered) = covered.get_mut(last) {
        *covered += to - last as f32;
    }
}

/// Mixes a colour into a pixel of which it covers `part`.
fn blend(pixel: &mut u32, color: u32, part: f32) {
    // Rounds half up; `round` itself is a call for each pixel on processors without its instruction.
    let part = (part.clamp(0.0, 1.0) * SHADES + 0.5) as u32;
    let whole = SHADES as u32;
    let (below, above) = (pixel.to_be_bytes(), color.to_be_bytes());
    *pixel = u32::from_be_bytes(std::array::from_fn(|channel| {
        let mixed = u32::from(below[channel]) * (whole - part) + u32::from(above[channel]) * part;
        ((mixed + whole / 2) / whole) as u8
    }));
}

fn spot((x, y): BackendCoord) -> Spot {
    (x as f32 / FINE as f32, y as f32 / FINE as f32)
}

/// Straight lines along an axis are centred on pixels, so that they are sharp.
fn sharp(path: &mut [Spot]) {
    if let [a, b] = path {
        if a.0 == b.0 {
            (a.0, b.0) = (a.0.floor() + 0.5, b.0.floor() + 0.5);
        } else if a.1 == b.1 {
            (a.1, b.1) = (a.1.floor() + 0.5, b.1.floor() + 0.5);
        }
    }
}

impl DrawingBackend for Raster {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        (self.width as u32 * FINE, self.height as u32 * FINE)
    }

    fn ensure_prepared(&mut self) -> Answer {
        Ok(())
    }

    fn present(&mut self) -> Answer {
        Ok(())
    }

    fn draw_pixel(&mut self, at: BackendCoord, color: BackendColor) -> Answer {
        self.fill(at, (at.0 + 1, at.1 + 1), color);
        Ok(())
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Answer {
        let mut path: Vec<Spot> = path.into_iter().map(spot).collect();
        sharp(&mut path);
        let reach = style.stroke_width() as f32 / FINE as f32 / 2.0;
        for pair in path.windows(2) {
            self.stroke(&Capsule::new(pair[0], pair[1], reach));
        }
        self.paint(style.color());
        Ok(())
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, _fill: bool) -> Answer {
        self.fill(from, to, style.color());
        Ok(())
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &S, _fill: bool) -> Answer {
        let center = spot(center);
        self.stroke(&Capsule::new(center, center, radius as f32 / FINE as f32));
        self.paint(style.color());
        Ok(())
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, corners: I, style: &S) -> Answer {
        let corners: Vec<Spot> = corners.into_iter().map(spot).collect();
        // First where each thin column crosses an edge, in no order; then pairs of them are its spans.
        let next = corners.iter().cycle().skip(1);
        for (a, b) in corners.iter().zip(next).map(|(a, b)| if a.0 <= b.0 { (a, b) } else { (b, a) }) {
            let columns = self.columns(a.0, b.0);
            self.touch(&columns);
            for column in columns {
                let part = ((column as f32 + 0.5) / FINE as f32 - a.0) / (b.0 - a.0).max(f32::MIN_POSITIVE);
                let y = a.1 + part * (b.1 - a.1);
                self.spans[column].push((y, y));
            }
        }
        let fine = FINE as usize;
        for crossings in &mut self.spans[self.touched.start * fine..self.touched.end * fine] {
            crossings.sort_unstable_by(|a, b| a.0.total_cmp(&b.0));
            *crossings = crossings.chunks_exact(2).map(|pair| (pair[0].0, pair[1].1)).collect();
        }
        self.paint(style.color());
        Ok(())
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, at: BackendCoord) -> Answer {
        let size = style.size() * f64::from(TEXT_FINE) / f64::from(FINE);
        let font = FontDesc::new(style.family(), size, style.style());
        let failed = |error| DrawingErrorKind::FontError(Box::new(error));
        let ((min_x, min_y), (max_x, max_y)) = font.layout_box(text).map_err(failed)?;
        let (width, height) = (max_x - min_x, max_y - min_y);
        let dx = match style.anchor().h_pos {
            HPos::Left => 0,
            HPos::Right => -width,
            HPos::Center => -width / 2,
        };
        let dy = match style.anchor().v_pos {
            VPos::Top => 0,
            VPos::Center => -height / 2,
            VPos::Bottom => -height,
        };
        let place = |fine: i32| fine * TEXT_FINE / FINE as i32;
        let mut ink = Ink::new(text.chars().count(), size);
        let origin = (place(at.0) + dx - min_x, place(at.1) + dy - min_y);
        let start = (origin.0.div_euclid(TEXT_FINE), origin.1.div_euclid(TEXT_FINE));
        let inside = (origin.0.rem_euclid(TEXT_FINE), origin.1.rem_euclid(TEXT_FINE));
        font.draw(text, inside, |x, y, part| -> Result<(), Infallible> {
            ink.add(x, y, part);
            Ok(())
        })
        .map_err(failed)?
        .map_err(DrawingErrorKind::DrawingError)?;
        self.print(&ink, start, style.color());
        Ok(())
    }
}

impl Raster {
    fn print(&mut self, ink: &Ink, start: (i32, i32), color: BackendColor) {
        let (r, g, b) = color.rgb;
        for (row, y) in ink.parts.chunks_exact(ink.width).zip(start.1 - Ink::MARGIN..) {
            for (part, x) in row.iter().zip(start.0 - Ink::MARGIN..).filter(|(part, _)| **part != 0.0) {
                let (Ok(x), Ok(y)) = (usize::try_from(x), usize::try_from(y)) else { continue };
                if x < self.width && y < self.height {
                    blend(&mut self.pixels[y * self.width + x], u32::from_be_bytes([0, r, g, b]), *part);
                }
            }
        }
    }
}

/// How much of each pixel a text covers.
#[derive(Debug)]
struct Ink {
    width: usize,
    parts: Vec<f32>,
}

impl Ink {
    /// Pixels that letters may stand out to the left and above.
    const MARGIN: i32 = 4;

    fn new(letters: usize, size: f64) -> Self {
        // No letter of the bundled font is wider than its line is high.
        let em = (size / f64::from(TEXT_FINE)).ceil() as usize;
        let margins = 2 * Self::MARGIN as usize;
        let (width, height) = (letters * em + margins, 2 * em + margins);
        Self { width, parts: vec![0.0; width * height] }
    }

    fn add(&mut self, x: i32, y: i32, part: f32) {
        let place = |fine: i32| usize::try_from(fine.div_euclid(TEXT_FINE) + Self::MARGIN).ok();
        let (Some(x), Some(y)) = (place(x), place(y)) else { return };
        if x < self.width
            && let Some(pixel) = self.parts.get_mut(y * self.width + x)
        {
            *pixel += part / (TEXT_FINE * TEXT_FINE) as f32;
        }
    }
}

#[cfg(test)]
mod tests {
    use plotters::style::{RGBColor, ShapeStyle};

    use super::*;

    const BLACK: u32 = 0;
    const WHITE: u32 = 0x00ff_ffff;

    fn white(side: u32) -> Raster {
        let mut raster = Raster::new(side, side);
        raster.pixels.fill(WHITE);
        raster
    }

    fn pen(width: u32) -> ShapeStyle {
        ShapeStyle { color: RGBColor(0, 0, 0).into(), filled: true, stroke_width: width }
    }

    /// Darkness of the picture in whole black pixels.
    fn ink(raster: &Raster) -> f64 {
        raster.pixels.iter().map(|pixel| f64::from(255 - (pixel & 255)) / 255.0).sum()
    }

    #[test]
    fn a_line_along_an_axis_fills_whole_pixels_and_nothing_else() {
        let mut raster = white(10);
        raster.draw_path([(4, 21), (36, 21)], &pen(4)).unwrap();
        assert_eq!(raster.pixels[51..59], [BLACK; 8]);
        assert!(raster.pixels[..50].iter().chain(&raster.pixels[60..]).all(|pixel| *pixel == WHITE));
    }

    #[test]
    fn shapes_have_the_area_that_they_should_have() {
        let mut dot = white(40);
        dot.draw_circle((80, 80), 40, &pen(1), true).unwrap();
        assert!((ink(&dot) - 314.16).abs() < 3.0, "{}", ink(&dot));
        let mut line = white(40);
        line.draw_path([(40, 40), (120, 120)], &pen(8)).unwrap();
        assert!((ink(&line) - (28.28 * 2.0 + std::f64::consts::PI)).abs() < 1.5, "{}", ink(&line));
        let mut triangle = white(40);
        triangle.fill_polygon([(40, 40), (120, 40), (40, 120)], &pen(1)).unwrap();
        assert!((ink(&triangle) - 200.0).abs() < 3.0, "{}", ink(&triangle));
    }

    #[test]
    fn a_line_that_runs_over_itself_is_not_darker_there() {
        let triangle = [(4, 4), (36, 8), (20, 36), (4, 4)];
        let (mut once, mut again) = (white(10), white(10));
        once.draw_path(triangle, &pen(3)).unwrap();
        again.draw_path(triangle.into_iter().chain(triangle), &pen(3)).unwrap();
        assert_eq!(again.pixels, once.pixels);
        assert!(again.spans.iter().all(Vec::is_empty) && again.covered.iter().all(|covered| *covered == 0.0));
    }

    #[test]
    fn what_lies_outside_is_left_out() {
        let mut raster = white(10);
        raster.draw_path([(-400, -400), (400, -40), (4000, 3000)], &pen(40)).unwrap();
        raster.draw_circle((-100, 20), 40, &pen(1), true).unwrap();
        raster.draw_rect((-100, -100), (-4, 4000), &pen(1), true).unwrap();
        assert_eq!(ink(&raster), 0.0);
        raster.draw_path([(-4000, 20), (4000, 20)], &pen(4000)).unwrap();
        assert_eq!(ink(&raster), 100.0);
    }
}
