//! Whether a shell script certainly comes to `exec "$@"`, which executes its arguments unchanged; found as it streams by.
//!
//! Does not understand more of the language than a few lines that change nothing of that, and keeps no line of it. With
//! any other line before, it is not certain.

use crate::path::split_parent;

/// A longer line is not looked at, and nothing behind so many bytes.
const MAX_LINE_BYTES: usize = 1024;
const MAX_SCRIPT_BYTES: usize = 16 * 1024;

/// The line itself: POSIX XCU 2.14, "exec"; with nothing behind it but what ends a command.
const EXEC_ARGUMENTS: &[u8] = b"exec \"$@\"";

/// Names that decide where programs are found, what shells read first, or that bash does not let anyone set.
const SENSITIVE_VARIABLES: [&[u8]; 9] =
    [b"PATH", b"ENV", b"IFS", b"UID", b"EUID", b"PPID", b"SHELLOPTS", b"GROUPS", b"POSIXLY_CORRECT"];
const SENSITIVE_PREFIXES: [&[u8]; 2] = [b"BASH", b"LD_"];

/// Looks at a script, piece by piece.
#[derive(Debug, Default)]
pub(crate) struct ScriptScanner {
    line: Vec<u8>,
    bytes_read: usize,
    stage: ScriptState,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ScriptState {
    /// Its first line is not over.
    #[default]
    Shebang,
    /// It is a script for a shell, and all lines so far change nothing.
    Body {
        is_bash: bool,
    },
    ExecsArguments,
    Unknown,
}

impl ScriptScanner {
    /// The next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if matches!(self.stage, ScriptState::ExecsArguments | ScriptState::Unknown) {
                return;
            }
            self.bytes_read += 1;
            match byte {
                b'\n' => self.end_line(),
                // What is no script is left at its first bytes.
                _ if self.stage == ScriptState::Shebang
                    && self.bytes_read <= 2
                    && *byte != b"#!"[self.bytes_read - 1] =>
                {
                    self.give_up()
                }
                _ if self.line.len() == MAX_LINE_BYTES || self.bytes_read > MAX_SCRIPT_BYTES => self.give_up(),
                _ => self.line.push(*byte),
            }
        }
    }

    fn give_up(&mut self) {
        (self.stage, self.line) = (ScriptState::Unknown, Vec::new());
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.stage = match self.stage {
            ScriptState::Shebang => parse_shell_name(&line)
                .map_or(ScriptState::Unknown, |name| ScriptState::Body { is_bash: name == b"bash" }),
            ScriptState::Body { .. } if is_exec_arguments(&line) => ScriptState::ExecsArguments,
            ScriptState::Body { is_bash: bash } if is_harmless_line(&line, bash) => self.stage,
            ScriptState::ExecsArguments => ScriptState::ExecsArguments,
            _ => ScriptState::Unknown,
        };
    }

    /// Whether it is certain, at the end of the file.
    pub(crate) fn finish(mut self) -> bool {
        self.end_line();
        self.stage == ScriptState::ExecsArguments
    }
}

/// The shell that a first line names, by itself or through env.
fn parse_shell_name(line: &[u8]) -> Option<&[u8]> {
    let words: Vec<&[u8]> = split_words(line.strip_prefix(b"#!")?).collect();
    let name = match words.as_slice() {
        [env, name] if split_parent(env).1 == b"env" => name,
        [path, ..] => split_parent(path).1,
        [] => return None,
    };
    [b"sh".as_slice(), b"bash", b"dash", b"ash"].contains(&name).then_some(name)
}

