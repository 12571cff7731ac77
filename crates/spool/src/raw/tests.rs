//! The raw record on real files, through the spool that writes it.

use std::{
    fs,
    io::Cursor,
    path::{Path, PathBuf},
};

use bakau_model::{Envelope, Seq};
use proptest::prelude::*;

use super::{format, read, scan::Scanner, segments, verify};
use crate::{
    BatchDraft, Consumer, Spool, SpoolConfig, SpoolErrorKind, SpoolReader,
    testing::{draft, envelope},
};

const DAY_MS: i64 = 86_400_000;
const NOON: i64 = 1_770_033_600_000;

type Batches = Vec<(u64, Vec<Envelope>)>;

fn open(dir: &Path) -> (Spool, SpoolReader) {
    let config = SpoolConfig { path: dir.join("spool.db"), max_bytes: 1 << 30, keep_messages: 1 };
    Spool::open_with(&config, 1).unwrap()
}

fn at(time: i64, payload: &str) -> BatchDraft {
    let envelopes = vec![envelope("broker", "t", payload.as_bytes(), time)];
    BatchDraft { registry_revision: 1, envelopes, ..BatchDraft::default() }
}

/// Appends, lets both consumers have everything, trims; one message always stays.
fn consume(spool: &mut Spool, reader: &SpoolReader, drafts: &[BatchDraft]) {
    drafts.iter().for_each(|draft| drop(spool.append(draft).unwrap()));
    Consumer::ALL.into_iter().for_each(|consumer| reader.report(consumer, reader.last_seq()));
    while spool.trim().unwrap() != 0 {}
}

/// A folder with `count` batches in its raw record and one more in its spool.
fn consumed(count: u32) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    let drafts: Vec<_> = (1..=count + 1).map(|number| draft(number, 3)).collect();
    consume(&mut spool, &reader, &drafts);
    dir
}

fn names(dir: &Path) -> Vec<String> {
    segments(dir).unwrap().iter().map(|one| super::file_name(&one.path)).collect()
}

fn everything(dir: &Path) -> (Batches, Vec<super::RawDamage>) {
    let (mut batches, mut damaged) = (Vec::new(), Vec::new());
    for segment in segments(dir).unwrap() {
        for item in read(&segment.path).unwrap() {
            match item {
                Ok((seq, envelopes)) => batches.push((seq.get(), envelopes)),
                Err(damage) => damaged.push(damage),
            }
        }
    }
    (batches, damaged)
}

fn expected(numbers: impl Iterator<Item = u32>) -> Batches {
    numbers.map(|number| (u64::from(number), draft(number, 3).envelopes)).collect()
}

fn only_segment(dir: &Path) -> PathBuf {
    let mut all = segments(dir).unwrap();
    assert_eq!(all.len(), 1);
    all.remove(0).path
}

/// Copies the files of a spool as a crash would leave them.
fn copy(from: &Path, to: &Path, names: &[&str]) {
    for name in names {
        let target = to.join(name);
        if !from.join(name).exists() {
            continue; // a log that was copied into its file
        }
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::copy(from.join(name), target).unwrap();
    }
}

#[test]
fn everything_trimmed_is_in_the_record_once_and_in_order_over_restarts() {
    let dir = tempfile::tempdir().unwrap();
    let mut next = 1;
    for _ in 0..4 {
        let (mut spool, reader) = open(dir.path());
        let drafts: Vec<_> = (next..next + 5).map(|number| draft(number, 3)).collect();
        consume(&mut spool, &reader, &drafts);
        next += 5;
        assert_eq!(everything(dir.path()), (expected(1..next - 1), vec![]));
    }
    let report = verify(dir.path()).unwrap();
    assert_eq!((report.segments, report.batches, report.messages, report.repeats), (1, 19, 57, 0), "{report:?}");
    assert!(report.is_sound() && report.seal.is_some());
    assert_eq!(SpoolReader::open(&dir.path().join("spool.db")).unwrap().verify().unwrap().raw, report);
}

