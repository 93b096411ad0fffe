#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| ecr_preflight_fuzz::saved(input));
