//! Predicts whether a container image will start on the runtime that it is intended for.
//!
//! `ecr-preflight` is an AWS Lambda function that checks every image seconds after it is pushed to Amazon ECR, and a
//! command-line tool that does the same check on demand. Typical findings are an arm64 image for an amd64 service, and
//! a program that is missing, not executable or built for another architecture than the image declares.
//!
//! To read the code, start with [`handle`](lambda::handler::EventHandler::handle), which processes one event from start
//! to end, then open the module that you are interested in.
//!
//! # Modules
//!
//! An image passes through the modules in the order in which they are declared:
//!
//! 1. [`event`] parses an event, which identifies the image by the types in [`name`].
//! 2. [`intent`] determines the [`runtime`]s that the image is intended for, each with its [`platform`]. [`settings`]
//!    has the defaults and limits.
//! 3. [`registry`] reads manifests and blobs, with the clients of [`aws`]. [`oci`] parses them.
//!    A [`consumer`], if one is known, changes where an image runs and what it starts. The [`table`] remembers consumers.
//! 4. [`inspect`] reads the layers and predicts the start of the program. It uses [`layers`] and [`rootfs`] for the
//!    filesystem, [`elf`], [`shell`] and [`errno`] for single files, [`exec`] for the kernel's answer to `execve`, and
//!    [`launch`] to follow wrapper scripts to the program that they start.
//! 5. [`verdict`] judges the image and the inspections for each intended runtime.
//! 6. [`report`] holds the result and formats it. A [`waiver`] accepts a fault, which then does not count.
//! 7. [`check`](mod@check) runs steps 2 to 6 for one image. The function and the command line share it.
//! 8. [`lambda`] handles an event: it calls `check`, writes verdict tags, sends the message and writes the log line.
//!
//! The feature `consumers` adds `census`, which reads consumers from AWS, and the second Lambda function: `lambda::consumers`
//! writes the table, and `lambda::gate` judges an image before it is deployed. The feature `cli` adds `backoff`, which paces
//! retries, `declare`, which writes a repository's declaration, and `cli`, the command-line tool.
//!
//! # Invariants
//!
//! - A module imports only modules above it in this file. Files do not import each other in cycles. A test checks both.
//! - [`text`], [`date`], [`name`], [`platform`], [`runtime`], [`intent`], [`event`], [`settings`], [`consumer`],
//!   [`verdict`], [`waiver`] and [`report`] are pure: no clock, no environment, no input or output.
//! - What is unknown is reported as unknown, with the reason. There is no default architecture.
//! - An image is identified by its digest, and every manifest and blob is verified against its digest.
//! - Image content is untrusted: size, number of files, nesting, memory and time are limited.
//! - An `Err` means "retry": the event is delivered again. A verdict is a result, even if it is `unknown`.
//! - The function writes only verdict tags, messages and the table, and never deletes anything. The command line changes only a
//!   repository's declaration, and shows the change first.

pub mod text;
pub mod date;
mod exact_json;
pub mod name;
pub mod platform;
pub mod event;
pub mod runtime;
pub mod intent;
pub mod settings;
pub mod aws;
#[cfg(feature = "cli")]
mod backoff;
pub mod registry;
pub mod oci;
pub mod consumer;
#[cfg(feature = "consumers")]
pub mod census;
pub mod table;
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
pub mod waiver;
pub mod report;
pub mod check;
pub mod lambda;
#[cfg(feature = "cli")]
pub mod declare;
#[cfg(feature = "cli")]
pub mod cli;
