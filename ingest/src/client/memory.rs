//! State of a source that survives restarts of Bakau: one small file per source, written by it alone.
//!
//! It never claims too little: what is about to be subscribed is written down before it is asked for, and what is no
//! longer subscribed leaves the file after the broker confirmed it. So a filter that once was in the session is
//! unsubscribed even if Bakau was killed in between.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};

use bakau_model::UtcMillis;
use serde::{Deserialize, Serialize};

use super::books::Books;
use crate::ExternalBroker;

/// Content of the file.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Memory {
    /// Client id and address the session belongs to; another one is another session.
    pub(crate) session_of: String,
    /// Whether the broker confirmed the subscriptions, so that it must have a session.
    pub(crate) established: bool,
    /// Every filter the broker's session may hold.
    pub(crate) topics: BTreeSet<String>,
    /// When the broker started, by its own uptime.
    pub(crate) broker_started: Option<UtcMillis>,
    /// Its counter of dropped messages when last seen.
    pub(crate) dropped: Option<u64>,
    /// Whether a sign of loss waits for its number.
    pub(crate) inquires: bool,
    /// What was received and taken, while Bakau is stopped in good order.
    pub(crate) books: Option<Books>,
    /// Losses as shown on the board.
    pub(crate) external: ExternalBroker,
}

/// The memory of one source and where it is kept.
#[derive(Debug)]
pub(crate) struct MemoryFile {
    path: Option<PathBuf>,
    pub(crate) now: Memory,
    saved: Memory,
}

impl MemoryFile {
    /// Reads what was kept; a file that cannot be read is started anew, with a warning, because all it can cost is a
    /// subscription that is no longer wanted.
    pub(crate) fn open(path: Option<PathBuf>, session_of: String) -> Self {
        let kept = path.as_deref().map_or_else(Memory::default, read);
        let mut now = kept.clone();
        if now.session_of != session_of {
            let external = ExternalBroker { counters: false, holds: None, ..now.external };
            now = Memory { session_of, external, ..Memory::default() };
        }
        Self { path, now, saved: kept }
    }

    /// Writes what changed, so that it survives a power cut.
    pub(crate) async fn save(&mut self) -> io::Result<()> {
        let Some(path) = self.path.clone().filter(|_| self.now != self.saved) else { return Ok(()) };
        let text = serde_json::to_vec(&self.now)?;
        tokio::task::spawn_blocking(move || write(&path, &text)).await??;
        self.saved = self.now.clone();
        Ok(())
    }
}

fn read(path: &Path) -> Memory {
    let kept = match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| error.to_string()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Memory::default(),
        Err(error) => Err(error.to_string()),
    };
    kept.unwrap_or_else(|error| {
        tracing::warn!(path = %path.display(), error, "state of the source cannot be read; starting without it");
        Memory::default()
    })
}

fn write(path: &Path, text: &[u8]) -> io::Result<()> {
    let folder = path.parent().unwrap_or_else(|| Path::new("."));
    fs::create_dir_all(folder)?;
    let fresh = path.with_extension("new");
    let mut file = File::create(&fresh)?;
    file.write_all(text)?;
    file.sync_all()?;
    fs::rename(&fresh, path)?;
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_remembered_survives_and_belongs_to_one_session() {
        let folder = tempfile::TempDir::new().unwrap();
        let path = folder.path().join("sources/kota.json");
        let mut file = MemoryFile::open(Some(path.clone()), "bakau@one".to_owned());
        file.now.topics.insert("a/#".to_owned());
        file.now.established = true;
        file.now.external.lost_in_broker = 7;
        file.save().await.unwrap();

        let again = MemoryFile::open(Some(path.clone()), "bakau@one".to_owned());
        assert_eq!(again.now, file.now);
        let other = MemoryFile::open(Some(path.clone()), "bakau@two".to_owned());
        assert!(other.now.topics.is_empty() && !other.now.established, "another broker has another session");
        assert_eq!(other.now.external.lost_in_broker, 7, "what was lost stays lost");

        fs::write(&path, "{").unwrap();
        assert_eq!(MemoryFile::open(Some(path), "bakau@one".to_owned()).now.external, ExternalBroker::default());
    }
}
