//! What a chart shows, in a sentence for those who do not see it.

use super::{ChartSpec, Point};
use bakau_text::format;

use crate::texts;

/// `Antara 1,20 dan 5,61 mg/L; terakhir 4,10 mg/L pada 10 Mar 2026 16.00 WIB.`
pub(super) fn sentence(spec: &ChartSpec) -> String {
    let words = texts::messages(spec.language);
    let inside = |point: &&Point| spec.from <= point.at && point.at <= spec.to && point.flag.is_usable();
    let known = spec.points.iter().filter(inside).filter_map(|point| Some((point.at, point.value?)));
    let known: Vec<_> = known.filter(|(_, value)| value.is_finite()).collect();
    let Some((at, last)) = known.last() else { return words.text("chart_no_data").to_owned() };
    let lows = spec.spreads.iter().map(|spread| spread.low).chain(known.iter().map(|(_, value)| *value));
    let highs = spec.spreads.iter().map(|spread| spread.high).chain(known.iter().map(|(_, value)| *value));
    let (low, high) = (lows.fold(f64::INFINITY, f64::min), highs.fold(f64::NEG_INFINITY, f64::max));
    let number = |value: f64| format::number(value, spec.decimals, spec.language);
    let values = [
        ("low", number(low)),
        ("high", number(high)),
        ("last", number(*last)),
        ("unit", spec.unit.symbol().to_owned()),
        ("time", format::short_time(*at, &spec.time_zone, spec.language)),
    ];
    words.fill("chart_says", &values.each_ref().map(|(name, value)| (*name, value.as_str())))
}
