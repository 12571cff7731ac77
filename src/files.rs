//! The data folder: one process at a time, and its files that commands open.

use std::{
    fs::{self, File},
    path::Path,
};

use anyhow::{Context, Result, bail};
use bakau_registry::Registry;
use bakau_spool::{Spool, SpoolConfig, SpoolReader};

use crate::config::Config;

pub(crate) const REGISTRY_FILE: &str = "registry.db";

/// Consumed messages kept in the spool, so that repeated deliveries are recognised after a restart.
const KEEP_MESSAGES: u64 = 65_535;

/// The last of the disk belongs to decisions: more than the reserve of the alert engine (16 MiB), so that the spool does not
/// take what that gives back.
const KEEP_FREE_BYTES: u64 = 32 << 20;

/// The folder of every file, readable by this account only.
fn prepare_folder(data: &Path) -> Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true).mode(0o700);
    builder.create(data).with_context(|| say!("cannot_make_folder", path = data.display()))
}

/// One process per data folder.
pub(crate) fn lock(data: &Path) -> Result<File> {
    prepare_folder(data)?;
    let path = data.join("bakau.lock");
    // Another process may hold the file: it is not truncated.
    let file = File::options().create(true).write(true).truncate(false).open(&path);
    let file = file.with_context(|| say!("cannot_write", path = path.display()))?;
    if file.try_lock().is_err() {
        bail!(say!("already_running", path = data.display()));
    }
    Ok(file)
}

pub(crate) async fn open_registry(data: &Path) -> Result<Registry> {
    prepare_folder(data)?;
    let path = data.join(REGISTRY_FILE);
    Registry::open(&path).await.with_context(|| say!("cannot_open", path = path.display()))
}

pub(crate) fn open_spool(config: &Config) -> Result<(Spool, SpoolReader)> {
    let path = config.data.join("spool.db");
    let spool = SpoolConfig { path: path.clone(), max_bytes: config.spool.max_bytes, keep_messages: KEEP_MESSAGES };
    let (mut spool, reader) = Spool::open(&spool).with_context(|| say!("cannot_open", path = path.display()))?;
    spool.keep_free(KEEP_FREE_BYTES);
    Ok((spool, reader))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_data_folder_is_made_for_this_account_alone_and_held_by_one_process() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("baru/data");
        let held = lock(&data).unwrap();
        assert_eq!(data.metadata().unwrap().permissions().mode() & 0o777, 0o700);
        assert!(lock(&data).unwrap_err().to_string().contains("another bakau is running"));
        drop(held);
        lock(&data).unwrap();
    }
}
