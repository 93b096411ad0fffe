//! The command-line tool: arguments, commands, output and exit codes.

mod context;
mod runtime_argument;
mod registry_ref;
mod image_ref;
mod error;
mod aws_failure;
mod error_text;
mod temporary_archive;
mod scheme_check;
mod hub_note;
mod hint;
mod suggest;
mod image_source;
mod terminal;
mod config;
mod output_file;
mod image_outcome;
mod image_use;
mod stored_runtime;
mod stored_report;
mod report_counts;
mod cause;
mod export;
mod preview;
mod check;
mod replay;
mod binary;
mod page;
mod consumer_reader;
mod audit;
mod declare;
mod consumers;
mod help;
mod completions;
mod manual;

use std::process::ExitCode;

use anstream::stream::RawStream;
use clap::{ColorChoice, CommandFactory, Parser, Subcommand};

pub use self::check::report_to_sarif;
use self::context::{EXIT_USAGE, ExitStatus, VERSION};
use self::error::CliError;
use self::terminal::{StyledOutput, Verbosity};
use crate::verdict::Verdict;

/// The heading of the options that every command has.
const GLOBAL: &str = "Global options";

/// Check whether a container image will start where it is meant to run.
///
/// ecr-preflight compares an image's manifest and config with the runtimes that the image is meant for. It also follows
/// the entrypoint through the layers to the program that starts. Nothing in the image is executed.
///
/// `ecr-preflight help COMMAND` explains a command.
#[derive(Debug, Parser)]
#[command(name = "ecr-preflight", version = VERSION, max_term_width = 100, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct CliArguments {
    #[command(subcommand)]
    command: CliCommand,
    /// When to use colors. `auto` uses them in a terminal, unless `NO_COLOR` is set.
    #[arg(long, global = true, help_heading = GLOBAL, value_enum, value_name = "WHEN", default_value_t = ColorChoice::Auto)]
    color: ColorChoice,
    /// Show all causes of errors, and how much `check` read and how long it took, on standard error.
    #[arg(long, short, global = true, help_heading = GLOBAL)]
    verbose: bool,
    /// Show only results and errors: no progress, notes or summaries. `check` reports only images that do not pass.
    #[arg(long, short, global = true, help_heading = GLOBAL, conflicts_with = "verbose")]
    quiet: bool,
}

impl CliArguments {
    fn verbosity(&self) -> Verbosity {
        match (self.quiet, self.verbose) {
            (true, _) => Verbosity::Quiet,
            (false, true) => Verbosity::Verbose,
            (false, false) => Verbosity::Normal,
        }
    }
}

const EXAMPLES: &str = "\
Examples:
  Check an image before it is pushed:
    docker buildx build --output type=oci,dest=image.tar .
    ecr-preflight check oci-archive:image.tar --runtime ecs/arm64

  Check an image in Amazon ECR against what its repository declares:
    ecr-preflight check 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1

  Check an image in any other registry:
    ecr-preflight check grafana/grafana:11.4.0 --runtime apprunner

  Check the images that Amazon ECR already holds:
    ecr-preflight audit --prefix team/ --results team.jsonl

  Declare where the images of a repository run:
    ecr-preflight declare team/app ecs/arm64 apprunner

  See what the deployed function would send for an event, without an AWS account:
    ecr-preflight replay events/push-arm64.json --layout events/images --declared apprunner

Runtimes: ecs/amd64, ecs/arm64, apprunner, lambda/amd64, lambda/arm64, agentcore, linux/amd64, linux/arm64

Exit codes:
  0   the image runs, or no runtime is declared for it
  1   the image fails
  2   the result is unknown
  3   an error occurred, for example an image could not be read
  64  the command line or a setting is wrong; nothing was done";

#[derive(Debug, Subcommand)]
enum CliCommand {
    Check(check::CheckArguments),
    Audit(audit::AuditArguments),
    Page(page::PageArguments),
    Declare(declare::DeclareArguments),
    Consumers(consumers::ConsumersArguments),
    Replay(replay::ReplayArguments),
    Binary(binary::BinaryArguments),
    Completions(completions::CompletionsArguments),
    Man(manual::ManArguments),
    Help(help::HelpArguments),
    Version(help::VersionArguments),
}

/// Runs the command that the arguments name, writes its output to `out` and errors to `err`, and returns the exit code.
pub async fn run(arguments: CliArguments, out: impl RawStream, err: impl RawStream) -> ExitCode {
    let verbosity = arguments.verbosity();
    let CliArguments { command, color, .. } = arguments;
    let (mut out, mut err) = (StyledOutput::new(out, color, verbosity), StyledOutput::new(err, color, verbosity));
    let of_verdict = |result: Result<Verdict, CliError>| result.map(ExitStatus::from);
    let result = match command {
        // These futures are large.
        CliCommand::Check(arguments) => Box::pin(check::run(arguments, &mut out, &mut err)).await,
        CliCommand::Replay(arguments) => of_verdict(Box::pin(replay::run(arguments, &mut out)).await),
        CliCommand::Binary(arguments) => of_verdict(binary::run(&arguments, &mut out)),
        CliCommand::Audit(arguments) => of_verdict(Box::pin(audit::run(arguments, &mut out, &mut err)).await),
        CliCommand::Declare(arguments) => of_verdict(declare::run(arguments, &mut out, &mut err).await),
        CliCommand::Consumers(arguments) => Box::pin(consumers::run(arguments, &mut out, &mut err)).await,
        CliCommand::Completions(arguments) => {
            of_verdict(completions::print_completions(&arguments, CliArguments::command(), &mut out))
        }
        CliCommand::Man(arguments) => of_verdict(manual::run(&arguments, CliArguments::command(), &mut out)),
        CliCommand::Help(arguments) => of_verdict(help::print_help(&arguments, CliArguments::command(), &mut out)),
        CliCommand::Version(_) => of_verdict(help::print_version(&mut out)),
        CliCommand::Page(arguments) => page::run(&arguments, &mut out, &mut err).map(|()| ExitStatus::Success),
    };
    match result {
        Ok(status) => status.into(),
        // The reader closed the pipe, as `| head` does. Shells report 141 for a process that SIGPIPE ended.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(141),
        // Shells report 130 for a process that SIGINT ended. The command has already printed its results.
        Err(CliError::Interrupted) => ExitCode::from(130),
        Err(error) => {
            let hint = suggest::find_hint(&error).await;
            // If standard error is closed, the exit code still reports the error.
            let _ = err.write_error(None, &error, hint.as_deref());
            if error.is_usage() { ExitCode::from(EXIT_USAGE) } else { ExitStatus::Error.into() }
        }
    }
}

/// Prints an error of the command line, or the help or version that was requested, and returns the exit code.
pub fn report_usage_error(error: &clap::Error) -> ExitCode {
    // If the output is closed, the exit code still reports the error.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS }
}
