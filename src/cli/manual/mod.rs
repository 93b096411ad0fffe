//! `ecr-preflight man`: manual pages, generated from the arguments and their help, with the sections of `man-pages(7)`.

mod roff;
mod help_sections;
mod environment;

use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Command};
use clap_mangen::Man;

use self::environment::{format_environment, format_see_also};
use self::help_sections::{EXAMPLES, HelpSection, parse_sections};
use self::roff::{embolden_code, escape, format_bold};
use super::context::{COMMIT, VERSION};
use super::error::CliError;
use crate::text::sanitize;
use crate::verdict::Verdict;

/// Print a manual page, or write all pages to a directory.
#[derive(Debug, Args)]
#[command(after_help = MAN_HELP)]
pub(super) struct ManArguments {
    /// The command whose page is printed, for example `check`. Default: ecr-preflight itself.
    #[arg(conflicts_with = "dir")]
    command: Option<String>,
    /// Write all pages to this directory, which is created if it does not exist.
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const MAN_HELP: &str = "\
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
    let commands: Vec<&Command> = std::iter::once(&program).chain(program.get_subcommands()).collect();
    let pages: Vec<String> = commands.iter().map(|command| page_name(command).to_owned()).collect();
    if let Some(directory) = &arguments.dir {
        let write = |path: &Path, result: io::Result<()>| {
            result.map_err(|source| CliError::FileWrite { path: path.display().to_string(), source })
        };
        write(directory, fs::create_dir_all(directory))?;
        for command in commands {
            let path = directory.join(format!("{}.1", page_name(command)));
            write(&path, fs::write(&path, render_page(command, &pages)?))?;
            writeln!(out, "{}", sanitize(&path.display().to_string(), usize::MAX))?;
        }
    } else {
        let command = match &arguments.command {
            None => &program,
            Some(name) => program.find_subcommand(name).ok_or_else(|| CliError::UnknownCommand(name.clone()))?,
        };
        out.write_all(render_page(command, &pages)?.as_bytes())?;
    }
    Ok(Verdict::Runs)
}

/// Returns the name of a command's page, for example `ecr-preflight-check`.
fn page_name(command: &Command) -> &str {
    command.get_display_name().unwrap_or_else(|| command.get_name())
}

/// Renders the page of a command. `pages` are the names of all pages.
fn render_page(command: &Command, pages: &[String]) -> io::Result<String> {
    let page = Man::new(command.clone());
    let generate = |render: fn(&Man, &mut dyn Write) -> io::Result<()>| {
        let mut text = Vec::new();
        render(&page, &mut text)?;
        // Between an option and its possible values, the generated page has two breaks around an empty line.
        Ok::<_, io::Error>(embolden_code(&String::from_utf8_lossy(&text)).replace("\n.br\n\n.br\n", "\n.sp\n"))
    };
    let name = Some(command.get_name()).filter(|_| !command.has_subcommands());
    let help = command.get_after_help().map(ToString::to_string).unwrap_or_default();
    let (examples, sections): (Vec<_>, Vec<_>) =
        parse_sections(&help).into_iter().partition(|section| section.kind.page_title == EXAMPLES);
    let mut text = format_title(command);
    text += &generate(Man::render_name_section)?;
    text += &format_synopsis(command);
    text += &generate(Man::render_description_section)?;
    if command.has_subcommands() {
        text += &generate(Man::render_subcommands_section)?.replace(".SH SUBCOMMANDS", ".SH COMMANDS");
    }
    text += &generate(Man::render_options_section)?;
    text.extend(sections.iter().map(HelpSection::format));
    text += &format_environment(name);
    text.extend(examples.iter().map(HelpSection::format));
    text += &format_see_also(name, page_name(command), pages);
    Ok(text)
}

/// Formats the title line, with the date of the commit; empty if it is unknown.
fn format_title(command: &Command) -> String {
    let date = COMMIT.trim_end_matches(')').rsplit(' ').next().unwrap_or_default();
    let number = VERSION.split(' ').next().unwrap_or_default();
    let name = escape(page_name(command));
    // The second line: no justification.
    format!(".TH {name} 1 \"{date}\" \"ecr\\-preflight {number}\" \"User Commands\"\n.ad l\n")
}

/// Formats the usage that the help shows.
fn format_synopsis(command: &Command) -> String {
    let name = command.get_bin_name().unwrap_or_else(|| command.get_name());
    let usage = command.clone().render_usage().to_string();
    let forms = usage.trim_start_matches("Usage:").lines().map(str::trim).filter(|form| !form.is_empty());
    let formatted = forms.map(|form| match form.strip_prefix(name) {
        Some(rest) => format!("{}{}\n", format_bold(name), escape(rest)),
        None => format!("{}\n", escape(form)),
    });
    format!(".SH SYNOPSIS\n{}", formatted.collect::<Vec<_>>().join(".br\n"))
}
