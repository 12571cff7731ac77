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

/// Molar masses in g/mol, from the abridged standard atomic weights (IUPAC 2021): N 14.007, H 1.008, O 15.999.
const N: f64 = 14.007;
const NH3: f64 = N + 3.0 * 1.008;
const NH4: f64 = N + 4.0 * 1.008;
const NO3: f64 = N + 3.0 * 15.999;

/// (from, to, factor, offset): exact by definition unless something else is said beside the row.
const TABLE: &[(&str, &str, f64, f64)] = &[
    // Temperature.
    ("[degF]", "Cel", 5.0 / 9.0, -160.0 / 9.0),
    ("K", "Cel", 1.0, -273.15),
    // Conductivity.
    ("mS/cm", "uS/cm", 1000.0, 0.0),
    ("S/m", "uS/cm", 10_000.0, 0.0),
    ("dS/m", "uS/cm", 1000.0, 0.0),
    ("mS/m", "uS/cm", 10.0, 0.0),
    ("uS/m", "uS/cm", 0.01, 0.0),
    // Speed and direction.
    ("[mi_i]/h", "m/s", 0.447_04, 0.0),
    ("km/h", "m/s", 1.0 / 3.6, 0.0),
    ("[kn_i]", "m/s", 1852.0 / 3600.0, 0.0),
    ("[ft_i]/s", "m/s", 0.3048, 0.0),
    ("rad", "deg", 180.0 / std::f64::consts::PI, 0.0),
    // Length; a litre of rain on a square metre stands one millimetre high.
    ("[in_i]", "mm", 25.4, 0.0),
    ("cm", "mm", 10.0, 0.0),
    ("m", "mm", 1000.0, 0.0),
    ("L/m2", "mm", 1.0, 0.0),
    ("mm", "m", 0.001, 0.0),
    ("cm", "m", 0.01, 0.0),
    ("dm", "m", 0.1, 0.0),
    ("km", "m", 1000.0, 0.0),
    ("[in_i]", "m", 0.0254, 0.0),
    ("[ft_i]", "m", 0.3048, 0.0),
    ("[mi_i]", "m", 1609.344, 0.0),
    // Pressure; UCUM fixes the metre of mercury at 133.322 kPa.
    ("Pa", "hPa", 0.01, 0.0),
    ("kPa", "hPa", 10.0, 0.0),
    ("mbar", "hPa", 1.0, 0.0),
    ("bar", "hPa", 1000.0, 0.0),
    ("atm", "hPa", 1013.25, 0.0),
    ("mm[Hg]", "hPa", 1.333_22, 0.0),
    ("[in_i'Hg]", "hPa", 33.863_788, 0.0),
    // Mass in air.
    ("mg/m3", "ug/m3", 1000.0, 0.0),
    ("ng/m3", "ug/m3", 0.001, 0.0),
    ("g/m3", "ug/m3", 1_000_000.0, 0.0),
    // Share of a gas, whichever gas it is.
    ("[ppb]", "[ppm]", 0.001, 0.0),
    ("%", "[ppm]", 10_000.0, 0.0),
    // Mass in water.
    ("ug/L", "mg/L", 0.001, 0.0),
    ("g/L", "mg/L", 1000.0, 0.0),
    ("g/m3", "mg/L", 1.0, 0.0),
    ("kg/m3", "mg/L", 1000.0, 0.0),
    ("mg/l", "mg/L", 1.0, 0.0),
    ("ug/l", "mg/L", 0.001, 0.0),
    // Nitrogen of what the electrode counts.
    ("mg{NO3}/L", "mg/L", N / NO3, 0.0),
    ("mg{NH4}/L", "mg/L", N / NH4, 0.0),
    ("mg{NH3}/L", "mg/L", N / NH3, 0.0),
    // Practical salinity is a pure number; sondes that say parts per thousand compute the same PSS-78.
    ("1", "{PSU}", 1.0, 0.0),
    ("[ppth]", "{PSU}", 1.0, 0.0),
    // Two names of one calibration, with formazin.
    ("[FNU]", "[NTU]", 1.0, 0.0),
    // Flow.
    ("L/s", "m3/s", 0.001, 0.0),
    ("L/min", "m3/s", 1.0 / 60_000.0, 0.0),
    ("m3/min", "m3/s", 1.0 / 60.0, 0.0),
    ("m3/h", "m3/s", 1.0 / 3600.0, 0.0),
    ("m3/d", "m3/s", 1.0 / 86_400.0, 0.0),
    ("m3/s", "m3/h", 3600.0, 0.0),
    ("L/s", "m3/h", 3.6, 0.0),
    // Shares.
    ("1", "%", 100.0, 0.0),
    ("1", "m3/m3", 1.0, 0.0),
    ("%", "m3/m3", 0.01, 0.0),
    ("m3/m3", "%", 100.0, 0.0),
    // Electricity, light and radio.
    ("mV", "V", 0.001, 0.0),
    ("V", "mV", 1000.0, 0.0),
    ("mmol/m2/s", "umol/m2/s", 1000.0, 0.0),
    ("mol/m2/s", "umol/m2/s", 1_000_000.0, 0.0),
    ("B[SPL]", "dB[SPL]", 10.0, 0.0),
    ("dBm", "{dBm}", 1.0, 0.0),
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
            "{dBm}" => "dBm",
            "dB[SPL]" => "dB",
            "m3/m3" => "m³/m³",
            "m3" => "m³",
            "kW.h" => "kWh",
            "m3/s" => "m³/s",
            "m3/h" => "m³/h",
            "umol/m2/s" => "µmol/m²/s",
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

    fn at(from: &str, to: &str, value: f64) -> f64 {
        Unit::new(from).conversion_to(&Unit::new(to)).unwrap().apply(value)
    }

    #[test]
    fn known_points_convert() {
        for (from, to, value, expected) in [
            ("[degF]", "Cel", 212.0, 100.0),
            ("[degF]", "Cel", 32.0, 0.0),
            ("K", "Cel", 273.15, 0.0),
            ("mS/cm", "uS/cm", 45.97, 45_970.0),
            ("dS/m", "uS/cm", 4.1, 4_100.0),
            ("mS/m", "uS/cm", 50.0, 500.0),
            ("S/m", "uS/cm", 5.0, 50_000.0),
            ("km/h", "m/s", 36.0, 10.0),
            ("[kn_i]", "m/s", 18.0, 9.26),
            ("[mi_i]/h", "m/s", 10.0, 4.4704),
            ("rad", "deg", std::f64::consts::PI, 180.0),
            ("[in_i]", "mm", 2.0, 50.8),
            ("L/m2", "mm", 3.2, 3.2),
            ("cm", "m", 134.0, 1.34),
            ("mm", "m", 1342.0, 1.342),
            ("[ft_i]", "m", 10.0, 3.048),
            ("kPa", "hPa", 101.325, 1013.25),
            ("mm[Hg]", "hPa", 760.0, 1013.2472),
            ("[in_i'Hg]", "hPa", 1.0, 33.863_788),
            ("mg/m3", "ug/m3", 1.2, 1200.0),
            ("[ppb]", "[ppm]", 431_000.0, 431.0),
            ("ug/L", "mg/L", 250.0, 0.25),
            ("g/m3", "mg/L", 5.1, 5.1),
            ("L/s", "m3/s", 250.0, 0.25),
            ("L/s", "m3/h", 10.0, 36.0),
            ("m3/s", "m3/h", 2.0, 7200.0),
            ("m3/h", "m3/s", 7200.0, 2.0),
            ("%", "m3/m3", 31.0, 0.31),
            ("m3/m3", "%", 0.31, 31.0),
            ("mV", "V", 3712.0, 3.712),
            ("V", "mV", 0.215, 215.0),
            ("mol/m2/s", "umol/m2/s", 0.002, 2000.0),
        ] {
            let found = at(from, to, value);
            assert!((found - expected).abs() <= 1e-9 * expected.abs().max(1.0), "{value} {from} gave {found} {to}");
        }
        assert_eq!(at("Cel", "Cel", 16.9).to_bits(), 16.9_f64.to_bits());
    }

    #[test]
    fn nitrate_as_nitrogen_is_nitrate_over_4_427() {
        assert!((at("mg{NO3}/L", "mg/L", 4.427) - 1.0).abs() < 1e-3);
        assert!((at("mg{NH4}/L", "mg/L", 1.288) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn every_pair_is_written_once_and_changes_something_finite() {
        let mut pairs = std::collections::BTreeSet::new();
        for (from, to, factor, offset) in TABLE {
            assert!(pairs.insert((from, to)), "{from} to {to} is written twice");
            assert!(from != to && factor.is_finite() && *factor != 0.0 && offset.is_finite(), "{from} to {to}");
        }
    }

    #[test]
    fn a_conversion_there_and_back_gives_the_same_value() {
        for (from, to, ..) in TABLE {
            let Ok(back) = Unit::new(to).conversion_to(&Unit::new(from)) else { continue };
            assert!((back.apply(at(from, to, 12.5)) - 12.5).abs() < 1e-9, "{from} to {to}");
        }
    }

    #[test]
    fn a_share_of_water_is_no_mass() {
        assert!(Unit::new("[ppm]").conversion_to(&Unit::new("mg/L")).is_err());
    }

    #[test]
    fn a_gas_in_ppb_is_not_converted_silently() {
        let error = Unit::new("[ppb]").conversion_to(&Unit::new("ug/m3")).unwrap_err();
        assert!(error.to_string().contains("'[ppb]' cannot be converted to 'ug/m3'"));
    }
}
