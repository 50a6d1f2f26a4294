//! The target `celaje::fuzzed::settings`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(what) = celaje::fuzzed::settings(bytes) {
        panic!("{what}");
    }
});
