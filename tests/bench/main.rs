//! Benchmarks in a release build: `cargo xtask bench line|product|influx|quality [SECTION] [--quick]`. Figures only; nothing here passes or fails.

mod figures;
mod influx;
mod line;
mod product;
mod quality;
mod rig;

use anyhow::{Result, bail};
use clap::Parser;

#[derive(Debug, Parser)]
struct Arguments {
    /// Which benchmark: `line`, `product`, `influx` or `quality`.
    name: String,
    /// Only this section of `product` or `influx`.
    section: Option<String>,
    /// One run of everything instead of five, with fewer messages.
    #[arg(long)]
    quick: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    bakau_tests::install_tls();
    let arguments = Arguments::parse();
    match arguments.name.as_str() {
        "line" => line::run(arguments.quick).await,
        "product" => product::run(arguments.section.as_deref(), arguments.quick).await,
        "influx" => influx::run(arguments.section.as_deref(), arguments.quick).await,
        "quality" => quality::run(),
        other => bail!("unknown benchmark '{other}'; there are: line, product, influx, quality"),
    }
}
