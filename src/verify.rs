//! `bakau verify`: reads everything again and names what is damaged.

use anyhow::{Result, bail};

use crate::{config::Config, files, store};

pub(crate) async fn run(config: &Config) -> Result<()> {
    let _lock = files::lock(&config.data)?;
    let (_spool, reader) = files::open_spool(config)?;
    let mut spool = tokio::task::spawn_blocking(move || reader.verify()).await??;
    let registry = files::open_registry(&config.data).await?;
    let store = store::open(config, &registry)?.verify().await?;
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
