//! What goes in comes out, and damage stays where it is.

use std::sync::Arc;

use bakau_model::{LedgerKey, MessageLedger, QuarantineReason, Seq, SourceName, StationId, StationStatus, UtcMillis};

use super::open;
use crate::{
    BatchDraft, Consumer, QuarantineDraft, ReadingCounts, Spool, SpoolErrorKind, SpoolReader,
    testing::{draft, envelope},
};

fn key(minute: i64, source: &str) -> LedgerKey {
    LedgerKey { minute: UtcMillis::new(minute * 60_000), source: SourceName::new(source).unwrap() }
}

fn gone(station: &str, at: i64) -> StationStatus {
    StationStatus { station: StationId::new(station).unwrap(), online: false, retained: false, at: UtcMillis::new(at) }
}

fn poison(envelope: u32, reading: Option<&str>, detail: &str) -> QuarantineDraft {
    let reason = QuarantineReason::Undecodable;
    QuarantineDraft { envelope, reading: reading.map(str::to_owned), reason, detail: detail.to_owned() }
}

#[test]
fn a_batch_is_read_live_from_memory_and_from_the_file_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    let (mut live, mut watch) = (reader.subscribe(), reader.watch());
    let batch = spool.append(&draft(1, 3)).unwrap();
    assert_eq!(batch.seq, Seq::new(1));
    assert_eq!(batch.observations.len(), 6);
    assert_eq!(live.try_recv().unwrap(), batch);
    assert!(watch.has_changed().unwrap());
    assert_eq!(*watch.borrow_and_update(), Seq::new(1));
    assert_eq!(reader.read_after(Seq::START, 1).unwrap(), vec![Arc::clone(&batch)]);
    drop((spool, reader));

    let (_spool, reader) = open(dir.path());
    assert_eq!(reader.last_seq(), Seq::new(1));
    assert_eq!(reader.read_after(Seq::START, 1).unwrap(), vec![batch]);
    assert_eq!(reader.envelopes(Seq::new(1)).unwrap(), draft(1, 3).envelopes);
    assert_eq!(reader.envelopes(Seq::new(2)).unwrap(), vec![]);
}

#[test]
fn a_read_holds_at_most_the_asked_observations_but_at_least_one_batch() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    (1..=4).for_each(|number| drop(spool.append(&draft(number, 2)).unwrap()));
    for reader in [reader, SpoolReader::open(&dir.path().join("spool.db")).unwrap()] {
        assert_eq!(reader.read_after(Seq::START, 0).unwrap().len(), 1);
        assert_eq!(reader.read_after(Seq::START, 8).unwrap().len(), 2);
        assert_eq!(reader.read_after(Seq::new(1), 11).unwrap().len(), 2);
        assert_eq!(reader.read_after(Seq::new(4), 11).unwrap().len(), 0);
    }
}

#[test]
fn a_draft_that_contradicts_itself_leaves_nothing_behind() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    let mut bad = draft(1, 1);
    bad.observations[0].0 = 7;
    assert_eq!(spool.append(&bad).unwrap_err().kind(), SpoolErrorKind::InvalidDraft);
    let bad = BatchDraft { statuses: vec![gone("st", 5)], ..BatchDraft::default() };
    assert_eq!(spool.append(&bad).unwrap_err().kind(), SpoolErrorKind::InvalidDraft);
    let mut bad = draft(1, 1);
    bad.messages = vec![(key(1, "broker"), MessageLedger { received: 1, ..MessageLedger::default() })];
    bad.quarantine = vec![poison(0, None, "good row"), poison(7, None, "bad row")];
    assert_eq!(spool.append(&bad).unwrap_err().kind(), SpoolErrorKind::InvalidDraft);
    assert_eq!(reader.last_seq(), Seq::START);
    assert!(reader.message_ledger(UtcMillis::new(0), UtcMillis::new(i64::MAX)).unwrap().is_empty());
    assert!(reader.quarantine(0, 10, true).unwrap().is_empty());
    assert_eq!(spool.append(&draft(1, 1)).unwrap().seq, Seq::new(1));
}

