//! Units by UCUM code, and the linear conversions between those that devices use and those that are stored.

mod conversion;
mod linear;

use std::sync::Arc;

use derive_more::Display;
use serde::{Deserialize, Serialize};

pub use self::conversion::{Conversion, GasReference};

/// A UCUM unit code, such as `mg/L`, `Cel` or `[ppb]`; dimensionless salinity is `{PSU}`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Display, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String))]
#[serde(transparent)]
pub struct Unit(Arc<str>);

/// Two units between which no conversion is known.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("'{from}' cannot be converted to '{to}'; units are UCUM codes such as Cel, mg/L, ug/m3, uS/cm")]
pub struct UnitError {
    from: Unit,
    to: Unit,
}

/// Degrees in a radian. The only factor here that is no fraction: this one differs from it by a part in 10^36, less than
/// can decide between two doubles.
const DEGREES_PER_RADIAN: (i64, i64) = (5_529_066_254_830_808_763, 96_500_410_707_709_447);

/// (from, to, factor, offset, divisor): `(value * factor + offset) / divisor`, exact by definition unless something else
/// is said beside the row.
const TABLE: &[(&str, &str, i64, i64, i64)] = &[
    // Temperature.
    ("[degF]", "Cel", 5, -160, 9),
    ("K", "Cel", 100, -27_315, 100),
    // Conductivity.
    ("mS/cm", "uS/cm", 1000, 0, 1),
    ("S/m", "uS/cm", 10_000, 0, 1),
    ("dS/m", "uS/cm", 1000, 0, 1),
    ("mS/m", "uS/cm", 10, 0, 1),
    ("uS/m", "uS/cm", 1, 0, 100),
    // Speed and direction.
    ("[mi_i]/h", "m/s", 44_704, 0, 100_000),
    ("km/h", "m/s", 1000, 0, 3600),
    ("[kn_i]", "m/s", 1852, 0, 3600),
    ("[ft_i]/s", "m/s", 3048, 0, 10_000),
    ("rad", "deg", DEGREES_PER_RADIAN.0, 0, DEGREES_PER_RADIAN.1),
    // Length; a litre of rain on a square metre stands one millimetre high.
    ("[in_i]", "mm", 254, 0, 10),
    ("cm", "mm", 10, 0, 1),
    ("m", "mm", 1000, 0, 1),
    ("L/m2", "mm", 1, 0, 1),
    ("mm", "m", 1, 0, 1000),
    ("cm", "m", 1, 0, 100),
    ("dm", "m", 1, 0, 10),
    ("km", "m", 1000, 0, 1),
    ("[in_i]", "m", 254, 0, 10_000),
    ("[ft_i]", "m", 3048, 0, 10_000),
    ("[mi_i]", "m", 1_609_344, 0, 1000),
    // Pressure; UCUM fixes the metre of mercury at 133.322 kPa.
    ("Pa", "hPa", 1, 0, 100),
    ("kPa", "hPa", 10, 0, 1),
    ("mbar", "hPa", 1, 0, 1),
    ("bar", "hPa", 1000, 0, 1),
    ("atm", "hPa", 101_325, 0, 100),
    ("mm[Hg]", "hPa", 133_322, 0, 100_000),
    ("[in_i'Hg]", "hPa", 33_863_788, 0, 1_000_000),
    // Mass in air.
    ("mg/m3", "ug/m3", 1000, 0, 1),
    ("ng/m3", "ug/m3", 1, 0, 1000),
    ("g/m3", "ug/m3", 1_000_000, 0, 1),
    // Share of a gas, whichever gas it is.
    ("[ppb]", "[ppm]", 1, 0, 1000),
    ("%", "[ppm]", 10_000, 0, 1),
    // Mass in water.
    ("ug/L", "mg/L", 1, 0, 1000),
    ("g/L", "mg/L", 1000, 0, 1),
    ("g/m3", "mg/L", 1, 0, 1),
    ("kg/m3", "mg/L", 1000, 0, 1),
    ("mg/l", "mg/L", 1, 0, 1),
    ("ug/l", "mg/L", 1, 0, 1000),
    // Nitrogen of what the electrode counts: 14.007 g/mol of N in 62.004, 18.039 and 17.031, from the abridged standard
    // atomic weights (IUPAC 2021) N 14.007, H 1.008, O 15.999.
    ("mg{NO3}/L", "mg/L", 14_007, 0, 62_004),
    ("mg{NH4}/L", "mg/L", 14_007, 0, 18_039),
    ("mg{NH3}/L", "mg/L", 14_007, 0, 17_031),
    // Practical salinity is a pure number; sondes that say parts per thousand compute the same PSS-78.
    ("1", "{PSU}", 1, 0, 1),
    ("[ppth]", "{PSU}", 1, 0, 1),
    // Two names of one calibration, with formazin.
    ("[FNU]", "[NTU]", 1, 0, 1),
    // Flow.
    ("L/s", "m3/s", 1, 0, 1000),
    ("L/min", "m3/s", 1, 0, 60_000),
    ("m3/min", "m3/s", 1, 0, 60),
    ("m3/h", "m3/s", 1, 0, 3600),
    ("m3/d", "m3/s", 1, 0, 86_400),
    ("m3/s", "m3/h", 3600, 0, 1),
    ("L/s", "m3/h", 3600, 0, 1000),
    // Shares.
    ("1", "%", 100, 0, 1),
    ("1", "m3/m3", 1, 0, 1),
    ("%", "m3/m3", 1, 0, 100),
    ("m3/m3", "%", 100, 0, 1),
    // What meters count.
    ("L", "m3", 1, 0, 1000),
    ("dm3", "m3", 1, 0, 1000),
    ("W.h", "kW.h", 1, 0, 1000),
    ("MW.h", "kW.h", 1000, 0, 1),
    ("MJ", "kW.h", 10, 0, 36),
    // Electricity, light and radio.
    ("mV", "V", 1, 0, 1000),
    ("V", "mV", 1000, 0, 1),
    ("mmol/m2/s", "umol/m2/s", 1000, 0, 1),
    ("mol/m2/s", "umol/m2/s", 1_000_000, 0, 1),
    ("B[SPL]", "dB[SPL]", 10, 0, 1),
    ("dBm", "{dBm}", 1, 0, 1),
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
    /// Shares of a gas to its mass in air are not here: see [`Self::gas_conversion_to`].
    ///
    /// ```
    /// use bakau_model::Unit;
    ///
    /// let (device, stored) = (Unit::new("cm"), Unit::new("m"));
    /// assert_eq!(device.conversion_to(&stored)?.apply(115.0), 1.15);
    /// assert!(device.conversion_to(&Unit::new("Cel")).is_err());
    /// # Ok::<(), bakau_model::UnitError>(())
    /// ```
    ///
    /// # Errors
    /// When the table has no such pair.
    pub fn conversion_to(&self, target: &Self) -> Result<Conversion, UnitError> {
        if self == target {
            return Ok(Conversion::NONE);
        }
        let row = TABLE.iter().find(|(from, to, ..)| *from == &*self.0 && *to == &*target.0);
        match row {
            Some(&(.., factor, offset, divisor)) => Ok(conversion(factor, offset, divisor)),
            None => Err(self.error(target)),
        }
    }

    /// The units that have a conversion to this one.
    pub fn convertible(&self) -> impl Iterator<Item = (Self, Conversion)> + '_ {
        let rows = TABLE.iter().filter(|(_, to, ..)| *to == &*self.0);
        rows.map(|&(from, _, factor, offset, divisor)| (Self::new(from), conversion(factor, offset, divisor)))
    }

    /// Whether the conversion to `target` is one from a share of a gas to its mass, which needs the gas and the state of
    /// the air that the mass is stated for.
    #[must_use]
    pub fn is_share_for(&self, target: &Self) -> bool {
        self.parts().is_some() && &*target.0 == "ug/m3"
    }

    /// The conversion from a share of a gas with this molar mass in g/mol to its mass in air of a named state.
    ///
    /// # Errors
    /// When the units are not a share and `ug/m3`, or a number is no such quantity or has too many digits.
    pub fn gas_conversion_to(
        &self,
        target: &Self,
        molar_mass: f64,
        air: GasReference,
    ) -> Result<Conversion, UnitError> {
        let parts = self.parts().filter(|_| self.is_share_for(target));
        parts.and_then(|parts| air.share_to_mass(parts, molar_mass)).ok_or_else(|| self.error(target))
    }

    /// One in how many a share of this unit is.
    fn parts(&self) -> Option<i128> {
        match &*self.0 {
            "[ppm]" | "umol/mol" => Some(1_000_000),
            "[ppb]" | "nmol/mol" => Some(1_000_000_000),
            _ => None,
        }
    }

    fn error(&self, target: &Self) -> UnitError {
        UnitError { from: self.clone(), to: target.clone() }
    }
}

fn conversion(factor: i64, offset: i64, divisor: i64) -> Conversion {
    Conversion::new(i128::from(factor), i128::from(offset), i128::from(divisor))
}

#[cfg(test)]
mod tests;
