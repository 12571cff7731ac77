//! Charts of one datastream over time, as SVG or PNG.

use bakau_model::{Flag, Language, Level, Unit, UtcMillis};
use jiff::tz::TimeZone;
use plotters::prelude::SVGBackend;

use canvas::Canvas;
use raster::Raster;

mod canvas;
mod draw;
mod encode;
mod raster;
mod scale;
mod series;
mod tell;
mod theme;

/// An SVG is drawn this much larger and shown smaller, since plotters counts whole pixels.
const SVG_FINE: u32 = 4;

/// Least width in pixels at which axis labels still fit.
pub const MIN_WIDTH: u32 = 240;
/// Least height in pixels at which title, one line of the plot and the time axis still fit.
pub const MIN_HEIGHT: u32 = 140;
/// Greatest width and height in pixels; bounds the memory of one drawing to 80 MB.
pub const MAX_SIDE: u32 = 2000;
/// Most points one drawing takes; 30 days at one a second are downsampled by the caller.
pub(crate) const MAX_POINTS: usize = 1_000_000;

/// The value at which a level is raised.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct LimitLine {
    /// The level.
    pub level: Level,
    /// Raise value, in the chart's unit.
    pub value: f64,
    /// On which side of it the level is raised.
    pub side: Side,
}

/// The side of a limit that is bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// At the limit or below.
    Low,
    /// At the limit or above.
    High,
}

/// One observation.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Point {
    /// When the environment had the value.
    pub at: UtcMillis,
    /// The value; `None` where the device reported that it has none.
    pub value: Option<f64>,
    /// Quality of the value.
    pub flag: Flag,
}

/// Least and greatest value of a stretch of time, of which a [`Point`] at the same instant says the mean.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// Middle of the stretch.
    pub at: UtcMillis,
    /// Least value.
    pub low: f64,
    /// Greatest value.
    pub high: f64,
}

/// Everything a chart shows.
#[derive(Debug, Clone)]
pub struct ChartSpec {
    /// First line: station and parameter.
    pub title: String,
    /// Second line; empty for none.
    pub subtitle: String,
    /// Unit of the values.
    pub unit: Unit,
    /// Start of the time axis.
    pub from: UtcMillis,
    /// End of the time axis.
    pub to: UtcMillis,
    /// Zone whose civil time is on the time axis.
    pub time_zone: TimeZone,
    /// Language of words and numbers.
    pub language: Language,
    /// Width in pixels, [`MIN_WIDTH`] to [`MAX_SIDE`].
    pub width: u32,
    /// Height in pixels, [`MIN_HEIGHT`] to [`MAX_SIDE`].
    pub height: u32,
    /// Most decimal places on the value axis.
    pub decimals: u8,
    /// Expected milliseconds between points; a hole longer than 2.5 of them is a gap.
    pub interval_ms: i64,
    /// Limits to draw.
    pub limits: Vec<LimitLine>,
    /// Observations in order of time; those outside the axis are not drawn.
    pub points: Vec<Point>,
    /// Where `points` are means: what they are means of, in order of time. Drawn as a band behind the line.
    pub spreads: Vec<Spread>,
    /// Instants of those `points` that stand for a part of their stretch of time only, such as an hour that is not over.
    /// Drawn as rings.
    pub partial: Vec<UtcMillis>,
    /// Light lines on dark ground.
    pub dark: bool,
}

/// A chart that cannot be drawn.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ChartError {
    /// Width or height out of bounds.
    #[error(
        "a chart is {MIN_WIDTH} to {MAX_SIDE} pixels wide and {MIN_HEIGHT} to {MAX_SIDE} high, not {width} x {height}"
    )]
    Size {
        /// Width asked for.
        width: u32,
        /// Height asked for.
        height: u32,
    },
    /// The time axis has no length.
    #[error("a chart's time axis must end after it starts")]
    EmptyTime,
    /// Too many points.
    #[error("a chart takes at most {MAX_POINTS} points, not {0}: ask for a shorter time")]
    TooManyPoints(usize),
    /// The drawing library or the encoder failed.
    #[error("the chart could not be drawn: {0}")]
    Drawing(String),
}

