//! Where the pages find charts, and the values of a chart.

use std::borrow::Borrow;

use bakau_model::{DatastreamName, Language, UtcMillis};

use crate::view::Window;

/// Where the pages find charts:
/// `/charts/{station}/{parameter}[@qualifier].svg|png?range=&lang=&width=&height=[&theme=dark]`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ChartLink<'a> {
    /// The datastream.
    pub(crate) datastream: &'a DatastreamName,
    /// Time covered, ending now.
    pub(crate) window: Window,
    /// Time covered instead, where given.
    pub(crate) between: Option<(UtcMillis, UtcMillis)>,
    /// Language of words and numbers.
    pub(crate) language: Language,
}

impl ChartLink<'_> {
    /// Path and query of the chart as `svg` or `png`, in pixels.
    pub(crate) fn url(&self, format: &str, width: u32, height: u32, dark: bool) -> String {
        let Self { datastream, window, between, language } = self;
        let theme = if dark { "&theme=dark" } else { "" };
        let time =
            between.map_or_else(|| format!("range={}", window.key()), |(from, to)| format!("from={from}&to={to}"));
        let lang = language.tag();
        format!("/charts/{datastream}.{format}?{time}&lang={lang}&width={width}&height={height}{theme}")
    }

    /// Path and query of the values as `csv` or `json`, ending at that moment: means where the chart shows means.
    pub(crate) fn data(&self, now: impl Borrow<UtcMillis>, format: &str) -> String {
        let now = now.borrow();
        let from = now.saturating_add(-self.window.millis());
        let (path, step) = match self.window {
            Window::Day | Window::Week => ("observations", ""),
            Window::Month => ("aggregates", "&step=1h"),
            Window::Year => ("aggregates", "&step=1d"),
        };
        format!("/api/v1/{path}?datastream={}&from={from}&to={now}{step}&format={format}", self.datastream)
    }
}
