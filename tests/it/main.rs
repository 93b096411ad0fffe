//! One integration binary: linking the AWS SDK once is enough.
#![allow(unreachable_pub, missing_docs, reason = "nothing outside of this binary uses it")]
#![allow(clippy::pedantic, clippy::unwrap_used, reason = "a panic is how a test fails, and snapshots are raw strings")]

mod support;

mod oci;
mod exec;
mod registry;
mod intent;
mod verdict;
mod report;
mod lambda;
mod cli;
mod census;
mod untrusted_input;
mod conformance;
mod meta;
