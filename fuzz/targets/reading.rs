//! The target `celaje::fuzzed::reading`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(what) = celaje::fuzzed::reading(bytes) {
        panic!("{what}");
    }
});
