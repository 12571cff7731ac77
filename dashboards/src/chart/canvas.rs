//! Drawing in fractions of a pixel on backends that count whole ones: everything is drawn `fine` times larger.

use std::sync::LazyLock;

use plotters::style::{
    FontDesc, FontFamily, FontStyle, RGBColor, TextStyle, register_font,
    text_anchor::{HPos, Pos, VPos},
};
use plotters_backend::{BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind};

use super::ChartError;

/// The family every text is drawn in; in an SVG it means the viewer's own sans-serif.
const FAMILY: &str = "sans-serif";
/// Plotters takes the line height as size; the em of the bundled font is this much smaller.
const LINE_HEIGHT: f64 = 1.362;
/// Viewers of an SVG may have a wider font than the bundled one.
const FONT_SLACK: f64 = 1.06;

static FONTS: LazyLock<bool> = LazyLock::new(|| {
    let regular = include_bytes!("../../assets/NotoSans-Regular.subset.ttf");
    let bold = include_bytes!("../../assets/NotoSans-Bold.subset.ttf");
    register_font(FAMILY, FontStyle::Normal, regular).is_ok() && register_font(FAMILY, FontStyle::Bold, bold).is_ok()
});

/// How a text stands at its position.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Align {
    Left,
    Center,
    Right,
}

/// Size and look of a text.
#[derive(Debug, Clone, Copy)]
pub(super) struct Type {
    /// Em in pixels.
    pub(super) em: f64,
    pub(super) bold: bool,
    pub(super) color: RGBColor,
}

/// A drawing surface in fractional pixels.
pub(super) struct Canvas<B> {
    backend: B,
    fine: f64,
    /// Plotters' SVG writes `size / 1.24` as em, its bitmap draws with the line height.
    size_of_em: f64,
}

impl<B: DrawingBackend> Canvas<B> {
    pub(super) fn svg(backend: B, fine: u32) -> Result<Self, ChartError> {
        Self::new(backend, fine, 1.24)
    }

    pub(super) fn bitmap(backend: B, fine: u32) -> Result<Self, ChartError> {
        Self::new(backend, fine, LINE_HEIGHT)
    }

    fn new(backend: B, fine: u32, size_of_em: f64) -> Result<Self, ChartError> {
        if !*FONTS {
            return Err(ChartError::Drawing("the bundled font is unusable".to_owned()));
        }
        Ok(Self { backend, fine: f64::from(fine), size_of_em })
    }

    fn spot(&self, (x, y): (f64, f64)) -> BackendCoord {
        ((x * self.fine).round() as i32, (y * self.fine).round() as i32)
    }

    pub(super) fn line(&mut self, spots: &[(f64, f64)], color: RGBColor, width: f64) -> Result<(), ChartError> {
        let spots: Vec<_> = spots.iter().map(|spot| self.spot(*spot)).collect();
        let style = Stroke { color: opaque(color), width: (width * self.fine).round().max(1.0) as u32 };
        self.backend.draw_path(spots, &style).map_err(failed)
    }

    pub(super) fn dashes(&mut self, y: f64, (from, to): (f64, f64), color: RGBColor) -> Result<(), ChartError> {
        const DASH: f64 = 6.0;
        const SPACE: f64 = 4.0;
        let mut x = from;
        while x < to {
            self.line(&[(x, y), ((x + DASH).min(to), y)], color, 1.25)?;
            x += DASH + SPACE;
        }
        Ok(())
    }

    pub(super) fn fill(&mut self, from: (f64, f64), to: (f64, f64), color: RGBColor) -> Result<(), ChartError> {
        let (from, to) = (self.spot(from), self.spot(to));
        self.backend.draw_rect(from, to, &opaque(color), true).map_err(failed)
    }

    /// A filled shape with these corners.
    pub(super) fn area(&mut self, corners: &[(f64, f64)], color: RGBColor) -> Result<(), ChartError> {
        let corners: Vec<_> = corners.iter().map(|spot| self.spot(*spot)).collect();
        self.backend.fill_polygon(corners, &opaque(color)).map_err(failed)
    }

