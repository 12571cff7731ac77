//! The single writer.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use bakau_model::{Batch, Envelope, Seq, UtcMillis};
use bytes::Bytes;
use rusqlite::{Connection, OptionalExtension, TransactionBehavior, params};

use crate::{
    BatchDraft, DeliveryWindow, SpoolConfig, SpoolError, SpoolErrorKind, SpoolReader, envelopes, ledger,
    metrics::METRICS,
    observations, quarantine,
    raw::{self, RawWriter},
    schema::{self, SPOOL},
    shared::Shared,
    window::DELIVERY_WINDOW_MESSAGES,
};

/// Most batches one [`Spool::trim`] removes, so that it never holds up an append for long.
const TRIM_BATCHES: usize = raw::REPEAT_RECORDS;

/// Most blob bytes one [`Spool::trim`] moves to the raw record, for the same reason; one batch is always moved.
const TRIM_BYTES: u64 = 16 << 20;

/// Consumed messages beyond `keep_messages` before trimming starts: each trim costs an fsync.
const TRIM_FROM_MESSAGES: u64 = 8192;

/// A quiet spool is checkpointed this often, so that hours of commits never hang on an unchecked log.
const CHECKPOINT_EVERY: Duration = Duration::from_secs(10);

/// Position of the spool, counted since its first batch.
#[derive(Debug, Clone, Copy, Default)]
struct Position {
    seq: Seq,
    messages: u64,
    bytes: u64,
}

/// The last batch one trim removes.
struct TrimEnd {
    seq: Seq,
    /// Messages spooled up to it.
    messages: u64,
    /// Day of the segment it goes to.
    day: i64,
}

/// The single writer of the spool.
///
/// ```
/// use bakau_model::{Envelope, Qos, Seq, SourceName, UtcMillis};
/// use bakau_spool::{BatchDraft, Consumer, Spool, SpoolConfig};
///
/// # let folder = tempfile::tempdir()?;
/// let path = folder.path().join("spool.db");
/// let (mut spool, reader) = Spool::open(&SpoolConfig { path, max_bytes: 1 << 30, keep_messages: 0 })?;
/// let envelope = Envelope {
///     source: SourceName::new("broker")?,
///     topic: "bakau/prb-bjbr-01/data".into(),
///     payload: br#"{"do":0.42}"#.as_slice().into(),
///     qos: Qos::AtLeastOnce,
///     received_at: UtcMillis::new(1_772_000_000_000),
///     # epoch: 1, client_id: None, username: None, dup: false, retained: false, content_type: None,
///     // ...
/// };
/// // Once this returns the message is on disk and may be acknowledged.
/// let batch = spool.append(&BatchDraft { envelopes: vec![envelope], ..BatchDraft::default() })?;
///
/// assert_eq!(reader.read_after(Seq::START, 100)?, [batch.clone()]);
/// // Only what both consumers have taken in is ever trimmed.
/// reader.report(Consumer::Store, batch.seq);
/// assert_eq!((reader.cursor(Consumer::Store), reader.cursor(Consumer::Alerts)), (batch.seq, Seq::START));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Spool {
    connection: Connection,
    shared: Arc<Shared>,
    last: Position,
    /// Messages spooled before the oldest batch that is still there.
    trimmed_messages: u64,
    /// Bytes spooled up to the slower cursor, as of the last look; never too high.
    consumed_bytes: u64,
    max_bytes: u64,
    keep_free_bytes: u64,
    keep_messages: u64,
    window_messages: usize,
    quarantine_keep_bytes: u64,
    quarantine_grew: bool,
    log_written: bool,
    checkpointed: Instant,
    raw: RawWriter,
    envelope_blob: Vec<u8>,
    observation_blob: Vec<u8>,
    _lock: schema::WriterLock,
}

impl Spool {
    /// Opens the file, creating it or bringing an older one up to date, and hands out the writer and a reader.
    ///
    /// # Errors
    /// `Refused` when another process writes it or it is no spool, `NewerFormat` when a newer Bakau wrote it, `Full`,
    /// `Corrupt` or `Unavailable` as the disk says.
    pub fn open(config: &SpoolConfig) -> Result<(Self, SpoolReader), SpoolError> {
        let keep_messages = config.keep_messages.max(DELIVERY_WINDOW_MESSAGES as u64);
        Self::open_with(&SpoolConfig { keep_messages, ..config.clone() }, DELIVERY_WINDOW_MESSAGES)
    }

