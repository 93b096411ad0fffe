//! The command-line tool.
//!
//! Does nothing itself; [`ecr_preflight::cli`] does.

use std::io::{stderr, stdout};
use std::process::ExitCode;

use clap::Parser;
use ecr_preflight::cli::{Arguments, misused, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match Arguments::try_parse() {
        Ok(arguments) => run(arguments, stdout().lock(), stderr().lock()).await,
        Err(error) => misused(&error),
    }
}
