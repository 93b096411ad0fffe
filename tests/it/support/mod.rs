//! Small real things for tests: OCI image layouts, built blob by blob, and an AWS and a registry that keep them.

pub mod aws;
pub mod registry;
pub mod elf;
pub mod layers;
pub mod layout;
pub mod sample;
pub mod archive;
pub mod random;
