//! What a shell is told by its own arguments: a string of commands, or a script.
//!
//! Does not read either, and knows no login or interactive shell: these read further files first.

use super::script::{are_safe_options, enables_nounset};

/// What it is told.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ShellInvocation<'a> {
    /// `-c`: a string, what are its arguments, and whether a variable that is not set ends it.
    CommandString(&'a [u8], &'a [Vec<u8>], bool),
    /// A script, and what are its arguments.
    Script(&'a [u8], &'a [Vec<u8>]),
}

/// What a shell with these arguments, its own name first, is told: POSIX XCU, "sh".
pub(crate) fn parse_shell_arguments(argv: &[Vec<u8>], bash: bool) -> Option<ShellInvocation<'_>> {
    let mut rest = argv.get(1..)?;
    let (mut string, mut strict) = (false, false);
    loop {
        let (first, behind) = rest.split_first()?;
        if first == b"--" {
            rest = behind;
            break;
        }
        if !first.starts_with(b"-") && !first.starts_with(b"+") {
            break;
        }
        let letters: Vec<u8> = first.iter().copied().filter(|letter| *letter != b'c').collect();
        let takes = usize::from(letters.contains(&b'o'));
        let options: Vec<&[u8]> =
            std::iter::once(letters.as_slice()).chain(behind.get(..takes)?.iter().map(Vec::as_slice)).collect();
        let told_here = letters.len() < first.len();
        if (told_here && first.starts_with(b"+")) || !(letters == b"-" && told_here || are_safe_options(&options, bash))
        {
            return None;
        }
        string |= told_here;
        strict |= enables_nounset(&options);
        rest = &behind[takes..];
    }
    let (operand, arguments) = rest.split_first()?;
    if string {
        // The first argument is the name that the string has for itself.
        return Some(ShellInvocation::CommandString(operand, arguments.get(1..).unwrap_or_default(), strict));
    }
    Some(ShellInvocation::Script(operand, arguments))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(line: &str) -> Vec<Vec<u8>> {
        line.split(' ').map(|word| word.as_bytes().to_vec()).collect()
    }

    #[test]
    fn strings_and_scripts_behind_options() {
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
            ("sh -- /entry x", false, "/entry", "x"),
        ] {
            let argv = words(line);
            let arguments = if arguments.is_empty() { Vec::new() } else { words(arguments) };
            let (expected, arguments) = (expected.as_bytes(), arguments.as_slice());
            let expected = if is_string {
                ShellInvocation::CommandString(expected, arguments, line.contains('u'))
            } else {
                ShellInvocation::Script(expected, arguments)
            };
            assert_eq!(parse_shell_arguments(&argv, true), Some(expected), "{line}");
        }
    }

    #[test]
    fn other_options_and_no_operand_are_not_followed() {
        for line in [
            "sh",
            "sh -c",
            "sh -e",
            "sh -l -c app",
            "sh -lc app",
            "sh --login -c app",
            "sh -i -c app",
            "sh -s app",
            "sh -n -c app",
            "sh - app",
            "sh +c app",
            "sh -o",
            "sh -o noexec -c app",
            "sh -o pipefail -c app",
            "sh -Ec app",
            "sh --posix /entry",
        ] {
            assert_eq!(parse_shell_arguments(&words(line), false), None, "{line}");
        }
    }
}
