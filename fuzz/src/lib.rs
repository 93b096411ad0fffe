//! What must hold of every input, whatever it is: one function for each parser that meets hostile bytes.
//!
//! Does not make the inputs. The fuzzers in `fuzz_targets/` and the property tests in `tests/it/untrusted_input/properties.rs` call the
//! same functions, so that a crash that one finds is repeated by the other.
#![allow(clippy::missing_panics_doc, reason = "panicking is what these are for")]

mod draw;
mod plain;
mod names;
mod parts;
mod documents;
mod streams;
mod archives;
mod stacks;
mod starts;
mod saved;
#[allow(dead_code, reason = "other tests need the rest")]
#[path = "../../tests/it/support/archive.rs"]
mod tar_builder;

pub use archives::archive;
pub use documents::{config, manifest, report};
pub use names::{event, intent, reference};
pub use saved::saved;
pub use stacks::stack;
pub use starts::{elf, execve, script, shell};
pub use streams::layer;
