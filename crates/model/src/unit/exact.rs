//! From the decimal text of a value to the double nearest to a rational multiple of it, rounded once.
//!
//! Integers of 128 bits hold what instruments send; wider ones take over where those do not suffice.

use num_bigint::{BigInt, Sign};

/// `mantissa * 10^exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Decimal {
    pub(super) mantissa: i128,
    pub(super) exponent: i32,
}

/// `(value * factor + offset) / divisor`; the divisor is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Linear {
    pub(super) factor: i128,
    pub(super) offset: i128,
    pub(super) divisor: i128,
}

/// Powers of ten that fit.
const POWERS: [i128; 39] = {
    let mut powers = [1_i128; 39];
    let mut n = 1;
    while n < powers.len() {
        powers[n] = powers[n - 1] * 10;
        n += 1;
    }
    powers
};

impl Decimal {
    /// The decimal with the fewest digits that reads as this number, which has to be finite.
    pub(super) fn shortest(number: f64) -> Self {
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

    /// The sum; `None` where it does not fit.
    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let exponent = self.exponent.min(other.exponent);
        let aligned = |decimal: Self| {
            let power = usize::try_from(decimal.exponent - exponent).ok().and_then(|zeros| POWERS.get(zeros));
            decimal.mantissa.checked_mul(*power?)
        };
        Some(Self { mantissa: aligned(self)?.checked_add(aligned(other)?)?, exponent })
    }

    /// Numerator and denominator; `None` where they do not fit.
    pub(super) fn ratio(self) -> Option<(i128, i128)> {
        let power = *POWERS.get(self.exponent.unsigned_abs() as usize)?;
        if self.exponent < 0 { Some((self.mantissa, power)) } else { Some((self.mantissa.checked_mul(power)?, 1)) }
    }
}

impl Linear {
    /// The double nearest to the exact result for the sum of these decimals; of two equally near the even one.
    pub(super) fn of(self, parts: &[Decimal]) -> f64 {
        let sum = match parts {
            [one] => Some(*one),
            many => many.iter().try_fold(Decimal { mantissa: 0, exponent: 0 }, |sum, part| sum.plus(*part)),
        };
        sum.and_then(|sum| self.small(sum)).unwrap_or_else(|| self.large(parts))
    }

    /// In 128 bits; `None` where those do not suffice.
    fn small(self, Decimal { mantissa, exponent }: Decimal) -> Option<f64> {
        let power = *POWERS.get(exponent.unsigned_abs() as usize)?;
        let scaled = mantissa.checked_mul(self.factor)?;
        if exponent < 0 {
            let numerator = scaled.checked_add(self.offset.checked_mul(power)?)?;
            return nearest(numerator, self.divisor.checked_mul(power)?);
        }
        nearest(scaled.checked_mul(power)?.checked_add(self.offset)?, self.divisor)
    }

    /// However large the numbers are.
    fn large(self, parts: &[Decimal]) -> f64 {
        let lowest = parts.iter().map(|part| part.exponent).min().unwrap_or(0).min(0);
        let power = |zeros: i32| BigInt::from(10).pow(zeros.unsigned_abs());
        let sum: BigInt = parts.iter().map(|part| part.mantissa * power(part.exponent - lowest)).sum();
        let (numerator, denominator) = (sum * self.factor + self.offset * power(lowest), self.divisor * power(lowest));
        nearest_large(&numerator, &denominator)
    }
}

/// Quotients from here on have more bits than a double: rounding them rounds the exact result.
const ENOUGH_BITS: u128 = 1 << 55;

/// The double nearest to a fraction; `None` where the denominator is too large.
fn nearest(numerator: i128, denominator: i128) -> Option<f64> {
    let (mut rest, divisor) = (numerator.unsigned_abs(), denominator.unsigned_abs());
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
    let magnitude = quotient as f64 * two_to(-i64::from(shift));
    Some(if numerator < 0 { -magnitude } else { magnitude })
}

/// The double nearest to a fraction, down to the smallest and up to infinity.
fn nearest_large(numerator: &BigInt, denominator: &BigInt) -> f64 {
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