    pub(crate) fn open_with(config: &SpoolConfig, window: usize) -> Result<(Self, SpoolReader), SpoolError> {
        let lock = schema::lock(&config.path)?;
        let connection = SPOOL.open_writer(&config.path)?;
        let last = newest_position(&connection)?;
        let oldest = position_before(&connection, Seq::START)?.unwrap_or(last);
        let consumers = SPOOL.open_reader(&config.path)?;
        let pages = SPOOL.open_reader(&config.path)?;
        let shared = Arc::new(Shared::new(&config.path, last.seq, consumers, pages));
        let reader = SpoolReader::new(Arc::clone(&shared));
        let mut raw = RawWriter::new(&config.path);
        match raw.prepare(Seq::new(oldest.seq.get() + 1)) {
            Err(error) if error.kind() == SpoolErrorKind::NewerFormat => return Err(error),
            Err(error) => tracing::error!(%error, "the raw record cannot be continued yet; consumed batches stay"),
            Ok(()) => {}
        }
        let spool = Self {
            connection,
            shared,
            last,
            trimmed_messages: oldest.messages,
            consumed_bytes: oldest.bytes,
            max_bytes: config.max_bytes,
            keep_free_bytes: 0,
            keep_messages: config.keep_messages.max(1),
            window_messages: window,
            quarantine_keep_bytes: quarantine::KEEP_BYTES,
            quarantine_grew: true,
            log_written: true,
            checkpointed: Instant::now(),
            raw,
            envelope_blob: Vec::new(),
            observation_blob: Vec::new(),
            _lock: lock,
        };
        Ok((spool, reader))
    }

    /// Writes a draft in one transaction with a full fsync, then shows its batch to readers.
    ///
    /// A draft without envelopes changes only the ledgers: it takes no position, wakes nobody, is written even when
    /// the spool is full, and the returned batch is empty and has the position of the last one.
    ///
    /// # Errors
    /// `Full` when `max_bytes` of unconsumed data is reached or the disk is full; `InvalidDraft` when an index points
    /// outside the draft; `Corrupt` or `Unavailable` as the disk says. Nothing of the draft is then in the spool, except
    /// that after a failed fsync a restart may find it: it was not acknowledged, and its second delivery is a duplicate.
    pub fn append(&mut self, draft: &BatchDraft) -> Result<Arc<Batch>, SpoolError> {
        let appended = self.append_draft(draft);
        match &appended {
            Ok(_) => METRICS.commits.inc(),
            Err(error) if error.kind() == SpoolErrorKind::Full => METRICS.full.inc(),
            Err(_) => {}
        }
        appended
    }

    fn append_draft(&mut self, draft: &BatchDraft) -> Result<Arc<Batch>, SpoolError> {
        let has_messages = !draft.envelopes.is_empty();
        // A consumer ahead of the spool skips what is at or below its cursor: positions go on after it.
        let next = Seq::new(self.last.seq.max(self.shared.fastest()).get() + 1);
        let seq = if has_messages { next } else { self.last.seq };
        let batch = observations::batch(seq, draft)?;
        if has_messages {
            envelopes::encode(&mut self.envelope_blob, seq, draft.registry_revision, &draft.envelopes);
            observations::encode(&mut self.observation_blob, &batch);
        }
        let room = if has_messages { self.check_room().and_then(|()| self.check_disk()) } else { Ok(()) };
        let written = match room.and_then(|()| self.write(draft, &batch)) {
            Ok(written) => written,
            Err(error) => {
                // Nobody listening is no failure.
                drop(self.shared.refused.send(Arc::new(batch)));
                return Err(error);
            }
        };
        self.log_written = true;
        self.quarantine_grew |= !draft.quarantine.is_empty();
        let batch = Arc::new(batch);
        if has_messages {
            METRICS.messages.inc_by(draft.envelopes.len() as u64);
            METRICS.bytes.inc_by(written.bytes - self.last.bytes);
            self.last = written;
            self.shared.publish(&batch);
        }
        Ok(batch)
    }

