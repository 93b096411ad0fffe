//! One integration binary: linking the AWS SDK once is enough.
#![allow(unreachable_pub, missing_docs, reason = "nothing outside this binary reads it")]
#![allow(
    clippy::pedantic,
    clippy::unwrap_used,
    reason = "a test that is wrong shall fail, and snapshots are raw strings"
)]

mod support;

mod rooms;
mod images;
mod inspect;
mod faults;
mod table;
mod layers;
mod stack;
mod unpacked;
mod hostile;
mod corpus;
mod properties;
mod matrix;
mod programs;
mod events;
mod messages;
mod cli;
mod audit;
mod checks;
mod formats;
mod recipes;
mod declare;
mod hints;
mod shell;
mod page;
mod archives;
mod distribution;
mod journal;
mod template;
mod readme;
mod aws;
mod at_least_once;
mod kernel;
