//! Writes example pages and charts into a folder, and says how long a chart takes and how large it is:
//! `cargo run --release -p bakau-dashboards --example render -- FOLDER`.

#![allow(missing_docs, clippy::unwrap_used, reason = "an example that may stop at the first problem")]

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use bakau_dashboards::chart::{self, ChartSpec, LimitLine, Point, Side, Spread};
use bakau_model::{Flag, Language, Level, Unit};
use jiff::tz::TimeZone;

#[path = "render/charts.rs"]
mod charts;
#[path = "render/pages.rs"]
mod pages;

/// Drawings of each kind that are timed.
const RUNS: usize = 200;

fn main() {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("name the folder to write into");
        std::process::exit(2);
    };
    let folder = Path::new(&folder);
    fs::create_dir_all(folder).unwrap();
    charts::write(folder);
    pages::write(folder);
    for (name, spec) in charts::timed() {
        tell(&format!("{name}, SVG"), || chart::svg(&spec).unwrap().len());
        tell(&format!("{name}, PNG"), || chart::png(&spec).unwrap().len());
    }
    tell("overview of 12 stations", pages::overview_size);
}

/// Draws again and again and prints bytes, median and 95th percentile.
fn tell(name: &str, draw: impl Fn() -> usize) {
    let bytes = draw();
    let mut times: Vec<Duration> = (0..RUNS)
        .map(|_| {
            let start = Instant::now();
            std::hint::black_box(draw());
            start.elapsed()
        })
        .collect();
    times.sort_unstable();
    let at = |percent: usize| times[(times.len() * percent / 100).min(times.len() - 1)].as_secs_f64() * 1e3;
    println!("{name}: {bytes} bytes, median {:.2} ms, p95 {:.2} ms", at(50), at(95));
}
