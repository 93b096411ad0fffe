//! `ecr-preflight completions`: shell completions, generated from the arguments.

use std::io::Write;

use clap::{Args, Command};
use clap_complete::Shell;

use super::error::CliError;
use crate::verdict::Verdict;

/// Print a script that completes commands and options in a shell.
#[derive(Debug, Args)]
#[command(after_help = COMPLETIONS_EXAMPLES)]
pub(super) struct CompletionsArguments {
    /// The shell that the script is for.
    shell: Shell,
}

const COMPLETIONS_EXAMPLES: &str = "\
To install the script:
  bash, with the package bash-completion
    mkdir -p ~/.local/share/bash-completion/completions
    ecr-preflight completions bash > ~/.local/share/bash-completion/completions/ecr-preflight
  zsh, to a directory of $fpath
    ecr-preflight completions zsh > \"${fpath[1]}/_ecr-preflight\"
  fish
    ecr-preflight completions fish > ~/.config/fish/completions/ecr-preflight.fish
  elvish
    ecr-preflight completions elvish >> ~/.config/elvish/rc.elv
  PowerShell
    ecr-preflight completions powershell >> $PROFILE

Exit codes:
  0   the script was printed
  64  unknown shell";

pub(super) fn print_completions(
    arguments: &CompletionsArguments,
    mut program: Command,
    out: &mut impl Write,
) -> Result<Verdict, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut program, "ecr-preflight", &mut script);
    if arguments.shell == Shell::Bash {
        // clap_complete 4.6 stores the commands of a program with `-` in its name under one name and reads them under
        // another, so that nothing would be completed after a command.
        let text = String::from_utf8_lossy(&script).replace("ecr__subcmd__preflight", "ecr__preflight");
        script = text.into_bytes();
    }
    out.write_all(&script)?;
    Ok(Verdict::Runs)
}
