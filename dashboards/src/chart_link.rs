//! Where the pages find charts, and the values of a chart.

use bakau_model::{DatastreamName, Language, UtcMillis};

use crate::view::Window;

/// Pictures a chart goes through while its window passes; about one per pixel.
const STEPS: i64 = 720;

/// Where the pages find charts:
/// `/charts/{station}/{parameter}[@qualifier].svg|png?range=&lang=&width=&height=[&theme=dark]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChartLink<'a> {
    /// The datastream.
    pub(crate) datastream: &'a DatastreamName,
    /// Time covered up to `ending`.
    pub(crate) window: Window,
    /// Where the time covered ends.
    pub(crate) ending: UtcMillis,
    /// Time covered instead, where given.
    pub(crate) between: Option<(UtcMillis, UtcMillis)>,
    /// Language of words and numbers.
    pub(crate) language: Language,
}

impl ChartLink<'_> {
    /// Path and query of the chart as `svg` or `png`, in pixels.
    pub(crate) fn url(&self, format: &str, width: u32, height: u32, dark: bool) -> String {
        let Self { datastream, window, ending, between, language } = self;
        let theme = if dark { "&theme=dark" } else { "" };
        let time =
            between.map_or_else(|| format!("range={}", window.key()), |(from, to)| format!("from={from}&to={to}"));
        // Another address for every picture that is another: a page that has the old one asks for it.
        let time = format!("{time}&at={}", ending.get());
        let lang = language.tag();
        format!("/charts/{datastream}.{format}?{time}&lang={lang}&width={width}&height={height}{theme}")
    }

    /// When a chart that is drawn now has moved on by about a pixel.
    pub(crate) fn ending(now: UtcMillis, window: Window) -> UtcMillis {
        let step = window.millis() / STEPS;
        UtcMillis::new((now.get().div_euclid(step) + 1) * step)
    }

    /// From when to when the values of [`ChartLink::data`] are.
    pub(crate) fn file_span(&self) -> (UtcMillis, UtcMillis) {
        (self.ending.saturating_add(-self.window.millis()), self.ending)
    }

    /// Path and query of the values as `csv` or `json`: means where the chart shows means.
    pub(crate) fn data(&self, format: &str) -> String {
        let (from, to) = self.file_span();
        let (path, step) = match self.window {
            Window::Day | Window::Week => ("observations", ""),
            Window::Month => ("aggregates", "&step=1h"),
            Window::Year => ("aggregates", "&step=1d"),
        };
        format!("/api/v1/{path}?datastream={}&from={from}&to={to}{step}&format={format}", self.datastream)
    }
}
