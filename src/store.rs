//! `[store]`: where observations are kept, and how that is opened.

pub(crate) mod copy;
pub(crate) mod init;
mod section;

use std::{path::Path, sync::Arc};

use anyhow::{Context, Result, bail};
use bakau_model::{Language, StoreKind};
use bakau_registry::Registry;
use bakau_store::{copy::Transfer, embedded::EmbeddedStore};

pub(crate) use self::section::StoreSection;
use crate::{config::Config, files, words::texts};

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Reading and writing.
    Use,
    /// Being filled by a copy that may be unfinished.
    Target,
}

/// The file of a store in the data folder.
const fn file(kind: StoreKind) -> &'static str {
    match kind {
        StoreKind::Embedded => "series.db",
        StoreKind::Influx => "series-influx.db",
    }
}

/// The store of the configuration.
pub(crate) fn open(config: &Config, registry: &Registry) -> Result<Arc<dyn Transfer>> {
    open_for(config, config.store.kind, Purpose::Use, registry)
}

fn open_for(config: &Config, kind: StoreKind, purpose: Purpose, registry: &Registry) -> Result<Arc<dyn Transfer>> {
    let path = config.data.join(file(kind));
    let opened = match kind {
        StoreKind::Embedded => open_embedded(&path, purpose),
        StoreKind::Influx => open_influx(&config.store, &path, purpose, registry),
    };
    opened.with_context(|| say!("cannot_open", path = path.display()))
}

fn open_embedded(path: &Path, purpose: Purpose) -> Result<Arc<dyn Transfer>> {
    Ok(Arc::new(match purpose {
        Purpose::Use => EmbeddedStore::open(path)?,
        Purpose::Target => EmbeddedStore::open_target(path)?,
    }))
}

#[cfg(feature = "influx")]
fn open_influx(
    section: &StoreSection,
    journal: &Path,
    purpose: Purpose,
    registry: &Registry,
) -> Result<Arc<dyn Transfer>> {
    use bakau_model::DatastreamId;
    use bakau_store::influx::{InfluxConfig, InfluxStore, Timeouts};

    let section::Influx { url, org, bucket, authority, connect, total } = section.influx()?;
    let (token, timeouts) = (bakau_model::Secret::new(section.token()?), Timeouts { connect, total });
    let influx = InfluxConfig { url, org, bucket, token, authority, timeouts };
    let snapshots = registry.watch();
    let names = Arc::new(move |number: DatastreamId| {
        let snapshot = snapshots.borrow();
        let found = snapshot.datastreams.get(&number).or_else(|| snapshot.retired.get(&number));
        found.map(|datastream| datastream.name.clone())
    });
    Ok(Arc::new(match purpose {
        Purpose::Use => InfluxStore::open(journal, influx, names)?,
        Purpose::Target => InfluxStore::open_target(journal, influx, names)?,
    }))
}

#[cfg(not(feature = "influx"))]
fn open_influx(_: &StoreSection, _: &Path, _: Purpose, _: &Registry) -> Result<Arc<dyn Transfer>> {
    bail!(say!("no_influx"))
}

/// `bakau store copy`.
pub(crate) async fn copy(config: &Config, from: StoreKind, to: StoreKind, language: Language) -> Result<()> {
    let words = texts(language);
    if from == to {
        bail!("{}", words.text("copy_same"));
    }
    let _lock = files::lock(&config.data)?;
    let path = config.data.join(file(from));
    if !path.is_file() {
        bail!("{}", words.fill("copy_no_source", &[("path", &path.display().to_string())]));
    }
    let registry = files::open_registry(&config.data).await?;
    let source = open_for(config, from, Purpose::Use, &registry)?;
    let target = open_for(config, to, Purpose::Target, &registry)?;
    copy::run(&*source, &*target, &registry.snapshot(), language).await
}
