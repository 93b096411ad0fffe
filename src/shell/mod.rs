//! The subset of the shell language whose effect is certain: `sh -c` with a simple command, and scripts that end with
//! `exec "$@"` or `exec PROGRAM`.
//!
//! Crates for shell parsing build a syntax tree, but do not say how options or a failing program affect later commands.
//! The question here is narrower: does this text certainly start this program in dash, bash and busybox alike? A few
//! rules answer it while the file is streamed, and anything that they do not cover is unknown.

mod options;
mod harmless_line;
mod lexer;
mod command;
mod bash_feature;
mod script_ending;
mod script;

pub(crate) use bash_feature::BashFeature;
pub(crate) use command::parse_first_command;
pub(crate) use script::{ScriptScanner, names_bash};
pub(crate) use script_ending::ScriptEnding;

use self::options::{are_safe_options, enables_nounset};

/// What a shell runs.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ShellInvocation<'a> {
    /// The string after `-c`, its arguments, and whether option `nounset` is on.
    CommandString(&'a [u8], &'a [Vec<u8>], bool),
    /// A script, its arguments, and whether option `nounset` is on.
    Script(&'a [u8], &'a [Vec<u8>], bool),
}

/// Parses the arguments of a shell, including `argv[0]`: options, then a command string or a script (POSIX XCU, "sh").
/// Returns `None` for options that are not followed, among them those of login and interactive shells, which read further
/// files first.
pub(crate) fn parse_shell_arguments(argv: &[Vec<u8>], is_bash: bool) -> Option<ShellInvocation<'_>> {
    let mut rest = argv.get(1..)?;
    let (mut is_string, mut has_nounset) = (false, false);
    loop {
        let (first, after) = rest.split_first()?;
        if first == b"--" {
            rest = after;
            break;
        }
        if !first.starts_with(b"-") && !first.starts_with(b"+") {
            break;
        }
        let letters: Vec<u8> = first.iter().copied().filter(|letter| *letter != b'c').collect();
        let value_count = usize::from(letters.contains(&b'o'));
        let options: Vec<&[u8]> =
            std::iter::once(letters.as_slice()).chain(after.get(..value_count)?.iter().map(Vec::as_slice)).collect();
        let has_c = letters.len() < first.len();
        if (has_c && first.starts_with(b"+")) || !(letters == b"-" && has_c || are_safe_options(&options, is_bash)) {
            return None;
        }
        is_string |= has_c;
        has_nounset |= enables_nounset(&options);
        rest = &after[value_count..];
    }
    let (operand, arguments) = rest.split_first()?;
    if is_string {
        // The first argument is `$0` in the string.
        return Some(ShellInvocation::CommandString(operand, arguments.get(1..).unwrap_or_default(), has_nounset));
    }
    Some(ShellInvocation::Script(operand, arguments, has_nounset))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(Vec::from).collect()
    }

    #[test]
    fn command_strings_and_scripts_after_options() {
        for (line, is_string, expected, arguments) in [
            ("sh -c app", true, "app", ""),
            ("sh -c app name x y", true, "app", "x y"),
            ("sh -ec app", true, "app", ""),
            ("sh -cxe -u app", true, "app", ""),
            ("sh -c -- app", true, "app", ""),
            ("bash -euxo pipefail -c app", true, "app", ""),
            ("bash -eo pipefail -Ec app name x", true, "app", "x"),
            ("sh -o errexit -c app", true, "app", ""),
            ("sh /entry -c app", false, "/entry", "-c app"),
            ("sh -e +x /entry", false, "/entry", ""),
            ("sh -eu /entry", false, "/entry", ""),
            ("sh -- /entry x", false, "/entry", "x"),
        ] {
            let argv = words(line);
            let arguments = if arguments.is_empty() { Vec::new() } else { words(arguments) };
            let (expected, arguments) = (expected.as_bytes(), arguments.as_slice());
            let invocation = if is_string { ShellInvocation::CommandString } else { ShellInvocation::Script };
            let expected = invocation(expected, arguments, line.contains('u'));
            assert_eq!(parse_shell_arguments(&argv, true), Some(expected), "{line}");
        }
    }

    #[test]
    fn other_options_and_missing_operands_are_not_followed() {
        for line in [
            "sh", "sh -c", "sh -e", "sh -l -c app", "sh -lc app", "sh --login -c app", "sh -i -c app", "sh -s app",
            "sh -n -c app", "sh - app", "sh +c app", "sh -o", "sh -o noexec -c app", "sh -o pipefail -c app",
            "sh -Ec app", "sh --posix /entry",
        ] {
            assert_eq!(parse_shell_arguments(&words(line), false), None, "{line}");
        }
    }
}
