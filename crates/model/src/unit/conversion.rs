//! Conversions that round once.

use serde::{Deserialize, Serialize};

use super::linear::Linear;
use crate::exact::Decimal;

/// A linear conversion with rational coefficients.
///
/// Its result is the double nearest to the exact result for the *decimal* that a device sends, which is the shortest one
/// that reads as the number: 115 cm are the double that `1.15` reads as, so that a limit of 1.15 m is reached exactly.
/// Multiplying by the double 0.01 gives a number beside it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Conversion(Linear);

impl Conversion {
    /// The conversion that changes nothing.
    pub const NONE: Self = Self::new(1, 0, 1);

    /// `(value * factor + offset) / divisor`.
    pub(super) const fn new(factor: i128, offset: i128, divisor: i128) -> Self {
        Self(Linear { factor, offset, divisor })
    }

    /// The value in the target unit; infinite where it is too large for a double.
    #[must_use]
    pub fn apply(self, value: f64) -> f64 {
        // A zero keeps its sign where nothing is added.
        if self == Self::NONE || (value == 0.0 && self.0.offset == 0) {
            return value;
        }
        Decimal::of(value).map_or(value, |value| self.0.of(&[value]))
    }

    /// The sum of two values in the target unit, such as of a base value and what is sent relative to it: the sum of the
    /// decimals, rounded once together with the conversion.
    #[must_use]
    pub fn apply_to_sum(self, base: f64, value: f64) -> f64 {
        if base == 0.0 {
            return self.apply(value);
        }
        let parts = Decimal::of(base).zip(Decimal::of(value));
        parts.map_or_else(|| self.apply(base + value), |(base, value)| self.0.of(&[base, value]))
    }
}

/// The molar gas constant in J/(mol K), as 10^-14 of it: exact since 2019 (CODATA; SI Brochure, 9th edition).
const GAS_CONSTANT: Decimal = Decimal { mantissa: 831_446_261_815_324, exponent: -14 };

/// 0 Cel in K: exact by definition.
const CELSIUS_ZERO: Decimal = Decimal { mantissa: 27_315, exponent: -2 };

/// The state of the air that mass concentrations are stated for.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GasReference {
    /// Temperature in Cel.
    pub temperature_c: f64,
    /// Pressure in hPa.
    pub pressure_hpa: f64,
}

impl GasReference {
    /// From a share, which is 1 in `parts` (a million for `[ppm]`), to ug/m3 of a gas with this molar mass in g/mol:
    /// an ideal gas has pressure / (gas constant * temperature) moles in a cubic metre.
    ///
    /// `None` where a number is not finite, has more digits than anybody measures, or there is no such gas.
    pub(super) fn share_to_mass(self, parts: i128, molar_mass: f64) -> Option<Conversion> {
        let kelvin = Decimal::of(self.temperature_c)?.plus(CELSIUS_ZERO)?;
        let above = [Decimal::of(molar_mass)?, Decimal::of(self.pressure_hpa)?];
        let below = [GAS_CONSTANT, kelvin];
        // 100 Pa are 1 hPa, a million ug are 1 g.
        let (mut factor, mut divisor) = (100_000_000_i128, parts);
        for decimal in above {
            let (numerator, denominator) = decimal.ratio()?;
            (factor, divisor) = reduced(factor, divisor, numerator, denominator)?;
        }
        for decimal in below {
            let (numerator, denominator) = decimal.ratio()?;
            (factor, divisor) = reduced(factor, divisor, denominator, numerator)?;
        }
        (0 < factor && 0 < divisor).then_some(Conversion::new(factor, 0, divisor))
    }
}

/// A fraction times another, in lowest terms; `None` where that does not fit.
fn reduced(above: i128, below: i128, numerator: i128, denominator: i128) -> Option<(i128, i128)> {
    let (above, below) = (above.checked_mul(numerator)?, below.checked_mul(denominator)?);
    let (mut greatest, mut rest) = (above.checked_abs()?, below.checked_abs()?);
    while rest != 0 {
        (greatest, rest) = (rest, greatest % rest);
    }
    (greatest != 0).then(|| (above / greatest, below / greatest))
}