    /// Moves consumed batches beyond `keep_messages` to the [raw record](crate::raw), at most 256 of one day and about
    /// 16 MiB a call, and copies a quiet log into the file. Returns how many batches were removed from the spool. Costs
    /// next to nothing when there is nothing to do.
    ///
    /// # Errors
    /// `Full`, `Corrupt` or `Unavailable` as the disk says; no batch is then removed, and the next call tries again.
    pub fn trim(&mut self) -> Result<u64, SpoolError> {
        // Its error is returned after the rest is done: the log is kept short even when the raw record has no room.
        let removed = self.trim_batches();
        if self.quarantine_grew {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let dropped = quarantine::drop_oldest(&transaction, self.quarantine_keep_bytes)?;
            transaction.commit()?;
            METRICS.quarantine_dropped.inc_by(dropped as u64);
            self.quarantine_grew = dropped != 0;
        }
        if self.log_written && CHECKPOINT_EVERY <= self.checkpointed.elapsed() {
            self.checkpoint()?;
        }
        removed
    }

    /// Fingerprints of the last 65,535 spooled messages, read from the file.
    ///
    /// Meant for the start; afterwards the caller inserts what it spools. A damaged batch is left out with an error log.
    #[must_use]
    pub fn delivery_window(&self) -> DeliveryWindow {
        let mut window = DeliveryWindow::with_capacity(self.window_messages);
        let mut newest_first = Vec::new();
        if let Err(error) = self.fingerprints(&window, &mut newest_first) {
            tracing::error!(%error, "repeated deliveries from before the restart cannot all be recognised");
        }
        newest_first.iter().rev().for_each(|fingerprint| window.insert_fingerprint(*fingerprint));
        window
    }

    fn fingerprints(&self, window: &DeliveryWindow, newest_first: &mut Vec<u64>) -> Result<(), SpoolError> {
        let mut statement =
            self.connection.prepare_cached("SELECT seq, messages, envelopes FROM batch ORDER BY seq DESC")?;
        let mut rows = statement.query([])?;
        let mut messages = 0_usize;
        while messages < self.window_messages
            && let Some(row) = rows.next()?
        {
            let seq = Seq::new(row.get(0)?);
            messages = messages.saturating_add(row.get(1)?);
            let blob = Bytes::from(row.get::<_, Vec<u8>>(2)?);
            match envelopes::decode(&blob, seq) {
                Ok(envelopes) => newest_first.extend(envelopes.iter().rev().map(|one| window.fingerprint(one))),
                Err(error) => tracing::error!(seq = seq.get(), %error, "damaged envelopes left out of the window"),
            }
        }
        newest_first.truncate(self.window_messages);
        Ok(())
    }

    /// Calls `each` with the last 65,535 spooled messages and what came of them, batch by batch, oldest first.
    ///
    /// Meant for the start, as [`Self::delivery_window`]. A damaged batch is left out with an error log.
    pub fn recent(&self, mut each: impl FnMut(&[Envelope], &Batch)) {
        if let Err(error) = self.read_recent(&mut each) {
            tracing::error!(%error, "messages from before the restart cannot all be recognised");
        }
    }

    fn read_recent(&self, each: &mut impl FnMut(&[Envelope], &Batch)) -> Result<(), SpoolError> {
        let before = self.last.messages.saturating_sub(self.window_messages as u64);
        let mut statement = self
            .connection
            .prepare_cached("SELECT seq, observed, envelopes FROM batch WHERE ?1 < messages_end ORDER BY seq")?;
        let mut rows = statement.query([before])?;
        while let Some(row) = rows.next()? {
            let seq = Seq::new(row.get(0)?);
            let observed = observations::decode(row.get_ref(1)?.as_blob().unwrap_or_default(), seq);
            let envelopes = envelopes::decode(&Bytes::from(row.get::<_, Vec<u8>>(2)?), seq);
            match (observed, envelopes) {
                (Ok(batch), Ok(envelopes)) => each(&envelopes, &batch),
                (Err(error), _) | (_, Err(error)) => tracing::error!(seq = seq.get(), %error, "damaged batch left out"),
            }
        }
        Ok(())
    }

