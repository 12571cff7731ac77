//! Promise P4 on measured years: whatever the order in which a year arrives, the settled alert history is the same.

use std::time::Instant;

use anyhow::{Result, bail};
use bakau_tests::series::{Series, estuary, marylebone, settled_in_order};
use sha2::{Digest, Sha256};

/// The most by which a row arrives after one that was measured later.
const LATENESS: &str = "2h";

/// Replays each year as measured and in `orders` random orders, each through a mosquitto and a Bakau of its own.
pub(crate) async fn orders(orders: u64) -> Result<()> {
    let year = Series { from: "2012-01-01T00:00:00Z", to: "2013-01-01T00:00:00Z", ..estuary() };
    for series in [year, marylebone()] {
        if !series.is_at_hand() {
            continue;
        }
        println!("{}: {} to {}, lateness up to {LATENESS}", series.name, series.from, series.to);
        let measured = settle(&series, "as measured", &[]).await?;
        for seed in 1..=orders {
            let seed = seed.to_string();
            let options = ["--shuffle", &seed, "--lateness", LATENESS];
            let settled = settle(&series, &format!("order {seed}"), &options).await?;
            if settled != measured {
                bail!("{}: order {seed} settles to another history than the year as measured", series.name);
            }
        }
        println!("  the settled history of {orders} orders is that of the year as measured");
    }
    Ok(())
}

/// One order; says what it settles to and gives the hash of that.
async fn settle(series: &Series, name: &str, options: &[&str]) -> Result<String> {
    let started = Instant::now();
    let episodes = settled_in_order(series, options).await?;
    let hash: String =
        Sha256::digest(serde_json::to_vec(&episodes)?).iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    println!("  {name:<12} {hash}  {} episodes, {:.1?}", episodes.len(), started.elapsed());
    Ok(hash)
}
