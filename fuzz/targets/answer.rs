//! The target `celaje::fuzzed::answer`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(what) = celaje::fuzzed::answer(bytes) {
        panic!("{what}");
    }
});
