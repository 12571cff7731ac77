//! The fuzz target of this crate is not part of the workspace. What it checks is compiled here and has to hold for its seeds
//! and for every fixture, so that it cannot fall behind.
#![expect(clippy::expect_used, clippy::unwrap_used, reason = "a test")]

use std::{collections::BTreeSet, fs, path::Path};

use bakau_registry::Format;

#[path = "../fuzz/decoding.rs"]
mod decoding;

/// Gives every file below a folder to the fuzz target; how many there were.
fn all_of(folder: &Path) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let one = |path: std::path::PathBuf| {
        if path.is_dir() {
            return all_of(&path);
        }
        decoding::any_payload(&fs::read(&path).unwrap());
        1
    };
    entries.map(one).sum()
}

#[test]
fn the_fuzz_target_reads_every_format() {
    let read: BTreeSet<_> = decoding::formats().iter().map(Format::name).collect();
    assert_eq!(read, BTreeSet::from(Format::NAMES));
}

#[test]
fn what_the_fuzz_target_checks_holds_for_its_seeds_and_every_fixture() {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    assert!(10 <= all_of(&here.join("fuzz/seeds/decode")));
    assert!(20 <= all_of(&here.join("fixtures")));
}
