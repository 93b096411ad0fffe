//! `ecr-preflight completions SHELL`: the script with which a shell completes commands and options.
//!
//! Does not install it.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use crate::cli::error::CliError;
use crate::verdict::Verdict;

/// Print the script with which a shell completes this program's commands and options.
#[derive(Debug, Args)]
#[command(after_help = INSTALL)]
pub(super) struct CompletionsArguments {
    /// The shell.
    shell: Shell,
}

const INSTALL: &str = "\
To install it:
  bash (with the package bash-completion)
    mkdir -p ~/.local/share/bash-completion/completions
    ecr-preflight completions bash > ~/.local/share/bash-completion/completions/ecr-preflight
  zsh (a directory of $fpath)
    ecr-preflight completions zsh > \"${fpath[1]}/_ecr-preflight\"
  fish
    ecr-preflight completions fish > ~/.config/fish/completions/ecr-preflight.fish
  elvish
    ecr-preflight completions elvish >> ~/.config/elvish/rc.elv
  PowerShell
    ecr-preflight completions powershell >> $PROFILE";

pub(super) fn run(arguments: &CompletionsArguments, out: &mut impl Write) -> Result<Verdict, CliError> {
    let mut command = super::CliArguments::command();
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut command, "ecr-preflight", &mut script);
    if arguments.shell == Shell::Bash {
        // clap_complete (4.6) looks for the commands of a program whose name has a `-` under another name than the one
        // it notes them by, so that nothing is completed after a command.
        let text = String::from_utf8_lossy(&script).replace("ecr__subcmd__preflight", "ecr__preflight");
        script = text.into_bytes();
    }
    out.write_all(&script)?;
    Ok(Verdict::Runs)
}
