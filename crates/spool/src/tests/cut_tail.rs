//! A machine that dies in its last write: whatever part of it reached the disk, the spool opens with a prefix of what
//! was acknowledged, at worst without the last transaction.

use std::{
    fs,
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use bakau_model::{Batch, Seq};

use super::open;
use crate::testing::draft;

const PLACES: usize = 20;

/// A spool that was killed: its files, and where in the log its last write is.
struct Killed {
    dir: tempfile::TempDir,
    acknowledged: Vec<Arc<Batch>>,
    last_write: Range<usize>,
}

/// Appends `batches`, copying the files before the writer could close them.
fn killed(batches: u32) -> Killed {
    let live = tempfile::tempdir().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let (mut spool, _reader) = open(live.path());
    let log = live.path().join("spool.db-wal");
    let mut acknowledged: Vec<_> = (1..batches).map(|number| spool.append(&draft(number, 300)).unwrap()).collect();
    let before = fs::read(&log).unwrap();
    acknowledged.push(spool.append(&draft(batches, 300)).unwrap());
    let after = fs::read(&log).unwrap();
    let differs = |at: &usize| before.get(*at) != after.get(*at);
    let first = (0..after.len()).find(differs).unwrap();
    let last = (0..after.len()).rfind(differs).unwrap();
    fs::copy(live.path().join("spool.db"), dir.path().join("spool.db")).unwrap();
    fs::write(dir.path().join("spool.db-wal"), after).unwrap();
    Killed { dir, acknowledged, last_write: first..last + 1 }
}

impl Killed {
    /// A copy of the files with the log changed by `change`.
    fn copy(&self, change: impl FnOnce(&mut Vec<u8>)) -> tempfile::TempDir {
        let copy = tempfile::tempdir().unwrap();
        let file = |dir: &Path, name: &str| -> PathBuf { dir.join(name) };
        fs::copy(file(self.dir.path(), "spool.db"), file(copy.path(), "spool.db")).unwrap();
        let mut log = fs::read(file(self.dir.path(), "spool.db-wal")).unwrap();
        change(&mut log);
        fs::write(file(copy.path(), "spool.db-wal"), log).unwrap();
        copy
    }

    /// Opens a copy, compares, appends on; returns how many batches were there.
    fn check(&self, dir: &Path) -> usize {
        let (mut spool, reader) = open(dir);
        let held = reader.read_after(Seq::START, usize::MAX).unwrap();
        assert_eq!(held, self.acknowledged[..held.len()], "a prefix of what was acknowledged");
        assert!(self.acknowledged.len() <= held.len() + 1, "at worst the last transaction is missing");
        let next = spool.append(&draft(1000, 2)).unwrap();
        assert_eq!(next.seq.get(), held.len() as u64 + 1);
        let report = reader.verify().unwrap();
        assert!(report.is_sound() && report.missing == 0, "{report:?}");
        held.len()
    }
}

/// Numbers that look random and are the same in every run (SplitMix64).
fn places(range: &Range<usize>) -> Vec<usize> {
    let mut state = 7_u64;
    let next = |_| {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        range.start + ((mixed ^ (mixed >> 27)) % (range.len() as u64)) as usize
    };
    (0..PLACES).map(next).collect()
}

#[test]
fn a_killed_spool_opens_with_everything_acknowledged() {
    let killed = killed(5);
    assert_eq!(killed.check(killed.copy(|_| ()).path()), 5);
}

#[test]
fn a_log_cut_anywhere_in_its_last_write_loses_at_most_that_write() {
    // Few batches: the log starts with the file. Many: it was checkpointed and is being written over.
    for batches in [4, 200] {
        let killed = killed(batches);
        for place in places(&killed.last_write) {
            let copy = killed.copy(|log| log.truncate(place));
            assert_eq!(killed.check(copy.path()), killed.acknowledged.len() - 1, "cut at {place}");
        }
    }
}

#[test]
fn a_byte_torn_anywhere_in_the_last_write_loses_at_most_that_write() {
    let killed = killed(4);
    for place in places(&killed.last_write) {
        let copy = killed.copy(|log| log[place] ^= 0x10);
        killed.check(copy.path());
    }
}
