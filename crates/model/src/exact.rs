//! Exact arithmetic of numbers as people wrote them.
//!
//! A counter that says 10.4 after 10.2 has counted 0.2, not 0.20000000000000018, and 115 cm are the double that 1.15 reads
//! as: a number is the shortest decimal that reads as its double, the arithmetic is that of decimals and fractions, and
//! only the result is rounded, once.
//!
//! Integers of 128 bits hold what instruments send; wider ones take over where those do not suffice.

use num_bigint::{BigInt, Sign};

/// A number as `mantissa * 10^exponent`.
///
/// There is no `==`: 115 and 115.0 are two ways to write one number.
///
/// ```
/// use bakau_model::Decimal;
///
/// assert_ne!(10.4 - 10.2, 0.2);
/// assert_eq!(Decimal::difference(10.4, 10.2), 0.2);
/// let sum = Decimal::of(0.1).zip(Decimal::of(0.2)).and_then(|(a, b)| a.plus(b));
/// assert_eq!(sum.map(Decimal::value), Some(0.3));
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Decimal {
    pub(crate) mantissa: i128,
    pub(crate) exponent: i32,
}

/// Powers of ten that fit.
pub(crate) const POWERS: [i128; 39] = {
    let mut powers = [1_i128; 39];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

impl Decimal {
    /// Zero.
    pub const ZERO: Self = Self { mantissa: 0, exponent: 0 };

    /// The decimal with the fewest digits that reads as this number; `None` of one that is not finite.
    #[must_use]
    pub fn of(number: f64) -> Option<Self> {
        if !number.is_finite() {
            return None;
        }
        Self::short(number).or_else(|| Some(Self::shortest(number)))
    }

    /// What instruments send mostly has up to three decimals, which takes no text to find. No two decimals of up to 15
    /// digits read as the same double, so the one that does is the shortest.
    fn short(number: f64) -> Option<Self> {
        if 1e12 <= number.abs() {
            return None;
        }
        [(1.0, 0), (10.0, -1), (100.0, -2), (1000.0, -3)].into_iter().find_map(|(power, exponent)| {
            // Only nearly rounded, which is enough: whatever whole number it is, it has to read as this number.
            let mantissa = (number * power + 0.5_f64.copysign(number)) as i64;
            (mantissa as f64 / power == number).then_some(Self { mantissa: i128::from(mantissa), exponent })
        })
    }

    /// However many digits it has; the number is finite.
    fn shortest(number: f64) -> Self {
        let mut text = zmij::Buffer::new();
        let (mut mantissa, mut decimals, mut power) = (0_u64, 0, 0);
        let (mut after_point, mut in_power, mut power_sign) = (0, false, 1);
        // Such as `-1.25e-7` or `115.0`: at most 17 digits beside noughts.
        for byte in text.format_finite(number).bytes() {
            match byte {
                b'0'..=b'9' if in_power => power = power * 10 + i32::from(byte - b'0'),
                b'0'..=b'9' => {
                    mantissa = mantissa * 10 + u64::from(byte - b'0');
                    decimals += after_point;
                }
                b'-' if in_power => power_sign = -1,
                b'.' => after_point = 1,
                b'e' => in_power = true,
                _ => {}
            }
        }
        let mantissa = i128::from(mantissa);
        Self { mantissa: if number < 0.0 { -mantissa } else { mantissa }, exponent: power_sign * power - decimals }
    }

    /// The sum; `None` where the two are too far apart for an exact one.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        if self.mantissa == 0 {
            return Some(other);
        }
        if other.mantissa == 0 {
            return Some(self);
        }
        let exponent = self.exponent.min(other.exponent);
        let aligned = |decimal: Self| {
            let power = usize::try_from(decimal.exponent - exponent).ok().and_then(|zeros| POWERS.get(zeros));
            decimal.mantissa.checked_mul(*power?)
        };
        Some(Self { mantissa: aligned(self)?.checked_add(aligned(other)?)?, exponent })
    }

    /// The difference; `None` as for [`Self::plus`].
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(Self { mantissa: other.mantissa.checked_neg()?, ..other })
    }

    /// The double nearest to it; of two equally near the even one.
    #[must_use]
    pub fn value(self) -> f64 {
        let small = self.ratio().and_then(|(numerator, denominator)| nearest(numerator, denominator));
        small.unwrap_or_else(|| {
            let power = BigInt::from(10).pow(self.exponent.unsigned_abs());
            let mantissa = BigInt::from(self.mantissa);
            if self.exponent < 0 {
                nearest_large(&mantissa, &power)
            } else {
                nearest_large(&(mantissa * power), &BigInt::from(1))
            }
        })
    }

    /// `a - b` as decimals; the plain difference where their sizes are absurdly far apart.
    #[must_use]
    pub fn difference(a: f64, b: f64) -> f64 {
        let exact = || Some(Self::of(a)?.minus(Self::of(b)?)?.value());
        exact().unwrap_or(a - b)
    }

    /// `a + b` as decimals; the plain sum where their sizes are absurdly far apart.
    #[must_use]
    pub fn sum(a: f64, b: f64) -> f64 {
        let exact = || Some(Self::of(a)?.plus(Self::of(b)?)?.value());
        exact().unwrap_or(a + b)
    }

    /// Numerator and denominator; `None` where they do not fit.
    pub(crate) fn ratio(self) -> Option<(i128, i128)> {
        let power = *POWERS.get(self.exponent.unsigned_abs() as usize)?;
        if self.exponent < 0 { Some((self.mantissa, power)) } else { Some((self.mantissa.checked_mul(power)?, 1)) }
    }
}

