//! Checks of rules.

use bakau_model::{DAY_S, Level, PerLevel};

use super::{Values, within};
use crate::{
    catalogue::fields::Fields,
    snapshot::{Band, Direction, Threshold},
};

/// Longest time without data that a rule may wait for: a month.
const MAX_AFTER_S: u32 = 31 * DAY_S;

/// Checks the levels of a threshold rule; bands that could not be read are left out.
pub(crate) fn bands(fields: &mut Fields<'_, '_>, direction: Option<Direction>, bands: &PerLevel<Band>) {
    at_least_one_level(fields);
    let sides: &[Side] = match direction {
        None => &[],
        Some(Direction::Above) => &[Side::High],
        Some(Direction::Below) => &[Side::Low],
        Some(Direction::Outside) => &[Side::Low, Side::High],
    };
    for side in sides {
        let thresholds = bands.iter().filter_map(|(level, band)| Some((level, side.of(*band)?)));
        levels(fields, *side, thresholds);
    }
    for (level, band) in bands.iter() {
        if let Band { low: Some(low), high: Some(high) } = band
            && high.clear <= low.clear
        {
            let values: Values<'_, 3> = [("level", &level), ("low", &low.clear), ("high", &high.clear)];
            fields.error_at(level.key(), "band_empty", &values);
        }
    }
}

fn levels(fields: &mut Fields<'_, '_>, side: Side, thresholds: impl Iterator<Item = (Level, Threshold)>) {
    let mut calmer: Option<(Level, Threshold)> = None;
    for (level, threshold) in thresholds {
        if !threshold.raise.is_finite() || !threshold.clear.is_finite() {
            fields.error_at(level.key(), "not_finite", &[("key", &level.key())]);
            continue;
        }
        if side.is_worse(threshold.clear, threshold.raise) {
            let values: Values<'_, 3> = [("level", &level), ("raise", &threshold.raise), ("clear", &threshold.clear)];
            fields.error_at(level.key(), side.clear_key(), &values);
        }
        let unordered = |(_, before): &(Level, Threshold)| !side.is_worse(threshold.raise, before.raise);
        if let Some((calm, before)) = calmer.filter(unordered) {
            let values: Values<'_, 4> =
                [("level", &level), ("raise", &threshold.raise), ("calm", &calm), ("before", &before.raise)];
            fields.error_at(level.key(), side.order_key(), &values);
        }
        calmer = Some((level, threshold));
    }
}

/// Checks the levels of a rule about time without anything.
pub(crate) fn after(fields: &mut Fields<'_, '_>, after: &PerLevel<u32>) {
    at_least_one_level(fields);
    let mut calmer: Option<(Level, u32)> = None;
    for (level, &after_s) in after.iter() {
        within(fields, level.key(), Some(f64::from(after_s)), 1.0, f64::from(MAX_AFTER_S));
        if let Some((calm, before)) = calmer.filter(|(_, before)| after_s <= *before) {
            let values: Values<'_, 4> = [("level", &level), ("after", &after_s), ("calm", &calm), ("before", &before)];
            fields.error_at(level.key(), "order_after", &values);
        }
        calmer = Some((level, after_s));
    }
}

fn at_least_one_level(fields: &mut Fields<'_, '_>) {
    if !Level::RAISED.into_iter().any(|level| fields.is_written(level.key())) {
        fields.error_at("", "rule_without_level", &[]);
    }
}

/// Reports keys that another kind of rule has.
pub(crate) fn foreign_keys(fields: &mut Fields<'_, '_>, condition: &str, foreign: &[&'static str]) {
    for key in foreign.iter().filter(|key| fields.is_written(key)).copied().collect::<Vec<_>>() {
        fields.error_at(key, "rule_key", &[("key", &key), ("condition", &condition)]);
    }
}

/// One end of a band.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Side {
    Low,
    High,
}

impl Side {
    const fn of(self, band: Band) -> Option<Threshold> {
        match self {
            Self::Low => band.low,
            Self::High => band.high,
        }
    }

    const fn is_worse(self, value: f64, than: f64) -> bool {
        match self {
            Self::Low => value < than,
            Self::High => than < value,
        }
    }

    const fn clear_key(self) -> &'static str {
        match self {
            Self::Low => "clear_below",
            Self::High => "clear_above",
        }
    }

    const fn order_key(self) -> &'static str {
        match self {
            Self::Low => "order_below",
            Self::High => "order_above",
        }
    }
}
