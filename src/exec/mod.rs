//! What the kernel answers when a program is to start: execve(2), and what a container runtime does before it.

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
pub(crate) use program_machine::detect_program;
pub use program_machine::{DetectedProgram, ElfMachine};
pub(crate) use shebang::parse_shebang;
pub(crate) use start::DEFAULT_PATH;
pub use start::{StartPrediction, predict_start};
pub use working_directory::{WorkingDirectoryError, resolve_working_directory};