/// Whole numbers up to here are doubles.
const EXACT: u64 = 1 << 53;

/// Quotients from here on have more bits than a double: rounding them rounds the exact result.
const ENOUGH_BITS: u128 = 1 << 55;

/// The double nearest to a fraction with a positive denominator; `None` where that is too large.
pub(crate) fn nearest(numerator: i128, denominator: i128) -> Option<f64> {
    let (mut rest, divisor) = (numerator.unsigned_abs(), denominator.unsigned_abs());
    let signed = |magnitude: f64| Some(if numerator < 0 { -magnitude } else { magnitude });
    if let (Ok(above @ 0..=EXACT), Ok(below @ 1..=EXACT)) = (u64::try_from(rest), u64::try_from(divisor)) {
        // Nothing but the division rounds.
        return signed(above as f64 / below as f64);
    }
    let room = divisor.leading_zeros();
    if room < 8 {
        return None;
    }
    if rest == 0 {
        return Some(0.0);
    }
    let mut shift = rest.leading_zeros();
    rest <<= shift;
    let mut quotient = rest / divisor;
    rest -= quotient * divisor;
    while quotient < ENOUGH_BITS {
        let step = room.min(64);
        rest <<= step;
        let more = rest / divisor;
        rest -= more * divisor;
        quotient = quotient << step | more;
        shift += step;
    }
    // What is left can only decide a tie.
    quotient |= u128::from(rest != 0);
    signed(quotient as f64 * two_to(-i64::from(shift)))
}

/// The double nearest to a fraction, down to the smallest and up to infinity.
pub(crate) fn nearest_large(numerator: &BigInt, denominator: &BigInt) -> f64 {
    /// A quarter of the smallest double is two to the power of minus this.
    const FINEST: i64 = 1_076;
    let sign = numerator.sign();
    let magnitude = numerator.magnitude();
    let bits = |bits: u64| i64::try_from(bits).unwrap_or(i64::MAX);
    let ahead = bits(magnitude.bits()) - bits(denominator.bits());
    let shift = (64 - ahead).min(FINEST);
    let (mut numerator, mut denominator) = (magnitude.clone(), denominator.magnitude().clone());
    if 0 < shift {
        numerator <<= shift
    } else {
        denominator <<= -shift
    }
    let (whole, rest) = (&numerator / &denominator, &numerator % &denominator);
    let quotient = u128::try_from(whole).unwrap_or(u128::MAX) | u128::from(rest.bits() != 0);
    let magnitude = if quotient < 1 << 54 && shift == FINEST {
        let (kept, cut) = (quotient >> 2, quotient & 3);
        let up = cut == 3 || cut == 2 && kept & 1 == 1;
        f64::from_bits(u64::try_from(kept).unwrap_or(u64::MAX) + u64::from(up))
    } else {
        // In two steps, because two to the power of the whole shift need not be a double.
        quotient as f64 * two_to(-(shift / 2)) * two_to(-(shift - shift / 2))
    };
    if sign == Sign::Minus { -magnitude } else { magnitude }
}

/// A power of two; infinity and zero beyond those that are doubles of full precision.
fn two_to(exponent: i64) -> f64 {
    match u64::try_from(exponent + 1_023) {
        Ok(biased @ 1..=2_046) => f64::from_bits(biased << 52),
        Ok(0) | Err(_) => 0.0,
        Ok(2_047..) => f64::INFINITY,
    }
}

#[cfg(test)]
mod tests;