fn split_words(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    line.split(|byte| is_blank(*byte)).filter(|word| !word.is_empty())
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn trim_blanks(mut line: &[u8]) -> &[u8] {
    while let [first, rest @ ..] = line
        && is_blank(*first)
    {
        line = rest;
    }
    while let [rest @ .., last] = line
        && is_blank(*last)
    {
        line = rest;
    }
    line
}

fn is_exec_arguments(line: &[u8]) -> bool {
    let Some(rest) = trim_blanks(line).strip_prefix(EXEC_ARGUMENTS) else { return false };
    match trim_blanks(rest) {
        b"" | b";" => true,
        comment => comment.starts_with(b"#") && rest.first().copied().is_some_and(is_blank),
    }
}

/// Whether the shell surely goes on with the next line as if this one were not there.
fn is_harmless_line(line: &[u8], bash: bool) -> bool {
    let line = trim_blanks(line);
    // A carriage return would be a part of the last word, a backslash may join lines, a backtick runs something.
    if line.iter().any(|byte| b"\r\0\\`".contains(byte)) {
        return line.starts_with(b"#") && !line.contains(&0);
    }
    let words: Vec<&[u8]> = split_words(line).collect();
    match words.as_slice() {
        [] | [b":"] => true,
        [first, ..] if first.starts_with(b"#") => true,
        [b"set", options @ ..] => !options.is_empty() && are_safe_options(options, bash),
        [b"umask", mask] => mask.len() <= 4 && mask.iter().all(|digit| (b'0'..=b'7').contains(digit)),
        // Of printf's options, `-v` sets a variable.
        [b"echo", ..] => is_single_command(line),
        [b"printf", format, ..] => !format.starts_with(b"-") && is_single_command(line),
        [b"export", assignment] | [assignment] => is_harmless_assignment(assignment),
        _ => false,
    }
}

/// Whether these options make a variable that is not set end a script.
pub(crate) fn enables_nounset(words: &[&[u8]]) -> bool {
    let is_strict = |word: &&[u8]| *word == b"nounset" || (word.starts_with(b"-") && word.contains(&b'u'));
    words.iter().any(is_strict)
}

/// Options that let a script go on: POSIX XCU 2.14, "set"; of bash and busybox, `pipefail`, and of bash alone `-E`.
pub(crate) fn are_safe_options(words: &[&[u8]], bash: bool) -> bool {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        let (Some(b'-' | b'+'), Some(letters)) = (word.first(), word.get(1..)) else { return false };
        let names_one = letters.last() == Some(&b'o');
        let letters = if names_one { &letters[..letters.len() - 1] } else { letters };
        let known = |letter: &u8| b"eux".contains(letter) || (bash && *letter == b'E');
        let name_is_known = |name: &&[u8]| {
            [b"errexit".as_slice(), b"nounset", b"xtrace"].contains(name) || (bash && *name == b"pipefail")
        };
        let is_empty = letters.is_empty() && !names_one;
        if is_empty || !letters.iter().all(known) || (names_one && !words.next().is_some_and(name_is_known)) {
            return false;
        }
    }
    true
}

/// `NAME=value` with a value that is written out, for a name that decides nothing.
fn is_harmless_assignment(word: &[u8]) -> bool {
    let Some(equals) = word.iter().position(|byte| *byte == b'=') else { return false };
    let (name, value) = (&word[..equals], &word[equals + 1..]);
    let is_value = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./:,@%+-=".contains(byte);
    let unquoted = match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => value,
    };
    is_variable_name(name) && !is_sensitive_variable(name) && unquoted.iter().all(is_value)
}

/// Whether a variable decides more than what the script's own lines say.
pub(crate) fn is_sensitive_variable(name: &[u8]) -> bool {
    SENSITIVE_VARIABLES.contains(&name) || SENSITIVE_PREFIXES.iter().any(|prefix| name.starts_with(prefix))
}

/// A name: POSIX XBD 3.231.
pub(crate) fn is_variable_name(name: &[u8]) -> bool {
    let is_word = name.iter().all(|byte| byte.is_ascii_alphanumeric() || *byte == b'_');
    is_word && name.first().is_some_and(|first| !first.is_ascii_digit())
}

