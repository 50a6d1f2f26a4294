//! The target `celaje::fuzzed::manifest`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(what) = celaje::fuzzed::manifest(bytes) {
        panic!("{what}");
    }
});
