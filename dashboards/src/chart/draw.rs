//! The layout of a chart.

use plotters::style::RGBColor;
use plotters_backend::DrawingBackend;

use super::{
    ChartError, ChartSpec, LimitLine, Side,
    canvas::{Align, Canvas, Type},
    scale::{self, TimeTick, ValueAxis},
    series::{self, Series},
    theme::Theme,
};
use bakau_text::format;

use crate::{say, texts};

/// Space around everything.
const PAD: f64 = 12.0;
/// Below this width titles and labels are set smaller.
const NARROW: u32 = 480;
/// A limit farther away than this many times the range of the data is named at the edge instead of drawn.
const LIMIT_REACH: f64 = 4.0;
/// Between the word and the value of a limit, with room for the sign.
const SIGN: f64 = 13.0;
/// A gap at least this wide says that it is one.
const GAP_WORDS: f64 = 96.0;

/// Where the plot is, in pixels of the chart.
#[derive(Debug, Clone, Copy)]
struct Plot {
    left: f64,
    top: f64,
    right: f64,
    bottom: f64,
}

impl Plot {
    fn width(&self) -> f64 {
        self.right - self.left
    }

    fn y(&self, axis: &ValueAxis, value: f64) -> f64 {
        let part = (value - axis.min) / (axis.max - axis.min);
        self.bottom - part.clamp(0.0, 1.0) * (self.bottom - self.top)
    }
}

/// Draws the chart on a canvas, and gives back what it was drawn with.
pub(super) fn draw<B: DrawingBackend>(spec: &ChartSpec, canvas: Canvas<B>) -> Result<B, ChartError> {
    let theme = Theme::of(spec.dark);
    let mut chart = Chart { spec, canvas, theme, small: Type { em: 11.0, bold: false, color: theme.muted } };
    chart.draw()?;
    chart.canvas.finish()
}

struct Chart<'a, B> {
    spec: &'a ChartSpec,
    canvas: Canvas<B>,
    theme: Theme,
    small: Type,
}

