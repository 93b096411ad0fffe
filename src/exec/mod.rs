//! What a program really is, whatever a label says, and what the kernel answers when it is to start.
//!
//! Does not run anything, nor fetch what it reads. Layers become names ([`read`]), which are looked at from the top
//! ([`Stack`]) or laid one over the other ([`apply`]); over these it is predicted what a runtime ([`start`]) and the kernel
//! ([`execve`]) answer, what the programs that start are certain to start next ([`launches`]), and why the last of them does
//! not ([`cause`]).

mod errno;
mod unknown;
mod limits;
mod header;
mod path;
mod handover;
mod contents;
mod elf;
mod rootfs;
mod layers;
mod user;
mod host;
mod resolve;
mod script;
mod program;
mod execve;
mod directory;
mod start;
mod made;
mod launch;
mod format;
mod cause;

pub use cause::{Cause, Defect, Role, cause};
pub use contents::{Collector, Contents, HEAD};
pub use directory::{Refusal, working_directory};
pub use elf::{ElfError, architecture};
pub use errno::Errno;
pub use execve::{Answer, execve};
pub use format::Format;
pub use host::{Host, Processor};
pub use launch::{By, Launch, MOST_LAUNCHES, launches};
pub use layers::{ApplyError, LayerError, LayerNames, Stack, apply, read};
pub use limits::{Bound, Limits};
pub use made::{Machine, Made};
pub use resolve::View;
pub use rootfs::{Files, Node, Owner, Rootfs};
pub use start::{Start, start};
pub use unknown::Unknown;
pub use user::User;