#[test]
fn a_crash_between_record_and_deletion_makes_a_repeat_that_readers_drop() {
    let (live, dead) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut spool, reader) = open(live.path());
    let drafts: Vec<_> = (1..=4).map(|number| draft(number, 3)).collect();
    consume(&mut spool, &reader, &drafts);
    (5..=9).for_each(|number| drop(spool.append(&draft(number, 3)).unwrap()));
    copy(live.path(), dead.path(), &["spool.db", "spool.db-wal"]);
    consume(&mut spool, &reader, &[]);
    copy(live.path(), dead.path(), &["raw/2026-02-02.seg"]);
    drop((spool, reader));

    let (mut spool, reader) = open(dead.path());
    assert_eq!(reader.read_file_after(Seq::START, 0).unwrap()[0].seq, Seq::new(4), "not deleted");
    consume(&mut spool, &reader, &[draft(10, 3)]);
    assert_eq!(everything(dead.path()), (expected(1..=9), vec![]));
    let report = verify(dead.path()).unwrap();
    assert_eq!((report.batches, report.repeats), (9, 5), "{report:?}");
    assert!(report.is_sound(), "{report:?}");
}

#[test]
fn a_record_cut_off_by_a_crash_is_cut_away_and_written_again() {
    let (live, before) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let (mut spool, reader) = open(live.path());
    consume(&mut spool, &reader, &[draft(1, 3), draft(2, 3), draft(3, 3)]);
    let segment = only_segment(live.path());
    let kept = fs::metadata(&segment).unwrap().len();
    (4..=6).for_each(|number| drop(spool.append(&draft(number, 3)).unwrap()));
    copy(live.path(), before.path(), &["spool.db", "spool.db-wal"]);
    consume(&mut spool, &reader, &[]);
    let whole = fs::read(&segment).unwrap();
    drop((spool, reader));

    for cut in (kept as usize..whole.len()).step_by(7) {
        for zeros in [0, 50] {
            let dead = tempfile::tempdir().unwrap();
            copy(before.path(), dead.path(), &["spool.db", "spool.db-wal"]);
            fs::create_dir(dead.path().join("raw")).unwrap();
            let mut bytes = whole[..cut].to_vec();
            bytes.resize(cut + zeros, 0);
            fs::write(dead.path().join("raw/2026-02-02.seg"), bytes).unwrap();
            let (mut spool, reader) = open(dead.path());
            let report = verify(dead.path()).unwrap();
            assert!(report.is_sound(), "cut at {cut}, {zeros} zeros: {report:?}");
            consume(&mut spool, &reader, &[draft(7, 3)]);
            assert_eq!(everything(dead.path()), (expected(1..=6), vec![]), "cut at {cut}");
            let report = verify(dead.path()).unwrap();
            assert!(report.is_sound(), "cut at {cut}: {report:?}");
        }
    }
}

#[test]
fn a_segment_whose_first_bytes_never_reached_the_disk_is_begun_again() {
    let dir = consumed(1);
    fs::write(only_segment(dir.path()), [0; 30]).unwrap();
    let (mut spool, reader) = open(dir.path());
    consume(&mut spool, &reader, &[draft(3, 3)]);
    assert_eq!(everything(dir.path()), (expected(2..=2), vec![]));
    assert!(verify(dir.path()).unwrap().is_sound());
}

#[test]
fn a_flipped_byte_is_named_and_every_other_record_is_read() {
    let dir = consumed(6);
    let segment = only_segment(dir.path());
    let bytes = fs::read(&segment).unwrap();
    assert!(verify(dir.path()).unwrap().is_sound());
    for place in 0..bytes.len() {
        let mut flipped = bytes.clone();
        flipped[place] ^= 1 << (place % 8);
        fs::write(&segment, flipped).unwrap();
        let report = verify(dir.path()).unwrap();
        assert!(!report.is_sound() && report.damaged.len() <= 2, "byte {place}: {report:?}");
        let near = report.damaged.iter().any(|damage| damage.offset <= place as u64);
        assert!(near, "byte {place}: {report:?}");
        let (batches, _) = everything(dir.path());
        assert!(5 <= batches.len(), "byte {place}: {} batches", batches.len());
        let all = expected(1..=6);
        assert!(batches.iter().all(|batch| all.contains(batch)), "byte {place}: never something else");
        assert_eq!(report.batches as usize, batches.len());
    }
}

