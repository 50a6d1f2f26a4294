//! The target `celaje::fuzzed::network`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(what) = celaje::fuzzed::network(bytes) {
        panic!("{what}");
    }
});