/// Draws an SVG document.
///
/// ```
/// use bakau_dashboards::chart::{self, ChartSpec, Point};
/// use bakau_model::{Flag, Language, MINUTE_MS, Unit, UtcMillis};
/// use jiff::tz::TimeZone;
///
/// let from = UtcMillis::parse("2026-03-10T00:00:00Z")?;
/// let at = |minutes: i64| from.saturating_add(minutes * MINUTE_MS);
/// let point = |minutes: i64| Point { at: at(minutes), value: Some(5.0 + minutes as f64 / 60.0), flag: Flag::Good };
/// let spec = ChartSpec {
///     title: "Oksigen terlarut · BeeJay Bakau 01".to_owned(),
///     subtitle: String::new(),
///     unit: Unit::new("mg/L"),
///     from,
///     to: at(60),
///     time_zone: TimeZone::get("Asia/Jakarta")?,
///     language: Language::Id,
///     width: 640,
///     height: 320,
///     decimals: 2,
///     interval_ms: 10 * MINUTE_MS,
///     limits: Vec::new(),
///     points: (0..6).map(|n| point(10 * n)).collect(),
///     spreads: Vec::new(),
///     partial: Vec::new(),
///     dark: false,
/// };
/// assert!(chart::svg(&spec)?.starts_with("<svg "));
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
///
/// # Errors
/// When the size is out of bounds, the time axis has no length or there are too many points.
pub fn svg(spec: &ChartSpec) -> Result<String, ChartError> {
    spec.check()?;
    let mut document = String::with_capacity(32 * 1024);
    let size = (spec.width * SVG_FINE, spec.height * SVG_FINE);
    drop(draw::draw(spec, Canvas::svg(SVGBackend::with_string(&mut document, size), SVG_FINE)?)?);
    let body = document.split_once('>').map_or("", |(_, body)| body);
    let (width, height) = (spec.width, spec.height);
    let title = format!("{} {}", spec.title, spec.subtitle);
    Ok(format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width}\" height=\"{height}\" viewBox=\"0 0 {} {}\" \
         role=\"img\" lang=\"{}\" stroke-linejoin=\"round\" stroke-linecap=\"round\">\n<title>{}</title><desc>{}</desc>{body}",
        size.0,
        size.1,
        spec.language.tag(),
        escape(title.trim()),
        escape(&tell::sentence(spec)),
    ))
}

/// Draws a PNG file.
///
/// # Errors
/// When the size is out of bounds, the time axis has no length or there are too many points.
pub fn png(spec: &ChartSpec) -> Result<Vec<u8>, ChartError> {
    spec.check()?;
    let canvas = Canvas::bitmap(Raster::new(spec.width, spec.height), raster::FINE)?;
    let raster = draw::draw(spec, canvas)?;
    encode::png(&raster.into_pixels(), spec.width, spec.height)
}

impl ChartSpec {
    fn check(&self) -> Result<(), ChartError> {
        let (width, height) = (self.width, self.height);
        if !(MIN_WIDTH..=MAX_SIDE).contains(&width) || !(MIN_HEIGHT..=MAX_SIDE).contains(&height) {
            return Err(ChartError::Size { width, height });
        }
        if self.to <= self.from {
            return Err(ChartError::EmptyTime);
        }
        let points = self.points.len().max(self.spreads.len());
        if MAX_POINTS < points {
            return Err(ChartError::TooManyPoints(points));
        }
        Ok(())
    }
}

/// Without what XML cannot say.
fn escape(text: &str) -> String {
    bakau_text::escape(&text.chars().filter(|letter| !letter.is_control()).collect::<String>())
}
