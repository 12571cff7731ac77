//! The fuzz target of this crate is not part of the workspace. What it checks is compiled here and has to hold for its seeds,
//! so that it cannot fall behind.

use std::{fs, path::Path};

#[path = "../../fuzz/texts.rs"]
mod texts;

#[test]
fn what_the_fuzz_target_checks_holds_for_its_seeds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/seeds/line_protocol");
    let seeds: Vec<_> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    for seed in &seeds {
        texts::any_bytes(&fs::read(seed).unwrap());
    }
    assert!(3 <= seeds.len());
}
