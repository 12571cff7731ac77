//! `[store]`: where observations are kept, and how that is opened.

pub(crate) mod copy;
pub(crate) mod init;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context, Result, bail};
use bakau_model::Language;
use bakau_registry::Registry;
use bakau_store::{copy::Transfer, embedded::EmbeddedStore};
use clap::ValueEnum;
use serde::Deserialize;

use crate::{config::Config, status::texts, wiring};

/// The kinds of stores.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StoreKind {
    /// A file of Bakau's own.
    #[default]
    Embedded,
    /// InfluxDB 2, with a journal of Bakau's own.
    Influx,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(crate) struct StoreSection {
    pub(crate) kind: StoreKind,
    /// Such as `https://influx.example.org:8086`.
    url: Option<String>,
    org: Option<String>,
    bucket: Option<String>,
    /// Name of the environment variable with the token.
    token_env: Option<String>,
    /// An authority of one's own, besides those of the operating system.
    ca_file: Option<PathBuf>,
}

/// What a store is opened for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Purpose {
    /// Reading and writing.
    Use,
    /// Being filled by a copy that may be unfinished.
    Target,
}

impl StoreSection {
    /// What is missing or cannot be.
    pub(crate) fn problems(&self) -> Vec<String> {
        let named = [("url", &self.url), ("org", &self.org), ("bucket", &self.bucket), ("token_env", &self.token_env)];
        let missing = named.iter().filter(|(_, value)| value.as_ref().is_none_or(String::is_empty));
        let missing = missing.filter(|_| self.kind == StoreKind::Influx);
        let mut problems: Vec<_> = missing.map(|(name, _)| format!("kind = \"influx\" needs {name}")).collect();
        if let Some(url) = self.url.as_ref().filter(|url| !url.starts_with("http://") && !url.starts_with("https://")) {
            problems.push(format!("url = \"{url}\" does not begin with http:// or https://"));
        }
        problems
    }
}

/// Where InfluxDB is and who is trusted there.
pub(crate) struct Influx {
    pub(crate) url: String,
    pub(crate) org: String,
    pub(crate) bucket: String,
    pub(crate) authority: Option<Vec<u8>>,
}

impl StoreSection {
    /// The settings of InfluxDB, whether it is the store now or not.
    pub(crate) fn influx(&self) -> Result<Influx> {
        let problems = Self { kind: StoreKind::Influx, ..self.clone() }.problems();
        if !problems.is_empty() {
            bail!("[store] {}", problems.join("; "));
        }
        let read =
            |path: &PathBuf| std::fs::read(path).with_context(|| format!("[store] cannot read {}", path.display()));
        let given = |value: &Option<String>| value.clone().unwrap_or_default();
        let authority = self.ca_file.as_ref().map(read).transpose()?;
        Ok(Influx { url: given(&self.url), org: given(&self.org), bucket: given(&self.bucket), authority })
    }

    /// The name of the variable with the token.
    pub(crate) fn token_env(&self) -> &str {
        self.token_env.as_deref().unwrap_or_default()
    }

    /// The token, where there is one.
    pub(crate) fn token(&self) -> Option<String> {
        token_of(self.token_env()).ok()
    }
}

/// A token from the environment.
fn token_of(variable: &str) -> Result<String> {
    let token = std::env::var(variable).ok().filter(|token| !token.is_empty());
    token.with_context(|| format!("[store] environment variable {variable} is not set"))
}

impl StoreKind {
    /// The word for it in configuration and status.
    pub(crate) const fn key(self) -> &'static str {
        match self {
            Self::Embedded => "embedded",
            Self::Influx => "influx",
        }
    }

    /// Its file in the data folder.
    const fn file(self) -> &'static str {
        match self {
            Self::Embedded => "series.db",
            Self::Influx => "series-influx.db",
        }
    }
}

/// The store of the configuration.
pub(crate) fn open(config: &Config, registry: &Registry) -> Result<Arc<dyn Transfer>> {
    open_for(config, config.store.kind, Purpose::Use, registry)
}

fn open_for(config: &Config, kind: StoreKind, purpose: Purpose, registry: &Registry) -> Result<Arc<dyn Transfer>> {
    let path = config.data.join(kind.file());
    let opened = match kind {
        StoreKind::Embedded => open_embedded(&path, purpose),
        StoreKind::Influx => open_influx(&config.store, &path, purpose, registry),
    };
    opened.with_context(|| format!("cannot open {}", path.display()))
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
    use bakau_store::influx::{InfluxConfig, InfluxStore};

    let Influx { url, org, bucket, authority } = section.influx()?;
    let token = token_of(section.token_env())?;
    let influx = InfluxConfig { url, org, bucket, token, authority };
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
    bail!("this Bakau was built without InfluxDB")
}

/// `bakau store copy`.
pub(crate) async fn copy(config: &Config, from: StoreKind, to: StoreKind, language: Language) -> Result<()> {
    let words = texts(language);
    if from == to {
        bail!("{}", words.text("copy_same"));
    }
    let _lock = wiring::lock(&config.data)?;
    let path = config.data.join(from.file());
    if !path.is_file() {
        bail!("{}", words.fill("copy_no_source", &[("path", &path.display().to_string())]));
    }
    let registry = wiring::open_registry(&config.data).await?;
    let source = open_for(config, from, Purpose::Use, &registry)?;
    let target = open_for(config, to, Purpose::Target, &registry)?;
    copy::run(&*source, &*target, &registry.snapshot(), language).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn influxdb_needs_to_be_named_and_the_own_file_needs_nothing() {
        assert_eq!(StoreSection::default().problems(), Vec::<String>::new());
        let section: StoreSection = toml::from_str("kind = \"influx\"\norg = \"\"\nurl = \"influx:8086\"").unwrap();
        let expected = [
            "kind = \"influx\" needs org",
            "kind = \"influx\" needs bucket",
            "kind = \"influx\" needs token_env",
            "url = \"influx:8086\" does not begin with http:// or https://",
        ];
        assert_eq!(section.problems(), expected);
        assert!(toml::from_str::<StoreSection>("token = \"x\"").is_err(), "the token itself is never in the file");
    }
}
