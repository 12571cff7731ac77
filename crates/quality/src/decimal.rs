//! Exact sums and differences of numbers as people wrote them.
//!
//! A counter that says 10.4 after 10.2 has counted 0.2, not 0.20000000000000018: the numbers are the shortest decimal
//! texts of their doubles, the arithmetic is that of decimals, and only the result is rounded, once.

/// Digits before or behind which numbers are too far apart to be added exactly: with 17 digits each they fit in 128 bits.
const MAX_SHIFT: u32 = 20;

/// A number as `digits` times ten to the power of `exponent`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Decimal {
    digits: i128,
    exponent: i32,
}

impl Decimal {
    /// Nothing.
    pub const ZERO: Self = Self { digits: 0, exponent: 0 };

    /// The number that the shortest text of a double says; `None` of one that is not finite.
    #[must_use]
    pub fn of(value: f64) -> Option<Self> {
        if value == 0.0 {
            return Some(Self::ZERO);
        }
        if !value.is_finite() {
            return None;
        }
        // Such as `-1.04e1`.
        let text = format!("{value:e}");
        let (mantissa, exponent) = text.split_once('e')?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let exponent: i32 = exponent.parse().ok()?;
        Some(Self { digits, exponent: exponent - i32::try_from(fraction.len()).ok()? })
    }

    /// The sum; `None` where the two are too far apart for an exact one.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        if self.digits == 0 {
            return Some(other);
        }
        if other.digits == 0 {
            return Some(self);
        }
        let exponent = self.exponent.min(other.exponent);
        let shifted = |number: Self| {
            let shift = u32::try_from(number.exponent - exponent).ok().filter(|&shift| shift <= MAX_SHIFT)?;
            number.digits.checked_mul(10_i128.checked_pow(shift)?)
        };
        Some(Self { digits: shifted(self)?.checked_add(shifted(other)?)?, exponent })
    }

    /// The difference; `None` as for [`Self::plus`].
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        self.plus(Self { digits: -other.digits, ..other })
    }

    /// The double nearest to it.
    #[must_use]
    pub fn value(self) -> f64 {
        // A text of digits and exponent is always a number.
        format!("{}e{}", self.digits, self.exponent).parse().unwrap_or(f64::NAN)
    }
}

/// `a - b` as decimals; the plain difference where their sizes are absurdly far apart.
#[must_use]
pub fn difference(a: f64, b: f64) -> f64 {
    let exact = || Some(Decimal::of(a)?.minus(Decimal::of(b)?)?.value());
    exact().unwrap_or(a - b)
}

/// `a + b` as decimals; the plain sum where their sizes are absurdly far apart.
#[must_use]
pub fn sum(a: f64, b: f64) -> f64 {
    let exact = || Some(Decimal::of(a)?.plus(Decimal::of(b)?)?.value());
    exact().unwrap_or(a + b)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn differences_are_those_that_people_work_out() {
        assert_ne!(10.4 - 10.2, 0.2, "what doubles say");
        for (a, b, expected) in [
            (10.4, 10.2, 0.2),
            (0.3, 0.1, 0.2),
            (1.1, 1.0, 0.1),
            (100.3, 100.1, 0.2),
            (5.0, 5.0, 0.0),
            (13107.2, 13107.0, 0.2),
            (1e-7, 0.0, 1e-7),
            (4_294_967_295.2, 4_294_967_295.0, 0.2),
            (0.000_3, 0.000_1, 0.000_2),
        ] {
            assert_eq!(difference(a, b).to_bits(), f64::to_bits(expected), "{a} - {b}");
        }
        assert_eq!((sum(0.1, 0.2), sum(-0.2, 0.2)), (0.3, 0.0));
    }

    #[test]
    fn numbers_too_far_apart_fall_back_to_doubles_and_infinities_are_none() {
        assert_eq!(difference(1e300, 1e-300), 1e300);
        assert_eq!(Decimal::of(f64::NAN), None);
        assert!(difference(f64::INFINITY, 1.0).is_infinite());
    }

    proptest! {
        #[test]
        fn a_number_is_its_own_decimal(value in proptest::num::f64::NORMAL | proptest::num::f64::SUBNORMAL) {
            prop_assert_eq!(Decimal::of(value).map(Decimal::value), Some(value));
        }

        #[test]
        fn whole_steps_add_up_exactly(ticks in prop::collection::vec(0_u32..1_000, 1..200), decimals in 0_i32..6) {
            let of = |ticks: i64| format!("{ticks}e-{decimals}").parse::<f64>().unwrap();
            let (mut total, mut all) = (Decimal::ZERO, 0_i64);
            for tick in &ticks {
                total = total.plus(Decimal::of(of(i64::from(*tick))).unwrap()).unwrap();
                all += i64::from(*tick);
            }
            prop_assert_eq!(total.value(), of(all));
        }
    }
}
