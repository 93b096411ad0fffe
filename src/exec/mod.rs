//! What a program really is, whatever a label says, and what the kernel answers when it is to start.
//!
//! Does not run anything, and is not asked by the walk yet: layers become a root filesystem of names ([`read`],
//! [`apply`]), and over that it is predicted what a runtime ([`start`]) and the kernel ([`execve`]) answer, and what the
//! programs that start are certain to start next ([`launches`]).

mod errno;
mod unknown;
mod limits;
mod header;
mod path;
mod handover;
mod contents;
mod elf;
mod rootfs;
mod source;
mod zstd;
mod decompress;
mod archive;
mod layer;
mod apply;
mod user;
mod host;
mod resolve;
mod script;
mod program;
mod execve;
mod directory;
mod start;
mod recognise;
mod wrapper;
mod env;
mod lexer;
mod command;
mod shell;
mod search;
mod words;
mod follow;
mod launch;

pub use apply::{ApplyError, apply};
pub use contents::{Collector, Contents, HEAD};
pub use directory::{Refusal, working_directory};
pub use elf::{ElfError, architecture};
pub use errno::Errno;
pub use execve::{Answer, execve};
pub use follow::By;
pub use host::{Host, Processor};
pub use launch::{Launch, MOST_LAUNCHES, launches};
pub use layer::{LayerError, LayerNames, read};
pub use limits::{Bound, Limits};
pub use resolve::View;
pub use rootfs::{Files, Node, Owner, Rootfs};
pub use start::{Start, start};
pub use unknown::Unknown;
pub use user::User;