#[test]
fn a_damaged_last_record_is_kept_and_named_and_a_new_segment_follows() {
    let dir = consumed(4);
    let segment = only_segment(dir.path());
    let whole = fs::read(&segment).unwrap();
    // One byte in the blob of batch 4, one in its head.
    let head = whole.windows(4).rposition(|window| window == format::MARKER).unwrap();
    for place in [whole.len() - 60, head + 5] {
        let copied = tempfile::tempdir().unwrap();
        copy(dir.path(), copied.path(), &["spool.db", "spool.db-wal"]);
        let mut bytes = whole.clone();
        bytes[place] ^= 4;
        fs::create_dir(copied.path().join("raw")).unwrap();
        fs::write(copied.path().join("raw/2026-02-02.seg"), bytes).unwrap();
        let (mut spool, reader) = open(copied.path());
        consume(&mut spool, &reader, &[draft(6, 3), draft(7, 3)]);
        let (batches, damaged) = everything(copied.path());
        assert_eq!(batches, expected([1, 2, 3, 5, 6].into_iter()));
        assert_eq!((damaged.len(), damaged[0].offset), (1, head as u64), "{damaged:?}");
        let report = verify(copied.path()).unwrap();
        assert_eq!(report.damaged, damaged);
        assert_eq!(names(copied.path()), ["2026-02-02.seg", "2026-02-02.2.seg"]);
    }
}

#[test]
fn a_record_taken_out_or_changed_with_its_checksums_breaks_the_chain() {
    let dir = consumed(5);
    let segment = only_segment(dir.path());
    let bytes = fs::read(&segment).unwrap();
    let starts: Vec<usize> =
        bytes.windows(4).enumerate().filter(|(_, window)| *window == format::MARKER).map(|(at, _)| at).collect();
    assert_eq!(starts.len(), 5);

    // The last one again with other content, right checksums, and a chain value of its own.
    let mut changed = bytes[..starts[4]].to_vec();
    let mut head = format::Head::parse(&bytes[starts[4]..], starts[4] as u64).unwrap();
    head.received_max = head.received_max.saturating_add(1);
    changed.extend_from_slice(&head.to_bytes(starts[4] as u64));
    changed.extend_from_slice(&bytes[starts[4] + format::HEAD_BYTES..bytes.len() - 36]);
    format::seal(&mut changed, starts[4], &[7; 32]);
    fs::write(&segment, changed).unwrap();
    let report = verify(dir.path()).unwrap();
    assert_eq!((report.damaged.len(), report.damaged[0].seq), (1, Some(Seq::new(5))), "{report:?}");
    assert!(report.damaged[0].problem.contains("chain"), "{report:?}");

    let mut shorter = bytes[..starts[2]].to_vec();
    shorter.extend_from_slice(&bytes[starts[3]..]);
    fs::write(&segment, shorter).unwrap();
    assert!(!verify(dir.path()).unwrap().is_sound());
}

#[test]
fn a_new_day_starts_a_segment_that_continues_the_chain() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    let midnight = NOON + DAY_MS / 2;
    // Around midnight the sources come in any order.
    let times = [NOON, midnight - 1, midnight + 1, midnight - 2, midnight + 2, NOON + 2 * DAY_MS, NOON + 2 * DAY_MS];
    let drafts: Vec<_> = times.iter().map(|time| at(*time, "x")).collect();
    consume(&mut spool, &reader, &drafts);
    assert_eq!(names(dir.path()), ["2026-02-02.seg", "2026-02-03.seg", "2026-02-04.seg"]);
    let (batches, damaged) = everything(dir.path());
    assert_eq!(batches.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert!(damaged.is_empty() && verify(dir.path()).unwrap().is_sound());

    let header = |name: &str| format::Header::parse(&fs::read(dir.path().join("raw").join(name)).unwrap()).unwrap();
    let first = fs::read(dir.path().join("raw/2026-02-02.seg")).unwrap();
    assert_eq!(header("2026-02-03.seg").previous, first[first.len() - 32..]);
    assert_eq!(header("2026-02-03.seg").number, 2);

    fs::remove_file(dir.path().join("raw/2026-02-02.seg")).unwrap();
    assert!(verify(dir.path()).unwrap().is_sound(), "an operator may remove the oldest");
    fs::write(dir.path().join("raw/2026-02-02.seg"), &first).unwrap();
    fs::remove_file(dir.path().join("raw/2026-02-03.seg")).unwrap();
    assert_eq!(verify(dir.path()).unwrap().damaged.len(), 1, "but none from the middle");
}

