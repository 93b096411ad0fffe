//! What the kernel answers when a program is to start: execve(2), and what a container runtime does before it.

mod host;
mod shebang;
mod binary;
mod execve;
mod directory;
mod start;
mod program_machine;
mod format;
mod cause;

pub use cause::{Cause, Defect, Role, cause};
pub use directory::{Refusal, working_directory};
pub use execve::{Answer, execve};
pub use format::Format;
pub use host::{Host, Processor};
pub(crate) use program_machine::made;
pub use program_machine::{Machine, Made};
pub(crate) use shebang::shebang;
pub(crate) use start::DEFAULT_PATH;
pub use start::{Start, start};
