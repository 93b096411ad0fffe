//! `ecr-preflight man`: the manual, one page for the program and one for each command.
//!
//! Does not say what `--help` does not: the pages are made of it.

use std::io::Write;
use std::path::PathBuf;

use clap::{Args, Command, CommandFactory};
use clap_mangen::Man;

use crate::cli::error::CliError;
use crate::text::sanitize;
use crate::verdict::Verdict;

/// Print the manual page, or write all pages into a directory.
#[derive(Debug, Args)]
#[command(after_help = INSTALL)]
pub(super) struct ManArguments {
    /// The page of this command, such as `check`.
    #[arg(conflicts_with = "dir")]
    command: Option<String>,
    /// Write every page into this directory, which is made where it is not there.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const INSTALL: &str = "\
Examples:
  ecr-preflight man | man -l -
  ecr-preflight man check | man -l -

To install it:
  ecr-preflight man --dir ~/.local/share/man/man1";

pub(super) fn run(arguments: &ManArguments, out: &mut impl Write) -> Result<Verdict, CliError> {
    let mut program = super::CliArguments::command();
    program.build();
    if let Some(directory) = &arguments.dir {
        let unwritten = |path: &PathBuf| {
            let path = path.display().to_string();
            move |source| CliError::FileWrite { path, source }
        };
        std::fs::create_dir_all(directory).map_err(unwritten(directory))?;
        let commands = program.get_subcommands().map(|command| build_page(command.clone()));
        for page in std::iter::once(build_page(program.clone())).chain(commands) {
            let path = directory.join(page.get_filename());
            std::fs::write(&path, render_page(&page)?).map_err(unwritten(&path))?;
            writeln!(out, "{}", sanitize(&path.display().to_string(), usize::MAX))?;
        }
        return Ok(Verdict::Runs);
    }
    let wanted = match &arguments.command {
        None => program.clone(),
        Some(name) => program.find_subcommand(name).cloned().ok_or_else(|| CliError::UnknownCommand(name.clone()))?,
    };
    out.write_all(&render_page(&build_page(wanted))?)?;
    Ok(Verdict::Runs)
}

fn build_page(command: Command) -> Man {
    // The version stands in the date's place: an empty date would be left out, and what follows move up.
    Man::new(command).date(crate::cli::context::VERSION).source("ecr-preflight").manual("ecr-preflight")
}

fn render_page(page: &Man) -> std::io::Result<Vec<u8>> {
    let mut text = Vec::new();
    page.render(&mut text)?;
    Ok(text)
}