#[test]
fn a_clock_that_jumps_ahead_and_back_gets_segments_in_order_of_writing() {
    let dir = tempfile::tempdir().unwrap();
    let times = [NOON, NOON + 9000 * DAY_MS, NOON, i64::MAX, i64::MIN, 0, 0];
    for (index, time) in times.iter().enumerate() {
        let (mut spool, reader) = open(dir.path());
        consume(&mut spool, &reader, &[at(*time, &index.to_string())]);
    }
    assert_eq!(names(dir.path())[..3], ["2026-02-02.seg", "2050-09-24.seg", "2026-02-02.2.seg"]);
    let (batches, damaged) = everything(dir.path());
    assert_eq!(batches.iter().map(|(seq, _)| *seq).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    assert!(damaged.is_empty() && verify(dir.path()).unwrap().is_sound());
}

#[test]
fn without_room_for_the_record_batches_stay_and_the_spool_works_on() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    for room in [0, 63, 64, 100, 200] {
        spool.raw().room = Some(room);
        spool.append(&draft(reader.last_seq().get() as u32 + 1, 3)).unwrap();
        Consumer::ALL.into_iter().for_each(|consumer| reader.report(consumer, reader.last_seq()));
        if 1 < reader.last_seq().get() {
            assert_eq!(spool.trim().unwrap_err().kind(), SpoolErrorKind::Full);
            assert_eq!(reader.read_file_after(Seq::START, 0).unwrap()[0].seq, Seq::new(1), "nothing was deleted");
        }
    }
    assert_eq!(everything(dir.path()), (vec![], vec![]));
    spool.raw().room = None;
    consume(&mut spool, &reader, &[draft(6, 3)]);
    assert_eq!(everything(dir.path()), (expected(1..=5), vec![]));
    let report = verify(dir.path()).unwrap();
    assert!(report.is_sound() && report.repeats == 0, "{report:?}");
}

#[test]
fn a_deletion_that_fails_does_not_write_its_batches_again_and_again() {
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, reader) = open(dir.path());
    (1..=4).for_each(|number| drop(spool.append(&draft(number, 3)).unwrap()));
    Consumer::ALL.into_iter().for_each(|consumer| reader.report(consumer, reader.last_seq()));
    spool
        .connection()
        .execute_batch("CREATE TRIGGER no BEFORE DELETE ON batch BEGIN SELECT RAISE(ABORT, 'no'); END")
        .unwrap();
    (0..3).for_each(|_| drop(spool.trim().unwrap_err()));
    spool.connection().execute_batch("DROP TRIGGER no").unwrap();
    consume(&mut spool, &reader, &[draft(5, 3)]);
    assert_eq!(everything(dir.path()), (expected(1..=4), vec![]));
    assert_eq!(verify(dir.path()).unwrap().repeats, 0);
}

#[test]
fn a_segment_of_a_newer_bakau_is_refused_with_a_sentence_and_left_alone() {
    let dir = consumed(2);
    let segment = only_segment(dir.path());
    let mut bytes = fs::read(&segment).unwrap();
    bytes[8] = 2;
    let crc = crc32c::crc32c(&bytes[..60]);
    bytes[60..64].copy_from_slice(&crc.to_le_bytes());
    fs::write(&segment, &bytes).unwrap();
    let config = SpoolConfig { path: dir.path().join("spool.db"), max_bytes: 1 << 30, keep_messages: 1 };
    let error = Spool::open(&config).map(|_| ()).unwrap_err();
    assert_eq!(error.kind(), SpoolErrorKind::NewerFormat);
    assert!(error.to_string().contains("it has format 2"), "{error}");
    assert_eq!(read(&segment).map(|_| ()).unwrap_err().kind(), SpoolErrorKind::NewerFormat);
    assert_eq!(fs::read(&segment).unwrap(), bytes);
}

