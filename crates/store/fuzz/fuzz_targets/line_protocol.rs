//! Any bytes as names, numbers and answers. What has to hold is in `texts.rs`, which a test of the workspace compiles as
//! well.
#![no_main]

#[path = "../texts.rs"]
mod texts;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| texts::any_bytes(bytes));
