//! Scans a shell script for an end like `exec "$@"`, which runs the script's arguments unchanged.
//!
//! The lines before it must be among the few that certainly change nothing. Any other line makes the result unknown.

use super::command::is_builtin;
use super::options::{are_safe_options, is_blank, is_sensitive_variable, is_variable_name};
use crate::path::split_parent;

/// Scripts that are longer or have longer lines are not followed.
const MAX_LINE_BYTES: usize = 1024;
const MAX_SCRIPT_BYTES: usize = 16 * 1024;

/// How a script runs its arguments at its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ScriptEnding {
    /// With `exec` (POSIX XCU 2.14), and each argument as one word.
    Exec,
    /// With `exec`, and split into words.
    ExecSplit,
    /// As the last command, and each argument as one word.
    Call,
}

/// The lines to find. Only the end of a command may follow them.
const ENDINGS: [(&[u8], ScriptEnding); 6] = [
    (b"exec \"$@\"", ScriptEnding::Exec),
    (b"exec \"${@}\"", ScriptEnding::Exec),
    (b"exec $@", ScriptEnding::ExecSplit),
    (b"exec $*", ScriptEnding::ExecSplit),
    (b"\"$@\"", ScriptEnding::Call),
    (b"\"${@}\"", ScriptEnding::Call),
];

impl ScriptEnding {
    /// Returns whether the shell replaces itself.
    pub(crate) fn is_exec(self) -> bool {
        self != Self::Call
    }

    /// Returns whether these arguments certainly run unchanged as a program: the first is not an option of `exec` or a
    /// builtin, and none is split or expanded.
    pub(crate) fn runs_unchanged(self, arguments: &[Vec<u8>]) -> bool {
        let is_plain = |word: &Vec<u8>| !word.is_empty() && word.iter().all(|byte| is_literal(*byte));
        arguments.first().is_some_and(|name| match self {
            Self::Exec => !name.starts_with(b"-"),
            Self::ExecSplit => !name.starts_with(b"-") && arguments.iter().all(is_plain),
            Self::Call => !is_builtin(name),
        })
    }
}

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
    Ends(ScriptEnding),
    /// After the last command of a script, which only comments may follow.
    AfterCall,
    Unknown,
}

impl ScriptScanner {
    /// Processes the next bytes.
    pub(crate) fn push(&mut self, bytes: &[u8]) {
        for byte in bytes {
            if matches!(self.state, ScriptState::Ends(_) | ScriptState::Unknown) {
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
            ScriptState::Body { .. } if let Some(ending) = find_ending(&line) => match ending {
                ScriptEnding::Call => ScriptState::AfterCall,
                _ => ScriptState::Ends(ending),
            },
            ScriptState::Body { is_bash } if is_harmless_line(&line, is_bash) => self.state,
            ScriptState::AfterCall if matches!(trim_blanks(&line), [] | [b'#', ..]) => ScriptState::AfterCall,
            ScriptState::Ends(ending) => ScriptState::Ends(ending),
            _ => ScriptState::Unknown,
        };
    }

    /// Ends the file and returns how the script certainly runs its arguments, if it does.
    pub(crate) fn finish(mut self) -> Option<ScriptEnding> {
        self.end_line();
        match self.state {
            ScriptState::Ends(ending) => Some(ending),
            ScriptState::AfterCall => Some(ScriptEnding::Call),
            _ => None,
        }
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

fn find_ending(line: &[u8]) -> Option<ScriptEnding> {
    let line = trim_blanks(line);
    let (rest, ending) = ENDINGS.iter().find_map(|(text, ending)| Some((line.strip_prefix(*text)?, *ending)))?;
    let is_end = match trim_blanks(rest) {
        b"" | b";" => true,
        comment => comment.starts_with(b"#") && rest.first().copied().is_some_and(is_blank),
    };
    is_end.then_some(ending)
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

/// Returns whether a byte stands for itself, quoted or not.
fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"_./:,@%+-=".contains(&byte)
}

/// Returns whether this is `NAME=value` with a literal value for a variable that affects no later command.
fn is_harmless_assignment(word: &[u8]) -> bool {
    let Some(equals) = word.iter().position(|byte| *byte == b'=') else { return false };
    let (name, value) = (&word[..equals], &word[equals + 1..]);
    let unquoted = match value {
        [b'"', inner @ .., b'"'] | [b'\'', inner @ .., b'\''] => inner,
        _ => value,
    };
    is_variable_name(name) && !is_sensitive_variable(name) && unquoted.iter().all(|byte| is_literal(*byte))
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

    fn find_ending(script: &str, step: usize) -> Option<ScriptEnding> {
        let mut scanner = ScriptScanner::default();
        script.as_bytes().chunks(step).for_each(|chunk| scanner.push(chunk));
        scanner.finish()
    }

    fn execs_arguments(script: &str, step: usize) -> bool {
        find_ending(script, step) == Some(ScriptEnding::Exec)
    }

    #[test]
    fn other_endings_run_the_arguments_too() {
        for (lines, ending) in [
            ("exec \"${@}\"", Some(ScriptEnding::Exec)),
            ("exec $@\nfi", Some(ScriptEnding::ExecSplit)),
            ("exec $* # all", Some(ScriptEnding::ExecSplit)),
            ("\"$@\"", Some(ScriptEnding::Call)),
            ("set -e\n\"$@\"\n\n# end\n", Some(ScriptEnding::Call)),
            ("\"$@\"\nexit 0", None),
            ("\"$@\"\n:", None),
            ("\"$@\" &", None),
            ("$@", None),
            ("exec $@$@", None),
            ("exec \"$*\"", None),
        ] {
            assert_eq!(find_ending(&format!("#!/bin/sh\n{lines}"), 4096), ending, "{lines}");
        }
    }

    #[test]
    fn arguments_must_not_be_split_or_run_by_the_shell() {
        use ScriptEnding::{Call, Exec, ExecSplit};
        for (line, endings) in [
            ("app", [true; 3]),
            ("/app|-x|a=b", [true; 3]),
            ("app|a b", [true, false, true]),
            ("app|*", [true, false, true]),
            ("app||x", [true, false, true]),
            ("echo|x", [true, true, false]),
            ("-x", [false, false, true]),
        ] {
            let arguments: Vec<Vec<u8>> = line.split('|').map(Vec::from).collect();
            assert_eq!([Exec, ExecSplit, Call].map(|ending| ending.runs_unchanged(&arguments)), endings, "{line}");
        }
        assert!(!Exec.runs_unchanged(&[]));
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
            "exec \"$@\"x", "exec \"$@\"#", "exec \"$*\"", "exec \"$@\"\r", "PATH=/x", "export PATH=/x", "export PATH",
            "BASH_ENV=/x", "LD_PRELOAD=/x", "A=$(id)", "A=$B", "A=1 exit", "A=(1)", "A+=1", "1=2", "export A=1 PATH=2",
            "echo x; exit", "echo `exit`", "echo $(exit)", "echo ${A:?}", "echo $A", "echo $1", "echo x > /proc/x",
            "echo \"open", "echo x \\", "echo x | cat", "echo() {", "echo x &", "printf -v PATH x", "printf",
            ": ${A:?}", "umask x", "cat <<E", "\0", "#\0", "alias x=y", "trap x EXIT", "ulimit -n 1",
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
