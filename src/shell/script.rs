//! Scans a shell script for `exec "$@"`, which executes the script's arguments unchanged.
//!
//! The lines before it must be among the few that certainly change nothing. Any other line makes the result unknown.

use super::options::{are_safe_options, is_blank, is_sensitive_variable, is_variable_name};
use crate::path::split_parent;

/// Scripts that are longer or have longer lines are not followed.
const MAX_LINE_BYTES: usize = 1024;
const MAX_SCRIPT_BYTES: usize = 16 * 1024;

/// The line to find (POSIX XCU 2.14, "exec"). Only the end of a command may follow it.
const EXEC_ARGUMENTS: &[u8] = b"exec \"$@\"";

/// Scans a script that arrives in chunks. Only the current line is kept.
#[derive(Debug, Default)]
pub(crate) struct ScriptScanner {
    line: Vec<u8>,
    bytes_read: usize,
    state: ScriptState,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum ScriptState {
    /// In the first line.
    #[default]
    Shebang,
    /// In a shell script whose lines so far change nothing.
    Body {
        is_bash: bool,
    },
    ExecsArguments,
    Unknown,
}

impl ScriptScanner {
    /// Processes the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if matches!(self.state, ScriptState::ExecsArguments | ScriptState::Unknown) {
                return;
            }
            self.bytes_read += 1;
            match byte {
                b'\n' => self.end_line(),
                // Any other file is given up at its first bytes.
                _ if self.state == ScriptState::Shebang
                    && self.bytes_read <= 2
                    && *byte != b"#!"[self.bytes_read - 1] =>
                {
                    self.give_up();
                }
                _ if self.line.len() == MAX_LINE_BYTES || self.bytes_read > MAX_SCRIPT_BYTES => self.give_up(),
                _ => self.line.push(*byte),
            }
        }
    }

    fn give_up(&mut self) {
        (self.state, self.line) = (ScriptState::Unknown, Vec::new());
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        self.state = match self.state {
            ScriptState::Shebang => parse_shell_name(&line)
                .map_or(ScriptState::Unknown, |name| ScriptState::Body { is_bash: name == b"bash" }),
            ScriptState::Body { .. } if is_exec_arguments(&line) => ScriptState::ExecsArguments,
            ScriptState::Body { is_bash } if is_harmless_line(&line, is_bash) => self.state,
            ScriptState::ExecsArguments => ScriptState::ExecsArguments,
            _ => ScriptState::Unknown,
        };
    }

    /// Ends the file and returns whether the script certainly executes its arguments.
    pub(crate) fn finish(mut self) -> bool {
        self.end_line();
        self.state == ScriptState::ExecsArguments
    }
}

/// Returns the shell that a first line names, directly or through `env`.
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

fn trim_blanks(line: &[u8]) -> &[u8] {
    let is_text = |byte: &u8| !is_blank(*byte);
    let (first, last) = (line.iter().position(is_text), line.iter().rposition(is_text));
    first.zip(last).map_or(&[], |(first, last)| &line[first..=last])
}

fn is_exec_arguments(line: &[u8]) -> bool {
    let Some(rest) = trim_blanks(line).strip_prefix(EXEC_ARGUMENTS) else { return false };
    match trim_blanks(rest) {
        b"" | b";" => true,
        comment => comment.starts_with(b"#") && rest.first().copied().is_some_and(is_blank),
    }
}

/// Returns whether the shell certainly continues with the next line as if this one were absent.
fn is_harmless_line(line: &[u8], is_bash: bool) -> bool {
    let line = trim_blanks(line);
    // A carriage return would be part of the last word, a backslash may join lines, a backtick runs a command.
    if line.iter().any(|byte| b"\r\0\\`".contains(byte)) {
        return line.starts_with(b"#") && !line.contains(&0);
    }
    let words: Vec<&[u8]> = split_words(line).collect();
    match words.as_slice() {
        [] | [b":"] => true,
        [first, ..] if first.starts_with(b"#") => true,
        [b"set", options @ ..] => !options.is_empty() && are_safe_options(options, is_bash),
        [b"umask", mask] => mask.len() <= 4 && mask.iter().all(|digit| (b'0'..=b'7').contains(digit)),
        // The option `-v` of printf sets a variable.
        [b"echo", ..] => is_single_command(line),
        [b"printf", format, ..] => !format.starts_with(b"-") && is_single_command(line),
        [b"export", assignment] | [assignment] => is_harmless_assignment(assignment),
        _ => false,
    }
}

