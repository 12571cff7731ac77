//! Colours of charts, light and dark; each text colour has a contrast of at least 4.5 to its ground.

use bakau_model::Level;
use plotters::style::RGBColor;

/// The colours of one chart.
#[derive(Debug, Clone, Copy)]
pub(super) struct Theme {
    pub(super) ground: RGBColor,
    pub(super) text: RGBColor,
    pub(super) muted: RGBColor,
    pub(super) grid: RGBColor,
    pub(super) axis: RGBColor,
    pub(super) gap: RGBColor,
    pub(super) line: RGBColor,
    /// Between the least and the greatest value behind the line of means.
    pub(super) band: RGBColor,
    pub(super) suspect: RGBColor,
    pub(super) failed: RGBColor,
    waspada: RGBColor,
    siaga: RGBColor,
    awas: RGBColor,
}

const LIGHT: Theme = Theme {
    ground: RGBColor(255, 255, 255),
    text: RGBColor(20, 32, 31),
    muted: RGBColor(84, 102, 99),
    grid: RGBColor(231, 237, 235),
    axis: RGBColor(190, 203, 200),
    gap: RGBColor(240, 243, 242),
    line: RGBColor(13, 110, 110),
    band: RGBColor(190, 222, 219),
    suspect: RGBColor(126, 34, 206),
    failed: RGBColor(92, 108, 105),
    waspada: RGBColor(138, 98, 0),
    siaga: RGBColor(194, 65, 12),
    awas: RGBColor(185, 28, 28),
};

const DARK: Theme = Theme {
    ground: RGBColor(21, 31, 30),
    text: RGBColor(230, 238, 236),
    muted: RGBColor(157, 177, 173),
    grid: RGBColor(38, 52, 50),
    axis: RGBColor(70, 90, 86),
    gap: RGBColor(31, 43, 41),
    line: RGBColor(94, 208, 196),
    band: RGBColor(38, 82, 78),
    suspect: RGBColor(216, 160, 255),
    failed: RGBColor(148, 166, 162),
    waspada: RGBColor(250, 204, 21),
    siaga: RGBColor(251, 146, 60),
    awas: RGBColor(255, 125, 125),
};

impl Theme {
    pub(super) const fn of(dark: bool) -> Self {
        if dark { DARK } else { LIGHT }
    }

    pub(super) const fn level(&self, level: Level) -> RGBColor {
        match level {
            Level::Normal => self.muted,
            Level::Waspada => self.waspada,
            Level::Siaga => self.siaga,
            Level::Awas => self.awas,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn luminance(RGBColor(r, g, b): RGBColor) -> f64 {
        let channel = |value: u8| {
            let value = f64::from(value) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b)
    }

    #[test]
    fn every_text_colour_is_readable_on_its_ground() {
        for theme in [LIGHT, DARK] {
            let texts = [theme.text, theme.muted, theme.waspada, theme.siaga, theme.awas, theme.suspect, theme.failed];
            for (text, ground) in texts.into_iter().flat_map(|text| [(text, theme.ground), (text, theme.gap)]) {
                let (a, b) = (luminance(text), luminance(ground));
                let contrast = (a.max(b) + 0.05) / (a.min(b) + 0.05);
                assert!(4.5 <= contrast, "{text:?} on {ground:?}: {contrast:.2}");
            }
        }
    }
}