    pub(super) fn dot(&mut self, at: (f64, f64), radius: f64, color: RGBColor) -> Result<(), ChartError> {
        let radius = (radius * self.fine).round().max(1.0) as u32;
        let at = self.spot(at);
        self.backend.draw_circle(at, radius, &opaque(color), true).map_err(failed)
    }

    pub(super) fn text(&mut self, text: &str, at: (f64, f64), align: Align, look: Type) -> Result<(), ChartError> {
        // The bundled font has no minus sign; the en dash looks the same.
        let text = text.replace('−', "–");
        let style = self.style(look, align);
        let at = self.spot(at);
        self.backend.draw_text(&text, &style, at).map_err(failed)
    }

    /// Width of a text in pixels.
    pub(super) fn width(&self, text: &str, look: Type) -> Result<f64, ChartError> {
        let text = text.replace('−', "–");
        let size = look.em * LINE_HEIGHT * self.fine;
        let font = FontDesc::new(FontFamily::SansSerif, size, font_style(look.bold));
        let measured = font.box_size(&text).map_err(|error| ChartError::Drawing(error.to_string()))?;
        Ok(f64::from(measured.0) / self.fine * FONT_SLACK)
    }

    /// The text, shortened with an ellipsis until it is at most `room` pixels wide.
    pub(super) fn fit(&self, text: &str, room: f64, look: Type) -> Result<String, ChartError> {
        // Nothing longer fits on the widest chart; bounds the work on hostile names.
        let mut kept: String = text.chars().take(400).filter(|letter| !letter.is_control()).collect();
        let whole = kept.len() == text.len();
        if whole && self.width(&kept, look)? <= room {
            return Ok(kept);
        }
        while !kept.is_empty() && room < self.width(&format!("{kept}…"), look)? {
            kept.pop();
        }
        Ok(if kept.is_empty() { kept } else { format!("{}…", kept.trim_end()) })
    }

    pub(super) fn finish(mut self) -> Result<(), ChartError> {
        self.backend.present().map_err(failed)
    }

    fn style(&self, look: Type, align: Align) -> TextStyle<'static> {
        let horizontal = match align {
            Align::Left => HPos::Left,
            Align::Center => HPos::Center,
            Align::Right => HPos::Right,
        };
        let size = look.em * self.size_of_em * self.fine;
        let font = FontDesc::new(FontFamily::SansSerif, size, font_style(look.bold));
        let mut style = TextStyle::from(font);
        style.color = opaque(look.color);
        style.pos(Pos::new(horizontal, VPos::Center))
    }
}

const fn font_style(bold: bool) -> FontStyle {
    if bold { FontStyle::Bold } else { FontStyle::Normal }
}