/// Returns whether this is `NAME=value` with a literal value for a variable that affects no later command.
fn is_harmless_assignment(word: &[u8]) -> bool {
    let Some(equals) = word.iter().position(|byte| *byte == b'=') else { return false };
    let (name, value) = (&word[..equals], &word[equals + 1..]);
    let is_literal = |byte: &u8| byte.is_ascii_alphanumeric() || b"_./:,@%+-=".contains(byte);
    let unquoted = match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => value,
    };
    is_variable_name(name) && !is_sensitive_variable(name) && unquoted.iter().all(is_literal)
}

/// Returns whether a line is one command that ends with the line and runs nothing else. It may write to standard error.
fn is_single_command(line: &[u8]) -> bool {
    let line = line.strip_suffix(b">&2").unwrap_or(line);
    let mut quote = None;
    for (at, byte) in line.iter().enumerate() {
        match (quote, byte) {
            (Some(b'\''), b'$') => {}
            (_, b'$') => {
                let next = line.get(at + 1).copied().unwrap_or(b' ');
                // With `-u` an unset variable ends the script. These are always set.
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

    fn execs_arguments(script: &str, step: usize) -> bool {
        let mut scanner = ScriptScanner::default();
        script.as_bytes().chunks(step).for_each(|chunk| scanner.push(chunk));
        scanner.finish()
    }

    #[test]
    fn scripts_that_execute_their_arguments() {
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
                assert!(execs_arguments(script, step), "{script}");
            }
        }
    }

    #[test]
    fn other_lines_make_it_unknown() {
        for line in [
            "if true; then", "cd /app", ". /env", "source /env", "shift", "set --", "set -- x", "set", "set -n",
            "set -o", "set -o pipefail", "set -E", "set -", "exit 1", "exec tini \"$@\"", "exec \"$@\" || true",
            "exec \"$@\"x", "exec \"$@\"#", "exec $@", "exec \"$*\"", "exec \"$@\"\r", "PATH=/x", "export PATH=/x",
            "export PATH", "BASH_ENV=/x", "LD_PRELOAD=/x", "A=$(id)", "A=$B", "A=1 exit", "A=(1)", "A+=1", "1=2",
            "export A=1 PATH=2", "echo x; exit", "echo `exit`", "echo $(exit)", "echo ${A:?}", "echo $A", "echo $1",
            "echo x > /proc/x", "echo \"open", "echo x \\", "echo x | cat", "echo() {", "echo x &", "printf -v PATH x",
            "printf", ": ${A:?}", "umask x", "cat <<E", "\0", "#\0", "alias x=y", "trap x EXIT", "ulimit -n 1",
        ] {
            assert!(!execs_arguments(&format!("#!/bin/sh\n{line}\nexec \"$@\"\n"), 4096), "{line}");
        }
    }

    #[test]
    fn other_files_and_long_scripts_are_not_followed() {
        let comments = "# long\n".repeat(MAX_SCRIPT_BYTES / 7 + 1);
        let longest = format!("#{}\n", "x".repeat(MAX_LINE_BYTES - 1));
        assert!(execs_arguments(&format!("#!/bin/sh\n{longest}exec \"$@\""), 4096));
        for lines in [
            "",
            "#!/usr/bin/python3\n",
            "#!/bin/sh\r\n",
            "#!/usr/bin/env -S bash -e\n",
            "#!\n",
            &format!("#!/bin/sh\n{comments}"),
            &format!("#!/bin/sh\n#{longest}"),
        ] {
            assert!(!execs_arguments(&format!("{lines}exec \"$@\"\n"), 4096), "{lines}");
        }
        for script in ["", "#!/bin/sh", "#!/bin/sh\n"] {
            assert!(!execs_arguments(script, 4096), "{script}");
        }
    }
}
