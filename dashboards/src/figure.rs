//! How exactly a value is written beside the limits it is compared with.

/// Nothing is written with more places than this.
const MOST_DECIMALS: u8 = 9;

/// Decimal places, `decimals` or as many more as it takes, with which `value` written stands where it is: below, at or
/// above each of `bounds`. 54.96 with one place would be 55.0, and beside a limit of 55 the page would contradict itself.
///
/// ```
/// use bakau_dashboards::figure::decimals_beside;
/// assert_eq!(decimals_beside(54.96, 1, &[55.0, 150.4]), 2);
/// assert_eq!(decimals_beside(54.6, 1, &[55.0]), 1);
/// assert_eq!(decimals_beside(55.0, 1, &[55.0]), 1);
/// ```
#[must_use]
pub fn decimals_beside(value: f64, decimals: u8, bounds: &[f64]) -> u8 {
    let side = |number: f64| bounds.iter().map(move |bound| number.partial_cmp(bound));
    let right = |places: &u8| {
        let written: Option<f64> = format!("{value:.*}", usize::from(*places)).parse().ok();
        written.is_some_and(|written| side(written).eq(side(value)))
    };
    (decimals..=MOST_DECIMALS).find(right).unwrap_or(decimals)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn no_more_places_than_it_takes_and_none_more_without_limits() {
        assert_eq!(decimals_beside(4.996, 2, &[4.5, 5.0]), 3);
        assert_eq!(decimals_beside(4.004, 2, &[4.0]), 3, "above the limit, and not at it");
        assert_eq!(decimals_beside(4.996, 2, &[]), 2);
        assert_eq!(decimals_beside(f64::NAN, 2, &[4.0]), 2);
    }

    proptest! {
        #[test]
        fn what_is_written_stands_on_the_right_side_of_every_limit(
            millionths in -500_000_000_i64..500_000_000,
            near in -2_000_i64..2_000,
            decimals in 0_u8..4,
            tenths in proptest::collection::vec(-5_000_i64..5_000, 0..5),
        ) {
            let mut bounds: Vec<f64> = tenths.iter().map(|tenths| *tenths as f64 / 10.0).collect();
            // Close to a limit is where it matters.
            let value = bounds.first().map_or(millionths as f64 / 1e6, |bound| bound + near as f64 / 1e5);
            bounds.push(55.0);
            let places = decimals_beside(value, decimals, &bounds);
            let written: f64 = format!("{value:.*}", usize::from(places)).parse().unwrap();
            for bound in &bounds {
                prop_assert_eq!(written < *bound, value < *bound, "{} of {} at {}", written, value, bound);
                prop_assert_eq!(written > *bound, value > *bound, "{} of {} at {}", written, value, bound);
            }
            prop_assert!(decimals <= places);
            let fewer = format!("{value:.*}", usize::from(places.saturating_sub(1))).parse::<f64>().unwrap();
            let side = |number: f64| bounds.iter().map(move |bound| number.partial_cmp(bound));
            prop_assert!(places == decimals || side(fewer).ne(side(value)), "{} places are more than it takes", places);
        }
    }
}
