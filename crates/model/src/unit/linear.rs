//! From the decimals of values to the double nearest to a rational multiple of them, rounded once.

use num_bigint::BigInt;

use crate::exact::{Decimal, POWERS, nearest, nearest_large};

/// `(value * factor + offset) / divisor`; the divisor is positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Linear {
    pub(super) factor: i128,
    pub(super) offset: i128,
    pub(super) divisor: i128,
}

impl Linear {
    /// The double nearest to the exact result for the sum of these decimals; of two equally near the even one.
    pub(super) fn of(self, parts: &[Decimal]) -> f64 {
        let sum = match parts {
            [one] => Some(*one),
            many => many.iter().try_fold(Decimal::ZERO, |sum, part| sum.plus(*part)),
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