/// Whether a line is one command whose words end with the line and run nothing; it may go to the standard error.
fn is_single_command(line: &[u8]) -> bool {
    let line = line.strip_suffix(b">&2").unwrap_or(line);
    let mut quote = None;
    for (at, byte) in line.iter().enumerate() {
        match (quote, byte) {
            (Some(b'\''), b'$') => {}
            (_, b'$') => {
                let next = line.get(at + 1).copied().unwrap_or(b' ');
                // With `-u`, a variable that is not set ends a script; these always are.
                if !b"0*@#?".contains(&next) {
                    return false;
                }
            }
            (None, b'\'' | b'"') => quote = Some(*byte),
            (Some(open), close) if open == *close => quote = None,
            (None, b';' | b'|' | b'&' | b'<' | b'>' | b'(' | b')') => return false,
            _ => {}
        }
    }
    quote.is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hands_over(script: &str, step: usize) -> bool {
        let mut scanner = ScriptScanner::default();
        script.as_bytes().chunks(step).for_each(|piece| scanner.push(piece));
        scanner.finish()
    }

    #[test]
    fn scripts_that_certainly_come_to_their_arguments() {
        for script in [
            "#!/bin/sh\nexec \"$@\"\n",
            "#!/bin/sh\nexec \"$@\"",
            "#! /bin/sh -e\n\n# a comment \\\n\t # another; `x`\r\n  exec \"$@\" ; \nif\n",
            "#!/usr/bin/env bash\nset -Eeuo pipefail\nexec \"$@\" # the command\n",
            "#!/bin/dash\nset -e -u +x\nset -o nounset\numask 0027\n:\nexec \"$@\"",
            "#!/bin/sh\nA=1\nexport B='x'\nC=\"a:b\"\nD=\nexec \"$@\"",
            "#!/bin/sh\necho \"start; of $0 with $*\" >&2\necho 'it (costs) $( | 1'\nprintf '%s' x\nexec \"$@\"",
        ] {
            for step in [1, 3, 4096] {
                assert!(hands_over(script, step), "{script}");
            }
        }
    }

    #[test]
    fn a_line_that_may_change_something_is_not_passed() {
        for line in [
            "if true; then",
            "cd /app",
            ". /env",
            "source /env",
            "shift",
            "set --",
            "set -- x",
            "set",
            "set -n",
            "set -o",
            "set -o pipefail",
            "set -E",
            "set -",
            "exit 1",
            "exec tini \"$@\"",
            "exec \"$@\" || true",
            "exec \"$@\"x",
            "exec \"$@\"#",
            "exec $@",
            "exec \"$*\"",
            "exec \"$@\"\r",
            "PATH=/x",
            "export PATH=/x",
            "export PATH",
            "BASH_ENV=/x",
            "LD_PRELOAD=/x",
            "A=$(id)",
            "A=$B",
            "A=1 exit",
            "A=(1)",
            "A+=1",
            "1=2",
            "export A=1 PATH=2",
            "echo x; exit",
            "echo `exit`",
            "echo $(exit)",
            "echo ${A:?}",
            "echo $A",
            "echo $1",
            "echo x > /proc/x",
            "echo \"open",
            "echo x \\",
            "echo x | cat",
            "echo() {",
            "echo x &",
            "printf -v PATH x",
            "printf",
            ": ${A:?}",
            "umask x",
            "cat <<E",
            "\0",
            "#\0",
            "alias x=y",
            "trap x EXIT",
            "ulimit -n 1",
        ] {
            assert!(!hands_over(&format!("#!/bin/sh\n{line}\nexec \"$@\"\n"), 4096), "{line}");
        }
    }

    #[test]
    fn what_is_no_script_for_a_shell_and_what_goes_beyond_the_bounds_is_not_followed() {
        let comments = "# long\n".repeat(MAX_SCRIPT_BYTES / 7 + 1);
        let longest = format!("#{}\n", "x".repeat(MAX_LINE_BYTES - 1));
        assert!(hands_over(&format!("#!/bin/sh\n{longest}exec \"$@\""), 4096));
        for script in [
            "exec \"$@\"\n",
            "#!/usr/bin/python3\nexec \"$@\"\n",
            "#!/bin/sh\r\nexec \"$@\"\n",
            "#!/usr/bin/env -S bash -e\nexec \"$@\"\n",
            "#!\nexec \"$@\"\n",
            "#!/bin/sh\n",
            "",
            "#!/bin/sh",
            &format!("#!/bin/sh\n{comments}exec \"$@\""),
            &format!("#!/bin/sh\n#{longest}exec \"$@\""),
        ] {
            assert!(!hands_over(script, 4096), "{script}");
        }
    }
}
