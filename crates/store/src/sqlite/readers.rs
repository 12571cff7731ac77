//! Connections that only read.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use super::format::open_reader;
use crate::{StoreError, StoreErrorKind};

/// Reading connections: pages and exports read at the same time on a small machine with two to four cores.
const READERS: usize = 4;

/// Connections that only read: opened when needed, kept for the next question.
pub(crate) struct Readers {
    pub(crate) path: PathBuf,
    slots: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl Readers {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), slots: Arc::new(Semaphore::new(READERS)), idle: Arc::default() }
    }

    pub(crate) async fn run<T: Send + 'static>(
        &self,
        ask: impl FnOnce(&Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| stopped())?;
        let (path, idle) = (self.path.clone(), Arc::clone(&self.idle));
        let answering = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            let kept = idle.lock().pop();
            let connection = match kept {
                Some(connection) => connection,
                None => open_reader(&path)?,
            };
            let answer = ask(&connection);
            // After an error a fresh connection is tried next time.
            if answer.is_ok() {
                idle.lock().push(connection);
            }
            answer
        });
        answering.await.map_err(|error| StoreError::new(StoreErrorKind::Unavailable, error))?
    }
}

fn stopped() -> StoreError {
    StoreError::new(StoreErrorKind::Unavailable, "its thread has stopped")
}
