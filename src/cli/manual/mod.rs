//! `ecr-preflight man`: manual pages, generated from the arguments and their help.

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use super::context::VERSION;
use super::error::CliError;
use crate::text::sanitize;
use crate::verdict::Verdict;

/// Print a manual page, or write all pages to a directory.
#[derive(Debug, Args)]
#[command(after_help = MAN_EXAMPLES)]
pub(super) struct ManArguments {
    /// The command whose page is printed, for example `check`. Default: ecr-preflight itself.
    #[arg(conflicts_with = "dir")]
    command: Option<String>,
    /// Write all pages to this directory, which is created if it does not exist.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const MAN_EXAMPLES: &str = "\
Examples:
  ecr-preflight man | man -l -
  ecr-preflight man check | man -l -
  ecr-preflight man --dir ~/.local/share/man/man1    # install all pages

Exit codes:
  0   the pages were printed or written
  3   they could not be written
  64  unknown command";

pub(super) fn run(arguments: &ManArguments, mut program: Command, out: &mut impl Write) -> Result<Verdict, CliError> {
    program.build();
    if let Some(directory) = &arguments.dir {
        let write = |path: &Path, result: io::Result<()>| {
            result.map_err(|source| CliError::FileWrite { path: path.display().to_string(), source })
        };
        write(directory, fs::create_dir_all(directory))?;
        for command in std::iter::once(&program).chain(program.get_subcommands()) {
            let page = build_page(command);
            let path = directory.join(page.get_filename());
            write(&path, fs::write(&path, render_page(&page)?))?;
            writeln!(out, "{}", sanitize(&path.display().to_string(), usize::MAX))?;
        }
    } else {
        let command = match &arguments.command {
            None => &program,
            Some(name) => program.find_subcommand(name).ok_or_else(|| CliError::UnknownCommand(name.clone()))?,
        };
        out.write_all(&render_page(&build_page(command))?)?;
    }
    Ok(Verdict::Runs)
}

fn build_page(command: &Command) -> Man {
    // The version takes the place of the date: man drops an empty date and moves the fields after it.
    Man::new(command.clone()).date(VERSION).source("ecr-preflight").manual("ecr-preflight")
}

fn render_page(page: &Man) -> io::Result<Vec<u8>> {
    let mut text = Vec::new();
    page.render(&mut text)?;
    // clap_mangen calls the examples and exit codes EXTRA, and would fill their lines as if they were prose.
    Ok(String::from_utf8_lossy(&text).replace("\n.SH EXTRA\n", "\n.SH NOTES\n.nf\n").into_bytes())
}
