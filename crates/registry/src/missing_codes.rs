//! The built-in list of codes for "no value", as each unit would store them.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::LazyLock,
};

use bakau_model::{Conversion, MissingCode, MissingCodes, Unit};
use serde::Deserialize;

use crate::parameters;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    code: Vec<Codes>,
}

/// Codes of one source.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Codes {
    values: Vec<f64>,
    /// Only where the device sends one of these units.
    units: Option<Vec<Unit>>,
    /// Where the device sends one of these units, only outside the range.
    #[serde(default)]
    common_in: Vec<Unit>,
    #[cfg_attr(not(test), expect(dead_code, reason = "for those who read the file"))]
    source: String,
}

/// The codes as one unit stores them.
#[derive(Debug)]
struct InUnit {
    /// The unit itself, then those that have a conversion to it: bit by bit as in [`MissingCode::units`].
    from: Vec<Unit>,
    sorted: Vec<MissingCode>,
}

/// The codes that matter where devices send these units and values are stored in `stored`.
///
/// -9999 in cm is stored as -99.99 m. Outside a physical range a code counts in every unit that has a conversion, because
/// the mapping of a route may have changed since; within it only in the units that routes map to the datastream now.
/// Shares of gases have no conversion without a mapping, so their codes count only as they are.
pub(crate) fn missing_codes<'a>(stored: &Unit, sent: impl IntoIterator<Item = &'a Unit>) -> MissingCodes {
    static LISTS: LazyLock<BTreeMap<Unit, InUnit>> = LazyLock::new(load);
    let Some(list) = LISTS.get(stored) else { return MissingCodes::NONE };
    let bit = |unit: &Unit| list.from.iter().position(|from| from == unit).map_or(0, |place| 1 << place);
    MissingCodes::new(&list.sorted, sent.into_iter().map(bit).fold(1, |all, bit| all | bit))
}

#[expect(clippy::expect_used, reason = "compiled-in file, read by a test")]
fn load() -> BTreeMap<Unit, InUnit> {
    let file: File = toml::from_str(include_str!("../data/missing_codes.toml")).expect("built-in list of codes");
    let stored: BTreeSet<&Unit> = parameters().values().map(|info| &info.unit).collect();
    stored.into_iter().map(|unit| (unit.clone(), in_unit(&file, unit))).collect()
}

fn in_unit(file: &File, stored: &Unit) -> InUnit {
    let others = stored.convertible();
    let from: Vec<(Unit, Conversion)> = std::iter::once((stored.clone(), Conversion::NONE)).chain(others).collect();
    let mut codes: BTreeMap<u64, u32> = BTreeMap::new();
    for (place, (unit, conversion)) in from.iter().enumerate().take(32) {
        let sent = file.code.iter().filter(|codes| codes.units.as_ref().is_none_or(|units| units.contains(unit)));
        for row in sent {
            let bit = if row.common_in.contains(unit) { 0 } else { 1 << place };
            for value in &row.values {
                *codes.entry(conversion.apply(*value).to_bits()).or_default() |= bit;
            }
        }
    }
    let sorted = codes.into_iter().map(|(bits, units)| MissingCode { bits, units }).collect();
    InUnit { from: from.into_iter().map(|(unit, _)| unit).collect(), sorted }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn codes(stored: &str, sent: &[&str]) -> MissingCodes {
        let sent: Vec<Unit> = sent.iter().map(|unit| Unit::new(unit)).collect();
        missing_codes(&Unit::new(stored), &sent)
    }

    #[test]
    fn every_code_has_a_source_and_every_unit_room_for_its_conversions() {
        let file: File = toml::from_str(include_str!("../data/missing_codes.toml")).unwrap();
        assert!(file.code.iter().all(|codes| !codes.values.is_empty() && !codes.source.is_empty()));
        assert!(parameters().values().all(|info| info.unit.convertible().count() < 32));
    }

    #[test]
    fn a_code_counts_in_the_unit_it_was_sent_in() {
        let level = codes("m", &["cm"]);
        for outside in [-9999.0, -99.99, -9.999, 65.535, 655.35, 327.67] {
            assert!(level.has(outside), "{outside} m");
        }
        assert!(!level.has(-9998.0) && !level.has(1.21));
        assert!(level.has_sent(9.99), "999 cm");
        assert!(level.has_sent(999.0), "as it is");
        assert!(level.has(0.999) && !level.has_sent(0.999), "999 mm, which no route says");
        let temperature = codes("Cel", &["[degF]"]);
        assert!(temperature.has_sent(-127.0) && !temperature.has(-196.6), "-196.6 is sent in Fahrenheit");
        assert!(!codes("{dBm}", &[]).has(-127.0), "a weak signal is no broken thermometer");
        assert!(temperature.has(-9999.0 - 273.15), "-9999 K");
        let pressure = codes("hPa", &["hPa"]);
        assert!(pressure.has(999.0) && !pressure.has_sent(999.0), "on many days it is the pressure");
    }

    #[test]
    fn lists_of_one_unit_are_one_list() {
        assert_eq!(codes("m", &["cm"]), codes("m", &["cm", "cm", "furlong"]));
        assert_ne!(codes("m", &["cm"]), codes("m", &["mm"]));
        assert_eq!(codes("furlong", &[]), MissingCodes::NONE);
    }
}
