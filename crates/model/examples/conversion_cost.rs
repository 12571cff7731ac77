//! What converting one value costs, by what devices send.
//!
//! `cargo run --release -p bakau-model --example conversion_cost`

use std::{hint::black_box, time::Instant};

use bakau_model::{GasReference, Unit};

const VALUES: usize = 1_000_000;

/// What a device sends, and its n-th value.
type Sent = (&'static str, fn(usize) -> f64);

fn main() {
    let sent: [Sent; 5] = [
        ("integers", |n| (n % 4_000) as f64),
        ("one decimal", |n| (n % 4_000) as f64 / 10.0),
        ("three decimals", |n| (n % 40_000) as f64 / 1_000.0),
        ("widened floats", |n| f64::from((n % 40_000) as f32 / 1_000.0)),
        ("sixteen digits", |n| (n as f64 + 0.3) / 7.0),
    ];
    for (from, to) in [("cm", "m"), ("K", "Cel"), ("mS/cm", "uS/cm"), ("[degF]", "Cel"), ("rad", "deg"), ("m", "m")] {
        let Ok(conversion) = Unit::new(from).conversion_to(&Unit::new(to)) else { continue };
        for (what, value) in sent {
            tell(&format!("{from} to {to}, {what}"), value, |value| conversion.apply(value));
        }
    }
    let air = GasReference { temperature_c: 25.0, pressure_hpa: 1013.25 };
    if let Ok(conversion) = Unit::new("[ppb]").gas_conversion_to(&Unit::new("ug/m3"), 47.997, air) {
        for (what, value) in sent {
            tell(&format!("ozone, {what}"), value, |value| conversion.apply(value));
        }
    }
}

fn tell(what: &str, value: fn(usize) -> f64, apply: impl Fn(f64) -> f64) {
    let values: Vec<f64> = (0..VALUES).map(value).collect();
    let before = Instant::now();
    for value in &values {
        black_box(apply(black_box(*value)));
    }
    println!("{:6.1} ns  {what}", before.elapsed().as_nanos() as f64 / VALUES as f64);
}
