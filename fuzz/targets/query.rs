//! The target `celaje::fuzzed::query`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(what) = celaje::fuzzed::query(bytes) {
        panic!("{what}");
    }
});
