//! `bakau check` and `bakau apply`.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, Result, anyhow, bail};
use bakau_clock::{Clock, SystemClock};
use bakau_model::Language;
use bakau_registry::{Catalogue, CatalogueError, CatalogueFile, Plan, Registry, RegistryError, Snapshot};

use crate::{admin, config::Config, files};

/// How `bakau apply` behaves.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ApplyOptions {
    pub(crate) prune: bool,
    pub(crate) dry_run: bool,
    pub(crate) language: Language,
}

fn read(files: &[PathBuf]) -> Result<Vec<CatalogueFile>> {
    let mut read = Vec::new();
    for path in files {
        let text = std::fs::read_to_string(path).with_context(|| say!("cannot_read", path = path.display()))?;
        read.push(CatalogueFile { path: path.display().to_string(), text });
    }
    Ok(read)
}

/// Reads files against each other and against what is registered already; warnings keep nobody from going on.
fn parse(files: &[PathBuf], registered: &Snapshot, language: Language) -> Result<Catalogue> {
    match Catalogue::parse_with(&read(files)?, registered) {
        Ok(catalogue) => {
            for warning in catalogue.warnings() {
                eprintln!("{}", warning.render(language));
            }
            Ok(catalogue)
        }
        Err(errors) => {
            bail!(wrong(&errors, language));
        }
    }
}

/// Tells every mistake; gives how many there are.
fn wrong(errors: &[CatalogueError], language: Language) -> String {
    for error in errors {
        eprintln!("{}", error.render(language));
    }
    say!("catalogue_wrong", count = errors.len())
}

/// The registry, where there is one already: looking makes no file.
async fn existing(config: &Config) -> Result<Option<Registry>> {
    let there = config.data.join(files::REGISTRY_FILE).is_file();
    Ok(if there { Some(files::open_registry(&config.data).await?) } else { None })
}

/// Checks files, changing nothing, not even making the data folder.
pub(crate) async fn check(config: &Config, files: &[PathBuf], language: Language) -> Result<()> {
    let registered = existing(config).await?.map_or_else(Arc::default, |registry| registry.snapshot());
    config.store.check_files()?;
    parse(files, &registered, language)?;
    println!("{}", say!("check_ok", count = files.len()));
    Ok(())
}

/// Shows the difference and applies it in one transaction; nothing is made where nothing can be applied.
pub(crate) async fn apply(config: &Config, files: &[PathBuf], options: ApplyOptions) -> Result<()> {
    let registry = existing(config).await?;
    let registered = registry.as_ref().map_or_else(Arc::default, Registry::snapshot);
    let catalogue = parse(files, &registered, options.language)?;
    let plan = Plan::of(&catalogue, &registered, options.prune).map_err(|error| match error {
        RegistryError::Invalid(errors) => anyhow!(wrong(&errors, options.language)),
        other => other.into(),
    })?;
    println!("{}", plan.render(options.language));
    if options.dry_run {
        println!("{}", say!("dry_run"));
    }
    if options.dry_run || plan.is_empty() {
        return Ok(());
    }
    let registry = match registry {
        Some(registry) => registry,
        None => files::open_registry(&config.data).await?,
    };
    let revision = registry.apply(plan, &admin::operator(), SystemClock.now()).await?;
    println!("{}", say!("applied", revision = revision));
    Ok(())
}
