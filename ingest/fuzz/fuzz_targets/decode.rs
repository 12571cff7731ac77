//! Any bytes through every format. What has to hold is in `decoding.rs`, which a test of the workspace compiles as well.
#![no_main]

#[path = "../decoding.rs"]
mod decoding;

libfuzzer_sys::fuzz_target!(|payload: &[u8]| decoding::any_payload(payload));
