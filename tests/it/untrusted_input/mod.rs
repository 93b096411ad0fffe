//! Malicious images and arbitrary bytes: limits, properties that hold for every input, and the seeds of the fuzzers.

mod fuzz_seeds;
mod malicious_images;
mod properties;
