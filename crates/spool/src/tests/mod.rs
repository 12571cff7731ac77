//! Tests of the spool as a whole, on real files.

mod behaviour;
mod cut_tail;
mod model;
mod room;

use std::path::Path;

use crate::{Spool, SpoolConfig, SpoolReader};

fn config(dir: &Path) -> SpoolConfig {
    SpoolConfig { path: dir.join("spool.db"), max_bytes: 1 << 30, keep_messages: 65_535 }
}

fn open(dir: &Path) -> (Spool, SpoolReader) {
    Spool::open(&config(dir)).unwrap()
}