#[test]
fn statuses_come_back_with_their_batch_after_a_restart() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    let statuses = vec![gone("mlg-01", 5), gone("mlg-02", 7)];
    let batch = spool.append(&BatchDraft { statuses: statuses.clone(), ..draft(1, 1) }).unwrap();
    assert_eq!(batch.statuses, statuses);
    drop((spool, reader));
    let (_spool, reader) = open(dir.path());
    assert_eq!(reader.read_after(Seq::START, 10).unwrap(), [batch]);
    let report = reader.verify().unwrap();
    assert!(report.is_sound());
    assert_eq!(report.statuses, 2);
}

#[test]
fn a_draft_of_denied_messages_changes_the_ledger_and_takes_no_position() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    spool.append(&draft(1, 1)).unwrap();
    let mut watch = reader.watch();
    watch.mark_unchanged();
    let denied = MessageLedger { received: 2, denied: 2, ..MessageLedger::default() };
    let batch =
        spool.append(&BatchDraft { messages: vec![(key(5, "broker"), denied)], ..BatchDraft::default() }).unwrap();
    assert_eq!((batch.seq, batch.observations.len()), (Seq::new(1), 0));
    assert!(!watch.has_changed().unwrap());
    let ledger = reader.message_ledger(UtcMillis::new(0), UtcMillis::new(i64::MAX)).unwrap();
    assert_eq!(ledger[&key(5, "broker")], denied);
    assert_eq!(spool.append(&draft(2, 1)).unwrap().seq, Seq::new(2));
}

#[test]
fn both_ledgers_add_up_by_minute_and_source() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    let one = MessageLedger { received: 1, decoded: 1, ..MessageLedger::default() };
    let counts = ReadingCounts { decoded: 2, quarantined: 1 };
    for number in 0..3 {
        let mut draft = draft(number, 1);
        draft.messages = vec![(key(5, "a"), one), (key(5, "a"), one), (key(6, "b"), one)];
        draft.readings = vec![(key(5, "a"), counts)];
        spool.append(&draft).unwrap();
    }
    let (from, to) = (UtcMillis::new(5 * 60_000), UtcMillis::new(6 * 60_000));
    let messages = reader.message_ledger(from, to).unwrap();
    assert_eq!(messages.len(), 1, "the minute at `to` is not asked for");
    assert_eq!(messages[&key(5, "a")], MessageLedger { received: 6, decoded: 6, ..MessageLedger::default() });
    let readings = reader.reading_counts(from, UtcMillis::new(i64::MAX)).unwrap();
    assert_eq!(readings.len(), 1, "a minute without readings is not listed");
    assert_eq!(readings[&key(5, "a")], ReadingCounts { decoded: 6, quarantined: 3 });
}

#[test]
fn quarantine_is_listed_both_ways_with_the_whole_message() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    let mut batch = BatchDraft { envelopes: vec![envelope("broker", "t", &[0xff, 0, 1], 77)], ..BatchDraft::default() };
    batch.quarantine = vec![poison(0, Some("st/do"), "first"), poison(0, None, &"é".repeat(2000))];
    spool.append(&batch).unwrap();
    let rows = reader.quarantine(0, 10, false).unwrap();
    assert_eq!(rows.iter().map(|row| row.id).collect::<Vec<_>>(), [1, 2]);
    assert_eq!((rows[0].payload.as_slice(), &*rows[0].topic, rows[0].received_at.get()), (&[0xff, 0, 1][..], "t", 77));
    assert_eq!((rows[0].reading.as_deref(), &*rows[0].detail), (Some("st/do"), "first"));
    assert_eq!(rows[1].detail.len(), 1024, "a detail is cut at a whole character");
    assert_eq!(reader.quarantine(0, 1, true).unwrap()[0].id, 2);
    assert_eq!(reader.quarantine(2, 9, true).unwrap()[0].id, 1);
    assert_eq!(reader.quarantine(1, 9, false).unwrap()[0].id, 2);
    let copies: i64 =
        spool.connection().query_row("SELECT count(*) FROM quarantined_message", [], |row| row.get(0)).unwrap();
    assert_eq!(copies, 1, "the payload is kept once however many readings are listed");
}

#[test]
fn the_oldest_quarantined_messages_go_when_quarantine_is_full() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    // Each message with its 1,000 bytes, and its row with 64 and the words in it.
    spool.set_quarantine_keep_bytes(2 * (1_256 + 64 + 5));
    for number in 0..5 {
        let mut batch =
            BatchDraft { envelopes: vec![envelope("broker", "t", &[7; 1000], number)], ..BatchDraft::default() };
        batch.quarantine = vec![poison(0, None, "words")];
        spool.append(&batch).unwrap();
    }
    spool.trim().unwrap();
    let ids: Vec<u64> = reader.quarantine(0, 10, false).unwrap().iter().map(|row| row.id).collect();
    assert_eq!(ids, [4, 5]);
}

