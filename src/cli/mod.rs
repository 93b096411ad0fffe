//! The command-line tool: the same checks by hand, in CI, and on events that are kept in files.
//!
//! Does not judge; it shows what the walk says and turns it into an exit code.

mod audit;
mod binary;
mod check;
mod choice;
mod completions;
mod context;
mod declare;
mod output_file;
mod error;
mod hint;
mod image_ref;
mod scheme_check;
mod manual;
mod suggest;
mod stored_report;
mod report_counts;
mod page;
mod preview;
mod registry_ref;
mod replay;
mod terminal;
mod image_source;

use std::process::ExitCode;

use anstream::stream::RawStream;
use clap::{Parser, Subcommand};

pub use self::check::report_to_sarif;
use self::context::{EXIT_USAGE, VERSION};
use self::error::CliError;
use self::terminal::{ColorMode, StyledOutput};
use crate::verdict::Verdict;

/// Will this container image start where it is meant to run?
///
/// An image's manifest and config are held against the runtimes that it is meant for, and what it starts is followed into
/// its layers. Nothing is run.
#[derive(Debug, Parser)]
#[command(name = "ecr-preflight", version = VERSION, max_term_width = 100, after_help = EXAMPLES, disable_help_subcommand = true)]
pub struct CliArguments {
    #[command(subcommand)]
    command: CliCommand,
    /// Colour what is printed for people: `auto` in a terminal, unless `NO_COLOR` is set.
    #[arg(long, global = true, value_enum, value_name = "WHEN", default_value_t = ColorMode::Auto)]
    color: ColorMode,
}

const EXAMPLES: &str = "\
Examples:
  Check what `docker buildx build --output type=oci,dest=image,tar=false` made, before it is pushed:
    ecr-preflight check oci:image:v1 --runtime ecs/arm64

  Check what `docker save app:v1 --output image.tar` wrote:
    ecr-preflight check docker-archive:image.tar --runtime ecs/amd64

  Check an image in Amazon ECR against what its repository declares:
    ecr-preflight check 123456789012.dkr.ecr.us-west-2.amazonaws.com/team/app:v1

  Check an image of any registry before it is copied:
    ecr-preflight check grafana/grafana:11.4.0 --runtime apprunner

  Check what a registry of Amazon ECR already holds:
    ecr-preflight audit --prefix team/ --results team.jsonl

  See what the function would say of an event, without an AWS account:
    ecr-preflight replay events/push-arm64.json --layout events/images --declared apprunner

  Declare where a repository's images run; list what is declared:
    ecr-preflight declare team/app ecs/arm64 apprunner
    ecr-preflight declare --list

Each command has more to say: `ecr-preflight check --help`

Runtimes: ecs/amd64, ecs/arm64, apprunner, lambda/amd64, lambda/arm64, linux/amd64, linux/arm64

Exit code: 0 it runs, or nothing is declared for it; 1 it fails; 2 it could not be told, or an
error; 64 the command line or a setting is wrong, and nothing was done";

#[derive(Debug, Subcommand)]
enum CliCommand {
    Check(check::CheckArguments),
    Replay(replay::ReplayArguments),
    Binary(binary::BinaryArguments),
    Audit(audit::AuditArguments),
    Declare(declare::DeclareArguments),
    Completions(completions::CompletionsArguments),
    Man(manual::ManArguments),
    Page(page::PageArguments),
}

/// Runs the command that the arguments name; writes the answer to `out` and errors to `err`.
#[must_use]
pub async fn run(arguments: CliArguments, out: impl RawStream, err: impl RawStream) -> ExitCode {
    let (mut out, mut err) = (StyledOutput::new(out, arguments.color), StyledOutput::new(err, arguments.color));
    let verdict = match arguments.command {
        CliCommand::Check(arguments) => check::run(arguments, &mut out, &mut err).await,
        CliCommand::Replay(arguments) => replay::run(arguments, &mut out).await,
        CliCommand::Binary(arguments) => binary::run(&arguments, &mut out),
        CliCommand::Audit(arguments) => audit::run(arguments, &mut out, &mut err).await,
        CliCommand::Declare(arguments) => declare::run(arguments, &mut out, &mut err).await,
        CliCommand::Completions(arguments) => completions::run(&arguments, &mut out),
        CliCommand::Man(arguments) => manual::run(&arguments, &mut out),
        CliCommand::Page(arguments) => page::run(&arguments, &mut out, &mut err).map(|()| Verdict::Ignored),
    };
    match verdict {
        Ok(Verdict::Runs | Verdict::Undeclared | Verdict::Ignored) => ExitCode::SUCCESS,
        Ok(Verdict::Fails) => ExitCode::FAILURE,
        Ok(Verdict::Unknown) => ExitCode::from(2),
        // The reader has seen enough, as `| head` does; shells show a writer's SIGPIPE as 141.
        Err(CliError::Output(error)) if error.kind() == std::io::ErrorKind::BrokenPipe => ExitCode::from(141),
        // As shells show a program that SIGINT has ended; what there is to say has been said.
        Err(CliError::Interrupted) => ExitCode::from(130),
        Err(error) => {
            let hint = suggest::find_hint(&error).await;
            // Where even standard error is closed, the exit code is all that is left.
            let _ = err.write_error(None, &error, hint.as_deref());
            ExitCode::from(if error.is_usage() { EXIT_USAGE } else { 2 })
        }
    }
}

/// Writes what is wrong with a command line, or the help or version that was asked for.
#[must_use]
pub fn report_usage_error(error: &clap::Error) -> ExitCode {
    // Where its output is closed, the exit code is all that is left.
    let _ = error.print();
    if error.use_stderr() { ExitCode::from(EXIT_USAGE) } else { ExitCode::SUCCESS }
}
