//! `bakau check` and `bakau apply`.

use std::{path::PathBuf, sync::Arc};

use anyhow::{Context, Result, bail};
use bakau_clock::{Clock, SystemClock};
use bakau_model::Language;
use bakau_registry::{Catalogue, CatalogueFile, Snapshot};

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
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
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
            for error in &errors {
                eprintln!("{}", error.render(language));
            }
            bail!("{} error(s) in the catalogue; nothing was changed", errors.len());
        }
    }
}

/// Checks files, changing nothing, not even making the data folder.
pub(crate) async fn check(config: &Config, files: &[PathBuf], language: Language) -> Result<()> {
    let registered = if config.data.join(files::REGISTRY_FILE).is_file() {
        files::open_registry(&config.data).await?.snapshot()
    } else {
        Arc::default()
    };
    config.store.check_files()?;
    parse(files, &registered, language)?;
    println!("ok: {} file(s)", files.len());
    Ok(())
}

/// Shows the difference and applies it in one transaction.
pub(crate) async fn apply(config: &Config, files: &[PathBuf], options: ApplyOptions) -> Result<()> {
    let registry = files::open_registry(&config.data).await?;
    let catalogue = parse(files, &registry.snapshot(), options.language)?;
    let plan = registry.plan(&catalogue, options.prune).await?;
    println!("{}", plan.render(options.language));
    if options.dry_run || plan.is_empty() {
        return Ok(());
    }
    let revision = registry.apply(plan, &admin::operator(), SystemClock.now()).await?;
    println!("revision {revision}");
    Ok(())
}
