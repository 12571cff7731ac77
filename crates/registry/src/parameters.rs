//! The built-in parameter code list.

use std::{collections::BTreeMap, sync::LazyLock};

use bakau_model::{Parameter, ParameterInfo};
use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    parameter: Vec<ParameterInfo>,
}

/// The parameters of `data/parameters.toml`, by code.
#[must_use]
pub fn parameters() -> &'static BTreeMap<Parameter, ParameterInfo> {
    static LIST: LazyLock<BTreeMap<Parameter, ParameterInfo>> = LazyLock::new(load);
    &LIST
}

#[expect(clippy::expect_used, reason = "compiled-in file, read by a test")]
fn load() -> BTreeMap<Parameter, ParameterInfo> {
    let file: File = toml::from_str(include_str!("../data/parameters.toml")).expect("built-in parameter list");
    file.parameter.into_iter().map(|info| (info.code.clone(), info)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a device may send it, and as it would be stored.
    fn sent(info: &ParameterInfo, value: f64) -> Vec<(bakau_model::Unit, f64)> {
        let converted = info.unit.convertible().map(|(unit, conversion)| (unit, conversion.apply(value)));
        std::iter::once((info.unit.clone(), value)).chain(converted).collect()
    }

    #[test]
    fn every_parameter_has_a_fail_range_that_leaves_out_the_codes_for_no_value() {
        for info in parameters().values() {
            let fail = info.fail.unwrap_or_else(|| panic!("{} has no fail range", info.code));
            for code in [-9_999.0, -99_999.0] {
                for (unit, stored) in sent(info, code) {
                    // Nobody sends a gas in ng/m3, which is for metals.
                    let outside = stored < fail.min || &*unit.to_string() == "ng/m3";
                    assert!(outside, "{code} {unit} is {stored} and no failure of {}", info.code);
                }
            }
            let redox = info.code.as_str() == "orp";
            assert!(redox || -999.0 < fail.min, "{}", info.code);
        }
    }

    #[test]
    fn no_extreme_that_may_be_real_fails() {
        let known = |code: &str| parameters().get(code).unwrap().limits(600);
        for (code, extreme) in [
            // Palangkaraya, October 2015; a plume of Ijen at 3 ppm; a tide below and a lake of Batu above the sea.
            ("pm25", 1_200.0),
            ("pm10", 3_760.0),
            ("so2", 7_900.0),
            ("water_level", -1.4),
            ("water_level", 915.0),
            ("flow", 4_000.0),
            ("rain", 45.0),
        ] {
            let fail = known(code).fail.unwrap();
            assert!(fail.min <= extreme && extreme <= fail.max, "{code} {extreme}");
        }
        let rain = parameters().get("rain").unwrap();
        let day = rain.limits(86_400).fail.unwrap();
        assert!(377.0 < day.max, "a day at Halim, 1 January 2020");
        assert!(rain.limits(60).fail.unwrap().max < 60.0, "no minute");
    }

    #[test]
    fn every_row_has_a_source_and_ordered_ranges_of_which_suspect_lies_within_fail() {
        let rows = include_str!("../data/parameters.toml").matches("[[parameter]]").count();
        assert_eq!(parameters().len(), rows, "a code is written twice");
        for info in parameters().values() {
            assert!(!info.source.is_empty() && !info.name.id.is_empty() && !info.name.en.is_empty(), "{}", info.code);
            for range in [info.fail, info.suspect].into_iter().flatten() {
                assert!(range.min < range.max, "{}", info.code);
            }
            if let (Some(fail), Some(suspect)) = (info.fail, info.suspect) {
                assert!(fail.min <= suspect.min && suspect.max <= fail.max, "{}", info.code);
            }
        }
    }
}
