//! The command-line tool.
//!
//! Does nothing itself; [`ecr_preflight::cli`] does.

use std::io::{stderr, stdout};
use std::process::ExitCode;

use clap::Parser;
use ecr_preflight::cli::{Arguments, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    run(Arguments::parse(), stdout().lock(), stderr().lock()).await
}
