//! Small real things for tests: OCI image layouts, built blob by blob.

pub mod elf;
pub mod layout;
pub mod sample;
