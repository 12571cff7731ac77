//! The one connection that writes, for asynchronous callers.

use std::{
    fmt,
    sync::{Arc, mpsc},
    time::Duration,
};

use rusqlite::Connection;
use tokio::sync::{Semaphore, oneshot};

use crate::Error;

/// Jobs that may wait for the thread, so that abandoned calls cannot pile up.
const WAITING_JOBS: usize = 2;

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

enum Job {
    Work(Work),
    Close(oneshot::Sender<()>),
}

/// A connection on a thread of its own; clones share it, and the thread ends with the last of them.
#[derive(Clone)]
pub struct Writer {
    jobs: mpsc::Sender<Job>,
    slots: Arc<Semaphore>,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").finish_non_exhaustive()
    }
}

impl Writer {
    /// Starts the thread. After `idle_checkpoint` without a job it moves the write-ahead log into the file, where more of
    /// it is checked when read.
    ///
    /// # Errors
    /// `Thread` when the system gives no thread.
    pub fn start(name: &str, connection: Connection, idle_checkpoint: Option<Duration>) -> Result<Self, Error> {
        let (jobs, waiting) = mpsc::channel();
        let thread = std::thread::Builder::new().name(name.to_owned());
        let spawned = thread.spawn(move || work_on(connection, &waiting, idle_checkpoint));
        spawned.map_err(Error::Thread)?;
        Ok(Self { jobs, slots: Arc::new(Semaphore::new(WAITING_JOBS)) })
    }

    /// Runs work on the thread, in the order of the calls. It happens whole or not at all, also when nobody waits for the
    /// answer any more.
    ///
    /// # Errors
    /// Those of the work, and `Closed`.
    pub async fn run<T, E>(&self, work: impl FnOnce(&mut Connection) -> Result<T, E> + Send + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
    {
        let slot = Arc::clone(&self.slots).acquire_owned().await.map_err(|_| Error::Closed)?;
        let (answer, answered) = oneshot::channel();
        let work = move |connection: &mut Connection| {
            let _slot = slot;
            let _nobody_waits = answer.send(work(connection));
        };
        self.jobs.send(Job::Work(Box::new(work))).map_err(|_| Error::Closed)?;
        answered.await.map_err(|_| Error::Closed)?
    }

    /// Waits for the jobs before it and closes the connection; later jobs fail.
    pub async fn close(&self) {
        let (closed, waiting) = oneshot::channel();
        // An error of either says that the thread has ended already.
        if self.jobs.send(Job::Close(closed)).is_ok() {
            let _ended = waiting.await;
        }
    }
}

fn work_on(mut connection: Connection, jobs: &mpsc::Receiver<Job>, idle_checkpoint: Option<Duration>) {
    let mut is_idle = true;
    loop {
        let job = match idle_checkpoint.filter(|_| !is_idle) {
            Some(quiet) => match jobs.recv_timeout(quiet) {
                Ok(job) => job,
                Err(mpsc::RecvTimeoutError::Disconnected) => return,
                Err(mpsc::RecvTimeoutError::Timeout) => {
                    checkpoint(&connection);
                    is_idle = true;
                    continue;
                }
            },
            None => match jobs.recv() {
                Ok(job) => job,
                Err(mpsc::RecvError) => return,
            },
        };
        match job {
            Job::Work(work) => work(&mut connection),
            Job::Close(closed) => {
                drop(connection);
                let _nobody_waits = closed.send(());
                return;
            }
        }
        is_idle = false;
    }
}

fn checkpoint(connection: &Connection) {
    if let Err(error) = connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |_| Ok(())) {
        tracing::warn!(%error, "checkpoint failed");
    }
}