#[test]
fn recent_messages_come_with_what_was_made_of_them_oldest_first() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, _reader) = open(dir.path());
    (1..=4).for_each(|number| drop(spool.append(&draft(number, 2)).unwrap()));
    damage(&spool, "observed", 2);
    let mut seen = Vec::new();
    spool.recent(|envelopes, batch| seen.push((batch.seq.get(), envelopes.to_vec(), batch.observations.len())));
    let expected = [1, 3, 4].map(|number| (number as u64, draft(number, 2).envelopes, 4));
    assert_eq!(seen, expected);
}

#[test]
fn waiting_observations_are_counted_from_the_batches_themselves() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    (1..=3).for_each(|number| drop(spool.append(&draft(number, 2)).unwrap()));
    let total = |after: u64| reader.waiting_after(Seq::new(after)).unwrap().values().sum::<u64>();
    assert_eq!((total(0), total(1), total(3)), (12, 8, 0));
    let minute = UtcMillis::new(1_770_000_001_000).minute().get() / 60_000;
    assert_eq!(reader.waiting_after(Seq::START).unwrap()[&key(minute, "broker")], 12);
}

fn damage(spool: &Spool, column: &str, seq: u64) {
    let sql = format!("SELECT {column} FROM batch WHERE seq = {seq}");
    let mut blob: Vec<u8> = spool.connection().query_row(&sql, [], |row| row.get(0)).unwrap();
    let middle = blob.len() / 2;
    blob[middle] ^= 1;
    spool.connection().execute(&format!("UPDATE batch SET {column} = ?1 WHERE seq = {seq}"), [blob]).unwrap();
}

#[test]
fn a_flipped_byte_is_named_and_set_aside_and_the_rest_stays_readable() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    (1..=4).for_each(|number| drop(spool.append(&draft(number, 2)).unwrap()));
    assert!(reader.verify().unwrap().is_sound());
    damage(&spool, "observed", 2);
    damage(&spool, "envelopes", 3);

    let report = reader.verify().unwrap();
    let named: Vec<_> = report.damaged.iter().map(|damaged| (damaged.seq.get(), damaged.blob)).collect();
    assert_eq!(named, [(2, "observations"), (3, "envelopes")]);
    assert_eq!((report.batches, report.observations, report.messages), (4, 12, 6));

    let reader = SpoolReader::open(&dir.path().join("spool.db")).unwrap();
    let sizes: Vec<_> = reader
        .read_after(Seq::START, 100)
        .unwrap()
        .iter()
        .map(|batch| (batch.seq.get(), batch.observations.len()))
        .collect();
    assert_eq!(sizes, [(1, 4), (2, 0), (3, 4), (4, 4)]);
    assert_eq!(reader.envelopes(Seq::new(3)).unwrap_err().kind(), SpoolErrorKind::Corrupt);
    let window = spool.delivery_window();
    assert_eq!(window.len(), 6);
    assert!(window.contains(&draft(4, 1).envelopes[0]) && !window.contains(&draft(3, 1).envelopes[0]));
}

#[test]
fn positions_continue_after_a_consumer_that_is_ahead_of_a_lost_spool() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    reader.report(Consumer::Store, Seq::new(40));
    reader.report(Consumer::Alerts, Seq::START);
    let batch = spool.append(&draft(1, 1)).unwrap();
    assert_eq!(batch.seq, Seq::new(41));
    assert_eq!(reader.read_after(Seq::new(40), 10).unwrap(), vec![Arc::clone(&batch)]);
    assert_eq!(reader.read_after(Seq::START, 10).unwrap(), vec![batch]);
    assert_eq!(spool.append(&draft(2, 1)).unwrap().seq, Seq::new(42));
}

#[test]
fn a_second_writer_is_refused_with_a_sentence() {
    let dir = tempfile::tempdir().unwrap();
    let (_spool, _reader) = open(dir.path());
    let error = Spool::open(&super::config(dir.path())).unwrap_err();
    assert_eq!(error.kind(), SpoolErrorKind::Refused);
    assert!(error.to_string().contains("is in use by another Bakau"), "{error}");
}
