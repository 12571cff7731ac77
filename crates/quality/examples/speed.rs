//! How many values per second one core converts and judges: 1,000 datastreams in turn, a tide each with every test on, and
//! a rain gauge each that counts.
//!
//! `cargo run --release -p bakau-quality --example speed`

use std::time::Instant;

use bakau_model::{Counter, Flag, FlatLine, QualityLimits, Range, Step, Unit, UtcMillis};
use bakau_quality::Stream;

const DATASTREAMS: usize = 1_000;
const ROUNDS: i64 = 5_000;

fn main() {
    let sea = QualityLimits {
        fail: Some(Range { min: 0.0, max: 70.0 }),
        suspect: Some(Range { min: 0.0, max: 42.0 }),
        spike: Some(Step { suspect: Some(4.0), fail: Some(10.0) }),
        rate_per_min: Some(Step { suspect: Some(1.0), fail: None }),
        flat_line: Some(FlatLine { tolerance: 0.0, suspect_s: Some(6 * 3_600), fail_s: Some(24 * 3_600) }),
        ..QualityLimits::default()
    };
    judge("tide", &sea, |round, n| ((round as f64 + n as f64) * 0.042).sin().mul_add(6.0, 28.0));
    let rain = QualityLimits {
        fail: Some(Range { min: 0.0, max: 50.0 }),
        counter: Some(Counter { max: None, interval_ms: 300_000 }),
        ..QualityLimits::default()
    };
    // A tip of the bucket is 0.2 mm.
    judge("counter", &rain, |round, n| (round + n as i64 % 100) as f64 / 5.0);
    convert();
}

/// Prints how fast the values of all datastreams are judged.
fn judge(name: &str, limits: &QualityLimits, value: impl Fn(i64, usize) -> f64) {
    let mut streams = vec![Stream::new(); DATASTREAMS];
    let mut flags = [0_u64; 10];
    let before = Instant::now();
    for round in 0..ROUNDS {
        let at = UtcMillis::new(1_770_000_000_000 + round * 300_000);
        for (n, stream) in streams.iter_mut().enumerate() {
            let judgement = stream.judge(limits, (at, Some(value(round, n))).into());
            flags[usize::from(judgement.results.aggregate().code())] += 1;
        }
    }
    let seconds = before.elapsed().as_secs_f64();
    let values = DATASTREAMS as f64 * ROUNDS as f64;
    println!(
        "{name}: {:.2} million values per second, {} bytes of state per datastream, {:.1} % good",
        values / seconds / 1e6,
        size_of::<Stream>(),
        flags[usize::from(Flag::Good.code())] as f64 * 100.0 / values
    );
}

/// Prints how fast values with a few digits and with as many as a double has become those of another unit.
fn convert() {
    for (from, to) in [("cm", "m"), ("[degF]", "Cel"), ("m3/h", "m3/s")] {
        let Ok(conversion) = Unit::new(from).conversion_to(&Unit::new(to)) else { continue };
        for (digits, step) in [("few digits", 0.1), ("17 digits", std::f64::consts::PI)] {
            let values: Vec<f64> = (0..10_000_i32).map(|n| (f64::from(n) * step * 10.0).round() / 10.0).collect();
            let values = if step == 0.1 { values } else { values.iter().map(|value| value * step).collect() };
            let before = Instant::now();
            let sum: f64 = (0..200).flat_map(|_| &values).map(|value| conversion.apply(*value)).sum();
            let seconds = before.elapsed().as_secs_f64();
            println!("{from} to {to}, {digits}: {:.2} million values per second, sum {sum}", 2.0 / seconds);
        }
    }
}
