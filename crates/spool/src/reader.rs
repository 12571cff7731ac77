//! Reading side of the spool, for consumers and pages.

use std::{collections::BTreeMap, path::Path, sync::Arc};

use bakau_model::{Batch, Envelope, LedgerKey, MessageLedger, QuarantineReason, Seq, UtcMillis};
use bytes::Bytes;
use rusqlite::{OptionalExtension, params};
use tokio::sync::{broadcast, watch};

use crate::{
    Consumer, QuarantineRow, ReadingCounts, RefusedReading, SpoolError, SpoolErrorKind, SpoolSize, VerifyReport,
    blob::{BlobError, BlobKind},
    envelopes, ledger,
    metrics::METRICS,
    observations, quarantine,
    schema::SPOOL,
    shared::Shared,
    verify,
};

/// Most batches one [`SpoolReader::read_after`] returns, so that batches without observations are bounded too.
const READ_BATCHES: usize = 4096;

/// A shared handle for reading; clones share two read connections and the batches in memory.
#[derive(Debug, Clone)]
pub struct SpoolReader {
    shared: Arc<Shared>,
}

impl SpoolReader {
    pub(crate) const fn new(shared: Arc<Shared>) -> Self {
        Self { shared }
    }

    /// Opens the file for reading only, beside a writer in this or another process; for `bakau verify`.
    ///
    /// Such a reader sees what is in the file; [`Self::watch`], [`Self::subscribe`] and cursors stay as at opening.
    ///
    /// # Errors
    /// `Refused` for an older format or another program's file, `NewerFormat`, `Corrupt`, `Unavailable`.
    pub fn open(path: &Path) -> Result<Self, SpoolError> {
        let (consumers, pages) = (SPOOL.open_reader(path)?, SPOOL.open_reader(path)?);
        let last = consumers.query_row("SELECT coalesce(max(seq), 0) FROM batch", [], |row| row.get(0))?;
        Ok(Self::new(Arc::new(Shared::new(path, Seq::new(last), consumers, pages))))
    }

    /// Position of the newest batch.
    #[must_use]
    pub fn last_seq(&self) -> Seq {
        self.shared.last_seq()
    }

    /// Changes at every commit that has messages; holds the newest position.
    #[must_use]
    pub fn watch(&self) -> watch::Receiver<Seq> {
        self.shared.last.subscribe()
    }

