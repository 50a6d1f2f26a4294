//! The target `celaje::fuzzed::picture`.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    if let Err(what) = celaje::fuzzed::picture(bytes) {
        panic!("{what}");
    }
});
