//! One integration binary: linking the AWS SDK once is enough.
#![allow(unreachable_pub, missing_docs, reason = "nothing outside this binary reads it")]

mod support;

mod rooms;
mod images;
mod table;
mod events;
mod cli;
mod aws;
