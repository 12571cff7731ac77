//! Adding many numbers without losing what rounding takes from each of them.

/// A sum and what rounding has lost of it (A. Neumaier 1974), so that a mean does not depend on how its values were
/// grouped.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Sum {
    /// The sum, as far as one number holds it.
    pub rounded: f64,
    /// What is missing from it.
    pub lost: f64,
}

impl Sum {
    /// Nothing yet.
    pub const ZERO: Self = Self { rounded: 0.0, lost: 0.0 };

    /// Adds a number.
    pub fn add(&mut self, part: f64) {
        let (before, rounded) = (self.rounded, self.rounded + part);
        self.lost += if part.abs() <= before.abs() { (before - rounded) + part } else { (part - rounded) + before };
        self.rounded = rounded;
    }

    /// Adds another sum.
    pub fn join(&mut self, other: Self) {
        self.add(other.rounded);
        self.lost += other.lost;
    }

    /// What it amounts to.
    #[must_use]
    pub fn value(self) -> f64 {
        self.rounded + self.lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_rounding_takes_is_given_back_whatever_the_grouping() {
        let values = [1e16, 1.0, -1e16, 1.0];
        let of = |values: &[f64]| {
            let mut sum = Sum::ZERO;
            values.iter().for_each(|value| sum.add(*value));
            sum
        };
        assert_eq!((values.iter().sum::<f64>(), of(&values).value()), (1.0, 2.0));
        let mut joined = of(&values[..2]);
        joined.join(of(&values[2..]));
        assert_eq!(joined.value(), 2.0);
    }
}
