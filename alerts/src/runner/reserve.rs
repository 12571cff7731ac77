//! Disk space kept for decisions: a file that is given back to the file system when nothing can be committed any more.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use tokio::time::Instant;

/// Thousands of transitions with their notifications, and room for SQLite to tidy up.
const RESERVE_BYTES: u64 = 16 * 1024 * 1024;

/// How often space for a new reserve is looked for.
const RENEW_EVERY: Duration = Duration::from_secs(10);

/// The reserve beside an alert database.
#[derive(Debug)]
pub(crate) struct Reserve {
    path: PathBuf,
    held: bool,
    looked: Instant,
}

impl Reserve {
    /// Takes the space, or notes that there is none.
    pub(crate) fn open(database: &Path) -> Self {
        let path = database.with_extension("reserve");
        let held = hold(&path);
        if let Err(error) = &held {
            tracing::warn!(path = %path.display(), %error, "no space is reserved for decisions");
        }
        Self { path, held: held.is_ok(), looked: Instant::now() }
    }

    /// Gives the space to whoever commits next.
    pub(crate) fn give_back(&mut self) {
        if !std::mem::take(&mut self.held) {
            return;
        }
        self.looked = Instant::now();
        match fs::remove_file(&self.path) {
            Ok(()) => tracing::warn!("nothing can be committed: space reserved for decisions is given back"),
            Err(error) => tracing::error!(%error, "space reserved for decisions cannot be given back"),
        }
    }

    /// Reserves anew once there is plenty of space again.
    pub(crate) async fn renew(&mut self) {
        if self.held || self.looked.elapsed() < RENEW_EVERY {
            return;
        }
        self.looked = Instant::now();
        let path = self.path.clone();
        let held = tokio::task::spawn_blocking(move || hold(&path)).await;
        self.held = held.is_ok_and(|held| held.is_ok());
        if self.held {
            tracing::info!("space is reserved for decisions again");
        }
    }
}

/// Allocates the reserve; never the last space there is.
fn hold(path: &Path) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|found| RESERVE_BYTES <= found.len()) {
        return Ok(());
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or_else(|| Path::new("."));
    let disk = rustix::fs::statvfs(folder)?;
    if disk.f_bavail.saturating_mul(disk.f_frsize) < 4 * RESERVE_BYTES {
        return Err(io::ErrorKind::StorageFull.into());
    }
    let file = File::create(path)?;
    let allocated = rustix::fs::fallocate(&file, rustix::fs::FallocateFlags::empty(), 0, RESERVE_BYTES);
    if let Err(error) = allocated {
        drop(file);
        fs::remove_file(path)?;
        return Err(error.into());
    }
    file.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_space_is_taken_given_back_once_and_taken_again() {
        let folder = tempfile::TempDir::new().unwrap();
        let database = folder.path().join("alerts.db");
        let size = || fs::metadata(folder.path().join("alerts.reserve")).map(|found| found.len()).unwrap_or(0);
        let mut reserve = Reserve::open(&database);
        assert_eq!(size(), RESERVE_BYTES);
        reserve.give_back();
        assert_eq!(size(), 0);
        reserve.renew().await;
        assert_eq!(size(), 0, "not at once");
        tokio::time::advance(RENEW_EVERY).await;
        reserve.renew().await;
        assert_eq!(size(), RESERVE_BYTES);
    }
}
