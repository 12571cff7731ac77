//! Reads every blob of the file and names the damaged ones.

use std::path::Path;

use bakau_model::Seq;
use bytes::Bytes;
use rusqlite::Connection;

use crate::{
    DamagedBatch, SpoolError, VerifyReport,
    blob::{BlobError, BlobKind},
    envelopes, observations, raw,
    schema::{self, SPOOL},
};

/// Most damaged blobs named; the rest only show in the log of whoever reads them.
const DAMAGED_NAMED: usize = 1000;

/// Checks the file at `path` on a connection of its own, one batch per statement, so that nobody waits.
pub(crate) fn run(path: &Path) -> Result<VerifyReport, SpoolError> {
    let connection = SPOOL.open_reader(path)?;
    let mut report = VerifyReport::default();
    let mut seq = None;
    while let Some(next) = check_after(&connection, seq, &mut report)? {
        report.batches += 1;
        if let Some(seq) = seq {
            report.missing += next.get().saturating_sub(Seq::get(seq) + 1);
        }
        seq = Some(next);
    }
    let mut statement = connection.prepare("PRAGMA quick_check(20)")?;
    let lines: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    report.structure = lines.into_iter().filter(|line| line != "ok").collect();
    report.raw = raw::verify(schema::folder(path))?;
    Ok(report)
}

fn check_after(
    connection: &Connection,
    seq: Option<Seq>,
    report: &mut VerifyReport,
) -> Result<Option<Seq>, SpoolError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, messages, observations, observed, envelopes FROM batch WHERE ?1 < seq ORDER BY seq LIMIT 1",
    )?;
    let mut rows = statement.query([seq.map_or(0, Seq::get)])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let seq = Seq::new(row.get(0)?);
    let (messages, observations): (u64, u64) = (row.get(1)?, row.get(2)?);
    match observations::decode(row.get_ref(3)?.as_blob().unwrap_or_default(), seq) {
        Ok(batch) if batch.observations.len() as u64 == observations => {
            report.observations += observations;
            report.statuses += batch.statuses.len() as u64;
        }
        Ok(_) => name(report, seq, BlobKind::Observations, "it holds another number than its row says"),
        Err(error) => damaged(report, seq, BlobKind::Observations, &error),
    }
    match envelopes::decode(&Bytes::copy_from_slice(row.get_ref(4)?.as_blob().unwrap_or_default()), seq) {
        Ok(envelopes) if envelopes.len() as u64 == messages => report.messages += messages,
        Ok(_) => name(report, seq, BlobKind::Envelopes, "it holds another number than its row says"),
        Err(error) => damaged(report, seq, BlobKind::Envelopes, &error),
    }
    Ok(Some(seq))
}

fn damaged(report: &mut VerifyReport, seq: Seq, kind: BlobKind, error: &BlobError) {
    name(report, seq, kind, &error.to_string());
}

fn name(report: &mut VerifyReport, seq: Seq, kind: BlobKind, problem: &str) {
    if report.damaged.len() < DAMAGED_NAMED {
        report.damaged.push(DamagedBatch { seq, blob: kind.name(), problem: problem.to_owned() });
    }
}
