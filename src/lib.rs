//! Will this container image start where it is meant to run?
//!
//! `ecr-preflight` answers that seconds after a push to Amazon ECR, as an AWS Lambda function, and at the command line.
//! Read this page, then [`handler`], then the room of interest; nothing else is needed to find one's way.
//!
//! The modules stand in reading order, which is also the order of the work: an event names an image
//! ([`event`]), the runtimes that it is meant for are found ([`intent`]), the image is read ([`registry`], [`image`]),
//! the two are held against each other ([`verdict`]), and what there is to say is worded ([`report`]), written on the
//! image ([`mark`]), sent ([`notify`]) and written down ([`journal`]).
//!
//! **Invariants.**
//!
//! - A room knows only the rooms above it; a test holds it to that.
//! - [`reference`](mod@reference), [`platform`], [`runtime`], [`event`], [`intent`], [`verdict`], [`report`] and
//!   [`settings`] are pure: no clock, no environment, no network.
//! - What is not known is said, never assumed. In particular there is no default architecture anywhere.
//! - `Err` means "try again", and the event is retried. A verdict means "this is known", including what could not be
//!   told and why.
//! - Of the function, only [`mark`] and [`notify`] write, and neither removes anything. The command-line tool writes one
//!   thing, a repository's declaration, and only what it has shown and was told to write.

pub mod text;
pub mod name;
pub mod platform;
pub mod runtime;
pub mod intent;
pub mod event;
pub mod settings;
pub mod aws;
pub mod registry;
pub mod oci;
mod path;
pub mod errno;
pub mod elf;
pub mod shell;
pub mod rootfs;
pub mod layers;
pub mod exec;
pub mod launch;
pub mod inspect;
pub mod verdict;
pub mod report;
pub mod check;
pub mod lambda;
#[cfg(feature = "cli")]
pub mod declare;
#[cfg(feature = "cli")]
pub mod cli;
