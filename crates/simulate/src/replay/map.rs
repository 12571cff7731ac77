//! Which columns of a file become which JSON keys.

use std::collections::HashSet;

use bakau_model::{DeclaredCode, Missing, StationId, Unit};
use serde::Deserialize;

use super::ReplayError;

/// How a measured CSV file becomes messages, as written in a map file.
///
/// ```
/// let map = bakau_simulate::replay::ReplayMap::parse(r#"
///     station = "keywest"
///     topic = "replay/{station}/data"
///     time = "time"
///
///     [[column]]
///     name = "WaterTemp"
///     key = "water_temperature"
///     unit = "[degF]"
/// "#).unwrap();
/// assert_eq!(map.columns[0].key, "water_temperature");
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayMap {
    /// The station all rows are of.
    pub station: StationId,
    /// Topic to publish to, with `{station}` where the station goes.
    pub topic: String,
    /// The column with the time, RFC 3339 with offset.
    pub time: String,
    /// The JSON key of the time.
    #[serde(default = "time_key")]
    pub time_key: String,
    /// Codes and words that mean "no value" in any column, besides an empty cell.
    #[serde(default)]
    pub missing: Vec<DeclaredCode>,
    /// The columns that are published; others are left out.
    #[serde(rename = "column")]
    pub columns: Vec<ReplayColumn>,
}

fn time_key() -> String {
    "time".to_owned()
}

/// One published column.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ReplayColumn {
    /// Header of the column.
    pub name: String,
    /// JSON key of its values.
    pub key: String,
    /// Unit (UCUM) of the file, for whoever reads the map; values are published as they are. Absent for a text column.
    pub unit: Option<Unit>,
    /// Codes and words that mean "no value" in this column, besides those of the map.
    #[serde(default)]
    pub missing: Vec<DeclaredCode>,
    /// Publish the cell as a JSON string (a provider's flags) and not as a number.
    #[serde(default)]
    pub text: bool,
}

impl ReplayMap {
    /// Reads a map file.
    ///
    /// # Errors
    /// When it is no TOML, has unknown or missing keys, or does not fit together; the message names line or key.
    pub fn parse(text: &str) -> Result<Self, ReplayError> {
        let map: Self = toml::from_str(text).map_err(|error| ReplayError::Map(error.to_string()))?;
        let mut keys = HashSet::from([map.time_key.as_str()]);
        if map.columns.is_empty() {
            return Err(ReplayError::Map("no [[column]] is given: at least one must be published".to_owned()));
        }
        for column in &map.columns {
            let ReplayColumn { name, key, unit, missing, text } = column;
            if !keys.insert(key) {
                return Err(ReplayError::Map(format!("column '{name}': the key '{key}' is used twice")));
            }
            if let Err(error) = Missing::check(missing) {
                return Err(ReplayError::Map(format!("column '{name}': missing: {error}")));
            }
            if unit.is_some() == *text {
                return Err(ReplayError::Map(format!("column '{name}': give either a unit or text = true")));
            }
        }
        if let Err(error) = Missing::check(&map.missing) {
            return Err(ReplayError::Map(format!("missing: {error}")));
        }
        if map.topic.is_empty() || map.topic.contains(['+', '#', '\0']) {
            return Err(ReplayError::Map(format!("'{}' is not a topic to publish to", map.topic)));
        }
        Ok(map)
    }

    pub(super) fn topic(&self) -> String {
        self.topic.replace("{station}", self.station.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str =
        "station = 's'\ntopic = 't/{station}'\ntime = 'time'\n[[column]]\nname = 'a'\nkey = 'x'\nunit = 'm'\n";

    #[test]
    fn a_misspelled_key_is_named() {
        let error = ReplayMap::parse(&GOOD.replace("topic", "topik")).unwrap_err();
        assert!(error.to_string().contains("topik"), "{error}");
    }

    #[test]
    fn a_key_used_twice_or_equal_to_the_time_is_refused() {
        let twice = format!("{GOOD}[[column]]\nname = 'b'\nkey = 'x'\nunit = 'm'\n");
        assert!(ReplayMap::parse(&twice).unwrap_err().to_string().contains("'x' is used twice"));
        assert!(ReplayMap::parse(&GOOD.replace("'x'", "'time'")).is_err());
    }

    #[test]
    fn the_station_goes_into_the_topic() {
        assert_eq!(ReplayMap::parse(GOOD).unwrap().topic(), "t/s");
        assert!(ReplayMap::parse(&GOOD.replace("t/{station}", "t/#")).is_err());
    }
}
