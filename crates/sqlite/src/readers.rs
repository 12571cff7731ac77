//! Connections that read, for asynchronous callers.

use std::{
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use parking_lot::Mutex;
use rusqlite::Connection;
use tokio::sync::Semaphore;

use crate::{Database, Error};

/// Connections that read: opened when needed, kept for the next question; clones share them.
///
/// Questions run on the blocking pool of the runtime and never wait for the writer.
#[derive(Clone)]
pub struct Readers {
    database: &'static Database,
    path: PathBuf,
    connections: u32,
    slots: Arc<Semaphore>,
    idle: Arc<Mutex<Vec<Connection>>>,
}

impl fmt::Debug for Readers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Readers").field("path", &self.path).finish_non_exhaustive()
    }
}

impl Readers {
    /// At most `connections` questions are answered at the same time.
    #[must_use]
    pub fn new(database: &'static Database, path: &Path, connections: u32) -> Self {
        let slots = Arc::new(Semaphore::new(connections as usize));
        Self { database, path: path.to_owned(), connections, slots, idle: Arc::default() }
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Answers a question.
    ///
    /// # Errors
    /// Those of the question and of opening a connection, and `Closed`.
    pub async fn run<T, E>(&self, ask: impl FnOnce(&Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| Error::Closed)?;
        let (database, path, idle) = (self.database, self.path.clone(), Arc::clone(&self.idle));
        let answering = tokio::task::spawn_blocking(move || {
            let _slot = slot;
            let kept = idle.lock().pop();
            let connection = match kept {
                Some(connection) => connection,
                None => database.open_reader(&path)?,
            };
            let answer = ask(&connection);
            // After an error a fresh connection is tried next time.
            if answer.is_ok() {
                idle.lock().push(connection);
            }
            answer
        });
        // Only a runtime that shuts down, or a question that panics, gives no answer.
        answering.await.map_err(|_| Error::Closed)?
    }

    /// Waits for the questions that are being answered and closes the connections; later questions fail.
    pub async fn close(&self) {
        let _all = self.slots.acquire_many(self.connections).await;
        self.slots.close();
        self.idle.lock().clear();
    }
}
