//! Writes example pages and charts into a folder: `cargo run -p bakau-dashboards --example render -- FOLDER`.

#![allow(missing_docs, clippy::unwrap_used, reason = "an example that may stop at the first problem")]

use std::{fs, path::Path};

use bakau_dashboards::chart::{self, ChartSpec, LimitLine, Point};
use bakau_model::{Flag, Language, Level, Unit, UtcMillis};
use jiff::tz::TimeZone;

#[path = "render/charts.rs"]
mod charts;
#[path = "render/pages.rs"]
mod pages;

fn main() {
    let Some(folder) = std::env::args_os().nth(1) else {
        eprintln!("name the folder to write into");
        std::process::exit(2);
    };
    let folder = Path::new(&folder);
    fs::create_dir_all(folder).unwrap();
    charts::write(folder);
    pages::write(folder);
}