#[test]
fn a_damaged_header_of_the_newest_segment_starts_another() {
    let dir = consumed(3);
    let segment = only_segment(dir.path());
    let mut bytes = fs::read(&segment).unwrap();
    bytes[15] ^= 1;
    fs::write(&segment, &bytes).unwrap();
    let (mut spool, reader) = open(dir.path());
    consume(&mut spool, &reader, &[draft(5, 3)]);
    let (batches, damaged) = everything(dir.path());
    assert_eq!(batches, expected(1..=4));
    assert_eq!((damaged.len(), damaged[0].offset), (1, 0), "{damaged:?}");
    assert_eq!(fs::read(&segment).unwrap(), bytes, "as it was");
}

#[derive(Debug, Clone)]
enum Harm {
    Flip(prop::sample::Index, u8),
    Cut(prop::sample::Index),
    Insert(prop::sample::Index, Vec<u8>),
    Replace(Vec<u8>),
}

fn any_harm() -> impl Strategy<Value = Harm> {
    let bytes = || proptest::collection::vec(any::<u8>(), 0..300);
    prop_oneof![
        4 => (any::<prop::sample::Index>(), 0u8..8).prop_map(|(at, bit)| Harm::Flip(at, bit)),
        2 => any::<prop::sample::Index>().prop_map(Harm::Cut),
        2 => (any::<prop::sample::Index>(), bytes()).prop_map(|(at, bytes)| Harm::Insert(at, bytes)),
        1 => bytes().prop_map(Harm::Replace),
    ]
}

fn harm(bytes: &mut Vec<u8>, harm: Harm) {
    match harm {
        Harm::Flip(at, bit) if !bytes.is_empty() => {
            let at = at.index(bytes.len());
            bytes[at] ^= 1 << bit;
        }
        Harm::Flip(..) => {}
        Harm::Cut(at) => bytes.truncate(at.index(bytes.len() + 1)),
        Harm::Insert(at, more) => {
            let at = at.index(bytes.len() + 1);
            bytes.splice(at..at, more);
        }
        Harm::Replace(with) => *bytes = with,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn harmed_segments_never_panic_give_nothing_false_and_are_continued(harms in proptest::collection::vec(any_harm(), 1..4)) {
        let dir = consumed(5);
        let segment = only_segment(dir.path());
        let mut bytes = fs::read(&segment).unwrap();
        harms.into_iter().for_each(|one| harm(&mut bytes, one));
        fs::write(&segment, &bytes).unwrap();
        let all = expected(1..=7);
        verify(dir.path()).unwrap();
        prop_assert!(everything(dir.path()).0.iter().all(|batch| all.contains(batch)));
        let (mut spool, reader) = open(dir.path());
        consume(&mut spool, &reader, &[draft(7, 3)]);
        let (batches, _) = everything(dir.path());
        prop_assert!(batches.iter().all(|batch| all.contains(batch)));
        prop_assert!(batches.last() == Some(&all[5]), "{:?} {:?}", everything(dir.path()).1, segments(dir.path()));
        verify(dir.path()).unwrap();
    }

    #[test]
    fn a_walk_over_any_bytes_ends_and_covers_all_of_them(mut bytes in proptest::collection::vec(any::<u8>(), 0..2000), markers in proptest::collection::vec(any::<prop::sample::Index>(), 0..9), heads in proptest::collection::vec((any::<prop::sample::Index>(), 0u32..400), 0..4)) {
        for index in markers {
            let at = index.index(bytes.len() + 1);
            bytes.splice(at..at, format::MARKER);
        }
        for (index, stored_bytes) in heads {
            let at = index.index(bytes.len() + 1);
            let time = bakau_model::UtcMillis::new(0);
            let head = format::Head { stored_bytes, blob_bytes: u32::MAX, seq: Seq::new(1), received_min: time, received_max: time };
            bytes.splice(at..at, head.to_bytes(at as u64));
        }
        let length = bytes.len() as u64;
        let mut scanner = Scanner::new(Cursor::new(bytes)).unwrap();
        let mut at = scanner.position();
        while let Some(found) = scanner.next().unwrap() {
            let start = match found {
                super::scan::Found::Record(record) => record.at,
                super::scan::Found::Gap(gap) => gap.at,
            };
            prop_assert_eq!(start, at);
            prop_assert!(at < scanner.position());
            at = scanner.position();
        }
        prop_assert!(length <= at);
    }
}
