use num_bigint::{BigInt, Sign};
use proptest::prelude::*;

use super::*;

fn at(from: &str, to: &str, value: f64) -> f64 {
    Unit::new(from).conversion_to(&Unit::new(to)).unwrap().apply(value)
}

#[test]
fn known_points_convert() {
    for (from, to, value, expected) in [
        ("[degF]", "Cel", 212.0, 100.0),
        ("[degF]", "Cel", 32.0, 0.0),
        ("L", "m3", 12_345.0, 12.345),
        ("W.h", "kW.h", 250.0, 0.25),
        ("MW.h", "kW.h", 1.2, 1200.0),
        ("MJ", "kW.h", 36.0, 10.0),
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
fn every_pair_is_written_once_and_keeps_the_order_of_values() {
    let mut pairs = std::collections::BTreeSet::new();
    for (from, to, factor, _, divisor) in TABLE {
        assert!(pairs.insert((from, to)), "{from} to {to} is written twice");
        assert!(from != to && 0 < *factor && 0 < *divisor, "{from} to {to}");
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
fn what_devices_send_becomes_the_double_that_people_would_write() {
    for (from, to, value, expected) in [
        ("cm", "m", 115.0, 1.15),
        ("mS/cm", "uS/cm", 2.01, 2010.0),
        ("K", "Cel", 301.5, 28.35),
        ("K", "Cel", 0.0, -273.15),
        ("[degF]", "Cel", 0.0, -17.777_777_777_777_78),
        ("%", "m3/m3", 29.0, 0.29),
        ("mm", "m", 1342.0, 1.342),
        ("ug/L", "mg/L", 7.1, 0.0071),
        ("kPa", "hPa", 101.07, 1010.7),
        ("m3/h", "m3/s", 7200.36, 2.0001),
        // A 32-bit float that a logger widened.
        ("cm", "m", 28.100_000_381_469_727, 0.281_000_003_814_697_27),
        ("mm", "m", 5e-324, 0.0),
        ("m", "mm", 5e-324, 5e-321),
        ("mm", "m", 1.797_693_134_862_315_7e308, 1.797_693_134_862_315_7e305),
        ("m", "mm", -1e308, f64::NEG_INFINITY),
        ("K", "Cel", 1e-300, -273.15),
        ("K", "Cel", -1e300, -1e300),
        ("cm", "m", 1.5e-40, 1.5e-42),
    ] {
        let found = at(from, to, value);
        assert_eq!(found.to_bits(), f64::to_bits(expected), "{value} {from} gave {found:?} {to} and not {expected:?}");
    }
}

#[test]
fn a_zero_keeps_its_sign_and_what_is_no_number_stays_none() {
    assert_eq!(at("cm", "m", -0.0).to_bits(), (-0.0_f64).to_bits());
    assert!(at("cm", "m", f64::NAN).is_nan());
    assert_eq!(at("cm", "m", f64::INFINITY), f64::INFINITY);
    for value in [0.1, -0.0, 5e-324, f64::MAX, 0.300_000_000_000_000_04] {
        assert_eq!(at("L/m2", "mm", value).to_bits(), value.to_bits(), "a litre per square metre is a millimetre");
    }
}

#[test]
fn a_base_and_a_value_are_added_as_the_decimals_that_they_are() {
    let sum = |from: &str, to: &str, base: f64, value: f64| {
        Unit::new(from).conversion_to(&Unit::new(to)).unwrap().apply_to_sum(base, value)
    };
    assert_eq!(sum("m", "m", 0.1, 0.2).to_bits(), 0.3_f64.to_bits());
    assert_eq!(sum("cm", "m", 100.0, 15.1).to_bits(), 1.151_f64.to_bits());
    assert_eq!(sum("cm", "m", 0.0, -0.0).to_bits(), (-0.0_f64).to_bits());
    assert_eq!(sum("cm", "m", 1e300, 1e-300).to_bits(), 1e298_f64.to_bits());
    assert_eq!(sum("cm", "m", 1e308, 1e308).to_bits(), 2e306_f64.to_bits(), "only the result has to fit");
    assert_eq!(sum("K", "Cel", 273.15, -273.15), -273.15);
}

#[test]
fn a_gas_is_converted_at_the_state_of_the_air_that_is_named() {
    // g/mol, and what 1 ppb is in ug/m3 at 25 Cel and 1 atm (24.45 L/mol), as environmental agencies print it.
    let printed = [
        ("SO2", 64.058, 2.62),
        ("NO2", 46.005, 1.88),
        ("NO", 30.006, 1.23),
        ("O3", 47.997, 1.96),
        ("CO", 28.010, 1.146),
    ];
    let air = GasReference { temperature_c: 25.0, pressure_hpa: 1013.25 };
    let (ppb, ppm, mass) = (Unit::new("[ppb]"), Unit::new("[ppm]"), Unit::new("ug/m3"));
    for (gas, molar_mass, expected) in printed {
        let one = ppb.gas_conversion_to(&mass, molar_mass, air).unwrap().apply(1.0);
        assert!((one - expected).abs() < 0.006, "{gas}: {one}");
        let thousand = ppm.gas_conversion_to(&mass, molar_mass, air).unwrap().apply(1.0);
        assert!((thousand - 1000.0 * one).abs() < 1e-9, "{gas}: {thousand}");
    }
    // 47.997 * 101325 / (8.31446261815324 * 298.15) / 1000, worked out with 50 digits.
    let ozone = ppb.gas_conversion_to(&mass, 47.997, air).unwrap();
    assert_eq!(ozone.apply(1.0), "1.96183151499808238291838".parse::<f64>().unwrap());
    let batu = ppb.gas_conversion_to(&mass, 47.997, GasReference { temperature_c: 23.0, pressure_hpa: 910.0 }).unwrap();
    assert!(batu.apply(50.0) < 0.91 * ozone.apply(50.0), "less air, less ozone");
}

#[test]
fn a_gas_without_mass_or_in_no_air_is_refused() {
    let (ppb, mass) = (Unit::new("[ppb]"), Unit::new("ug/m3"));
    let at = |molar_mass: f64, temperature_c: f64, pressure_hpa: f64| {
        ppb.gas_conversion_to(&mass, molar_mass, GasReference { temperature_c, pressure_hpa })
    };
    assert!(at(47.997, 25.0, 1013.25).is_ok());
    for (molar_mass, temperature_c, pressure_hpa) in [
        (0.0, 25.0, 1013.25),
        (f64::NAN, 25.0, 1013.25),
        (47.997, -273.15, 1013.25),
        (47.997, -300.0, 1013.25),
        (47.997, 25.0, f64::INFINITY),
        (47.997, 25.0, 0.0),
        (47.997, 25.0, -1.0),
        (47.997, 1e300, 1013.25),
    ] {
        assert!(at(molar_mass, temperature_c, pressure_hpa).is_err(), "{molar_mass} {temperature_c} {pressure_hpa}");
    }
    let air = GasReference { temperature_c: 25.0, pressure_hpa: 1013.25 };
    assert!(Unit::new("cm").gas_conversion_to(&mass, 47.997, air).is_err());
    assert!(ppb.gas_conversion_to(&Unit::new("mg/L"), 47.997, air).is_err(), "a share of water is no mass");
}

#[test]
fn a_gas_in_ppb_is_not_converted_silently() {
    let error = Unit::new("[ppb]").conversion_to(&Unit::new("ug/m3")).unwrap_err();
    assert!(error.to_string().contains("'[ppb]' cannot be converted to 'ug/m3'"));
}

// === against the definition, in numbers of any size ===

/// Numerator and denominator.
type Fraction = (BigInt, BigInt);

fn ten_to(power: i32) -> Fraction {
    let power_of = BigInt::from(10).pow(power.unsigned_abs());
    if power < 0 { (BigInt::from(1), power_of) } else { (power_of, BigInt::from(1)) }
}

/// The shortest decimal of a number. Above 2^49 two may be equally short and equally near, and the standard library may
/// write the other one; either is what a device may have sent.
fn written(value: f64) -> Fraction {
    let mut buffer = zmij::Buffer::new();
    let text = buffer.format_finite(value);
    let (digits, power) = text.split_once('e').unwrap_or((text, "0"));
    let (whole, decimals) = digits.split_once('.').unwrap_or((digits, ""));
    let mantissa: BigInt = format!("{whole}{decimals}").parse().unwrap();
    let (above, below) = ten_to(power.parse::<i32>().unwrap() - i32::try_from(decimals.len()).unwrap());
    (mantissa * above, below)
}

/// The double itself.
fn exactly(value: f64) -> Fraction {
    let bits = value.to_bits();
    let (biased, fraction) = (i32::try_from(bits >> 52 & 0x7FF).unwrap(), bits & ((1 << 52) - 1));
    let (mantissa, power) = if biased == 0 { (fraction, -1_074) } else { (fraction | 1 << 52, biased - 1_075) };
    let mantissa = BigInt::from_biguint(if value < 0.0 { Sign::Minus } else { Sign::Plus }, mantissa.into());
    let scale = BigInt::from(1) << power.unsigned_abs();
    if power < 0 { (mantissa, scale) } else { (mantissa * scale, BigInt::from(1)) }
}

fn less((a, b): &Fraction, (c, d): &Fraction) -> std::cmp::Ordering {
    (a * d).cmp(&(c * b))
}

/// Whether no other double is nearer, and of two equally near ones this is the even one.
fn is_nearest(found: f64, exact: &Fraction) -> bool {
    let between = |near: f64, far: f64| {
        // Beyond the greatest double the next step counts as if there were one.
        let far = if far.is_finite() { exactly(far) } else { (BigInt::from(1) << 1_024, BigInt::from(1)) };
        let near = exactly(near);
        (&near.0 * &far.1 + &far.0 * &near.1, BigInt::from(2) * near.1 * far.1)
    };
    let (above, magnitude) = (exact.0.sign() != Sign::Minus, found.abs());
    let exact = (exact.0.magnitude().clone().into(), exact.1.clone());
    if found != 0.0 && above != (0.0 < found) {
        return false;
    }
    let even = magnitude.to_bits() & 1 == 0;
    let (low, high) = (
        (magnitude != 0.0).then(|| less(&between(magnitude.next_down(), magnitude.min(f64::MAX)), &exact)),
        magnitude.is_finite().then(|| less(&exact, &between(magnitude, magnitude.next_up()))),
    );
    [low, high].into_iter().flatten().all(|order| order.is_lt() || even && order.is_eq())
}

fn convert((factor, offset, divisor): (i64, i64, i64), (above, below): Fraction) -> Fraction {
    (above * factor + &below * offset, below * divisor)
}

/// What instruments send, and every other double.
fn sent() -> impl Strategy<Value = f64> {
    let decimal = |digits: i64, places: i32| {
        (-digits..digits, 0..places).prop_map(|(mantissa, places)| format!("{mantissa}e-{places}").parse().unwrap())
    };
    prop_oneof![
        4 => decimal(100_000, 5),
        2 => decimal(10_000_000_000_000_000, 20),
        2 => any::<f32>().prop_map(f64::from),
        2 => any::<f64>(),
        2 => 1e13..1e23,
        1 => any::<u64>().prop_map(f64::from_bits),
    ]
    .prop_filter("a number", |value: &f64| value.is_finite())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn every_conversion_gives_the_double_nearest_to_the_exact_result(value in sent()) {
        for &(from, to, factor, offset, divisor) in TABLE {
            let exact = convert((factor, offset, divisor), written(value));
            let found = at(from, to, value);
            prop_assert!(is_nearest(found, &exact), "{:?} {} gave {:?} {}", value, from, found, to);
        }
    }

    #[test]
    fn greater_values_never_become_smaller(a in sent(), b in sent(), near in any::<bool>()) {
        let b = if near { a.next_up() } else { b };
        let (low, high) = (a.min(b), a.max(b));
        for (from, to, ..) in TABLE {
            prop_assert!(at(from, to, low) <= at(from, to, high), "{:?} and {:?} {} to {}", low, high, from, to);
        }
    }

    #[test]
    fn a_sum_is_rounded_once(base in sent(), value in sent()) {
        prop_assume!(base != 0.0);
        let ((a, b), (c, d)) = (written(base), written(value));
        let sum = (a * &d + c * &b, b * d);
        for &(from, to, factor, offset, divisor) in TABLE.iter().take(3) {
            let found = Unit::new(from).conversion_to(&Unit::new(to)).unwrap().apply_to_sum(base, value);
            prop_assert!(is_nearest(found, &convert((factor, offset, divisor), sum.clone())), "{:?}+{:?}", base, value);
        }
    }

    #[test]
    fn the_decimal_taken_is_one_of_the_shortest(value in sent()) {
        let mut buffer = zmij::Buffer::new();
        let (ours, theirs) = (buffer.format_finite(value), format!("{value:e}"));
        prop_assert_eq!(ours.parse(), Ok(value));
        let digits = |text: &str| {
            let mantissa = text.split('e').next().unwrap_or_default().replace(['.', '-'], "");
            mantissa.trim_matches('0').len()
        };
        prop_assert_eq!(digits(ours), digits(&theirs), "{} and {}", ours, theirs);
    }

    #[test]
    fn gases_are_rounded_once(value in sent(), temperature in -5000_i32..6000, pressure in 3000_i32..11_000) {
        let air = GasReference {
            temperature_c: f64::from(temperature) / 100.0,
            pressure_hpa: f64::from(pressure) / 10.0,
        };
        let conversion = Unit::new("[ppb]").gas_conversion_to(&Unit::new("ug/m3"), 47.997, air).unwrap();
        let (above, below) = written(value);
        // 10^-9 * 10^6 ug * 47.997 g/mol * pressure Pa / (8.31446261815324 * kelvin)
        let above = above * 47_997 * (pressure * 10) * BigInt::from(10).pow(14 + 2);
        let below = below * BigInt::from(10).pow(3 + 3) * 831_446_261_815_324_i64 * (temperature + 27_315);
        prop_assert!(is_nearest(conversion.apply(value), &(above, below)), "{:?} at {:?}", value, air);
    }
}
