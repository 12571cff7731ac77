//! Randomness without state: any instant of any year can be asked for alone, and the answer is always the same.

/// Well-mixed bits of three numbers (the finalizer of SplitMix64, by Steele, Lea and Flood, 2014).
fn mix(seed: u64, stream: u64, step: i64) -> u64 {
    let mut bits =
        seed ^ stream.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ step.cast_unsigned().wrapping_mul(0xD1B5_4A32_D192_ED03);
    for _ in 0..2 {
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        bits ^= bits >> 31;
    }
    bits
}

/// A number of a text (FNV-1a), so that stations and parameters get noise of their own.
pub(crate) fn stream(text: &str) -> u64 {
    text.bytes().fold(0xCBF2_9CE4_8422_2325, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01B3))
}

/// A number from -1 to 1, drawn anew for each step.
pub(crate) fn white(seed: u64, stream: u64, step: i64) -> f64 {
    let bits = mix(seed, stream, step) >> 11;
    bits as f64 / (1_u64 << 52) as f64 - 1.0
}

/// A number from -1 to 1 that wanders: drawn at multiples of `period_ms`, eased in between.
pub(crate) fn smooth(seed: u64, stream: u64, at_ms: i64, period_ms: i64) -> f64 {
    let step = at_ms.div_euclid(period_ms);
    let part = at_ms.rem_euclid(period_ms) as f64 / period_ms as f64;
    let eased = part * part * (3.0 - 2.0 * part);
    let (here, there) = (white(seed, stream, step), white(seed, stream, step.wrapping_add(1)));
    here + (there - here) * eased
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn white_noise_has_no_bias() {
        let mean = (0..20_000).map(|step| white(7, 1, step)).sum::<f64>() / 20_000.0;
        assert!(mean.abs() < 0.02, "mean {mean}");
        let square = (0..20_000).map(|step| white(7, 1, step).powi(2)).sum::<f64>() / 20_000.0;
        assert!((square - 1.0 / 3.0).abs() < 0.02, "variance {square}");
    }

    #[test]
    fn streams_and_seeds_do_not_follow_each_other() {
        let product = |a: fn(i64) -> f64, b: fn(i64) -> f64| (0..20_000).map(|n| a(n) * b(n)).sum::<f64>() / 20_000.0;
        assert!(product(|n| white(7, 1, n), |n| white(7, 2, n)).abs() < 0.02);
        assert!(product(|n| white(7, 1, n), |n| white(8, 1, n)).abs() < 0.02);
    }

    proptest! {
        #[test]
        fn smooth_noise_stays_in_range_and_does_not_jump(seed: u64, at in -1_000_000_000_000_i64..4_000_000_000_000) {
            let (now, next) = (smooth(seed, 3, at, 60_000), smooth(seed, 3, at + 10, 60_000));
            prop_assert!((-1.0..=1.0).contains(&now));
            prop_assert!((next - now).abs() < 0.001, "{now} then {next}");
        }
    }
}
