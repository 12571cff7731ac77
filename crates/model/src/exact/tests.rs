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
        assert_eq!(Decimal::difference(a, b).to_bits(), f64::to_bits(expected), "{a} - {b}");
    }
    assert_eq!((Decimal::sum(0.1, 0.2), Decimal::sum(-0.2, 0.2)), (0.3, 0.0));
}

#[test]
fn numbers_too_far_apart_fall_back_to_doubles_and_infinities_are_none() {
    assert_eq!(Decimal::difference(1e300, 1e-300), 1e300);
    assert!(Decimal::of(f64::NAN).is_none());
    assert!(Decimal::difference(f64::INFINITY, 1.0).is_infinite());
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

    #[test]
    fn a_decimal_found_without_its_text_is_the_shortest(
        ticks in -1_200_000_000_000_000_i64..1_200_000_000_000_000,
        decimals in 0_i32..6,
    ) {
        let value = format!("{ticks}e-{decimals}").parse::<f64>().unwrap();
        if let Some(short) = Decimal::short(value) {
            prop_assert_eq!(short.minus(Decimal::shortest(value)).map(|rest| rest.mantissa), Some(0), "{:?}", value);
        } else {
            prop_assert!(1e12 <= value.abs() || 3 < decimals, "{:?}", value);
        }
    }
}
