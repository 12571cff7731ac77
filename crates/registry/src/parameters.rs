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
