//! How many values per second one core judges: 1,000 datastreams in turn, every test on, a year of a tide each.
//!
//! `cargo run --release -p bakau-quality --example speed`

use std::time::Instant;

use bakau_model::{Flag, FlatLine, QualityLimits, Range, Step, UtcMillis};
use bakau_quality::Stream;

const DATASTREAMS: usize = 1_000;
const ROUNDS: i64 = 5_000;

fn main() {
    let limits = QualityLimits {
        fail: Some(Range { min: 0.0, max: 70.0 }),
        suspect: Some(Range { min: 0.0, max: 42.0 }),
        spike: Some(Step { suspect: Some(4.0), fail: Some(10.0) }),
        rate_per_min: Some(Step { suspect: Some(1.0), fail: None }),
        flat_line: Some(FlatLine { tolerance: 0.0, suspect_s: Some(6 * 3_600), fail_s: Some(24 * 3_600) }),
        counter: None,
        codes: bakau_model::MissingCodes::NONE,
    };
    let mut streams = vec![Stream::new(); DATASTREAMS];
    let mut flags = [0_u64; 10];
    let before = Instant::now();
    for round in 0..ROUNDS {
        let at = UtcMillis::new(1_770_000_000_000 + round * 300_000);
        for (n, stream) in streams.iter_mut().enumerate() {
            let tide = ((round as f64 + n as f64) * 0.042).sin();
            let judgement = stream.judge(&limits, (at, Some(tide.mul_add(6.0, 28.0))).into());
            flags[usize::from(judgement.results.aggregate().code())] += 1;
        }
    }
    let seconds = before.elapsed().as_secs_f64();
    let values = DATASTREAMS as f64 * ROUNDS as f64;
    println!(
        "{:.2} million values per second, {} bytes of state per datastream, {:.1} % good",
        values / seconds / 1e6,
        size_of::<Stream>(),
        flags[usize::from(Flag::Good.code())] as f64 * 100.0 / values
    );
}
