//! What a program really is, whatever a label says, and what the kernel answers when it is to start.
//!
//! Does not run anything, and does not read layers yet: a root filesystem is given as names.

mod errno;
mod unknown;
mod header;
mod contents;
mod elf;
mod rootfs;
mod user;
mod host;
mod resolve;
mod script;
mod program;
mod execve;
mod directory;
mod start;

pub use contents::{Collector, Contents, HEAD};
pub use directory::{Refusal, working_directory};
pub use elf::{ElfError, architecture};
pub use errno::Errno;
pub use execve::{Answer, execve};
pub use host::{Host, Processor};
pub use resolve::View;
pub use rootfs::{Node, Owner, Rootfs};
pub use start::{Start, start};
pub use unknown::Unknown;
pub use user::User;