    /// Keeps so many bytes of the disk free for other files that must be written when the spool is full; 0 at first.
    pub fn keep_free(&mut self, bytes: u64) {
        self.keep_free_bytes = bytes;
    }

    /// Refuses to take what is left of the disk.
    fn check_disk(&self) -> Result<(), SpoolError> {
        if self.keep_free_bytes == 0 {
            return Ok(());
        }
        // A file system that cannot tell is trusted until a write fails.
        let Ok(disk) = rustix::fs::statvfs(&self.shared.path) else { return Ok(()) };
        if disk.f_bavail.saturating_mul(disk.f_frsize) < self.keep_free_bytes {
            let mib = self.keep_free_bytes >> 20;
            let message = format!("the disk is nearly full: the last {mib} MiB are kept for alerts; free space there");
            return Err(SpoolError::new(SpoolErrorKind::Full, message));
        }
        Ok(())
    }

    /// Refuses what would make more than `max_bytes` unconsumed; one batch always fits an empty spool.
    fn check_room(&mut self) -> Result<(), SpoolError> {
        let new = (self.envelope_blob.len() + self.observation_blob.len()) as u64;
        let fits = |consumed: u64| {
            let unconsumed = self.last.bytes.saturating_sub(consumed);
            unconsumed == 0 || unconsumed.saturating_add(new) <= self.max_bytes
        };
        if fits(self.consumed_bytes) {
            return Ok(());
        }
        // Only now look where the consumers are: most appends never need to know.
        let consumed = position_before(&self.connection, self.shared.slowest())?.unwrap_or(self.last).bytes;
        if !fits(consumed) {
            let message = format!(
                "the spool is full: {} bytes wait to be consumed and max_bytes is {}; see why the store or the alert \
                 engine is behind, or raise the bound",
                self.last.bytes - consumed,
                self.max_bytes
            );
            return Err(SpoolError::new(SpoolErrorKind::Full, message));
        }
        self.consumed_bytes = consumed;
        Ok(())
    }

    fn write(&mut self, draft: &BatchDraft, batch: &Batch) -> Result<Position, SpoolError> {
        let mut end = self.last;
        let changes_nothing = draft.envelopes.is_empty() && draft.messages.is_empty() && draft.readings.is_empty();
        if changes_nothing && draft.quarantine.is_empty() {
            return Ok(end);
        }
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if let Some(first) = draft.envelopes.first() {
            let bytes = (self.envelope_blob.len() + self.observation_blob.len()) as u64;
            end = Position {
                seq: batch.seq,
                messages: self.last.messages + draft.envelopes.len() as u64,
                bytes: self.last.bytes + bytes,
            };
            let mut insert =
                transaction.prepare_cached("INSERT INTO batch VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)")?;
            insert.execute(params![
                end.seq.get(),
                first.received_at.get(),
                draft.envelopes.len(),
                batch.observations.len(),
                bytes,
                end.messages,
                end.bytes,
                self.observation_blob,
                self.envelope_blob,
            ])?;
        }
        ledger::add(&transaction, draft)?;
        quarantine::add(&transaction, draft)?;
        transaction.commit()?;
        Ok(end)
    }

    fn trim_batches(&mut self) -> Result<u64, SpoolError> {
        let beyond_keep = self.last.messages.saturating_sub(self.keep_messages);
        let threshold = (self.keep_messages / 8).clamp(1, TRIM_FROM_MESSAGES);
        if beyond_keep < self.trimmed_messages + threshold {
            return Ok(0);
        }
        let slowest = self.shared.slowest();
        let consumed = position_before(&self.connection, slowest)?.unwrap_or(self.last).messages;
        if consumed.min(beyond_keep) < self.trimmed_messages + threshold {
            return Ok(0);
        }
        let oldest = position_before(&self.connection, Seq::START)?.unwrap_or(self.last).seq;
        self.raw.prepare(Seq::new(oldest.get() + 1))?;
        let Some(TrimEnd { seq: last, messages, day }) = self.trim_end(slowest, beyond_keep)? else { return Ok(0) };
        self.archive(last, day)?;
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let removed = transaction.prepare_cached("DELETE FROM batch WHERE seq <= ?1")?.execute([last.get()])? as u64;
        transaction.commit()?;
        self.trimmed_messages = messages;
        self.log_written = true;
        METRICS.trimmed.inc_by(removed);
        Ok(removed)
    }

