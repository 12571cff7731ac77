//! Bounds: what happens when the spool or its disk is full, and how room comes back.

use bakau_model::Seq;

use super::{config, open};
use crate::{
    Consumer, Spool, SpoolConfig, SpoolErrorKind,
    testing::{draft, envelope},
};

#[test]
fn a_full_spool_writes_nothing_and_recovers_when_both_consumers_advance() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = Spool::open(&SpoolConfig { max_bytes: 2000, ..config(dir.path()) }).unwrap();
    let refused = (0..100).find_map(|_| spool.append(&draft(1, 2)).err()).unwrap();
    assert_eq!(refused.kind(), SpoolErrorKind::Full);
    let (last, size) = (reader.last_seq(), reader.size().unwrap());
    assert!(Seq::new(2) < last && size.unconsumed_bytes <= 2000, "{size:?}");

    reader.report(Consumer::Store, last);
    assert_eq!(spool.append(&draft(1, 2)).unwrap_err().kind(), SpoolErrorKind::Full, "alerts still needs them");
    assert_eq!((reader.last_seq(), reader.size().unwrap().unconsumed_bytes), (last, size.unconsumed_bytes));

    reader.report(Consumer::Alerts, last);
    assert_eq!(reader.size().unwrap().unconsumed_messages, 0);
    assert_eq!(spool.append(&draft(1, 2)).unwrap().seq, Seq::new(last.get() + 1));
}

#[test]
fn a_batch_larger_than_the_bound_still_fits_an_empty_spool() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, _reader) = Spool::open(&SpoolConfig { max_bytes: 10, ..config(dir.path()) }).unwrap();
    assert_eq!(spool.append(&draft(1, 9)).unwrap().seq, Seq::new(1));
    assert_eq!(spool.append(&draft(1, 9)).unwrap_err().kind(), SpoolErrorKind::Full);
}

#[test]
fn a_full_disk_is_full_and_appending_goes_on_when_there_is_room_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    spool.append(&draft(1, 2)).unwrap();
    let pages: u32 = spool.connection().query_row("PRAGMA page_count", [], |row| row.get(0)).unwrap();
    spool.connection().pragma_update(None, "max_page_count", pages + 2).unwrap();
    let mut large = draft(2, 1);
    large.envelopes[0].payload = vec![7; 200_000].into();
    assert_eq!(spool.append(&large).unwrap_err().kind(), SpoolErrorKind::Full);
    assert_eq!(reader.last_seq(), Seq::new(1));
    assert_eq!(spool.append(&draft(3, 1)).unwrap().seq, Seq::new(2));
    spool.connection().pragma_update(None, "max_page_count", 1_000_000).unwrap();
    assert_eq!(spool.append(&large).unwrap().seq, Seq::new(3));
    assert_eq!(reader.envelopes(Seq::new(3)).unwrap(), large.envelopes);
}

#[test]
fn only_what_both_consumers_have_is_trimmed_and_the_window_stays() {
    let dir = tempfile::tempdir().unwrap();
    let config = SpoolConfig { keep_messages: 10, ..config(dir.path()) };
    let (mut spool, reader) = Spool::open_with(&config, 10).unwrap();
    (1..=20).for_each(|number| drop(spool.append(&draft(number, 2)).unwrap()));
    let oldest = || reader.read_file_after(Seq::START, 0).unwrap()[0].seq.get();
    assert_eq!(spool.trim().unwrap(), 0, "nobody has reported");
    reader.report(Consumer::Store, Seq::new(20));
    assert_eq!(spool.trim().unwrap(), 0, "one has not reported");
    reader.report(Consumer::Alerts, Seq::new(7));
    assert_eq!((spool.trim().unwrap(), oldest()), (7, 8));
    reader.report(Consumer::Alerts, Seq::new(20));
    assert_eq!((spool.trim().unwrap(), oldest()), (8, 16), "five batches of two are the window");
    assert_eq!(spool.delivery_window().len(), 10);
    assert_eq!(spool.trim().unwrap(), 0);
    assert_eq!(reader.size().unwrap().messages, 10);
}

#[test]
fn one_trim_removes_a_bounded_number_of_batches() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = Spool::open_with(&SpoolConfig { keep_messages: 1, ..config(dir.path()) }, 1).unwrap();
    (1..=300).for_each(|number| drop(spool.append(&draft(number, 1)).unwrap()));
    Consumer::ALL.into_iter().for_each(|consumer| reader.report(consumer, reader.last_seq()));
    assert_eq!((spool.trim().unwrap(), spool.trim().unwrap(), spool.trim().unwrap()), (256, 43, 0));
}

#[test]
fn the_write_ahead_log_stays_short() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, _reader) = open(dir.path());
    let payload = vec![7; 100_000];
    let mut batch = draft(1, 0);
    batch.envelopes = (0..10).map(|at| envelope("broker", "t", &payload, at)).collect();
    (0..60).for_each(|_| drop(spool.append(&batch).unwrap()));
    let log = std::fs::metadata(dir.path().join("spool.db-wal")).unwrap().len();
    assert!(log < 8 << 20, "60 MB were written, the log has {log} bytes");
}
