//! `bakau verify`: reads everything again and names what is damaged.

use std::fmt::Display;

use anyhow::{Result, bail};

use crate::{config::Config, files, store};

pub(crate) async fn run(config: &Config) -> Result<()> {
    let _lock = files::lock(&config.data)?;
    let (_spool, reader) = files::open_spool(config)?;
    let spool = tokio::task::spawn_blocking(move || reader.verify()).await??;
    let registry = files::open_registry(&config.data).await?;
    let store = store::open(config, &registry)?.verify().await?;
    let raw = &spool.raw;
    println!(
        "{}",
        say!(
            "verify_spool",
            batches = spool.batches,
            messages = spool.messages,
            observations = spool.observations,
            statuses = spool.statuses,
            missing = spool.missing,
        )
    );
    println!(
        "{}",
        say!(
            "verify_raw",
            messages = raw.messages,
            batches = raw.batches,
            segments = raw.segments,
            bytes = raw.bytes,
            repeats = raw.repeats,
            seal = raw.seal.as_deref().unwrap_or("-"),
        )
    );
    println!("{}", say!("verify_store", rows = store.rows, replaced = store.superseded));
    for batch in &spool.damaged {
        damaged("spool.db", &format!("{} ({}): {}", batch.seq, batch.blob, batch.problem));
    }
    for problem in &spool.structure {
        damaged("spool.db", problem);
    }
    for damage in &raw.damaged {
        damaged("raw", damage);
    }
    for problem in &store.problems {
        damaged("store", problem);
    }
    if !spool.is_sound() || !store.problems.is_empty() {
        bail!(say!("verify_bad"));
    }
    Ok(())
}

fn damaged(part: &str, what: &dyn Display) {
    println!("{}", say!("verify_damaged", part = part, what = what));
}