    /// Every batch from now on, as soon as it is committed; a follower 64 batches behind loses the oldest.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<Batch>> {
        self.shared.live.subscribe()
    }

    /// Batches that the spool refused for want of room, at each try, under the position they would have had. Nothing of them is
    /// durable or acknowledged, and the same messages come again: for consumers that must act on values all the same.
    #[must_use]
    pub fn refused(&self) -> broadcast::Receiver<Arc<Batch>> {
        self.shared.refused.subscribe()
    }

    /// The next batches after `seq` in order, at most `max_observations` in all but at least one batch if there is any.
    ///
    /// A batch whose blob is damaged is logged, counted and returned empty, so that a consumer moves past it.
    ///
    /// # Errors
    /// `Corrupt` or `Unavailable` as the disk says.
    pub fn read_after(&self, seq: Seq, max_observations: usize) -> Result<Vec<Arc<Batch>>, SpoolError> {
        let in_memory = self.shared.tail.lock().after(seq, max_observations, READ_BATCHES);
        match in_memory {
            Some(batches) => Ok(batches),
            None => self.read_file_after(seq, max_observations),
        }
    }

    pub(crate) fn read_file_after(&self, seq: Seq, max_observations: usize) -> Result<Vec<Arc<Batch>>, SpoolError> {
        let connection = self.shared.consumers.lock();
        let mut statement = connection
            .prepare_cached("SELECT seq, observations, observed FROM batch WHERE ?1 < seq ORDER BY seq LIMIT ?2")?;
        let mut rows = statement.query(params![seq.get(), READ_BATCHES])?;
        let (mut found, mut observations) = (Vec::new(), 0_usize);
        let mut expected = seq.get().saturating_add(1);
        while let Some(row) = rows.next()? {
            let seq = Seq::new(row.get(0)?);
            observations = observations.saturating_add(row.get(1)?);
            if max_observations < observations && !found.is_empty() {
                break;
            }
            if expected < seq.get() {
                let missing = seq.get() - expected;
                tracing::error!(seq = seq.get(), missing, "batches before this one are no longer in the spool");
            }
            expected = seq.get().saturating_add(1);
            let batch = observations::decode(row.get_ref(2)?.as_blob().unwrap_or_default(), seq);
            found.push(Arc::new(batch.unwrap_or_else(|error| set_aside(seq, &error))));
        }
        Ok(found)
    }

    /// Reports the durable cursor of a consumer; batches at or below both cursors may be trimmed.
    ///
    /// Report it at the start too, before anything is appended: positions then continue after a consumer that is ahead,
    /// which is the case when the end of the spool, or all of it, was lost.
    pub fn report(&self, consumer: Consumer, committed: Seq) {
        self.shared.report(consumer, committed);
    }

    /// The greatest cursor that a consumer has reported in this run; `Seq::START` before.
    #[must_use]
    pub fn cursor(&self, consumer: Consumer) -> Seq {
        self.shared.cursor(consumer)
    }

    /// The messages of a batch as they arrived; empty when it was trimmed.
    ///
    /// # Errors
    /// `Corrupt` when its blob is damaged, `Unavailable` as the disk says.
    pub fn envelopes(&self, seq: Seq) -> Result<Vec<Envelope>, SpoolError> {
        let connection = self.shared.pages.lock();
        let mut statement = connection.prepare_cached("SELECT envelopes FROM batch WHERE seq = ?1")?;
        let blob: Option<Vec<u8>> = statement.query_row([seq.get()], |row| row.get(0)).optional()?;
        let Some(blob) = blob else { return Ok(Vec::new()) };
        envelopes::decode(&Bytes::from(blob), seq).map_err(|error| {
            let message = format!("the envelopes of batch {seq} are damaged: {error}");
            SpoolError::new(SpoolErrorKind::Corrupt, message)
        })
    }

    /// One page of the quarantine list: ids after `after_id` in rising order, or with `newest_first` ids before it in
    /// falling order (0 then means from the newest). At most `limit` and 1,000 rows and about 16 MiB of payload.
    ///
    /// # Errors
    /// `Corrupt` or `Unavailable` as the disk says.
    pub fn quarantine(
        &self,
        after_id: u64,
        limit: usize,
        newest_first: bool,
    ) -> Result<Vec<QuarantineRow>, SpoolError> {
        quarantine::list(&self.shared.pages.lock(), after_id, limit, newest_first)
    }

    /// What was refused for one reason after a row of the quarantine list, in rising order: at most `limit` rows, and none
    /// but among the 20,000 newest rows of the list.
    ///
    /// # Errors
    /// `Corrupt` or `Unavailable` as the disk says.
    pub fn refused_readings(
        &self,
        reason: QuarantineReason,
        after_id: u64,
        limit: usize,
    ) -> Result<Vec<RefusedReading>, SpoolError> {
        quarantine::refused(&self.shared.pages.lock(), reason, after_id, limit)
    }

    /// The message ledger of the minutes that start in `from..to`.
    ///
    /// # Errors
    /// `Corrupt` or `Unavailable` as the disk says.
    pub fn message_ledger(
        &self,
        from: UtcMillis,
        to: UtcMillis,
    ) -> Result<BTreeMap<LedgerKey, MessageLedger>, SpoolError> {
        ledger::messages(&self.shared.pages.lock(), from, to)
    }

    /// The spool's part of the reading ledger of the minutes that start in `from..to`.
    ///
    /// # Errors
    /// `Corrupt` or `Unavailable` as the disk says.
    pub fn reading_counts(
        &self,
        from: UtcMillis,
        to: UtcMillis,
    ) -> Result<BTreeMap<LedgerKey, ReadingCounts>, SpoolError> {
        ledger::readings(&self.shared.pages.lock(), from, to)
    }

    /// Observations above `seq`, counted from the batches in the file, by minute of `received_at` and source.
    ///
    /// Reads everything above `seq`; damaged batches count nothing, as their consumers get nothing.
    ///
    /// # Errors
    /// `Corrupt` or `Unavailable` as the disk says.
    pub fn waiting_after(&self, seq: Seq) -> Result<BTreeMap<LedgerKey, u64>, SpoolError> {
        let mut waiting: BTreeMap<LedgerKey, u64> = BTreeMap::new();
        let mut next = seq;
        // One statement per batch: a long read would keep the log from being checkpointed.
        while let Some(batch) = self.batch_after(next)? {
            next = batch.seq;
            for one in &batch.observations {
                let Some(source) = batch.sources.get(usize::from(one.source)) else { continue };
                let key = LedgerKey { minute: one.observation.received_at.minute(), source: source.clone() };
                *waiting.entry(key).or_default() += 1;
            }
        }
        Ok(waiting)
    }

    fn batch_after(&self, seq: Seq) -> Result<Option<Batch>, SpoolError> {
        let connection = self.shared.pages.lock();
        let mut statement =
            connection.prepare_cached("SELECT seq, observed FROM batch WHERE ?1 < seq ORDER BY seq LIMIT 1")?;
        let mut rows = statement.query([seq.get()])?;
        let Some(row) = rows.next()? else { return Ok(None) };
        let seq = Seq::new(row.get(0)?);
        let batch = observations::decode(row.get_ref(1)?.as_blob().unwrap_or_default(), seq);
        Ok(Some(batch.unwrap_or_else(|error| set_aside(seq, &error))))
    }

    /// Reads every blob and checks the structure of the file; slow on purpose, on a connection of its own.
    ///
    /// # Errors
    /// `Corrupt` or `Unavailable` when the file cannot be read at all; damage found is in the report.
    pub fn verify(&self) -> Result<VerifyReport, SpoolError> {
        verify::run(&self.shared.path)
    }

    /// Size of the spool.
    ///
    /// # Errors
    /// `Corrupt` or `Unavailable` as the disk says.
    pub fn size(&self) -> Result<SpoolSize, SpoolError> {
        let mut log = self.shared.path.as_os_str().to_owned();
        log.push("-wal");
        let file_bytes = |path: &Path| std::fs::metadata(path).map_or(0, |file| file.len());
        let disk = rustix::fs::statvfs(&self.shared.path).ok();
        let disk_free_bytes = disk.map(|disk| disk.f_bavail.saturating_mul(disk.f_frsize));
        let connection = self.shared.pages.lock();
        let mut statement = connection.prepare_cached(
            "WITH ends AS (SELECT max(seq) AS last, min(seq) AS first FROM batch),
                newest AS (SELECT messages_end, bytes_end FROM batch WHERE seq = (SELECT last FROM ends)),
                oldest AS (SELECT messages_end - messages AS m FROM batch WHERE seq = (SELECT first FROM ends)),
                waiting AS (SELECT messages_end - messages AS m, bytes_end - bytes AS b FROM batch
                    WHERE ?1 < seq ORDER BY seq LIMIT 1)
             SELECT coalesce((SELECT bytes_end FROM newest) - (SELECT b FROM waiting), 0),
                coalesce((SELECT messages_end FROM newest) - (SELECT m FROM waiting), 0),
                coalesce((SELECT messages_end FROM newest) - (SELECT m FROM oldest), 0)",
        )?;
        Ok(statement.query_row([self.shared.slowest().get()], |row| {
            Ok(SpoolSize {
                file_bytes: file_bytes(&self.shared.path) + file_bytes(Path::new(&log)),
                unconsumed_bytes: row.get(0)?,
                unconsumed_messages: row.get(1)?,
                messages: row.get(2)?,
                disk_free_bytes,
            })
        })?)
    }
}

/// What consumers get in place of a damaged batch.
fn set_aside(seq: Seq, error: &BlobError) -> Batch {
    METRICS.set_aside.inc();
    let blob = BlobKind::Observations.name();
    tracing::error!(seq = seq.get(), blob, %error, "damaged batch set aside; its messages are lost to consumers");
    Batch { seq, registry_revision: 0, sources: Vec::new(), observations: Vec::new(), statuses: Vec::new() }
}
