//! Benchmarks in a release build: `cargo xtask bench line [--quick]`. Figures only; nothing here passes or fails.

mod figures;
mod line;
mod rig;

use anyhow::{Result, bail};
use clap::Parser;

#[derive(Debug, Parser)]
struct Arguments {
    /// Which benchmark: `line`.
    name: String,
    /// One run of everything instead of five, with fewer messages.
    #[arg(long)]
    quick: bool,
}

#[tokio::main]
async fn main() -> Result<()> {
    let arguments = Arguments::parse();
    match arguments.name.as_str() {
        "line" => line::run(arguments.quick).await,
        other => bail!("unknown benchmark '{other}'; there is: line"),
    }
}
