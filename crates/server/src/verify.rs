//! `bakau verify`: reads everything again and names what is damaged.

use anyhow::{Result, bail};
use bakau_store::Store;

use crate::{config::Config, wiring};

pub(crate) async fn run(config: &Config) -> Result<()> {
    let _lock = wiring::lock(&config.data)?;
    let (_spool, reader) = wiring::open_spool(config)?;
    let mut spool = tokio::task::spawn_blocking(move || reader.verify()).await??;
    let store = wiring::open_store(&config.data)?.verify().await?;
    let raw = std::mem::take(&mut spool.raw);
    println!("spool: {spool:?}");
    println!(
        "raw record: {} messages in {} batches, {} segments, {} bytes, {} repeats; seal {}",
        raw.messages,
        raw.batches,
        raw.segments,
        raw.bytes,
        raw.repeats,
        raw.seal.as_deref().unwrap_or("-"),
    );
    for damage in &raw.damaged {
        println!("raw record damaged: {damage}");
    }
    println!("store: {store:?}");
    if !spool.is_sound() || !raw.is_sound() || !store.problems.is_empty() {
        bail!("damage found");
    }
    Ok(())
}
