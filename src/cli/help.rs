//! `ecr-preflight help` and `ecr-preflight version`.

use std::io::Write;

use clap::{Args, Command};

use super::context::{TARGET, VERSION};
use super::error::CliError;
use super::terminal::StyledOutput;
use crate::verdict::Verdict;

/// Explain a command, as `--help` does.
#[derive(Debug, Args)]
#[command(after_help = HELP_HELP)]
pub(super) struct HelpArguments {
    /// The command, for example `check`. Default: ecr-preflight itself.
    command: Option<String>,
}

const HELP_HELP: &str = "\
Examples:
  ecr-preflight help
  ecr-preflight help check

Exit codes:
  0   the help was printed
  64  unknown command";

/// Prints the help of a command.
///
/// # Errors
/// The command is unknown, or the output cannot be written.
pub(super) fn print_help<O: Write>(
    arguments: &HelpArguments,
    mut program: Command,
    out: &mut StyledOutput<O>,
) -> Result<Verdict, CliError> {
    let name = arguments.command.as_deref();
    if let Some(name) = name.filter(|name| program.find_subcommand(name).is_none()) {
        return Err(CliError::UnknownCommand(name.to_owned()));
    }
    // Clap chooses between its long and its short layout only when it parses `--help`, whose text it returns as an error.
    let words = ["ecr-preflight"].into_iter().chain(name).chain(["--help"]);
    let help = program.try_get_matches_from_mut(words).expect_err("clap prints the help").render();
    if out.uses_color {
        write!(out, "{}", help.ansi())?;
    } else {
        write!(out, "{help}")?;
    }
    Ok(Verdict::Runs)
}

/// Print the version, and the platform that this program is built for.
#[derive(Debug, Args)]
#[command(after_help = VERSION_HELP)]
pub(super) struct VersionArguments {}

const VERSION_HELP: &str = "\
Examples:
  ecr-preflight version

Exit codes:
  0  the version was printed";

/// Prints what `--version` prints, and the target.
pub(super) fn print_version(out: &mut impl Write) -> Result<Verdict, CliError> {
    writeln!(out, "ecr-preflight {VERSION}\ntarget: {TARGET}")?;
    Ok(Verdict::Runs)
}
