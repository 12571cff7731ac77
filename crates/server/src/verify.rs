//! `bakau verify`: reads everything again and names what is damaged.

use anyhow::{Result, bail};
use bakau_store::Store;

use crate::{config::Config, wiring};

pub(crate) async fn run(config: &Config) -> Result<()> {
    let _lock = wiring::lock(&config.data)?;
    let (_spool, reader) = wiring::open_spool(config)?;
    let spool = tokio::task::spawn_blocking(move || reader.verify()).await??;
    let store = wiring::open_store(&config.data)?.verify().await?;
    println!("spool: {spool:?}");
    println!("store: {store:?}");
    if !spool.damaged.is_empty() || !store.problems.is_empty() {
        bail!("damage found");
    }
    Ok(())
}
