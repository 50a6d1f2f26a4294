//! The target `celaje::fuzzed::names`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(what) = celaje::fuzzed::names(bytes) {
        panic!("{what}");
    }
});
