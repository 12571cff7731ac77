//! Units by UCUM code, and the linear conversions between those that devices use and those that are stored.

use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

/// A UCUM unit code, such as `mg/L`, `Cel` or `[ppb]`; dimensionless salinity is `{PSU}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Unit(Arc<str>);

/// Two units between which no conversion is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{from}' cannot be converted to '{to}'; units are UCUM codes such as Cel, mg/L, ug/m3, uS/cm")]
pub struct UnitError {
    from: Unit,
    to: Unit,
}

/// `converted = value * factor + offset`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Conversion {
    factor: f64,
    offset: f64,
}

impl Conversion {
    /// The conversion that changes nothing.
    pub const NONE: Self = Self { factor: 1.0, offset: 0.0 };

    /// The value in the target unit.
    #[must_use]
    pub fn apply(self, value: f64) -> f64 {
        if self == Self::NONE { value } else { value.mul_add(self.factor, self.offset) }
    }
}

/// (from, to, factor, offset): exact by definition unless a source is named beside the row.
const TABLE: &[(&str, &str, f64, f64)] = &[
    ("[degF]", "Cel", 5.0 / 9.0, -160.0 / 9.0),
    ("K", "Cel", 1.0, -273.15),
    ("mS/cm", "uS/cm", 1000.0, 0.0),
    ("S/m", "uS/cm", 10_000.0, 0.0),
    ("[mi_i]/h", "m/s", 0.447_04, 0.0),
    ("km/h", "m/s", 1.0 / 3.6, 0.0),
    ("[kn_i]", "m/s", 1852.0 / 3600.0, 0.0),
    ("[in_i]", "mm", 25.4, 0.0),
    ("cm", "mm", 10.0, 0.0),
    ("cm", "m", 0.01, 0.0),
    ("mm", "m", 0.001, 0.0),
    ("[ft_i]", "m", 0.3048, 0.0),
    ("[mi_i]", "m", 1609.344, 0.0),
    ("km", "m", 1000.0, 0.0),
    ("mbar", "hPa", 1.0, 0.0),
    ("Pa", "hPa", 0.01, 0.0),
    ("kPa", "hPa", 10.0, 0.0),
    ("mg/m3", "ug/m3", 1000.0, 0.0),
    ("ug/L", "mg/L", 0.001, 0.0),
    ("g/L", "mg/L", 1000.0, 0.0),
    ("mg/l", "mg/L", 1.0, 0.0),
    ("1", "{PSU}", 1.0, 0.0),
    ("[FNU]", "[NTU]", 1.0, 0.0),
];

impl Unit {
    /// Wraps a UCUM code.
    #[must_use]
    pub fn new(code: &str) -> Self {
        Self(Arc::from(code))
    }

    /// The UCUM code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// How people write it.
    #[must_use]
    pub fn symbol(&self) -> &str {
        match &*self.0 {
            "Cel" => "°C",
            "ug/m3" => "µg/m³",
            "uS/cm" => "µS/cm",
            "{PSU}" => "PSU",
            "[NTU]" => "NTU",
            "[pH]" => "",
            "[ppb]" => "ppb",
            "[ppm]" => "ppm",
            "deg" => "°",
            other => other,
        }
    }

    /// The conversion from this unit to `target`.
    ///
    /// Gas mixing ratios (ppb) to mass concentrations are not here: they need a stated temperature and pressure.
    ///
    /// # Errors
    /// When the table has no such pair.
    pub fn conversion_to(&self, target: &Self) -> Result<Conversion, UnitError> {
        if self == target {
            return Ok(Conversion::NONE);
        }
        let row = TABLE.iter().find(|(from, to, ..)| *from == &*self.0 && *to == &*target.0);
        match row {
            Some(&(_, _, factor, offset)) => Ok(Conversion { factor, offset }),
            None => Err(UnitError { from: self.clone(), to: target.clone() }),
        }
    }
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_points_convert() {
        let at = |from: &str, to: &str, value| Unit::new(from).conversion_to(&Unit::new(to)).unwrap().apply(value);
        assert!((at("[degF]", "Cel", 212.0) - 100.0).abs() < 1e-9);
        assert!((at("[degF]", "Cel", 32.0)).abs() < 1e-9);
        assert_eq!(at("mS/cm", "uS/cm", 45.97).round(), 45_970.0);
        assert_eq!(at("Cel", "Cel", 16.9), 16.9);
    }

    #[test]
    fn a_gas_in_ppb_is_not_converted_silently() {
        let error = Unit::new("[ppb]").conversion_to(&Unit::new("ug/m3")).unwrap_err();
        assert!(error.to_string().contains("'[ppb]' cannot be converted to 'ug/m3'"));
    }
}
