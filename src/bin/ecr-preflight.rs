//! The command-line tool; everything is in [`ecr_preflight::cli`].

use std::io::{stderr, stdout};
use std::process::ExitCode;

use clap::Parser;
use ecr_preflight::cli::{CliArguments, report_usage_error, run};

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match CliArguments::try_parse() {
        Ok(arguments) => Box::pin(run(arguments, stdout().lock(), stderr().lock())).await,
        Err(error) => report_usage_error(&error),
    }
}