impl<B: DrawingBackend> Chart<'_, B> {
    fn draw(&mut self) -> Result<(), ChartError> {
        let (width, height) = (f64::from(self.spec.width), f64::from(self.spec.height));
        self.canvas.fill((0.0, 0.0), (width, height), self.theme.ground)?;
        let head = self.head()?;
        let mut plot = Plot { left: 0.0, top: head + 26.0, right: width - PAD, bottom: height - PAD - 34.0 };
        let rows = ((plot.bottom - plot.top) / 42.0).round().max(1.0) as usize;
        // The extent is needed for the axis, the axis for the left edge, and the left edge for the pixels of points.
        let extent = self.prepare(width).extent;
        let axis = extent.map(|extent| self.axis(extent, rows));
        plot.left = PAD + 4.0 + self.widest_label(axis.as_ref())?;
        let series = self.prepare(plot.width());
        self.gaps(&plot, &series)?;
        if let Some(axis) = &axis {
            self.bands(&plot, axis, &series)?;
        }
        self.time_axis(&plot)?;
        let Some(axis) = axis else {
            let words = texts::messages(self.spec.language).text("chart_no_data");
            let look = Type { em: 15.0, bold: false, color: self.theme.muted };
            let middle = (plot.left / 2.0 + plot.right / 2.0, plot.top / 2.0 + plot.bottom / 2.0);
            return self.canvas.text(words, middle, Align::Center, look);
        };
        self.value_axis(&plot, &axis)?;
        self.unit_row(&plot, &series)?;
        self.limit_lines(&plot, &axis)?;
        self.gap_words(&plot, &axis, &series)?;
        self.limit_labels(&plot, &axis, &series)?;
        // Data last: nothing may hide them.
        self.series(&plot, &axis, &series)
    }

    fn prepare(&self, width: f64) -> Series {
        let spec = self.spec;
        let mut series = series::prepare(&spec.points, spec.from, spec.to, spec.interval_ms, width);
        series::bands(&spec.spreads, spec.from, spec.to, spec.interval_ms, &mut series, width);
        series.partial = series::partial(&spec.points, &spec.partial, spec.from, spec.to, width);
        series
    }

    /// Title and subtitle; returns where they end.
    fn head(&mut self) -> Result<f64, ChartError> {
        let room = f64::from(self.spec.width) - 2.0 * PAD;
        let em = if self.spec.width < NARROW { 13.5 } else { 15.0 };
        let title = Type { em, bold: true, color: self.theme.text };
        let subtitle = Type { em: 12.0, bold: false, color: self.theme.muted };
        let text = self.canvas.fit(&self.spec.title, room, title)?;
        self.canvas.text(&text, (PAD, PAD + 8.0), Align::Left, title)?;
        if self.spec.subtitle.is_empty() {
            return Ok(PAD + 18.0);
        }
        let text = self.canvas.fit(&self.spec.subtitle, room, subtitle)?;
        self.canvas.text(&text, (PAD, PAD + 26.0), Align::Left, subtitle)?;
        Ok(PAD + 34.0)
    }

    /// The axis for the data and for the limits that are near enough.
    fn axis(&self, (low, high): (f64, f64), rows: usize) -> ValueAxis {
        let spec = self.spec;
        let finest = 10f64.powi(-i32::from(spec.decimals.min(9)));
        let need = (high - low).max(low.abs().max(high.abs()) * 0.1).max(finest * 10.0);
        let (mut bottom, mut top) = (low, high);
        for limit in finite(&spec.limits) {
            let (reached_bottom, reached_top) = (bottom.min(limit.value), top.max(limit.value));
            if reached_top - reached_bottom <= need * LIMIT_REACH {
                (bottom, top) = (reached_bottom, reached_top);
            }
        }
        // Air above the highest limit, where its label stands.
        let air = (top - bottom) * 0.04;
        let crossing = finite(&spec.limits).any(|limit| limit.value == top);
        let top = if crossing { top + air } else { top };
        scale::value_axis(bottom, top, rows, spec.decimals, spec.language)
    }

    fn widest_label(&self, axis: Option<&ValueAxis>) -> Result<f64, ChartError> {
        let mut widest: f64 = 8.0;
        for (_, label) in axis.map_or(&[][..], |axis| &axis.ticks) {
            widest = widest.max(self.canvas.width(label, self.small)?);
        }
        Ok(widest.min(f64::from(self.spec.width) / 3.0))
    }

    fn value_axis(&mut self, plot: &Plot, axis: &ValueAxis) -> Result<(), ChartError> {
        for (value, label) in &axis.ticks {
            let y = plot.y(axis, *value);
            self.canvas.line(&[(plot.left, y), (plot.right, y)], self.theme.grid, 1.0)?;
            self.canvas.text(label, (plot.left - 6.0, y), Align::Right, self.small)?;
        }
        self.canvas.line(&[(plot.left, plot.bottom), (plot.right, plot.bottom)], self.theme.axis, 1.0)
    }

    /// The unit above the value axis and, where there are marks, what they mean.
    fn unit_row(&mut self, plot: &Plot, series: &Series) -> Result<(), ChartError> {
        let y = plot.top - 15.0;
        let unit = self.canvas.fit(self.spec.unit.symbol(), plot.width() / 3.0, self.small)?;
        self.canvas.text(&unit, (PAD, y), Align::Left, self.small)?;
        let words = texts::messages(self.spec.language);
        let mut x = plot.right;
        if !series.bands.is_empty() {
            let room = plot.width() * 0.6;
            let text = self.canvas.fit(words.text("chart_band"), room, self.small)?;
            self.canvas.text(&text, (x, y), Align::Right, self.small)?;
            x -= self.canvas.width(&text, self.small)? + 9.0;
            self.canvas.fill((x - 9.0, y - 4.0), (x + 3.0, y + 4.0), self.theme.band)?;
            self.canvas.line(&[(x - 9.0, y), (x + 3.0, y)], self.theme.line, 1.75)?;
            x -= 18.0;
        }
        if !series.partial.is_empty() {
            let word = words.text("chart_partial");
            self.canvas.text(word, (x, y), Align::Right, self.small)?;
            x -= self.canvas.width(word, self.small)? + 9.0;
            self.ring((x, y), self.theme.line)?;
            x -= 16.0;
        }
        if !series.failed.is_empty() {
            let word = words.text("chart_failed");
            self.canvas.text(word, (x, y), Align::Right, self.small)?;
            x -= self.canvas.width(word, self.small)? + 9.0;
            self.cross((x, y), self.theme.failed)?;
            x -= 16.0;
        }
        if !series.suspect.is_empty() {
            let word = words.text("chart_suspect");
            self.canvas.text(word, (x, y), Align::Right, self.small)?;
            x -= self.canvas.width(word, self.small)? + 9.0;
            self.ring((x, y), self.theme.suspect)?;
        }
        Ok(())
    }

    fn time_axis(&mut self, plot: &Plot) -> Result<(), ChartError> {
        let spec = self.spec;
        let room = (plot.width() / 62.0).floor().max(2.0) as usize;
        let ticks = scale::time_ticks(spec.from, spec.to, room, &spec.time_zone, spec.language);
        let mut taken = plot.left - 40.0;
        for tick in &ticks {
            taken = self.time_tick(plot, tick, taken)?;
        }
        let covered = scale::covered(spec.from, spec.to, &spec.time_zone, spec.language);
        let covered = self.canvas.fit(&covered, f64::from(spec.width) - 2.0 * PAD, self.small)?;
        let at = (plot.right, f64::from(spec.height) - PAD - 4.0);
        self.canvas.text(&covered, at, Align::Right, self.small)
    }

    /// Draws a tick and its label unless it would touch the one before; returns where its label ends.
    fn time_tick(&mut self, plot: &Plot, tick: &TimeTick, taken: f64) -> Result<f64, ChartError> {
        let spec = self.spec;
        let part = tick.at.since(spec.from) as f64 / spec.to.since(spec.from) as f64;
        let x = plot.left + part * plot.width();
        let color = if tick.strong { self.theme.axis } else { self.theme.grid };
        self.canvas.line(&[(x, plot.top), (x, plot.bottom + 4.0)], color, 1.0)?;
        let look = Type { bold: tick.strong, ..self.small };
        let half = self.canvas.width(&tick.label, look)? / 2.0;
        let middle = x.clamp(half + 2.0, (f64::from(spec.width) - half - 2.0).max(half + 2.0));
        if middle - half < taken + 6.0 {
            return Ok(taken);
        }
        self.canvas.text(&tick.label, (middle, plot.bottom + 13.0), Align::Center, look)?;
        Ok(middle + half)
    }

    fn gaps(&mut self, plot: &Plot, series: &Series) -> Result<(), ChartError> {
        for (from, to) in &series.gaps {
            let (from, to) = (plot.left + from, plot.left + to);
            self.canvas.fill((from, plot.top), (to, plot.bottom), self.theme.gap)?;
        }
        Ok(())
    }

    fn bands(&mut self, plot: &Plot, axis: &ValueAxis, series: &Series) -> Result<(), ChartError> {
        let spot = |x: f64, value: f64| (plot.left + x, plot.y(axis, value));
        for band in &series.bands {
            let upper = band.iter().map(|(x, _, high)| spot(*x, *high));
            let lower = band.iter().rev().map(|(x, low, _)| spot(*x, *low));
            let corners: Vec<_> = upper.chain(lower).collect();
            match corners.as_slice() {
                [upper, lower] => self.canvas.line(&[*upper, *lower], self.theme.band, 3.0)?,
                corners => self.canvas.area(corners, self.theme.band)?,
            }
        }
        Ok(())
    }

    /// Says in wide gaps that they are gaps, at a height where no limit line passes.
    fn gap_words(&mut self, plot: &Plot, axis: &ValueAxis, series: &Series) -> Result<(), ChartError> {
        let words = texts::messages(self.spec.language).text("chart_no_data");
        let middle = plot.top / 2.0 + plot.bottom / 2.0;
        let lines: Vec<f64> = finite(&self.spec.limits).map(|limit| plot.y(axis, limit.value)).collect();
        let free = |y: &f64| lines.iter().all(|line| 11.0 < (line - y).abs());
        let steps = [0.0, 20.0, -20.0, 40.0, -40.0, 60.0, -60.0];
        let y = steps.into_iter().map(|step| middle + step).find(free).unwrap_or(middle);
        for (from, to) in series.gaps.iter().filter(|(from, to)| GAP_WORDS <= to - from) {
            let at = (plot.left + (from + to) / 2.0, y);
            self.canvas.text(words, at, Align::Center, self.small)?;
        }
        Ok(())
    }

    fn series(&mut self, plot: &Plot, axis: &ValueAxis, series: &Series) -> Result<(), ChartError> {
        let place = |spot: &series::Spot| (plot.left + spot.0, plot.y(axis, spot.1));
        for line in &series.lines {
            let spots: Vec<_> = line.iter().map(place).collect();
            match spots.as_slice() {
                [] => {}
                [alone] => self.canvas.dot(*alone, 2.25, self.theme.line)?,
                spots => self.canvas.line(spots, self.theme.line, 1.75)?,
            }
        }
        for spot in &series.partial {
            self.ring(place(spot), self.theme.line)?;
        }
        for spot in &series.failed {
            self.cross(place(spot), self.theme.failed)?;
        }
        for spot in &series.suspect {
            self.ring(place(spot), self.theme.suspect)?;
        }
        Ok(())
    }

    fn ring(&mut self, at: (f64, f64), color: RGBColor) -> Result<(), ChartError> {
        self.canvas.dot(at, 3.5, color)?;
        self.canvas.dot(at, 2.0, self.theme.ground)
    }

    fn cross(&mut self, (x, y): (f64, f64), color: RGBColor) -> Result<(), ChartError> {
        const ARM: f64 = 3.0;
        self.canvas.line(&[(x - ARM, y - ARM), (x + ARM, y + ARM)], color, 1.5)?;
        self.canvas.line(&[(x - ARM, y + ARM), (x + ARM, y - ARM)], color, 1.5)
    }

    fn limit_lines(&mut self, plot: &Plot, axis: &ValueAxis) -> Result<(), ChartError> {
        for limit in finite(&self.spec.limits).filter(|limit| axis.min <= limit.value && limit.value <= axis.max) {
            self.canvas.dashes(plot.y(axis, limit.value), (plot.left, plot.right), self.theme.level(limit.level))?;
        }
        Ok(())
    }

    /// Labels stand on or under their line, where they touch neither the data nor each other if there is such a place.
    fn limit_labels(&mut self, plot: &Plot, axis: &ValueAxis, series: &Series) -> Result<(), ChartError> {
        let place = |spot: &series::Spot| (plot.left + spot.0, plot.y(axis, spot.1));
        let lines = series.lines.iter().map(|line| line.iter().map(place).collect::<Vec<_>>());
        let marks = series.suspect.iter().chain(&series.failed).map(place);
        let data: Vec<(f64, f64)> = lines.flat_map(|line| along(&line)).chain(marks).collect();
        let mut limits: Vec<LimitLine> = finite(&self.spec.limits).copied().collect();
        limits.sort_by(|a, b| a.value.total_cmp(&b.value).then(a.level.cmp(&b.level)));
        limits.dedup();
        let mut placed: Vec<LabelBox> = Vec::new();
        for limit in limits {
            let look = Type { em: 11.0, bold: true, color: self.theme.level(limit.level) };
            let word = texts::messages(self.spec.language).text(say::level_key(Some(limit.level)));
            let value = format::shortest(limit.value, self.spec.language);
            let parts = (self.canvas.width(word, look)?, self.canvas.width(&value, look)?);
            let way = f64::from(i8::from(axis.max < limit.value) - i8::from(limit.value < axis.min));
            let width = parts.0 + SIGN + parts.1 + if way == 0.0 { 0.0 } else { 12.0 };
            let candidates = label_places(plot, plot.y(axis, limit.value), way, width);
            let clashes = |area: &&LabelBox| {
                let data = data.iter().filter(|spot| area.holds(**spot)).count();
                data + 1000 * placed.iter().filter(|other| area.touches(other)).count()
            };
            let Some(area) = candidates.iter().min_by_key(clashes).copied() else { continue };
            // Interrupts lines of other limits that pass here.
            let half = LabelBox::HALF;
            self.canvas.fill((area.left, area.y - half), (area.right, area.y + half), self.theme.ground)?;
            // Both grow away from the sign when the viewer's font is wider.
            self.canvas.text(&value, (area.right - parts.1, area.y), Align::Left, look)?;
            self.sign((area.right - parts.1 - SIGN / 2.0, area.y), limit.side, look.color)?;
            self.canvas.text(word, (area.right - parts.1 - SIGN, area.y), Align::Right, look)?;
            self.arrow((area.left + 4.0, area.y), way, look.color)?;
            placed.push(area);
        }
        Ok(())
    }

    /// `≤` where low values are bad, `≥` where high ones are, drawn: the font of pictures has neither.
    fn sign(&mut self, (x, y): (f64, f64), side: Side, color: RGBColor) -> Result<(), ChartError> {
        let tip = match side {
            Side::Low => x - 3.0,
            Side::High => x + 3.0,
        };
        let open = 2.0 * x - tip;
        self.canvas.line(&[(open, y - 5.0), (tip, y - 2.25), (open, y + 0.5)], color, 1.25)?;
        self.canvas.line(&[(x - 3.0, y + 3.0), (x + 3.0, y + 3.0)], color, 1.25)
    }

    /// Points to a limit that is off the axis: 1 above, -1 below, 0 for none.
    fn arrow(&mut self, (x, y): (f64, f64), way: f64, color: RGBColor) -> Result<(), ChartError> {
        if way == 0.0 {
            return Ok(());
        }
        let (tip, end) = (y - 4.0 * way, y + 4.0 * way);
        self.canvas.line(&[(x, end), (x, tip)], color, 1.5)?;
        let barb = y - 1.0 * way;
        self.canvas.line(&[(x - 3.0, barb), (x, tip), (x + 3.0, barb)], color, 1.5)
    }
}

