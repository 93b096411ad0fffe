//! What a program really is, whatever a label says, and what the kernel answers when it is to start.
//!
//! Does not run anything, nor fetch what it reads: layers become a root filesystem of names ([`read`],
//! [`apply`]), and over that it is predicted what a runtime ([`start`]) and the kernel ([`execve`]) answer.

mod errno;
mod unknown;
mod header;
mod contents;
mod elf;
mod rootfs;
mod limits;
mod source;
mod zstd;
mod decompress;
mod archive;
mod path;
mod changes;
mod tidy;
mod layer;
mod apply;
mod stack;
mod user;
mod host;
mod resolve;
mod script;
mod program;
mod execve;
mod directory;
mod start;
mod launch;
mod format;
mod cause;

pub use apply::{ApplyError, apply};
pub use cause::{Cause, Fault, Role, cause};
pub use contents::{Collector, Contents, HEAD};
pub use directory::{Refusal, working_directory};
pub use elf::{ElfError, architecture};
pub use errno::Errno;
pub use execve::{Answer, execve};
pub use format::Format;
pub use host::{Host, Processor};
pub use launch::{By, Launch, launches};
pub use layer::{LayerError, LayerNames, read};
pub use limits::{Bound, Limits};
pub use resolve::View;
pub use rootfs::{Files, Node, Owner, Rootfs};
pub use stack::Stack;
pub use start::{Start, start};
pub use unknown::Unknown;
pub use user::User;
