//! Predicts the kernel's answer to execve(2), and what a container runtime does before it.

mod host;
mod shebang;
mod binfmt_elf;
mod execve;
mod working_directory;
mod start;
mod program_machine;
mod file_format;
mod cause;

pub use cause::{Defect, FileRole, StartFailure, diagnose_failure};
pub use execve::{ExecOutcome, predict_execve};
pub use file_format::FileFormat;
pub use host::{Host, Processor};
pub use program_machine::DetectedProgram;
pub(crate) use program_machine::detect_program;
pub(crate) use shebang::parse_shebang;
pub(crate) use start::DEFAULT_PATH;
pub use start::{StartPrediction, predict_start};
pub use working_directory::resolve_working_directory;