fn finite(limits: &[LimitLine]) -> impl Iterator<Item = &LimitLine> {
    limits.iter().filter(|limit| limit.value.abs() <= scale::FAR)
}

/// Spots along a line, close enough together that no label fits between two.
fn along(line: &[(f64, f64)]) -> Vec<(f64, f64)> {
    const STEP: f64 = 5.0;
    let mut spots = line.to_vec();
    for pair in line.windows(2) {
        let [(ax, ay), (bx, by)] = [pair[0], pair[1]];
        let parts = ((bx - ax).abs().max((by - ay).abs()) / STEP).floor();
        let part = |index: u32| f64::from(index) / (parts + 1.0);
        spots.extend((1..=parts as u32).map(part).map(|part| (ax + (bx - ax) * part, ay + (by - ay) * part)));
    }
    spots
}

/// Where a label is or might be.
#[derive(Debug, Clone, Copy)]
struct LabelBox {
    left: f64,
    right: f64,
    y: f64,
}

impl LabelBox {
    const HALF: f64 = 7.0;

    fn holds(&self, (x, y): (f64, f64)) -> bool {
        self.left - 3.0 <= x && x <= self.right + 3.0 && (y - self.y).abs() <= Self::HALF + 1.0
    }

    fn touches(&self, other: &Self) -> bool {
        self.left < other.right + 6.0 && other.left < self.right + 6.0 && (other.y - self.y).abs() < 2.0 * Self::HALF
    }
}

/// Places for a label, best first: above the line before below it, from right to left.
fn label_places(plot: &Plot, line: f64, way: f64, width: f64) -> Vec<LabelBox> {
    const STEPS: usize = 12;
    let heights = match way {
        0.0 => [line - LabelBox::HALF - 1.0, line + LabelBox::HALF + 1.0],
        1.0 => [plot.top + LabelBox::HALF + 1.0; 2],
        _ => [plot.bottom - LabelBox::HALF - 2.0; 2],
    };
    let inside = |y: &f64| plot.top <= y - LabelBox::HALF && y + LabelBox::HALF <= plot.bottom;
    let room = (plot.width() - width - 8.0).max(0.0);
    let heights = heights.into_iter().filter(inside);
    let places = heights.flat_map(|y| (0..=STEPS).map(move |step| (y, room * step as f64 / STEPS as f64)));
    places
        .map(|(y, back)| LabelBox { left: plot.right - 4.0 - back - width, right: plot.right - 4.0 - back, y })
        .collect()
}
