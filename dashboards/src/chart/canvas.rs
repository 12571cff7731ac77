//! Drawing in fractions of a pixel on backends that count whole ones: everything is drawn `fine` times larger.

use std::sync::LazyLock;

use plotters::style::{
    Color, FontDesc, FontFamily, FontStyle, RGBColor, ShapeStyle, TextStyle, register_font,
    text_anchor::{HPos, Pos, VPos},
};
use plotters_backend::{BackendCoord, DrawingBackend, DrawingErrorKind};

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
        let stroke_width = (width * self.fine).round().max(1.0) as u32;
        let style = ShapeStyle { color: color.into(), filled: false, stroke_width };
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
        self.backend.draw_rect(from, to, &color, true).map_err(failed)
    }

    /// A filled shape with these corners.
    pub(super) fn area(&mut self, corners: &[(f64, f64)], color: RGBColor) -> Result<(), ChartError> {
        let corners: Vec<_> = corners.iter().map(|spot| self.spot(*spot)).collect();
        self.backend.fill_polygon(corners, &color).map_err(failed)
    }

    pub(super) fn dot(&mut self, at: (f64, f64), radius: f64, color: RGBColor) -> Result<(), ChartError> {
        let radius = (radius * self.fine).round().max(1.0) as u32;
        let at = self.spot(at);
        self.backend.draw_circle(at, radius, &color, true).map_err(failed)
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

    /// The backend with everything drawn.
    pub(super) fn finish(mut self) -> Result<B, ChartError> {
        self.backend.present().map_err(failed)?;
        Ok(self.backend)
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
        style.color = look.color.to_backend_color();
        style.pos(Pos::new(horizontal, VPos::Center))
    }
}

const fn font_style(bold: bool) -> FontStyle {
    if bold { FontStyle::Bold } else { FontStyle::Normal }
}

#[expect(clippy::needless_pass_by_value, reason = "the shape of map_err")]
fn failed<E: std::error::Error + Send + Sync>(error: DrawingErrorKind<E>) -> ChartError {
    ChartError::Drawing(error.to_string())
}
