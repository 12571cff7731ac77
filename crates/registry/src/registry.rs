//! The handle on registry.db that the rest of the process holds.

use std::{path::Path, sync::Arc};

use bakau_model::{Language, Principal, UtcMillis};
use bakau_sqlite::{Readers, Writer};
use rusqlite::Connection;
use tokio::sync::{Mutex, watch};

use crate::{
    Catalogue, Plan, Snapshot,
    catalogue::messages,
    database::{self, AuditRow, REGISTRY},
    error::RegistryError,
};

/// Questions answered at the same time: those of pages and of the poller.
const READERS: u32 = 2;

/// The setting under which the hash of the admin token is kept.
const ADMIN_TOKEN: &str = "admin_token_sha256";

/// A handle on the registry; clones share one snapshot.
#[derive(Debug, Clone)]
pub struct Registry {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    writer: Writer,
    readers: Readers,
    snapshots: watch::Sender<Arc<Snapshot>>,
    /// Held while reading, so that an older snapshot never replaces a newer one.
    reading: Mutex<()>,
}

impl Registry {
    /// Opens registry.db, creating it where there is none.
    ///
    /// # Errors
    /// When the file cannot be opened, is something else, is damaged or was written by a newer version.
    pub async fn open(path: &Path) -> Result<Self, RegistryError> {
        let writer = Writer::start("registry-db", REGISTRY.open_writer(path)?, None)?;
        let readers = Readers::new(&REGISTRY, path, READERS);
        let snapshot = readers.run(database::load).await?.snapshot()?;
        let (snapshots, _) = watch::channel(Arc::new(snapshot));
        Ok(Self { inner: Arc::new(Inner { writer, readers, snapshots, reading: Mutex::new(()) }) })
    }

    /// What applying a catalogue would change: [`Plan::of`] what is registered now.
    ///
    /// # Errors
    /// When the registry with the catalogue applied would not be valid, or the database fails.
    pub async fn plan(&self, catalogue: &Catalogue, prune: bool) -> Result<Plan, RegistryError> {
        self.refresh().await?;
        Plan::of(catalogue, &self.snapshot(), prune)
    }

    /// Writes a plan and its audit row in one transaction; the snapshot is the new one when this returns. An empty
    /// plan writes nothing. Gives the revision.
    ///
    /// # Errors
    /// When something else was applied since the plan was made, or the database fails; nothing is written then.
    pub async fn apply(&self, plan: Plan, by: &Principal, now: UtcMillis) -> Result<u64, RegistryError> {
        let by = by.clone();
        let revision = self.inner.writer.run(move |connection| apply(connection, &plan, by, now)).await?;
        self.refresh_after_change().await;
        Ok(revision)
    }

    /// What is registered, as last read.
    #[must_use]
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.inner.snapshots.borrow())
    }

    /// Follows the snapshots.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.inner.snapshots.subscribe()
    }

    /// Reads again if the revision in the file is another one, such as after `bakau apply` in another process. Says
    /// whether it was. Costs one small read where it was not.
    ///
    /// # Errors
    /// When the database fails or is damaged; the last good snapshot stays.
    pub async fn refresh(&self) -> Result<bool, RegistryError> {
        let _reading = self.inner.reading.lock().await;
        let in_file = self.inner.readers.run(database::revision).await?;
        if in_file == self.snapshot().revision {
            return Ok(false);
        }
        let snapshot = self.inner.readers.run(database::load).await?.snapshot()?;
        tracing::info!(revision = snapshot.revision, "registry changed");
        self.inner.snapshots.send_replace(Arc::new(snapshot));
        Ok(true)
    }

    /// SHA-256 of the admin token; `None` before the first run made one.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn admin_token_hash(&self) -> Result<Option<[u8; 32]>, RegistryError> {
        let stored = self.inner.readers.run(|connection| database::setting(connection, ADMIN_TOKEN)).await?;
        Ok(stored.and_then(|bytes| bytes.try_into().ok()))
    }

    /// Sets the admin token. Counts as a change: the revision moves and the audit says who did it.
    ///
    /// # Errors
    /// When the database fails; nothing is written then.
    pub async fn set_admin_token_hash(
        &self,
        hash: [u8; 32],
        by: &Principal,
        now: UtcMillis,
    ) -> Result<(), RegistryError> {
        let by = by.clone();
        self.inner.writer.run(move |connection| set_admin_token_hash(connection, hash, by, now)).await?;
        self.refresh_after_change().await;
        Ok(())
    }

    /// The change is durable by now, so failing to read it back is no failure of it: the next poll tries again.
    async fn refresh_after_change(&self) {
        if let Err(error) = self.refresh().await {
            tracing::warn!(error = %error, "registry changed but could not be read again");
        }
    }

    /// The newest changes first.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn audit(&self, limit: u32) -> Result<Vec<AuditRow>, RegistryError> {
        self.inner.readers.run(move |connection| database::audit(connection, limit)).await
    }
}

/// Writes a plan and its audit row in one transaction; gives the revision.
fn apply(connection: &mut Connection, plan: &Plan, by: Principal, now: UtcMillis) -> Result<u64, RegistryError> {
    let (transaction, current) = database::begin_change(connection)?;
    if current != plan.base_revision() {
        return Err(RegistryError::Stale { planned: plan.base_revision(), current });
    }
    if plan.is_empty() {
        return Ok(current);
    }
    let revision = current + 1;
    database::write(&transaction, &plan.writes, revision)?;
    let language = Language::default();
    let (summary, difference) = (plan.summary(language), plan.render(language));
    database::end_change(transaction, &AuditRow { revision, at: now, by, summary, difference })?;
    Ok(revision)
}

fn set_admin_token_hash(
    connection: &mut Connection,
    hash: [u8; 32],
    by: Principal,
    now: UtcMillis,
) -> Result<(), RegistryError> {
    let (transaction, current) = database::begin_change(connection)?;
    database::set(&transaction, ADMIN_TOKEN, &hash)?;
    let summary = messages(Language::default()).text("summary_admin_token").to_owned();
    let difference = format!("~ {ADMIN_TOKEN}");
    database::end_change(transaction, &AuditRow { revision: current + 1, at: now, by, summary, difference })
}