    /// Where one trim may end: within its bounds and within one segment of the raw record.
    fn trim_end(&self, slowest: Seq, beyond_keep: u64) -> Result<Option<TrimEnd>, SpoolError> {
        let mut statement = self.connection.prepare_cached(
            "SELECT seq, received_at, bytes, messages_end FROM batch WHERE seq <= ?1 ORDER BY seq LIMIT ?2",
        )?;
        let mut rows = statement.query(params![slowest.get(), TRIM_BATCHES])?;
        let (mut end, mut moved) = (None::<TrimEnd>, 0_u64);
        while let Some(row) = rows.next()? {
            let (seq, received_at) = (Seq::new(row.get(0)?), UtcMillis::new(row.get(1)?));
            moved = moved.saturating_add(row.get(2)?);
            let messages: u64 = row.get(3)?;
            let day = end.as_ref().map_or_else(|| self.raw.day_for(received_at), |end| end.day);
            let too_much = end.is_some() && (TRIM_BYTES < moved || !raw::belongs(day, received_at));
            if beyond_keep < messages || too_much {
                break;
            }
            end = Some(TrimEnd { seq, messages, day });
        }
        Ok(end)
    }

    /// Makes every batch up to `last` durable in the raw record, as it is stored here.
    fn archive(&mut self, last: Seq, day: i64) -> Result<(), SpoolError> {
        let connection = &self.connection;
        self.raw.append(day, |group| {
            let mut statement = connection
                .prepare_cached("SELECT seq, received_at, envelopes FROM batch WHERE seq <= ?1 ORDER BY seq")?;
            let mut rows = statement.query([last.get()])?;
            while let Some(row) = rows.next()? {
                let blob = row.get_ref(2)?.as_blob().unwrap_or_default();
                group.push(Seq::new(row.get(0)?), UtcMillis::new(row.get(1)?), blob)?;
            }
            Ok(())
        })
    }

    /// Copies the log into the file without waiting for readers; what they still need is copied next time.
    fn checkpoint(&mut self) -> Result<(), SpoolError> {
        let left: i64 = self.connection.query_row("PRAGMA wal_checkpoint(PASSIVE)", [], |row| {
            Ok(row.get::<_, i64>(1)?.saturating_sub(row.get::<_, i64>(2)?))
        })?;
        self.checkpointed = Instant::now();
        self.log_written = left != 0;
        Ok(())
    }

    #[cfg(test)]
    pub(crate) const fn connection(&self) -> &Connection {
        &self.connection
    }

    #[cfg(test)]
    pub(crate) const fn raw(&mut self) -> &mut RawWriter {
        &mut self.raw
    }

    #[cfg(test)]
    pub(crate) const fn set_quarantine_keep_bytes(&mut self, bytes: u64) {
        self.quarantine_keep_bytes = bytes;
    }
}

fn newest_position(connection: &Connection) -> Result<Position, SpoolError> {
    let mut statement =
        connection.prepare_cached("SELECT seq, messages_end, bytes_end FROM batch ORDER BY seq DESC LIMIT 1")?;
    let newest = statement
        .query_row([], |row| Ok(Position { seq: Seq::new(row.get(0)?), messages: row.get(1)?, bytes: row.get(2)? }));
    Ok(newest.optional()?.unwrap_or_default())
}

/// What had been spooled before the first batch after `seq`; `None` when there is no later batch.
fn position_before(connection: &Connection, seq: Seq) -> Result<Option<Position>, SpoolError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq - 1, messages_end - messages, bytes_end - bytes FROM batch WHERE ?1 < seq ORDER BY seq LIMIT 1",
    )?;
    let before = statement.query_row([seq.get()], |row| {
        Ok(Position { seq: Seq::new(row.get(0)?), messages: row.get(1)?, bytes: row.get(2)? })
    });
    Ok(before.optional()?)
}