fn opaque(RGBColor(r, g, b): RGBColor) -> BackendColor {
    BackendColor { alpha: 1.0, rgb: (r, g, b) }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn failed<E: std::error::Error + Send + Sync>(error: DrawingErrorKind<E>) -> ChartError {
    ChartError::Drawing(error.to_string())
}

#[derive(Clone, Copy)]
struct Stroke {
    color: BackendColor,
    width: u32,
}

impl BackendStyle for Stroke {
    fn color(&self) -> BackendColor {
        self.color
    }

    fn stroke_width(&self) -> u32 {
        self.width
    }
}

/// A backend whose lines have round ends and joints and smooth edges; plotters' own thick lines have neither.
pub(super) struct Smooth<B> {
    inner: B,
    size: (u32, u32),
    coverage: Vec<u8>,
}

impl<B: DrawingBackend> Smooth<B> {
    pub(super) fn new(inner: B) -> Self {
        let size = inner.get_size();
        Self { inner, size, coverage: vec![0; size.0 as usize * size.1 as usize] }
    }

    /// Marks how much of each pixel near a stretch of the line it covers, and widens `bounds` to what it touched.
    fn cover(&mut self, a: BackendCoord, b: BackendCoord, width: u32, bounds: &mut Bounds) {
        let reach = width as f32 / 2.0;
        let margin = (reach + 0.5).ceil() as i32;
        let clamp = |value: i32, end: u32| value.clamp(0, i32::try_from(end).unwrap_or(i32::MAX));
        let (left, right) = (clamp(a.0.min(b.0) - margin, self.size.0), clamp(a.0.max(b.0) + margin + 1, self.size.0));
        let (top, bottom) = (clamp(a.1.min(b.1) - margin, self.size.1), clamp(a.1.max(b.1) + margin + 1, self.size.1));
        let along = ((b.0 - a.0) as f32, (b.1 - a.1) as f32);
        let per_length = 1.0 / (along.0 * along.0 + along.1 * along.1).max(f32::MIN_POSITIVE);
        // Only the rim needs a root: most pixels are wholly inside or outside.
        let (inside, outside) = ((reach - 0.5).max(0.0).powi(2), (reach + 0.5).powi(2));
        for y in top..bottom {
            let row = y as usize * self.size.0 as usize;
            let dy = (y - a.1) as f32;
            for (x, covered) in (left..right).zip(&mut self.coverage[row + left as usize..row + right as usize]) {
                let dx = (x - a.0) as f32;
                let part = ((dx * along.0 + dy * along.1) * per_length).clamp(0.0, 1.0);
                let (away_x, away_y) = (dx - part * along.0, dy - part * along.1);
                let distance = away_x * away_x + away_y * away_y;
                if distance <= inside {
                    *covered = 255;
                } else if distance < outside {
                    *covered = (*covered).max(((reach + 0.5 - distance.sqrt()) * 255.0) as u8);
                }
            }
        }
        bounds.widen(left, top, right, bottom);
    }

    /// Paints what was covered and forgets it.
    fn paint(&mut self, bounds: Bounds, color: BackendColor) -> Result<(), DrawingErrorKind<B::ErrorType>> {
        for y in bounds.top..bounds.bottom {
            for x in bounds.left..bounds.right {
                let index = y as usize * self.size.0 as usize + x as usize;
                let covered = std::mem::take(&mut self.coverage[index]);
                if covered != 0 {
                    let alpha = color.alpha * f64::from(covered) / 255.0;
                    self.inner.draw_pixel((x, y), BackendColor { alpha, ..color })?;
                }
            }
        }
        Ok(())
    }
}

#[derive(Debug, Clone, Copy)]
struct Bounds {
    left: i32,
    top: i32,
    right: i32,
    bottom: i32,
}

impl Bounds {
    const NONE: Self = Self { left: i32::MAX, top: i32::MAX, right: 0, bottom: 0 };

    fn widen(&mut self, left: i32, top: i32, right: i32, bottom: i32) {
        self.left = self.left.min(left);
        self.top = self.top.min(top);
        self.right = self.right.max(right);
        self.bottom = self.bottom.max(bottom);
    }
}

impl<B: DrawingBackend> DrawingBackend for Smooth<B> {
    type ErrorType = B::ErrorType;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.inner.ensure_prepared()
    }

    fn present(&mut self) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.inner.present()
    }

    fn draw_pixel(&mut self, at: BackendCoord, color: BackendColor) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.inner.draw_pixel(at, color)
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(
        &mut self,
        path: I,
        style: &S,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        let mut bounds = Bounds::NONE;
        let mut last: Option<BackendCoord> = None;
        for spot in path {
            self.cover(last.unwrap_or(spot), spot, style.stroke_width(), &mut bounds);
            last = Some(spot);
        }
        self.paint(bounds, style.color())
    }

    fn draw_rect<S: BackendStyle>(
        &mut self,
        from: BackendCoord,
        to: BackendCoord,
        style: &S,
        fill: bool,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.inner.draw_rect(from, to, style, fill)
    }

    fn draw_circle<S: BackendStyle>(
        &mut self,
        center: BackendCoord,
        radius: u32,
        style: &S,
        _fill: bool,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        // A dot is a line without length.
        let mut bounds = Bounds::NONE;
        self.cover(center, center, radius * 2, &mut bounds);
        self.paint(bounds, style.color())
    }

    fn draw_text<S: BackendTextStyle>(
        &mut self,
        text: &str,
        style: &S,
        at: BackendCoord,
    ) -> Result<(), DrawingErrorKind<Self::ErrorType>> {
        self.inner.draw_text(text, style, at)
    }
}
